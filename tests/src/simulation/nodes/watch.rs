//! What the harness sees of the servers at every look, and the claims about it.

use std::collections::BTreeMap;

use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role, Timestamp};
use licensing_core::invariants;
use licensing_core::state::State;

use super::bounds::Bounds;
use super::names::{claim, seen};
use super::rest::Rest;
use super::{AroundNodes, HasNode};
use crate::simulation::host::Host;
use crate::simulation::service::{Service, Site};

/// A server that has been away for so long has been missed by all others.
const NOTICED_US: u64 = 1_000_000;

/// Digests kept: replicas are never further apart than a run is long, but old ones are of no use.
const DIGESTS: usize = 4096;

/// What has been seen so far.
#[derive(Default)]
pub(crate) struct Watch {
    /// Digest of the state at an index, whoever showed it first.
    digests: BTreeMap<LogIndex, String>,
    clocks: BTreeMap<Role, (LogIndex, Timestamp)>,
    last_master: Option<Role>,
    /// Handovers, snapshots and elections on evidence counted of each server's present life.
    counted: [(u64, u64, u64); 3],
    /// The newest edition of the rules that any server applies.
    pub(crate) edition: Edition,
    /// Which servers have run in a version that knows all rules.
    has_known: [bool; 3],
    /// Servers that have stopped as too old before anybody was seen to apply what they do not know.
    pub(crate) stopped_early: Vec<String>,
    bounds: Bounds,
    rest: Rest,
}

impl Watch {
    /// A server begins a life.
    pub(crate) fn begins(&mut self, host: &Host) {
        self.counted[host.role().place()] = (0, 0, 0);
        self.bounds.begins(host.role());
        self.has_known[host.role().place()] |= !host.is_older();
    }

    /// All that is to be seen at one look.
    pub(crate) fn look<S: AroundNodes>(&mut self, site: &Site<S>) {
        let serving = self.masters(site);
        self.bounds.look(site, serving);
        self.rest.look(site, serving);
        self.editions(site);
        for role in Role::ALL {
            if let Some(server) = &site.servers()[role.place()] {
                self.count(site, role, server);
                self.replica(site, role, server);
            }
        }
    }

    /// Who serves.
    fn masters<S: AroundNodes>(&mut self, site: &Site<S>) -> Option<Role> {
        // One that stands still answers nobody.
        let serves = |role: &Role| site.awake(*role).is_some_and(|server| server.node().serves());
        let serving: Vec<Role> = Role::ALL.into_iter().filter(serves).collect();
        if serving.len() > 1 {
            site.fail(claim::ONE_MASTER, format!("{serving:?} at {} us", site.recorder.now_us()));
        }
        let serving = serving.first().copied();
        let Some(master) = serving.filter(|master| Some(*master) != self.last_master) else { return serving };
        match (master, self.last_master) {
            (Role::Primary, last) => {
                site.count(seen::PRIMARY);
                let running = site.servers()[Role::Secondary.place()].is_some();
                if last == Some(Role::Secondary) && running {
                    site.count(seen::HAND_BACK);
                }
            }
            (Role::Secondary, _) => site.count(seen::SECONDARY),
            (Role::Tertiary, _) => site.fail(claim::NO_TERTIARY, format!("{} us", site.recorder.now_us())),
        }
        self.last_master = serving;
        serving
    }

    fn count<S: AroundNodes>(&mut self, site: &Site<S>, role: Role, server: &S::Server) {
        let counts = server.node().counts();
        let (handovers, snapshots, elections) = self.counted[role.place()];
        self.counted[role.place()] =
            (counts.handovers, counts.snapshots_installed, counts.elections_by_evidence);
        for _ in elections..counts.elections_by_evidence {
            site.count(seen::BY_EVIDENCE);
        }
        for _ in snapshots..counts.snapshots_installed {
            site.count(seen::SNAPSHOT);
        }
        for _ in handovers..counts.handovers {
            if role == Role::Tertiary {
                site.count(seen::CARETAKER);
            }
            handover(site, role);
        }
    }

    fn replica<S: AroundNodes>(&mut self, site: &Site<S>, role: Role, server: &S::Server) {
        let state = server.node().state();
        let (index, clock) = (state.last_index(), state.clock());
        let last = self.clocks.insert(role, (index, clock));
        if last.is_some_and(|(last_index, _)| last_index == index) {
            return;
        }
        if let Some((last_index, last_clock)) = last
            && index >= last_index
            && clock < last_clock
        {
            site.fail(claim::TIME, format!("the {role} at entry {index}"));
        }
        if let Err(violation) = invariants::check(&state) {
            site.fail(claim::INVARIANTS, format!("the {role}: {violation}"));
        }
        let digest = state.digest().to_string();
        let first = self.digests.entry(index).or_insert_with(|| digest.clone());
        if *first != digest {
            site.fail(claim::REPLICAS, format!("the {role} differs at entry {index}"));
        }
        while self.digests.len() > DIGESTS {
            self.digests.pop_first();
        }
    }

    /// The newest edition that anybody applies; nobody may apply one that it does not know.
    pub(crate) fn editions<S: AroundNodes>(&mut self, site: &Site<S>) {
        for role in Role::ALL {
            let Some(server) = &site.servers()[role.place()] else { continue };
            let edition = server.node().look(State::edition);
            if edition > Edition::FIRST && site.host(role).is_older() {
                site.fail(claim::KNOWS_ITS_RULES, format!("the {role} at {} us", site.recorder.now_us()));
            }
            if edition > self.edition {
                self.edition = edition;
                // Servers that begin with nothing begin with the newest rules.
                if site.recorder.last_index() > LogIndex(0) {
                    site.count(seen::RAISED);
                }
                let missing = |role: &&Role| !self.has_known[role.place()];
                for role in site.service.roles().iter().filter(missing) {
                    let detail = format!("edition {edition} applies, the {role} has never known it");
                    site.fail(claim::RAISED_TOGETHER, detail);
                }
            }
        }
    }

    /// What can be said only when all is over.
    pub(crate) fn end<S: AroundNodes>(&self, site: &Site<S>) {
        if self.edition == Edition::FIRST {
            for stopped in &self.stopped_early {
                site.fail(claim::STOPS_FOR_A_REASON, stopped);
            }
        }
    }
}

/// A leader has begun to hand over.
fn handover<S: Service>(site: &Site<S>, from: Role) {
    let now_us = site.recorder.now_us();
    let targets = || [Role::Primary, Role::Secondary].into_iter().filter(|role| *role != from);
    let gone = |role: Role| site.away_since_us(role).is_some_and(|since| now_us - since > NOTICED_US);
    if targets().all(gone) {
        site.fail(claim::HANDOVER_TO_SOMEBODY, format!("by the {from} at {now_us} us"));
    }
}
