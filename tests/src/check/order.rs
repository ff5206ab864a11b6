//! The heart of [`super::semaphore`]: looks for an order of operations on one pool of seats, and rarely has a choice.
//!
//! A situation is the set of operations placed so far; which seats are out follows from it. An operation is *enabled*
//! when nothing that must stand before it is missing. In a solution (an order of the rest that explains all answers)
//! the next operation is an enabled one; the rules below say which ones need not be tried. Each rule turns a solution
//! that it forbids into one that it allows, so none loses the last one:
//!
//! 1. *An operation that changes nothing is placed as soon as it fits.* A solution has it later; moved here it fits, and
//!    the others do not notice.
//! 2. *What nobody answered is placed only while something enabled does not fit.* In a solution that begins with
//!    unanswered operations, the first answered one after them is enabled already. If it fitted here, it could be moved
//!    before them: then give back first and take afterwards, leaving out what only cancels itself. The number of seats
//!    never exceeds what it is here or after all of them, so everything fits.
//! 3. *Of calm checkouts of the same number of seats only the one with the earliest deadline goes first.* A checkout is
//!    calm when its holder has no other checkout and all else about the holder was asked after this deadline. A solution
//!    that begins with `b` and has `a`, due no later, further on: exchange the two. The count stays the same at every
//!    moment, and nothing about either holder stands in between, for `a` is placed by its deadline. If `a` is never
//!    placed, then neither was answered, nothing else is about them, and `a` can take the place of `b`.
//! 4. *The same for soft checkouts*, which were never answered and whose holder has no more to it than one unanswered
//!    checkin: the one whose checkin may come first goes first. When `b` was given back before `a` was taken, the two
//!    exchange both their operations; else the checkouts only. Either way each checkin stands where it is allowed.
//! 5. *The same for calm checkins of held seats*: the only one of a holder with one checkout, and whoever was told that
//!    this holder has nothing asked after its deadline. Exchanged, nobody who could notice stands in between.
//!
//! Rules 3 to 5 need equal numbers of seats: in between, another number would be in use, and a denial or a count could
//! notice. So the sizes that occur are tried one by one, and operations that are not like others too. With one size
//! and calm clients two choices are left, to take or to give, and situations are few: one that failed is never entered
//! again. Applying a rule does not undo the work of another: of all solutions take those with the fewest unanswered
//! operations and these as late as can be; of them those with the fewest checkouts, then checkins, out of turn; of
//! them one with denials and counts as early as can be. All rules allow it, and each step above leads towards it.
//!
//! At a moment at which nothing was under way and nothing unanswered is left over there is only one situation.
//! What led there is never tried again.

use std::collections::HashSet;

use super::prepare::{Effect, Item, Likeness, prepare};
use super::seats::Operation;
use crate::splitmix::{STEP, number_of};

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// An order, as places in the given list.
    Order(Vec<usize>),
    /// There is none.
    Stuck(Stuck),
    /// More was to be tried than was allowed.
    OutOfBudget,
}

/// Where the attempt ended that came furthest.
#[derive(Debug, Clone, Default)]
pub(super) struct Stuck {
    /// No attempt could place all that was due by then.
    pub(super) at_us: u64,
    /// What was due then, as a place in the given list.
    pub(super) due: usize,
    /// What any order begins with, as far as there was a moment of quiet; places in the given list.
    pub(super) settled: Vec<usize>,
}

/// Looks for an order and places at most `budget` operations; also says how many it has placed.
pub(super) fn find_order(capacity: u64, operations: &[Operation], budget: u64) -> (Found, u64) {
    let mut search = Search::new(capacity, operations);
    let mut placements = 0;
    loop {
        let Some(choices) = search.choices() else { return (Found::Order(search.places()), placements) };
        search.enter(choices);
        let next = loop {
            match search.stack.last_mut() {
                None => return (Found::Stuck(search.stuck()), placements),
                Some(frame) if frame.tried < frame.choices.len() => {
                    frame.tried += 1;
                    break frame.choices[frame.tried - 1];
                }
                Some(_) => search.leave(),
            }
        };
        if placements == budget {
            return (Found::OutOfBudget, placements);
        }
        placements += 1;
        search.place(next);
    }
}

/// Operations that are not placed yet, in the order in which they were asked: a list that forgets and remembers.
struct Waiting {
    next: Vec<usize>,
    previous: Vec<usize>,
}

impl Waiting {
    /// `members`, in their order, of items numbered below `count`. The head of the list is number `count`.
    fn new(count: usize, members: &[usize]) -> Waiting {
        let mut waiting = Waiting { next: vec![count; count + 1], previous: vec![count; count + 1] };
        let mut last = count;
        for member in members {
            (waiting.next[last], waiting.previous[*member]) = (*member, last);
            last = *member;
        }
        waiting.previous[count] = last;
        waiting
    }

