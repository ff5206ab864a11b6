//! Looks at all servers again and again, and counts what rarely happens.

use std::collections::BTreeMap;

use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role, Timestamp};
use licensing_core::invariants;
use licensing_core::state::State;

use super::claims::{claim, seen};
use super::server::Server;
use crate::simulation::service::{Service, Site};

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Watch {
    /// Digest of the state at an index, whoever showed it first.
    digests: BTreeMap<LogIndex, String>,
    clocks: BTreeMap<Role, (LogIndex, Timestamp)>,
    last_master: Option<Role>,
    /// Counted of each server's present life.
    counted: [(u64, u64); 3],
    /// Since when each server does not run or stands still, in microseconds.
    down_since_us: [Option<u64>; 3],
    /// The newest edition that anybody applied.
    edition: Edition,
}

/// A server that has been away for so long has been missed by all others.
const NOTICED_US: u64 = 1_000_000;

/// Digests kept: replicas are never further apart than a run is long, but old ones are of no use.
const DIGESTS: usize = 4096;

impl Watch {
    /// A server begins a new life.
    pub(super) fn begins(&mut self, role: Role) {
        self.counted[role.place()] = (0, 0);
    }

    /// Looks at all servers; `known` says which rules the program of each knows.
    pub(super) fn look<S: Service<Server = Server>>(
        &mut self,
        site: &Site<S>,
        known: impl Fn(Role) -> Edition,
    ) {
        self.masters(site);
        self.who_is_away(site);
        for role in Role::ALL {
            if let Some(server) = &site.servers()[role.place()] {
                self.count(site, role, server);
                self.replica(site, role, server, known(role));
            }
        }
    }

    fn masters<S: Service<Server = Server>>(&mut self, site: &Site<S>) {
        // One that stands still answers nobody.
        let serves = |role: &Role| site.awake(*role).is_some_and(|server| server.node().serves());
        let serving: Vec<Role> = Role::ALL.into_iter().filter(serves).collect();
        if serving.len() > 1 {
            site.fail(claim::ONE_MASTER, format!("{serving:?} at {} us", site.recorder.now_us()));
        }
        let Some(master) = serving.first().copied().filter(|master| Some(*master) != self.last_master) else {
            return;
        };
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
        self.last_master = Some(master);
    }

    fn count<S: Service<Server = Server>>(&mut self, site: &Site<S>, role: Role, server: &Server) {
        let counts = server.node().counts();
        let (handovers, snapshots) = self.counted[role.place()];
        self.counted[role.place()] = (counts.handovers, counts.snapshots_installed);
        for _ in snapshots..counts.snapshots_installed {
            site.count(seen::SNAPSHOT);
        }
        for _ in handovers..counts.handovers {
            if role == Role::Tertiary {
                site.count(seen::CARETAKER);
            }
            self.handover(site, role);
        }
    }

    fn who_is_away<S: Service<Server = Server>>(&mut self, site: &Site<S>) {
        for role in Role::ALL {
            let away = site.awake(role).is_none();
            let since = &mut self.down_since_us[role.place()];
            *since = away.then(|| since.unwrap_or_else(|| site.recorder.now_us()));
        }
    }

    /// A leader has begun to hand over.
    fn handover<S: Service<Server = Server>>(&self, site: &Site<S>, from: Role) {
        let now_us = site.recorder.now_us();
        let targets = || [Role::Primary, Role::Secondary].into_iter().filter(|role| *role != from);
        let gone =
            |role: Role| self.down_since_us[role.place()].is_some_and(|since| now_us - since > NOTICED_US);
        if targets().all(gone) {
            site.fail(claim::HANDOVER_TO_SOMEBODY, format!("by the {from} at {now_us} us"));
        }
    }

    fn replica<S: Service<Server = Server>>(
        &mut self,
        site: &Site<S>,
        role: Role,
        server: &Server,
        known: Edition,
    ) {
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
        self.rules(site, role, &state, known);
        let digest = state.digest().to_string();
        let first = self.digests.entry(index).or_insert_with(|| digest.clone());
        if *first != digest {
            site.fail(claim::REPLICAS, format!("the {role} differs at entry {index}"));
        }
        while self.digests.len() > DIGESTS {
            self.digests.pop_first();
        }
    }

    /// Which rules are applied.
    fn rules<S: Service>(&mut self, site: &Site<S>, role: Role, state: &State, known: Edition) {
        let edition = state.edition();
        if edition > known {
            let detail = format!("the {role} knows editions up to {known} and applies {edition}");
            site.fail(claim::KNOWN_RULES, detail);
        }
        if state.licenses().count() > 1 && edition < Edition::SEVERAL_VENDORS {
            site.fail(claim::NEW_RULES_SLEEP, format!("the {role} at entry {}", state.last_index()));
        }
        if edition > self.edition {
            self.edition = edition;
            site.count(seen::RAISED);
        }
    }
}
