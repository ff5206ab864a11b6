//! Planted bugs, by which the tests are judged: a test that no bug can fail proves nothing.
//!
//! Each [`Mutant`] is one programming error that has been made in systems like this one, or in this one. It sits at
//! its place in the product behind `if planted(Mutant::…)`. In every build but one [`planted`] is the constant `false`
//! and nothing of a mutant is left: the switch is `--cfg licensing_mutants`, which no cargo feature can bring about,
//! and only `tests/mutants/cargo` sets it, for a build of its own (ADR 0017). In that build one mutant at a time is
//! planted for the whole process: the one that the environment names in [`VARIABLE`], or none.
//!
//! What is expected to catch each of them, and which bugs this design has no place for, stands in
//! `tests/src/mutants.rs`. Numbers are for good: one that is missing here belongs to such a bug. New bugs are not added
//! here, they are patches: `tests/mutants/README.md`.

use std::fmt;
use std::str::FromStr;

macro_rules! mutants {
    ($($(#[doc = $bug:literal])+ $variant:ident = $number:literal $name:literal,)+) => {
        /// One planted bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mutant {
            $($(#[doc = $bug])+ $variant = $number,)+
        }

        impl Mutant {
            /// All of them, by number.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$variant),+];

            /// What it is called on a command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Mutant::$variant => $name,)+
                }
            }

            /// The bug in a sentence.
            pub const fn bug(self) -> &'static str {
                match self {
                    $(Mutant::$variant => concat!($($bug),+).trim_ascii_start(),)+
                }
            }
        }
    };
}

mutants! {
    /// An append is acknowledged when it is queued, before it is on the disk.
    AckBeforeSync = 1 "ack-before-sync",
    /// A vote is written and not synced: it reaches the disk with the next entries.
    VoteNotSynced = 2 "vote-not-synced",
    /// A truncation leaves the old entries on the disk, new ones overwrite only those of their own index.
    TruncationNotStored = 3 "truncation-not-stored",
    /// Entries are purged and it is not noted up to where.
    PurgeNotStored = 4 "purge-not-stored",
    /// A snapshot is written and not synced before the entries it replaces are purged.
    SnapshotNotSynced = 5 "snapshot-not-synced",
    /// A repeated request is decided again.
    NoDedup = 6 "no-dedup",
    /// A request gets the answer that is kept, whatever its number.
    DedupIgnoresNumber = 7 "dedup-ignores-number",
    /// Only the newest answer of a session is kept.
    WindowTooSmall = 8 "window-too-small",
    /// A snapshot leaves out the kept answers.
    SnapshotWithoutAnswers = 9 "snapshot-without-answers",
    /// An installed snapshot leaves the kept answers as they were before.
    InstallKeepsAnswers = 10 "install-keeps-answers",
    /// A snapshot leaves out its newest checkout.
    SnapshotDropsCheckout = 11 "snapshot-drops-checkout",
    /// An installed snapshot is added to the checkouts that were there before.
    InstallMerges = 12 "install-merges",
    /// A snapshot claims entries that were applied while it was being encoded.
    IndexAheadOfState = 13 "index-ahead-of-state",
    /// A snapshot holds entries that it does not claim, and what was applied already is applied again.
    StateAheadOfIndex = 14 "state-ahead-of-index",
    /// Each server puts its own time on what it applies.
    OwnClock = 15 "own-clock",
    /// One seat more is granted than licensed.
    OneSeatMore = 16 "one-seat-more",
    /// One checkin in 97 is acknowledged and not carried out.
    CheckinForgotten = 18 "checkin-forgotten",
    /// Of the answers decided together each goes to the one who asked next.
    AnswersShifted = 19 "answers-shifted",
    /// What must be read as of now is read from the own state, without asking anybody.
    LocalRead = 20 "local-read",
    /// A proposal that was not committed in time is answered with what it would have led to.
    AnswerOnTimeout = 21 "answer-on-timeout",
    /// A leader that was restarted leads on without an election.
    LeaderRestored = 22 "leader-restored",
    /// The tertiary serves while it leads.
    TertiaryServes = 23 "tertiary-serves",
    /// A handover does not ask whether its target lives and has the log.
    BlindHandover = 24 "blind-handover",
    /// All clients draw the same session token.
    SharedToken = 27 "shared-token",
    /// A new or woken master judges silence by the signs of life of an earlier term of office.
    OldSignsOfLife = 28 "old-signs-of-life",
    /// The checksum of a stored snapshot is not compared.
    SnapshotNotChecked = 29 "snapshot-not-checked",
    /// A proven peer may speak for another.
    PeerNotChecked = 30 "peer-not-checked",
    /// Proposals are taken without a limit.
    QueueWithoutLimit = 31 "queue-without-limit",
    /// A frame may be as long as its sender says.
    FrameWithoutLimit = 32 "frame-without-limit",
    /// What is written to the log is not synced.
    WriteIsEnough = 33 "write-is-enough",
    /// The mastership goes back to the primary at once, however often it falls.
    FailbackFlaps = 34 "failback-flaps",
    /// A commit index is stored that is ahead of the durable log.
    CommitAheadOfLog = 35 "commit-ahead-of-log",
    /// Who may serve is looked up in what was published last.
    PublishedMastership = 36 "published-mastership",
    /// Appends are sent on while old ones are unanswered: a late answer confirms the newest lease.
    LateConfirmation = 37 "late-confirmation",
    /// A leader serves without a quorum having answered it lately.
    LeaseIgnored = 38 "lease-ignored",
    /// A server whose disk was emptied votes before it has caught up.
    EmptyDiskVotes = 39 "empty-disk-votes",
    /// A client sends a request again under a new number.
    RetryRenumbered = 41 "retry-renumbered",
    /// A client acknowledges requests whose answer it has not got.
    AcknowledgedTooEarly = 42 "acknowledged-too-early",
}

