//! What happens to wires and to wall clocks.

use std::time::Duration;

use licensing_core::id::Role;
use tokio::time::sleep;

use super::{Troubles, seen};
use crate::simulation::network::{End, Way};
use crate::simulation::service::Service;

/// Clients that are cut off at times: those of the first generation.
pub(super) const CLIENTS: u32 = 6;

impl<S: Service> Troubles<S> {
    pub(super) async fn wires(&self) {
        let random = self.site.random("troubles of the wires");
        let network = &self.site.network;
        while self.next(&random, 500_000, 5_000_000).await {
            let role = self.role(&random);
            let other = role.others()[random.below(2) as usize];
            let duration = random.between_us(20_000, 2_500_000);
            let [out, back] = between(End::Server(role), End::Server(other));
            // A single server has no wires but those of its clients.
            let least = if self.is_alone() { 60 } else { 0 };
            match least + random.below(100 - least) {
                0..25 => self.cut(&ways_of(role), duration, seen::ISOLATION).await,
                25..40 => {
                    let ways = ways_of(role);
                    let one_way = if random.chance(50) { &ways[..2] } else { &ways[2..] };
                    self.cut(one_way, duration, seen::ONE_WAY).await;
                }
                40..50 => self.cut(&[out, back], duration, seen::CUT).await,
                50..60 => self.cut(&[out], duration, seen::ONE_WAY_CUT).await,
                60..70 => {
                    self.site.count(seen::SLOW);
                    network.slow_down(random.between_us(2_000, 60_000));
                    sleep(duration).await;
                    network.slow_down(Duration::ZERO);
                }
                70..80 => {
                    self.site.count(seen::RESET);
                    network.reset(role);
                }
                _ => {
                    let client = End::Client(1 + random.below(u64::from(CLIENTS)) as u32);
                    let ways: Vec<Way> =
                        Role::ALL.iter().flat_map(|role| between(client, End::Server(*role))).collect();
                    self.cut(&ways, duration, seen::CLIENT_CUT).await;
                }
            }
        }
    }

    pub(super) async fn cut(&self, ways: &[Way], duration: Duration, what: &'static str) {
        self.site.count(what);
        self.site.network.cut(ways.iter().copied());
        sleep(duration).await;
        self.site.network.mend(ways.iter().copied());
    }

    pub(super) async fn clocks(&self) {
        const HOUR_MS: i64 = 3_600_000;
        let random = self.site.random("troubles of the clocks");
        while self.next(&random, 1_000_000, 8_000_000).await {
            let roles = self.site.service.roles();
            let clock = self.site.host(roles[random.below(roles.len() as u64) as usize]).clock();
            match random.below(4) {
                0 => {
                    self.site.count(seen::CLOCK_JUMP);
                    clock.jump(HOUR_MS);
                }
                1 => {
                    self.site.count(seen::CLOCK_JUMP);
                    clock.jump(-HOUR_MS);
                }
                2 => {
                    self.site.count(seen::CLOCK_DRIFT);
                    clock.drift(random.below(400) as i64 - 200);
                }
                _ => {
                    clock.jump(0);
                    clock.drift(0);
                }
            }
        }
        for role in Role::ALL {
            self.site.host(role).clock().jump(0);
            self.site.host(role).clock().drift(0);
        }
    }
}

/// All ways from a server to the others, then all ways back.
pub(super) fn ways_of(role: Role) -> [Way; 4] {
    let [one, other] = role.others();
    let (role, one, other) = (End::Server(role), End::Server(one), End::Server(other));
    [(role, one), (role, other), (one, role), (other, role)]
}

pub(super) fn between(one: End, other: End) -> [Way; 2] {
    [(one, other), (other, one)]
}
