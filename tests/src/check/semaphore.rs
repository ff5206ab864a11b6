//! The judge of seats: whether one pool, used by one client at a time, could have given all these answers.
//!
//! It needs no log index and knows no server: a history of any recorder will do. An answer that never came is *unknown*:
//! the request may have been done at any time since it was made, or never. A session that may expire is the same: an
//! end that may come at any time from the earliest on. Checkouts may be of several seats.
//!
//! How it looks for an order, and why it need not try them all, is told in the source of its private module `order`.
//! A "yes" comes with the order, so that anybody can replay it; a "no" with the few answers that cannot all be true.
//!
//! ```
//! use licensing_tests::check::seats::{CheckoutAnswer, Holder, Kind, Operation};
//! use licensing_tests::check::semaphore::{Verdict, judge};
//!
//! let granted = |holder, invoked_us| Operation {
//!     client: 1,
//!     kind: Kind::Checkout { holder: Holder(holder), seats: 2, answer: CheckoutAnswer::Granted },
//!     invoked_us,
//!     completed_us: Some(invoked_us + 10),
//! };
//! let twice = [granted(1, 0), granted(2, 5)];
//! assert_eq!(judge(4, &twice, 1_000).verdict, Verdict::Linearizable(vec![0, 1]));
//! let Verdict::NotLinearizable(counterexample) = judge(3, &twice, 1_000).verdict else { panic!() };
//! assert_eq!(counterexample.operations, [0, 1]);
//! ```

pub use super::minimize::Counterexample;
use super::minimize::minimize;
use super::order::{Found, find_order};
use super::seats::Operation;

/// Placements that are enough for any history of an honest service that was met so far, many times over.
pub const BUDGET: u64 = 3_000_000;

/// A verdict and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Operations that were placed on the way, each attempt counted, without those for making a counterexample small.
    pub placements: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This order explains all answers: places in the given list. What is unknown and not in it did not happen.
    Linearizable(Vec<usize>),
    /// No order does.
    NotLinearizable(Counterexample),
    /// More was to be tried than was allowed: neither proven nor disproven.
    OutOfBudget,
}

/// Judges the operations of one feature, in any order, on a pool of so many seats; places at most `budget` operations
/// to decide.
///
/// Of checkouts of one number of seats any history is judged in a few placements an operation that is honest, and in a
/// bounded number that is not. Several numbers of seats, many clients at once and denials that all say how many seats are
/// in use can together exceed any budget; so can a history that is wrong and mostly unknown.
pub fn judge(capacity: u64, operations: &[Operation], budget: u64) -> Judgement {
    let (found, placements) = find_order(capacity, operations, budget);
    let verdict = match found {
        Found::Order(order) => Verdict::Linearizable(order),
        Found::OutOfBudget => Verdict::OutOfBudget,
        Found::Stuck(stuck) => Verdict::NotLinearizable(minimize(capacity, operations, &stuck)),
    };
    Judgement { verdict, placements }
}
