//! What the servers know of each other beyond raft: who is there, how far, with which license file and what time.
//!
//! Every server asks the other two a few times a second; question and answer carry the same [`Report`]. Nothing here
//! decides who is master of an existing triad, except that a leaving or ever-crashing server is not given mastership.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::{LogIndex, Role, Timestamp};

use crate::peer::message::Report;
use crate::time::Instant;

/// Between two questions to a settled peer: the status of a triad should be no older than that.
pub(crate) const SETTLED_INTERVAL: Duration = Duration::from_millis(200);
/// Between two questions while somebody has no full membership yet: a first start should not be felt.
pub(crate) const UNSETTLED_INTERVAL: Duration = Duration::from_millis(30);
/// How long an answer may take.
pub(crate) const ANSWER_TTL: Duration = Duration::from_millis(500);
/// A peer that has not been heard for this long is down.
const FRESH: Duration = Duration::from_millis(800);
/// Falls older than this are forgiven.
const FALL_MEMORY: Duration = Duration::from_secs(120);
/// Falls that cost nothing: a host may be restarted twice in a row for honest reasons.
const FREE_FALLS: u32 = 2;
/// A clock this far from the median is reported.
pub(crate) const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// No clock is further off than this, a thousand years in milliseconds: what a peer says of its clock must not
/// overflow what is computed with it.
const MOST_OFFSET_MS: i64 = 1000 * 366 * 24 * 3_600_000;

/// One clock minus another, in milliseconds.
fn offset_ms(theirs: Timestamp, ours: Timestamp) -> i64 {
    let offset = i128::from(theirs.0) - i128::from(ours.0);
    offset.clamp(i128::from(-MOST_OFFSET_MS), i128::from(MOST_OFFSET_MS)) as i64
}

/// What is known of the other two.
#[derive(Default)]
pub(crate) struct Survey {
    heard: Mutex<[Option<Heard>; 3]>,
}

/// The last word of a peer.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) report: Report,
    pub(crate) at: Instant,
    /// When it read the clock in its report.
    read_at: Instant,
    /// When its present process was first heard.
    up_since: Instant,
    /// When earlier processes of it were found gone.
    falls: VecDeque<Instant>,
}

impl Heard {
    pub(crate) fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }

    /// Its clock minus ours, in milliseconds. Its clock is carried on by our monotonic one and not kept as a difference
    /// from our wall clock: that one may have jumped since.
    pub(crate) fn clock_offset_ms(&self, own: Timestamp) -> i64 {
        let since = u64::try_from(self.read_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        offset_ms(Timestamp(self.report.clock.0.saturating_add(since)), own)
    }

    /// Whether it has been up for as long as its recent falls demand: nothing for the first two, then a quarter of a
    /// second, doubling, up to `longest`.
    pub(crate) fn is_stable(&self, longest: Duration) -> bool {
        let recent = self.falls.iter().filter(|fall| fall.elapsed() < FALL_MEMORY).count() as u32;
        let Some(paid) = recent.checked_sub(FREE_FALLS + 1) else { return true };
        let hold = Duration::from_millis(250).saturating_mul(1 << paid.min(16));
        self.up_since.elapsed() >= hold.min(longest)
    }
}

impl Survey {
    /// Takes note of a peer's report, which was so long on its way.
    pub(crate) fn note(&self, report: Report, on_its_way: Duration) {
        let now = Instant::now();
        let mut heard = self.lock();
        let slot = &mut heard[report.role.place()];
        let (up_since, mut falls) = match slot.take() {
            Some(last) if last.report.boot == report.boot => (last.up_since, last.falls),
            Some(mut last) => {
                last.falls.push_back(now);
                (now, last.falls)
            }
            None => (now, VecDeque::new()),
        };
        // Enough to reach the longest hold.
        while falls.len() > 24 {
            falls.pop_front();
        }
        let read_at = now.checked_sub(on_its_way).unwrap_or(now);
        *slot = Some(Heard { report, at: now, read_at, up_since, falls });
    }

    /// The last word of a peer, however old.
    pub(crate) fn of(&self, role: Role) -> Option<Heard> {
        self.lock()[role.place()].clone()
    }

    /// The last word of a peer, if it is there.
    pub(crate) fn fresh(&self, role: Role) -> Option<Heard> {
        self.of(role).filter(Heard::is_fresh)
    }

    /// The newest log index anybody has reported.
    pub(crate) fn newest_index(&self) -> Option<LogIndex> {
        self.lock().iter().flatten().filter_map(|heard| heard.report.last_log_index).max()
    }

    /// The triad's time: the median of three clocks; of two the one nearer to the state's clock, because a wrong clock
    /// is the one that jumped; a lone server has only its own.
    pub(crate) fn triad_time(&self, own: Timestamp, state_clock: Timestamp) -> Timestamp {
        median_time(own, &self.offsets_ms(own), state_clock)
    }

