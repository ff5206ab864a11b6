//! The judge: given the history of a run, says whether every promise was kept, or which one was not and where.
//!
//! Nothing is searched for. Every answer carries the index of the log entry that decided it, so the answers are sorted
//! by it and replayed against a model of seats that a child could keep: a list of what is out. Every state a server
//! showed carries its index too and is compared with the list at that index, on whichever server and however late. So
//! a run of `n` operations and reads is judged in the time it takes to sort them.
//!
//! An answer that never came is *unknown*: the request may have been done at any index the client had not yet heard of
//! when it asked, or never. The model then keeps bounds instead of numbers, and is wrong about nothing.

mod arrivals;
mod case;
pub mod claim;
mod editions;
mod licensed;
mod masters;
mod order;
mod relicensed;
mod replay;
mod sessions;
mod shown;
mod vendor_data;
mod verdict;

pub use verdict::{At, Verdict, Violation};

use crate::history::History;
use case::Case;

/// Judges a history.
///
/// # Errors
///
/// The claims that are not true, with some of the places where they are not.
pub fn judge(history: &History) -> Result<Verdict, Vec<Violation>> {
    let (verdict, found) = judge_all(history);
    if found.is_empty() { Ok(verdict) } else { Err(found) }
}

/// Judges a history, and says what was judged also when something in it is untrue.
pub fn judge_all(history: &History) -> (Verdict, Vec<Violation>) {
    let mut case = Case::new(history);
    case.operations_are_in_order();
    case.time_goes_on();
    case.editions_and_licenses_stay();
    case.replay();
    case.strangers_are_explained();
    case.what_was_given_up_went_back();
    case.what_was_left_is_done();
    case.vendor_data_is_kept();
    case.masters_do_not_overlap();
    case.the_end_is_seen();
    (case.verdict, case.all_found())
}

#[cfg(test)]
mod tests;