    fn remove(&mut self, item: usize) {
        let (next, previous) = (self.next[item], self.previous[item]);
        (self.next[previous], self.previous[next]) = (next, previous);
    }

    /// Undoes the latest [`Waiting::remove`] that is not undone yet.
    fn restore(&mut self, item: usize) {
        let (next, previous) = (self.next[item], self.previous[item]);
        (self.next[previous], self.previous[next]) = (item, item);
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let head = self.next.len() - 1;
        std::iter::successors(Some(self.next[head]), |item| Some(self.next[*item]))
            .take_while(move |item| *item != head)
    }
}

/// A situation, and which of its choices have been tried.
struct Frame {
    choices: Vec<usize>,
    tried: usize,
}

struct Search {
    capacity: u64,
    items: Vec<Item>,
    required: Waiting,
    optional: Waiting,
    /// Of an item that was asked when all before it was over: how many that is.
    quiet: Vec<Option<usize>>,
    /// Seats by holder.
    held: Vec<Option<u64>>,
    in_use: u64,
    /// In order, each with the seats that went out or came back.
    placed: Vec<(usize, u64)>,
    /// How many of them any order begins with.
    settled: usize,
    key: u128,
    seen: HashSet<u128>,
    stack: Vec<Frame>,
    furthest: (u64, usize),
}

impl Search {
    fn new(capacity: u64, operations: &[Operation]) -> Search {
        let (items, holders) = prepare(operations);
        let (required, optional) = (0..items.len()).partition::<Vec<usize>, _>(|item| items[*item].required);
        Search {
            capacity,
            required: Waiting::new(items.len(), &required),
            optional: Waiting::new(items.len(), &optional),
            quiet: quiet_moments(&items),
            held: vec![None; holders],
            in_use: 0,
            placed: Vec::new(),
            settled: 0,
            key: 0,
            seen: HashSet::new(),
            stack: Vec::new(),
            furthest: (0, 0),
            items,
        }
    }

    fn places(&self) -> Vec<usize> {
        self.placed.iter().map(|(number, _)| self.items[*number].place).collect()
    }

    fn stuck(&self) -> Stuck {
        let (at_us, due) = self.furthest;
        Stuck { at_us, due: self.items[due].place, settled: self.places()[..self.settled].to_vec() }
    }

    /// What may be placed next, the most promising first; `None` when nothing is left that must be.
    fn choices(&mut self) -> Option<Vec<usize>> {
        let first = self.required.iter().next()?;
        if self.quiet[first] == Some(self.placed.len()) {
            self.settled = self.placed.len();
            self.stack.clear();
            self.seen.clear();
        }
        let mut due = first;
        let mut choices = Choices::default();
        let mut something_waits = false;
        let mut wanted = Vec::new();
        for number in self.required.iter() {
            let item = &self.items[number];
            if item.from > self.items[due].until {
                break;
            }
            if item.until < self.items[due].until {
                due = number;
            }
            match (self.fits(item), item.effect) {
                (false, _) => {
                    something_waits = true;
                    wanted.extend(item.effect.wants());
                }
                (true, Effect::Take { seats }) => choices.offer(number, item, true, seats),
                (true, Effect::Give) => {
                    choices.offer(number, item, false, self.held[item.holder].unwrap_or(0))
                }
                (true, _) => return Some(vec![number]),
            }
        }
        let until = self.items[due].until;
        if something_waits {
            for number in self.optional.iter().take_while(|number| self.items[*number].from <= until) {
                let item = &self.items[number];
                match item.effect {
                    _ if !self.fits(item) => {}
                    Effect::Take { seats } => choices.offer(number, item, true, seats),
                    _ => choices.offer(number, item, false, self.held[item.holder].unwrap_or(0)),
                }
            }
        }
        let mut choices: Vec<usize> = choices.0.into_iter().map(|choice| choice.number).collect();
        if choices.is_empty() && until >= self.furthest.0 {
            self.furthest = (until, due);
        }
        choices.sort_by_cached_key(|number| {
            let (item, after) = (&self.items[*number], self.in_use_after(*number));
            (self.detour(item, after, due), !wanted.contains(&after), item.until, *number)
        });
        Some(choices)
    }

