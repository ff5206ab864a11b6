//! The judge of services that say, with every answer, at which index of their log it was decided.
//!
//! The index tells the order, so nothing is searched for: the answers are replayed by index on a [`Model`], and the order
//! must not contradict the clock. This finds every wrong answer, in the time it takes to sort them. It is the small brother
//! of [`crate::oracle`], for services of your own; a request whose answer never came has no index, so either ask the
//! service what became of it or leave the history to a judge that can do without.

use super::search::Model;

/// An operation with its time and its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed<O> {
    /// What was asked and what was answered.
    pub operation: O,
    /// Where in the log it was decided. Those that only look may share the index of what they saw.
    pub index: u64,
    /// When it was asked.
    pub invoked_us: u64,
    /// When it was answered.
    pub completed_us: u64,
}

/// Why the answers cannot all be true. Operations are named by their places in the given list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Two operations that change something have the same index.
    #[error("operations {first} and {second} both change something at index {index}")]
    SharedIndex {
        /// The one.
        first: usize,
        /// The other.
        second: usize,
        /// Their index.
        index: u64,
    },
    /// After all before it, the answer would have been another.
    #[error("operation {operation} would not be answered like that at index {index}")]
    WrongAnswer {
        /// Which one.
        operation: usize,
        /// Its index.
        index: u64,
    },
    /// What was over before something else was asked has a larger index, or one shared with it saw it too early.
    #[error(
        "operation {earlier} was over before operation {later} was asked, but stands behind it in the log"
    )]
    OrderOfTime {
        /// Over first.
        earlier: usize,
        /// Asked afterwards.
        later: usize,
    },
}

/// Replays the operations by index and compares with the clock.
///
/// # Errors
///
/// The first fault by index.
pub fn check<M: Model>(model: &M, operations: &[Indexed<M::Operation>]) -> Result<(), Fault> {
    let mut places: Vec<usize> = (0..operations.len()).collect();
    places.sort_by_key(|place| (operations[*place].index, operations[*place].invoked_us));
    let mut state = model.initial();
    let mut latest: Option<usize> = None;
    for group in places.chunk_by_mut(|one, other| operations[*one].index == operations[*other].index) {
        state = replay(model, operations, state, group)?;
        for place in group {
            match latest {
                Some(later) if operations[*place].completed_us < operations[later].invoked_us => {
                    return Err(Fault::OrderOfTime { earlier: *place, later });
                }
                Some(later) if operations[*place].invoked_us <= operations[later].invoked_us => {}
                _ => latest = Some(*place),
            }
        }
    }
    Ok(())
}

/// The state after the operations of one index. The one that changes something is put first: the others saw it.
fn replay<M: Model>(
    model: &M,
    operations: &[Indexed<M::Operation>],
    before: M::State,
    group: &mut [usize],
) -> Result<M::State, Fault> {
    let after = |state: &M::State, place: usize| model.step(state, &operations[place].operation);
    let index = operations[group[0]].index;
    let mut state = before.clone();
    let mut change: Option<usize> = None;
    for place in 0..group.len() {
        let Some(next) = after(&before, group[place]).filter(|next| *next != before) else { continue };
        if let Some(first) = change {
            return Err(Fault::SharedIndex { first: group[first], second: group[place], index });
        }
        (state, change) = (next, Some(place));
    }
    if let Some(change) = change {
        group[..=change].rotate_right(1);
    }
    for place in group.iter().skip(usize::from(change.is_some())) {
        // One that would change the state is not legal twice, so what is legal here only looks.
        if after(&state, *place).is_none_or(|next| next != state) {
            return Err(Fault::WrongAnswer { operation: *place, index });
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::seats::{CheckinAnswer, CheckoutAnswer, Holder, Kind, Pool};

    const POOL: Pool = Pool { capacity: 2 };

    fn at(index: u64, operation: Kind) -> Indexed<Kind> {
        Indexed { operation, index, invoked_us: index * 10, completed_us: index * 10 + 5 }
    }

    fn granted(holder: u64) -> Kind {
        Kind::Checkout { holder: Holder(holder), seats: 1, answer: CheckoutAnswer::Granted }
    }

    fn denied(in_use: u64) -> Kind {
        let answer = CheckoutAnswer::Denied { in_use: Some(in_use) };
        Kind::Checkout { holder: Holder(99), seats: 1, answer }
    }

    fn returned(holder: u64) -> Kind {
        Kind::Checkin { holder: Holder(holder), answer: CheckinAnswer::Returned }
    }

    fn count(in_use: u64) -> Kind {
        Kind::Count { in_use }
    }

    #[test]
    fn answers_that_are_true_in_the_order_of_the_log_are_good() {
        let history =
            [at(3, denied(2)), at(1, granted(1)), at(4, returned(1)), at(2, granted(2)), at(5, granted(3))];
        assert_eq!(check(&POOL, &history), Ok(()));
    }

    #[test]
    fn whoever_looks_shares_the_index_of_what_it_saw() {
        let looked_at =
            |index, in_use| Indexed { invoked_us: 25, completed_us: 29, ..at(index, count(in_use)) };
        let history = |look| [at(1, granted(1)), look, at(2, granted(2)), at(3, returned(2))];
        assert_eq!(check(&POOL, &history(looked_at(2, 2))), Ok(()));
        assert_eq!(
            check(&POOL, &history(looked_at(2, 1))),
            Err(Fault::WrongAnswer { operation: 1, index: 2 })
        );
        let early = Indexed { invoked_us: 16, completed_us: 19, ..at(2, count(2)) };
        assert_eq!(check(&POOL, &history(early)), Err(Fault::OrderOfTime { earlier: 1, later: 2 }));
    }

    #[test]
    fn a_wrong_answer_is_found() {
        for (wrong, operation, index) in [
            (vec![at(1, granted(1)), at(2, granted(2)), at(3, granted(3))], 2, 3),
            (vec![at(2, denied(1)), at(1, granted(1))], 0, 2),
            (vec![at(1, granted(1)), at(2, returned(1)), at(3, returned(1))], 2, 3),
            (vec![at(1, count(1))], 0, 1),
        ] {
            assert_eq!(check(&POOL, &wrong), Err(Fault::WrongAnswer { operation, index }), "{wrong:?}");
        }
    }

    #[test]
    fn an_index_decides_one_change() {
        let history = [at(1, granted(1)), at(1, granted(2))];
        assert_eq!(check(&POOL, &history), Err(Fault::SharedIndex { first: 0, second: 1, index: 1 }));
    }

    #[test]
    fn an_index_that_goes_back_in_time_is_found() {
        let late = Indexed { invoked_us: 50, completed_us: 60, ..at(1, granted(1)) };
        assert_eq!(
            check(&POOL, &[late.clone(), at(2, granted(2))]),
            Err(Fault::OrderOfTime { earlier: 1, later: 0 })
        );
        let beside = Indexed { completed_us: 55, ..at(2, granted(2)) };
        assert_eq!(check(&POOL, &[late, beside]), Ok(()));
    }
}
