//! Operations as [`super::order`] wants them: sorted, holders numbered, superfluous ones left out, like ones marked.

use std::collections::BTreeMap;

use super::seats::{CheckinAnswer, CheckoutAnswer, Holder, Kind, Operation};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Take { seats: u64 },
    Give,
    Denied { seats: u64, in_use: Option<u64> },
    NotHeld,
    Count { in_use: u64 },
}

impl Effect {
    /// Seats that must be in use for it to be answered like that, if it is that exact.
    pub(super) fn wants(self) -> Option<u64> {
        match self {
            Effect::Count { in_use } => Some(in_use),
            Effect::Denied { in_use, .. } => in_use,
            Effect::Take { .. } | Effect::Give | Effect::NotHeld => None,
        }
    }
}

/// How an operation resembles others of its effect and its number of seats. The rules of [`super::order`] define it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    Calm,
    Soft,
    None,
}

/// An operation, prepared.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Place in the list of operations.
    pub(super) place: usize,
    pub(super) effect: Effect,
    /// A small number for the holder; denials and counts have none that matters.
    pub(super) holder: usize,
    /// When it was asked.
    pub(super) from: u64,
    /// When it was answered; `u64::MAX` when it never was.
    pub(super) until: u64,
    /// Whether it certainly happened.
    pub(super) required: bool,
    pub(super) likeness: Likeness,
    /// Of like ones the one with the smallest rank goes first.
    pub(super) rank: u64,
}

/// What is known of a holder.
#[derive(Debug, Default)]
struct About {
    takes: Vec<usize>,
    gives: Vec<usize>,
    not_held: Vec<usize>,
}

/// The operations in the order in which they were asked, and the number of holders.
pub(super) fn prepare(operations: &[Operation]) -> (Vec<Item>, usize) {
    let mut numbers: BTreeMap<Holder, usize> = BTreeMap::new();
    let mut items: Vec<Item> = operations
        .iter()
        .enumerate()
        .map(|(place, operation)| {
            let (effect, holder) = effect(&operation.kind);
            let free = numbers.len();
            let holder = holder.map_or(usize::MAX, |holder| *numbers.entry(holder).or_insert(free));
            Item {
                place,
                effect,
                holder,
                from: operation.invoked_us,
                until: operation.until_us(),
                required: !operation.is_unknown(),
                likeness: Likeness::None,
                rank: 0,
            }
        })
        .collect();
    items.sort_by_key(|item| (item.from, item.until));
    let mut superfluous = vec![false; items.len()];
    for about in by_holder(&items, numbers.len()) {
        leave_out(&items, &about, &mut superfluous);
    }
    let mut kept = superfluous.iter();
    items.retain(|_| kept.next() == Some(&false));
    for about in by_holder(&items, numbers.len()) {
        conclude(&mut items, &about);
        mark(&mut items, &about);
    }
    (items, numbers.len())
}

fn effect(kind: &Kind) -> (Effect, Option<Holder>) {
    match *kind {
        Kind::Checkout { seats, answer: CheckoutAnswer::Denied { in_use }, .. } => {
            (Effect::Denied { seats, in_use }, None)
        }
        Kind::Checkout { holder, seats, .. } => (Effect::Take { seats }, Some(holder)),
        Kind::Checkin { holder, answer: CheckinAnswer::NotHeld } => (Effect::NotHeld, Some(holder)),
        Kind::Checkin { holder, .. } | Kind::MayEnd { holder } => (Effect::Give, Some(holder)),
        Kind::Count { in_use } => (Effect::Count { in_use }, None),
    }
}

fn by_holder(items: &[Item], holders: usize) -> Vec<About> {
    let mut about: Vec<About> = (0..holders).map(|_| About::default()).collect();
    for (number, item) in items.iter().enumerate().filter(|(_, item)| item.holder != usize::MAX) {
        let about = &mut about[item.holder];
        match item.effect {
            Effect::Take { .. } => about.takes.push(number),
            Effect::Give => about.gives.push(number),
            _ => about.not_held.push(number),
        }
    }
    about
}

/// A checkout ends once. Where it is known what ended it, nothing unanswered did; where it is not, the first thing that
/// may have ended it stands for all of them: it may do so whenever another might.
fn leave_out(items: &[Item], about: &About, superfluous: &mut [bool]) {
    let doubtful = about.gives.iter().filter(|give| !items[**give].required);
    let known = doubtful.clone().count() < about.gives.len();
    match about.takes.len() {
        0 => doubtful.for_each(|give| superfluous[*give] = true),
        1 => doubtful.skip(usize::from(!known)).for_each(|give| superfluous[*give] = true),
        _ => {}
    }
}

/// What came later can tell what was done and until when: what was returned had been granted, and what was granted and
/// is not held any more has ended.
fn conclude(items: &mut [Item], about: &About) {
    let [take] = about.takes[..] else { return };
    let certain = |items: &mut [Item], number: usize, until: Option<u64>| {
        if let Some(until) = until {
            let item = &mut items[number];
            (item.required, item.until) = (true, item.until.min(until).max(item.from));
        }
    };
    let returned = about.gives.iter().map(|give| &items[*give]).filter(|give| give.required);
    let returned = returned.map(|give| give.until).min();
    certain(items, take, returned);
    if let [give] = about.gives[..]
        && items[take].required
    {
        let missed = about.not_held.iter().map(|other| &items[*other]);
        let missed = missed.filter(|other| other.from > items[take].until).map(|other| other.until).min();
        certain(items, give, missed);
    }
}

fn mark(items: &mut [Item], about: &About) {
    let [take] = about.takes[..] else { return };
    let after =
        |items: &[Item], others: &[usize], until: u64| others.iter().all(|other| items[*other].from > until);
    let until = items[take].until;
    if after(items, &about.gives, until) && after(items, &about.not_held, until) {
        (items[take].likeness, items[take].rank) = (Likeness::Calm, until);
    }
    if let [give] = about.gives[..] {
        let until = items[give].until;
        if after(items, &about.not_held, until) {
            (items[give].likeness, items[give].rank) = (Likeness::Calm, until);
        }
        if !items[take].required && !items[give].required && about.not_held.is_empty() {
            (items[take].likeness, items[take].rank) = (Likeness::Soft, items[give].from);
        }
    }
}