    /// The median of the three clocks minus our own, in milliseconds; 0 unless all three are known.
    pub(crate) fn median_offset_ms(&self, own: Timestamp) -> i64 {
        let mut offsets = self.offsets_ms(own);
        offsets.push(0);
        offsets.sort_unstable();
        if offsets.len() == 3 { offsets[1] } else { 0 }
    }

    /// The clocks of those who are there minus our own, in milliseconds.
    fn offsets_ms(&self, own: Timestamp) -> Vec<i64> {
        let heard = self.lock();
        let fresh = heard.iter().flatten().filter(|heard| heard.is_fresh());
        fresh.map(|heard| heard.clock_offset_ms(own)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Heard>; 3]> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn median_time(own: Timestamp, peer_offsets_ms: &[i64], state_clock: Timestamp) -> Timestamp {
    let at = |offset: i64| Timestamp(own.0.saturating_add_signed(offset));
    match peer_offsets_ms {
        [] => own,
        [one] => [own, at(*one)].into_iter().min_by_key(|time| time.0.abs_diff(state_clock.0)).unwrap_or(own),
        [one, two, ..] => {
            let mut offsets = [0, *one, *two];
            offsets.sort_unstable();
            at(offsets[1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::standing::Standing;

    const HOUR: i64 = 3_600_000;
    const NOW_MS: u64 = 1_772_366_400_000;

    #[test]
    fn one_wrong_clock_of_three_is_outvoted() {
        let own = Timestamp(100 * HOUR as u64);
        for (offsets, expected) in [
            ([0, 0], 0),
            ([HOUR, 5], 5),
            ([-HOUR, 5], 0),
            ([HOUR, HOUR + 3], HOUR),
            ([-HOUR, -HOUR - 3], -HOUR),
        ] {
            assert_eq!(median_time(own, &offsets, own), Timestamp(own.0.saturating_add_signed(expected)));
        }
    }

    fn report(role: Role, clock: Timestamp) -> Report {
        Report {
            role,
            boot: [0; 16],
            standing: Standing::Unborn,
            leads: false,
            last_log_index: None,
            applied_index: None,
            clock,
            leaving: false,
            software_version: String::new(),
            known_edition: licensing_core::edition::Edition::NEWEST,
            readmitted: Vec::new(),
        }
    }

    /// A master's clock jumps between two reports of its peers: what it proposes right then must not jump with it, for
    /// the state's time never goes back.
    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_own_clock_is_outvoted_before_the_next_report() {
        let survey = Survey::default();
        let then = Timestamp(100 * HOUR as u64);
        let passed = Duration::from_millis(500);
        for role in [Role::Secondary, Role::Tertiary] {
            survey.note(report(role, then), Duration::ZERO);
        }
        tokio::time::advance(passed).await;
        let now = Timestamp(then.0 + 500);
        for jump in [0, HOUR, -HOUR] {
            let own = Timestamp(now.0.saturating_add_signed(jump));
            assert_eq!(survey.triad_time(own, then), now);
            assert_eq!(survey.median_offset_ms(own), -jump);
        }
        // What the peer read a moment before it was heard is a moment older.
        survey.note(report(Role::Secondary, now), Duration::from_millis(20));
        assert_eq!(survey.of(Role::Secondary).unwrap().clock_offset_ms(now), 20);
    }

    #[test]
    fn no_clock_is_too_wrong_to_be_compared() {
        let now = Timestamp(NOW_MS);
        assert_eq!(offset_ms(Timestamp(NOW_MS + 5), now), 5);
        assert_eq!(offset_ms(Timestamp(NOW_MS - 5), now), -5);
        for theirs in [1 << 63, (1 << 63) - 1, u64::MAX] {
            assert_eq!(offset_ms(Timestamp(theirs), now), MOST_OFFSET_MS);
        }
        assert_eq!(offset_ms(now, Timestamp(u64::MAX)), -MOST_OFFSET_MS);
    }

    #[test]
    fn of_two_clocks_the_one_nearer_to_the_state_counts() {
        let own = Timestamp(100 * HOUR as u64);
        assert_eq!(median_time(own, &[HOUR], own), own);
        let later = Timestamp(own.0 + HOUR as u64);
        assert_eq!(median_time(own, &[HOUR], later), later);
        assert_eq!(median_time(own, &[], later), own);
    }

    /// The true one may be a little behind the last entry or well ahead of it, and the wrong one anybody's.
    #[test]
    fn of_two_clocks_a_wrong_one_never_counts() {
        let state = Timestamp(100 * HOUR as u64);
        for apart in [-60_000, -300, -1, 0, 1, 300, 60_000] {
            let truth = Timestamp(state.0.saturating_add_signed(apart));
            for wrong in [-24 * HOUR, -HOUR, HOUR, 24 * HOUR] {
                let own = Timestamp(truth.0.saturating_add_signed(wrong));
                assert_eq!(median_time(own, &[-wrong], state), truth, "own {wrong}, truth {apart}");
                assert_eq!(median_time(truth, &[wrong], state), truth, "the other's {wrong}, truth {apart}");
            }
        }
    }
}
