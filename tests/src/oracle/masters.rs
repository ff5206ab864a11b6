//! One master at a time, as far as clients can see, and an end that every server has seen.

use licensing_core::id::{LogIndex, Role};

use super::case::Case;
use super::claim;
use super::verdict::At;
use crate::history::Read;

/// Longest time between two reads from a master that leaves no room for another master in between: a new master keeps
/// the mastership for four heartbeats, which are 200 ms by default.
const UNBROKEN_US: u64 = 150_000;

impl Case<'_> {
    /// A server was master all the time between reads that follow closely on each other and both say so. No other
    /// server may have said so entirely within such a stretch.
    pub(super) fn masters_do_not_overlap(&mut self) {
        let mut reads: Vec<&Read> = self.history.reads.iter().collect();
        reads.sort_by_key(|read| read.asked_us);
        let stretches = Role::ALL.map(|role| stretches(&reads, role));
        let shown = reads.iter().map(|read| (read.server, read.asked_us, read.answered_us, read.master));
        let said = self.history.looks.iter();
        let said = said.map(|look| (look.server, look.asked_us, look.answered_us, look.master));
        for (server, asked, answered, _) in shown.chain(said).filter(|(_, _, _, master)| *master) {
            for role in server.others() {
                let stretches = &stretches[role.place()];
                let place = stretches.partition_point(|(from, _)| *from < asked);
                let Some((from, until)) = place.checked_sub(1).map(|last| stretches[last]) else { continue };
                if answered < until {
                    let detail = format!(
                        "the {server} said between {asked} and {answered} us that it is; the {role} was from {from} \
                         to {until} us"
                    );
                    self.report(claim::ONE_MASTER, asked, detail);
                }
            }
        }
    }

    pub(super) fn the_end_is_seen(&mut self) {
        if self.history.reads.is_empty() {
            // Nobody looked, so nothing can be said: see `Verdict::is_determined`.
            return;
        }
        let last = self.heard.last().map_or(LogIndex(0), |(_, index)| *index);
        for role in Role::ALL.into_iter().take(self.history.about.servers as usize) {
            let reads = self.history.reads.iter().filter(|read| read.server == role);
            let seen = reads.map(|read| read.applied).max();
            if seen.is_none_or(|seen| seen < last) {
                let seen = seen.map_or("nothing".to_owned(), |index| format!("entry {index}"));
                let detail = format!("the {role} showed {seen}, the last answer was entry {last}");
                self.report(claim::END_IS_SEEN, At::default(), detail);
            }
        }
    }
}

/// Stretches of time in which a server was master without a gap.
fn stretches(reads: &[&Read], role: Role) -> Vec<(u64, u64)> {
    let mut stretches = Vec::new();
    let mut last: Option<&Read> = None;
    for read in reads.iter().filter(|read| read.server == role) {
        if let Some(last) = last.filter(|last| last.master && read.master)
            && read.answered_us.saturating_sub(last.asked_us) < UNBROKEN_US
        {
            // It was master at some moment of each of the two, so between them for certain.
            match stretches.last_mut() {
                Some((_, until)) if *until == last.asked_us => *until = read.asked_us,
                _ => stretches.push((last.answered_us, read.asked_us)),
            }
        }
        last = Some(read);
    }
    stretches
}
