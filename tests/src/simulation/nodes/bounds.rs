//! Claims with clocks: what costs only availability is bounded while nobody makes trouble. [`Calm`] says since when that is.

use licensing_core::id::{LogIndex, Role};
use licensing_core::state::State;

use super::calm::Calm;
use super::names::claim;
use super::{AroundNodes, HasNode};
use crate::simulation::service::Site;

/// Two members are without a master for so long at most. A lease must end (0.3 s), and where only the tertiary has the newest
/// entries it waits for its turn (2 s), brings another server up to date, piece by piece perhaps, and hands over. The worst of
/// some hundred runs was between 2 and 3 s.
const WITHOUT_MASTER_US: u64 = 5_000_000;

/// A standby that is behind stands still for so long at most: until it is readmitted and has taken a snapshot in many pieces.
/// The worst of some hundred runs was between 1 and 2 s.
const BEHIND_US: u64 = 4_000_000;

/// A handover takes three heartbeats at most, 0.15 s. What happened so long before has been noticed by then, and is over.
const BEFORE_HANDOVER_US: u64 = 600_000;

/// What has been seen so far.
#[derive(Default)]
pub(crate) struct Bounds {
    calm: Calm,
    /// When somebody served last. Before that only the founder may have an entry at all, and without it nobody can lead.
    served_us: Option<u64>,
    /// Handovers that each server's present life has taken back.
    taken_back: [u64; 3],
    standbys: [Standby; 3],
}

/// How far a standby has come, and since when.
#[derive(Clone, Copy, Default)]
struct Standby {
    applied: LogIndex,
    since_us: u64,
}

impl Bounds {
    /// A server begins a life.
    pub(crate) fn begins(&mut self, role: Role) {
        self.taken_back[role.place()] = 0;
    }

    /// All that is to be seen at one look; `serving`: who serves.
    pub(crate) fn look<S: AroundNodes>(&mut self, site: &Site<S>, serving: Option<Role>) {
        self.calm.look(site);
        self.somebody_serves(site, serving);
        self.handovers_end(site);
        self.standbys_catch_up(site, serving);
    }

    fn somebody_serves<S: AroundNodes>(&mut self, site: &Site<S>, serving: Option<Role>) {
        let now_us = site.recorder.now_us();
        if serving.is_some() {
            self.served_us = Some(now_us);
        }
        if self.served_us.is_none_or(|served_us| now_us - served_us <= WITHOUT_MASTER_US) {
            return;
        }
        let is_member =
            |role: Role| site.awake(role).is_some_and(|server| server.node().servers()[role.place()].member);
        let roles = site.service.roles();
        let pairs = roles.iter().flat_map(|one| roles.iter().map(move |other| (*one, *other)));
        // A single server is its own quorum.
        for (one, other) in pairs.filter(|(one, other)| one < other || roles.len() == 1) {
            let calm_us = now_us - self.calm.since_us(one, other);
            if calm_us > WITHOUT_MASTER_US && is_member(one) && is_member(other) {
                site.fail(claim::SOMEBODY_SERVES, format!("the {one} and the {other}, at {now_us} us"));
            }
        }
    }

    fn handovers_end<S: AroundNodes>(&mut self, site: &Site<S>) {
        let now_us = site.recorder.now_us();
        for from in site.service.roles().iter().copied() {
            let Some(server) = &site.servers()[from.place()] else { continue };
            let taken_back = server.node().counts().handovers_taken_back;
            let before = std::mem::replace(&mut self.taken_back[from.place()], taken_back);
            let untroubled = |to: Role| {
                // A vote waits for the disk.
                let disks = [from, to].map(|role| site.host(role).disk_was_quick_for());
                let disks_us = disks.into_iter().map(|quick| quick.as_micros()).min().unwrap_or_default();
                now_us - self.calm.since_us(from, to) > BEFORE_HANDOVER_US
                    && disks_us > u128::from(BEFORE_HANDOVER_US)
            };
            // The tertiary has two to choose from.
            let mut targets = [Role::Primary, Role::Secondary].into_iter().filter(|to| *to != from);
            if taken_back > before && targets.all(untroubled) {
                site.fail(claim::HANDOVERS_END, format!("by the {from} at {now_us} us"));
            }
        }
    }

    fn standbys_catch_up<S: AroundNodes>(&mut self, site: &Site<S>, serving: Option<Role>) {
        let now_us = site.recorder.now_us();
        let applied = |role: Role| Some(site.awake(role)?.node().look(State::last_index));
        let newest = serving.and_then(applied);
        for role in site.service.roles().iter().copied() {
            let own = applied(role);
            let standby = &mut self.standbys[role.place()];
            let is_behind = own.is_some() && newest > own;
            if !is_behind || own != Some(standby.applied) {
                *standby = Standby { applied: own.unwrap_or_default(), since_us: now_us };
            }
            // A server without a history is readmitted only when all three are there.
            let since_us = standby.since_us.max(self.calm.of_all_since_us(site.service.roles()));
            if now_us - since_us > BEHIND_US {
                site.fail(claim::CATCHES_UP, format!("the {role} at {own:?}, at {now_us} us"));
            }
        }
    }
}
