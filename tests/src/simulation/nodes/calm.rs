//! Since when servers have been left alone by whoever makes trouble: what is bounded in time is bounded only then.

use licensing_core::id::Role;

use super::{AroundNodes, HasNode};
use crate::simulation::service::Site;

/// Since when each server, and the wires of each pair, have been left alone.
#[derive(Default)]
pub(crate) struct Calm {
    since_us: [[u64; 3]; 3],
    lives: [u64; 3],
    breaks: [[u64; 3]; 3],
}

impl Calm {
    /// Takes note of what is to be seen at this look.
    pub(crate) fn look<S: AroundNodes>(&mut self, site: &Site<S>) {
        let now_us = site.recorder.now_us();
        let alone = Role::ALL.map(|role| self.is_left_alone(site, role));
        for one in Role::ALL {
            for other in Role::ALL.into_iter().filter(|other| other.place() >= one.place()) {
                let (left, right) = (one.place(), other.place());
                let breaks = site.network.breaks(one, other);
                let is_calm = alone[left]
                    && alone[right]
                    && site.network.carries_freely(one, other)
                    && breaks == self.breaks[left][right];
                self.breaks[left][right] = breaks;
                if !is_calm {
                    self.since_us[left][right] = now_us;
                }
            }
        }
    }

    /// Since when nothing has happened to these two, nor to the wires between them.
    pub(crate) fn since_us(&self, one: Role, other: Role) -> u64 {
        let (one, other) = (one.place(), other.place());
        self.since_us[one.min(other)][one.max(other)]
    }

    /// Since when nothing has happened to any of these.
    pub(crate) fn of_all_since_us(&self, roles: &[Role]) -> u64 {
        let pairs = roles.iter().flat_map(|one| roles.iter().map(|other| self.since_us(*one, *other)));
        pairs.max().unwrap_or(0)
    }

    fn is_left_alone<S: AroundNodes>(&mut self, site: &Site<S>, role: Role) -> bool {
        let (host, lives) = (site.host(role), &mut self.lives[role.place()]);
        let same_life = std::mem::replace(lives, host.lives()) == host.lives();
        let Some(server) = site.awake(role) else { return false };
        // One that is too old has stopped by itself.
        let runs = server.node().failure().borrow().is_none();
        same_life && runs && host.trouble().try_lock().is_ok() && site.away_since_us(role).is_none()
    }
}
