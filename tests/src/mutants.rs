//! The catalogue of planted bugs: where each of them sits, and what must notice it. The bugs themselves are described
//! in [`licensing_core::mutant`].
//!
//! The simulation is judged by most of them (`hunt`); some show only on a real disk or a real wire, and belong to the
//! suites that look there. A bug that nothing notices is a claim that the tests do not make.
//!
//! No program that anybody is told to build contains them. They exist in a build of their own, which [`cargo`] makes:
//! there `hunt` is a module of this crate, and everywhere else asking for a mutant is an error. New bugs are patches:
//! [`crate::patches`].

use std::path::Path;
use std::process::Command;

use licensing_core::mutant::{Mutant, VARIABLE};

/// Who must notice a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticedBy {
    /// The simulated triad: program `sim`, `tests/mutants.rs`.
    Simulation,
    /// The properties and tables of `licensing-core/tests`, and the clients' own tests: what one client at a time cannot
    /// show.
    Rules,
    /// The recorded and replayed power cuts and the damaged files: `tests/store/`.
    PowerCuts,
    /// What hostile peers and clients try: `tests/hostile/`, `tests/bad_input.rs`.
    HostileInput,
    /// Scenarios played step by step: `tests/directed.rs`, and the unit tests beside the code.
    Directed,
    /// Nodes on real disks over a network that is cut: `tests/mastership.rs`, `tests/membership.rs`.
    Cluster,
}

/// A mutant, its place, and who must notice it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which.
    pub mutant: Mutant,
    /// Where in the product it is planted.
    pub place: &'static str,
    /// Who must notice it.
    pub noticed_by: NoticedBy,
}

/// A bug of systems like this one that has no place in this one.
#[derive(Debug, Clone, Copy)]
pub struct Absent {
    /// The number that is left out among the mutants.
    pub number: u8,
    /// The bug.
    pub bug: &'static str,
    /// Why nobody could make it here by mistake.
    pub why: &'static str,
}

const fn entry(mutant: Mutant, place: &'static str, noticed_by: NoticedBy) -> Entry {
    Entry { mutant, place, noticed_by }
}

use NoticedBy::{Cluster, Directed, HostileInput, PowerCuts, Rules, Simulation};

/// All mutants, in the order of their numbers.
pub const CATALOGUE: &[Entry] = &[
    entry(Mutant::AckBeforeSync, "raft/store/log.rs", Simulation),
    entry(Mutant::VoteNotSynced, "raft/store/disk.rs, raft/store/memory.rs", PowerCuts),
    entry(
        Mutant::TruncationNotStored,
        "raft/store/journal.rs, raft/store/journal/recovery.rs, raft/store/memory.rs",
        PowerCuts,
    ),
    entry(Mutant::PurgeNotStored, "raft/store/journal.rs, raft/store/memory.rs", Simulation),
    entry(Mutant::SnapshotNotSynced, "raft/store/memory.rs, raft/store/shelf.rs", Simulation),
    entry(Mutant::NoDedup, "core/session.rs", Simulation),
    entry(Mutant::DedupIgnoresNumber, "core/session.rs", Rules),
    entry(Mutant::WindowTooSmall, "core/session.rs", Rules),
    entry(Mutant::SnapshotWithoutAnswers, "core/encode/state_v2.rs", Simulation),
    entry(Mutant::InstallKeepsAnswers, "core/snapshot.rs", Simulation),
    entry(Mutant::SnapshotDropsCheckout, "core/encode/state_v2.rs", Simulation),
    entry(Mutant::InstallMerges, "core/snapshot.rs", Simulation),
    entry(Mutant::IndexAheadOfState, "raft/machine.rs", Simulation),
    entry(Mutant::StateAheadOfIndex, "core/state.rs, raft/machine.rs", Rules),
    entry(Mutant::OwnClock, "raft/machine.rs", Simulation),
    entry(Mutant::OneSeatMore, "core/rules/room.rs", Simulation),
    entry(Mutant::CheckinForgotten, "core/apply/check_in.rs", Simulation),
    entry(Mutant::AnswersShifted, "raft/machine.rs", Simulation),
    entry(Mutant::LocalRead, "raft/propose.rs", Simulation),
    entry(Mutant::AnswerOnTimeout, "raft/propose.rs", Simulation),
    entry(Mutant::LeaderRestored, "raft/engine/settings.rs", Simulation),
    entry(Mutant::TertiaryServes, "raft/mastership/judge.rs", Simulation),
    entry(Mutant::BlindHandover, "raft/mastership/pin.rs", Directed),
    entry(Mutant::SharedToken, "client/client.rs", Simulation),
    entry(Mutant::OldSignsOfLife, "raft/sessions/expiry.rs", Simulation),
    entry(Mutant::SnapshotNotChecked, "raft/store/shelf.rs", PowerCuts),
    entry(Mutant::PeerNotChecked, "raft/peer/checks.rs", HostileInput),
    entry(Mutant::QueueWithoutLimit, "raft/propose.rs", Simulation),
    entry(Mutant::FrameWithoutLimit, "client/framing.rs, raft/peer/frame.rs", HostileInput),
    entry(Mutant::WriteIsEnough, "raft/store/journal.rs", PowerCuts),
    entry(Mutant::FailbackFlaps, "raft/mastership/pin.rs", Directed),
    // News of a commit travels with later entries, so in the simulation it hardly ever comes before the entries are durable.
    entry(Mutant::CommitAheadOfLog, "raft/store/journal/recovery.rs, raft/store/memory.rs", PowerCuts),
    entry(Mutant::PublishedMastership, "raft/mastership/judge.rs", Simulation),
    entry(Mutant::LateConfirmation, "raft/peer/pipeline.rs", Directed),
    entry(Mutant::LeaseIgnored, "raft/mastership/judge.rs", Simulation),
    entry(Mutant::EmptyDiskVotes, "raft/peer/answers.rs", Cluster),
    entry(Mutant::RetryRenumbered, "client/session/send.rs", Simulation),
    entry(Mutant::AcknowledgedTooEarly, "client/session/send.rs", Rules),
];

