//! What goes wrong in a run, drawn from its seed. Machines, wires and clocks have their troubles independently of each
//! other, and some are aimed at moments that are rarely hit by chance.

mod ambushes;
mod instants;
mod machines;
mod processes;
pub mod seen;
mod wires;

use std::sync::Arc;

use licensing_core::id::Role;
use tokio::time::{Instant, sleep};

use super::happenings::Heard;
use super::random::Stream;
use super::service::{Service, Site};
use super::versions;

/// Makes trouble until `until`, and returns when all servers run again and all wires carry.
pub(crate) async fn trouble<S: Service>(site: &Arc<Site<S>>, until: Instant, heard: &mut Heard) {
    let troubles = Troubles { site: site.clone(), until };
    tokio::join!(
        troubles.machines(),
        troubles.processes(),
        troubles.wires(),
        troubles.clocks(),
        troubles.ambushes(&mut heard.moments),
        troubles.at_instants(&mut heard.instants),
        versions::change(site, until)
    );
}

struct Troubles<S: Service> {
    site: Arc<Site<S>>,
    until: Instant,
}

impl<S: Service> Troubles<S> {
    /// Waits for the next trouble; `false` when there is to be none.
    async fn next(&self, random: &Stream, least_us: u64, most_us: u64) -> bool {
        sleep(random.between_us(least_us, most_us)).await;
        Instant::now() < self.until
    }

    fn is_alone(&self) -> bool {
        self.site.service.roles().len() == 1
    }

    /// Any server, the master more often than the others.
    fn role(&self, random: &Stream) -> Role {
        let roles = self.site.service.roles();
        let any = roles[random.below(roles.len() as u64) as usize];
        let master = self.site.service.master(&self.site.servers());
        if random.chance(40) { master.unwrap_or(any) } else { any }
    }
}
