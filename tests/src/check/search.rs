//! The general judge: tries every order that the clock allows, and never the same situation twice.
//!
//! This is the algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory
//! ("Testing for linearizability", 2017): a situation is the set of operations placed so far and the state they led to,
//! and one that failed once fails always. It takes any object that can say what an operation makes of a state, and its
//! worst case is exponential. So it is the reference for judges that know more, and the judge of small histories.

use std::collections::HashSet;
use std::hash::Hash;

/// An object, as it would be if it were used by one client at a time.
pub trait Model {
    /// All there is to know about the object.
    type State: Clone + Eq + Hash;
    /// What was asked and what was answered.
    type Operation;

    /// How it begins.
    fn initial(&self) -> Self::State;

    /// The state after the operation; `None` when it would not have been answered like that.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// An operation with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<O> {
    /// What was asked and what was answered.
    pub operation: O,
    /// When it was asked.
    pub invoked_us: u64,
    /// When it was answered; `None` when it never was: it may have happened at any time since, or never.
    pub completed_us: Option<u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This order explains all answers: places in the given list.
    Linearizable(Vec<usize>),
    /// No order does. The operations of the longest attempt, and after it none could follow.
    NotLinearizable {
        /// Places in the given list.
        longest: Vec<usize>,
    },
    /// More was to be tried than was allowed.
    OutOfBudget,
}

/// Looks for an order that explains all answers; places at most `budget` operations.
pub fn search<M: Model>(model: &M, operations: &[Timed<M::Operation>], budget: u64) -> Verdict {
    let mut search = Search {
        model,
        operations,
        budget,
        placed: vec![0; operations.len().div_ceil(64)],
        order: Vec::new(),
        longest: Vec::new(),
        seen: HashSet::new(),
    };
    match search.descend(&model.initial()) {
        Some(true) => Verdict::Linearizable(search.order),
        Some(false) => Verdict::NotLinearizable { longest: search.longest },
        None => Verdict::OutOfBudget,
    }
}

/// Whether the clock allows this order: nothing stands after what was asked only when it had been answered already.
pub fn order_respects_time<O>(operations: &[Timed<O>], order: &[usize]) -> bool {
    let mut latest_invoked = 0;
    order.iter().all(|place| {
        let Timed { invoked_us, completed_us, .. } = operations[*place];
        latest_invoked = latest_invoked.max(invoked_us);
        completed_us.is_none_or(|completed_us| completed_us >= latest_invoked)
    })
}

struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Timed<M::Operation>],
    budget: u64,
    /// One bit an operation.
    placed: Vec<u64>,
    order: Vec<usize>,
    longest: Vec<usize>,
    seen: HashSet<(Vec<u64>, M::State)>,
}

impl<M: Model> Search<'_, M> {
    /// Whether the rest can be placed from here; `None` when the budget is used up.
    fn descend(&mut self, state: &M::State) -> Option<bool> {
        let waiting = |search: &Self, place: usize| search.placed[place / 64] & (1 << (place % 64)) == 0;
        let open = (0..self.operations.len()).filter(|place| waiting(self, *place));
        // The first answer that is still to be explained: whatever was asked after it has to wait.
        let Some(first_answer) = open.filter_map(|place| self.operations[place].completed_us).min() else {
            return Some(true);
        };
        if !self.seen.insert((self.placed.clone(), state.clone())) {
            return Some(false);
        }
        for place in 0..self.operations.len() {
            if !waiting(self, place) || self.operations[place].invoked_us > first_answer {
                continue;
            }
            let Some(next) = self.model.step(state, &self.operations[place].operation) else { continue };
            self.budget = self.budget.checked_sub(1)?;
            self.placed[place / 64] |= 1 << (place % 64);
            self.order.push(place);
            if self.order.len() > self.longest.len() {
                self.longest.clone_from(&self.order);
            }
            if self.descend(&next)? {
                return Some(true);
            }
            self.order.pop();
            self.placed[place / 64] &= !(1 << (place % 64));
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that can be set and read.
    struct Register;

    #[derive(Debug)]
    enum Use {
        Set(u64),
        Read(u64),
    }

    impl Model for Register {
        type State = u64;
        type Operation = Use;

        fn initial(&self) -> u64 {
            0
        }

        fn step(&self, state: &u64, operation: &Use) -> Option<u64> {
            match operation {
                Use::Set(value) => Some(*value),
                Use::Read(value) => (value == state).then_some(*state),
            }
        }
    }

    fn timed(operation: Use, invoked_us: u64, completed_us: impl Into<Option<u64>>) -> Timed<Use> {
        Timed { operation, invoked_us, completed_us: completed_us.into() }
    }

    #[test]
    fn what_overlaps_may_be_put_in_any_order() {
        let history = [timed(Use::Set(1), 0, 10), timed(Use::Read(1), 2, 4), timed(Use::Read(0), 1, 3)];
        let Verdict::Linearizable(order) = search(&Register, &history, 100) else { panic!("{history:?}") };
        assert_eq!(order, [2, 0, 1]);
        assert!(order_respects_time(&history, &order));
    }

    #[test]
    fn what_was_over_stays_before_what_came_after() {
        let history = [timed(Use::Set(1), 0, 10), timed(Use::Read(1), 2, 4), timed(Use::Read(0), 5, 9)];
        assert_eq!(
            search(&Register, &history, 100),
            Verdict::NotLinearizable { longest: vec![0, 1] },
            "a new value was read and then the old one"
        );
        assert!(!order_respects_time(&history, &[2, 0, 1]));
    }

    #[test]
    fn what_was_never_answered_happens_late_or_never() {
        let history =
            |read| [timed(Use::Set(1), 0, None), timed(Use::Read(0), 2, 4), timed(Use::Read(read), 5, 6)];
        assert_eq!(search(&Register, &history(0), 100), Verdict::Linearizable(vec![1, 2]));
        assert_eq!(search(&Register, &history(1), 100), Verdict::Linearizable(vec![1, 0, 2]));
        assert!(matches!(search(&Register, &history(2), 100), Verdict::NotLinearizable { .. }));
    }

    #[test]
    fn a_search_stops_at_its_budget() {
        let history: Vec<Timed<Use>> = (0..12).map(|value| timed(Use::Set(value), 0, 10)).collect();
        assert_eq!(search(&Register, &history, 11), Verdict::OutOfBudget);
        assert!(matches!(search(&Register, &history, 12), Verdict::Linearizable(_)));
    }
}