impl Mutant {
    /// Its number, for good.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The name.
impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No mutant is called this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no mutant is called `{0}`: names are like `no-dedup`, numbers like `M6`")]
pub struct UnknownMutant(String);

/// Reads a name (`no-dedup`) or a number (`M6`).
impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Mutant, UnknownMutant> {
        let number: Option<u8> = text.strip_prefix(['M', 'm']).and_then(|digits| digits.parse().ok());
        let is_meant = |mutant: &Mutant| mutant.name() == text || Some(mutant.number()) == number;
        let found = Mutant::ALL.iter().copied().find(is_meant);
        found.ok_or_else(|| UnknownMutant(text.to_owned()))
    }
}

/// Names the mutant that a program of the build with mutants begins with: `LICENSING_MUTANT=M39`.
pub const VARIABLE: &str = "LICENSING_MUTANT";

/// Whether the product is to have this bug now.
#[cfg(not(licensing_mutants))]
#[inline(always)]
pub const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(licensing_mutants)]
pub use choice::{plant, planted};

#[cfg(licensing_mutants)]
mod choice {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::{Mutant, VARIABLE};

    /// Nobody has looked yet what the environment asks for.
    const UNASKED: u8 = u8::MAX;

    /// Number of the planted mutant, 0 for none. No other memory hangs on it, so it needs no order.
    static PLANTED: AtomicU8 = AtomicU8::new(UNASKED);

    /// Gives the whole process this bug from now on, or none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.store(mutant.map_or(0, Mutant::number), Ordering::Relaxed);
    }

    /// Whether the product is to have this bug now.
    pub fn planted(mutant: Mutant) -> bool {
        match PLANTED.load(Ordering::Relaxed) {
            UNASKED => asked_for() == Some(mutant),
            number => number == mutant.number(),
        }
    }

    /// Plants what the environment names, and says what.
    ///
    /// # Panics
    ///
    /// When it names something else: whoever asked would believe that the bug was not noticed.
    #[cold]
    #[allow(clippy::disallowed_methods, clippy::panic, reason = "not in the product")]
    fn asked_for() -> Option<Mutant> {
        let name = std::env::var(VARIABLE).ok();
        let mutant = name.map(|name| name.parse().unwrap_or_else(|error| panic!("{VARIABLE}: {error}")));
        plant(mutant);
        mutant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_found_by_its_name_and_by_its_number() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.to_string().parse(), Ok(*mutant));
            assert_eq!(format!("M{}", mutant.number()).parse(), Ok(*mutant));
            assert!(mutant.bug().ends_with('.'), "{mutant}: {}", mutant.bug());
        }
        for unknown in ["", "M", "M0", "M17", "6", "no dedup"] {
            assert_eq!(unknown.parse::<Mutant>(), Err(UnknownMutant(unknown.to_owned())));
        }
    }

    #[test]
    fn nothing_is_planted_until_somebody_asks_for_it() {
        assert!(!Mutant::ALL.iter().any(|mutant| planted(*mutant)));
    }
}