/// What is not among them, and why.
pub const ABSENT: &[Absent] = &[
    Absent {
        number: 17,
        bug: "the leader looks whether there is a seat and then proposes to take it",
        why: "nothing outside of `apply` decides about seats: a proposal carries the question, never the answer",
    },
    Absent {
        number: 25,
        bug: "the number of seats is read from a local file while an entry is applied",
        why: "the license text is itself an entry, and core/clippy.toml bans files in the crate that applies",
    },
    Absent {
        number: 26,
        bug: "a sign of life counts from the time on the client's clock",
        why: "a heartbeat has no time in it: the master notes when it came, on its own monotonic clock",
    },
    Absent {
        number: 40,
        bug: "a restarted server votes at once, although the lease it granted may still run",
        why: "planted, it changes nothing: whoever could ask for the vote waits for a lease since the last sign of a \
              leader or since its own start, and a transfer is asked for by the leader itself",
    },
];

/// In the build with mutants the one that [`VARIABLE`] names is planted from the start, so that any suite can be tried
/// against it: `LICENSING_MUTANT=M39 tests/mutants/cargo test --workspace --test membership`. Suites say by this call that
/// they can be tried.
///
/// # Panics
///
/// When it is asked for in a build that has none: nothing would be noticed, and that would look like a verdict.
pub fn plant_as_told() {
    assert!(
        cfg!(licensing_mutants) || std::env::var_os(VARIABLE).is_none(),
        "{VARIABLE} is set and there are no mutants in this build: run `tests/mutants/cargo` instead of `cargo`"
    );
}

/// Cargo for the build with mutants, in the profile of this program.
pub fn cargo(command: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(tests.join("mutants/cargo"));
    cargo.arg(command).arg("--manifest-path").arg(tests.join("Cargo.toml"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_in_the_catalogue_once_and_every_missing_number_has_its_reason() {
        let listed: Vec<Mutant> = CATALOGUE.iter().map(|entry| entry.mutant).collect();
        assert_eq!(listed, Mutant::ALL);
        let last = Mutant::ALL.last().map_or(0, |mutant| mutant.number());
        let missing: Vec<u8> = (1..=last)
            .filter(|number| !Mutant::ALL.iter().any(|mutant| mutant.number() == *number))
            .collect();
        let absent: Vec<u8> = ABSENT.iter().map(|absent| absent.number).collect();
        assert_eq!(absent, missing);
    }

    /// A switch that was lost in a change would make its mutant a bug that nobody can plant.
    #[test]
    fn every_mutant_sits_where_the_catalogue_says() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Entry { mutant, place, .. } in CATALOGUE {
            for file in place.split(", ") {
                let (layer, file) = file.split_once('/').expect("a place is a crate and a file");
                let path = root.join(format!("licensing-{layer}/src")).join(file);
                let text = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let switched = text.contains(&format!("planted(Mutant::{mutant:?})"));
                assert!(switched, "no {mutant:?} in {}", path.display());
            }
        }
    }
}