    fn fits(&self, item: &Item) -> bool {
        match item.effect {
            Effect::Take { seats } => {
                self.held[item.holder].is_none() && self.in_use.saturating_add(seats) <= self.capacity
            }
            Effect::Give => self.held[item.holder].is_some(),
            Effect::NotHeld => self.held[item.holder].is_none(),
            Effect::Count { in_use } => in_use == self.in_use,
            Effect::Denied { seats, in_use } => {
                self.in_use.saturating_add(seats) > self.capacity
                    && in_use.is_none_or(|said| said == self.in_use)
            }
        }
    }

    fn in_use_after(&self, number: usize) -> u64 {
        let item = &self.items[number];
        match item.effect {
            Effect::Take { seats } => self.in_use + seats,
            _ => self.in_use - self.held[item.holder].unwrap_or(0),
        }
    }

    /// How far from fitting what is due will be after this choice. Only a hint: the other choices are tried, too.
    fn detour(&self, item: &Item, after: u64, due: usize) -> (bool, u64) {
        let due = &self.items[due];
        // Nothing but a choice about its holder helps a checkin or who was told that there was nothing to return.
        let own = item.holder == due.holder;
        match due.effect {
            Effect::Take { seats } => (!own, (after + seats).saturating_sub(self.capacity)),
            Effect::Give | Effect::NotHeld => (!own, 0),
            Effect::Count { in_use } | Effect::Denied { in_use: Some(in_use), .. } => {
                (false, after.abs_diff(in_use))
            }
            Effect::Denied { seats, in_use: None } => {
                (false, (self.capacity + 1).saturating_sub(after + seats))
            }
        }
    }

    /// Enters a situation unless it is known to fail.
    fn enter(&mut self, choices: Vec<usize>) {
        // Situations without a choice need no memory: they lead where they lead.
        let known = choices.len() > 1 && !self.seen.insert(self.key);
        self.stack.push(Frame { choices: if known { Vec::new() } else { choices }, tried: 0 });
    }

    /// Leaves a situation that failed.
    fn leave(&mut self) {
        self.stack.pop();
        if !self.stack.is_empty() {
            self.take_back();
        }
    }

    fn place(&mut self, number: usize) {
        let item = &self.items[number];
        let moved = match item.effect {
            Effect::Take { seats } => {
                self.held[item.holder] = Some(seats);
                self.in_use += seats;
                seats
            }
            Effect::Give => {
                let seats = self.held[item.holder].take().unwrap_or(0);
                self.in_use -= seats;
                seats
            }
            _ => 0,
        };
        self.placed.push((number, moved));
        self.key ^= name_of(number);
        self.list(number).remove(number);
    }

    fn take_back(&mut self) {
        let Some((number, moved)) = self.placed.pop() else { return };
        let item = &self.items[number];
        match item.effect {
            Effect::Take { .. } => {
                self.held[item.holder] = None;
                self.in_use -= moved;
            }
            Effect::Give => {
                self.held[item.holder] = Some(moved);
                self.in_use += moved;
            }
            _ => {}
        }
        self.key ^= name_of(number);
        self.list(number).restore(number);
    }

    fn list(&mut self, number: usize) -> &mut Waiting {
        if self.items[number].required { &mut self.required } else { &mut self.optional }
    }
}

/// Choices of one situation; of like ones the first in rank.
#[derive(Default)]
struct Choices(Vec<Choice>);

struct Choice {
    number: usize,
    rank: u64,
    /// Whether it takes, how many seats, and how it is like others; `None` when it is like no other.
    class: Option<(bool, u64, Likeness)>,
}

impl Choices {
    fn offer(&mut self, number: usize, item: &Item, takes: bool, seats: u64) {
        let class = (item.likeness != Likeness::None).then_some((takes, seats, item.likeness));
        match self.0.iter_mut().find(|choice| class.is_some() && choice.class == class) {
            Some(choice) if choice.rank <= item.rank => {}
            Some(choice) => (choice.number, choice.rank) = (number, item.rank),
            None => self.0.push(Choice { number, rank: item.rank, class }),
        }
    }
}

/// Moments at which all that had been asked was answered and nothing unanswered was left over.
fn quiet_moments(items: &[Item]) -> Vec<Option<usize>> {
    let (mut last_answer, mut count) = (None, 0);
    let mut quiet = Vec::with_capacity(items.len());
    for item in items {
        quiet.push(last_answer.is_none_or(|last| last < item.from).then_some(count));
        last_answer = last_answer.max(Some(item.until));
        count += 1;
    }
    quiet
}

/// A situation is remembered by the sum, without carry, of 128-bit names of what is placed (Zobrist, 1970). Of a billion
/// situations two have the same sum with a probability below 2^-68.
fn name_of(number: usize) -> u128 {
    let half = |salt: u64| u128::from(number_of(STEP.wrapping_mul(2 * number as u64 + salt)));
    half(1) << 64 | half(2)
}
