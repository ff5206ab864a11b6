//! What looks like the death of a process, or is undone faster than anybody acts on it: who is elected at once because a server
//! is known to be dead must not be elected beside one that lives.

use std::time::Duration;

use licensing_core::id::Role;
use tokio::time::sleep;

use super::machines::Fall;
use super::wires::{between, ways_of};
use super::{Troubles, seen};
use crate::simulation::network::{End, Way};
use crate::simulation::random::Stream;
use crate::simulation::service::Service;

impl<S: Service> Troubles<S> {
    pub(super) async fn processes(&self) {
        let random = self.site.random("troubles of the processes");
        while self.next(&random, 500_000, 5_000_000).await {
            let role = self.role(&random);
            match random.below(100) {
                _ if self.is_alone() => self.restart(role, &random).await,
                0..40 => self.restart(role, &random).await,
                40..75 => self.reject(role, &random).await,
                _ => self.forwarder(&random).await,
            }
        }
    }

    async fn restart(&self, role: Role, random: &Stream) {
        let duration = random.between_us(500, 30_000);
        self.fall(role, Fall::Crash, duration, seen::RESTART).await;
    }

    /// Between a server and one or both of the others, one way or both; now and then one of them dies behind it.
    async fn reject(&self, role: Role, random: &Stream) {
        let other = role.others()[random.below(2) as usize];
        let [out, back] = between(End::Server(role), End::Server(other));
        let all = ways_of(role);
        let ways: &[Way] = match random.below(6) {
            0 => &[out],
            1 => &[back],
            2 => &[out, back],
            3 => &all[..2],
            4 => &all[2..],
            _ => &all,
        };
        self.site.count(seen::REJECTION);
        self.site.network.reject(ways.iter().copied());
        sleep(random.between_us(5_000, 800_000)).await;
        if random.chance(30) {
            self.fall(other, Fall::Crash, random.between_us(500, 300_000), seen::CRASH).await;
        }
        self.site.network.let_through();
    }

    async fn forwarder(&self, random: &Stream) {
        if !self.site.network.is_forwarding() {
            return;
        }
        self.site.count(seen::FORWARDER);
        self.site.network.set_forwarder(false);
        sleep(random.between_us(5_000, 800_000)).await;
        self.site.network.set_forwarder(true);
        // It may go down again before all connections have been made anew.
        sleep(Duration::from_millis(random.below(20))).await;
    }
}
