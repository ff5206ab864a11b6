//! Random histories of one pool of seats, honest ones and others, for the tests of the judges.
//!
//! Clients ask one thing at a time; every request is done at a moment between question and answer, chosen at random,
//! and the answer is what the pool says then. What is never answered may be done long after its client has gone on,
//! or not at all. So an honest history is linearizable by construction, and a dishonest one is an honest one with
//! one lie, or the work of a service with a defect; whether a lie can be noticed is for the judges to find out.

use std::collections::{BTreeMap, BTreeSet};

use super::seats::{CheckinAnswer, CheckoutAnswer, Holder, Kind, Operation};
use crate::workload::Choices;

/// What kind of history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    pub(super) operations: usize,
    pub(super) clients: u32,
    pub(super) capacity: u64,
    /// Most seats of a checkout.
    pub(super) most_seats: u64,
    /// How many of 100 requests are never answered.
    pub(super) unknown: u64,
    /// How many of 100 checkouts may end by themselves.
    pub(super) may_end: u64,
    /// How many of 100 denials say how many seats are in use.
    pub(super) telling: u64,
    /// How many of 100 requests are counts.
    pub(super) counts: u64,
    /// Longest time between question and answer.
    pub(super) longest_us: u64,
    pub(super) defect: Option<Defect>,
}

/// What is wrong with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// One of four checkins is acknowledged and not done.
    LosesCheckins,
    /// One of four checkouts is acknowledged and not kept.
    LosesCheckouts,
    /// One seat more than there is.
    OneTooMany,
    /// One of two counts is that of a while ago.
    StaleCounts,
}

/// A request that waits for the moment at which it is done.
struct Pending {
    /// Place in the history.
    place: usize,
    client: u32,
    /// Whether the client learns of it.
    answered_us: Option<u64>,
}

struct World {
    recipe: Recipe,
    choices: Choices,
    history: Vec<Operation>,
    /// By the moment at which they are done, and by the place in the history.
    pending: BTreeMap<(u64, usize), Pending>,
    out: BTreeMap<Holder, u64>,
    /// What each client believes that it holds.
    held: BTreeMap<u32, Vec<Holder>>,
    /// Holders that the service forgot or keeps by defect.
    odd: BTreeSet<Holder>,
    earlier_in_use: u64,
}

/// A history of this kind.
pub(super) fn history(seed: u64, recipe: Recipe) -> Vec<Operation> {
    let mut world = World {
        recipe,
        choices: Choices::new(seed, 1),
        history: Vec::new(),
        pending: BTreeMap::new(),
        out: BTreeMap::new(),
        held: BTreeMap::new(),
        odd: BTreeSet::new(),
        earlier_in_use: 0,
    };
    for client in 0..recipe.clients {
        world.ask(client, 0);
    }
    while let Some(((at_us, _), pending)) = world.pending.pop_first() {
        world.happens(at_us, pending);
    }
    world.history
}

impl World {
    fn chance(&mut self, percent: u64) -> bool {
        self.choices.below(100) < percent
    }

    /// A client thinks of something to ask after this moment.
    fn ask(&mut self, client: u32, after_us: u64) {
        if self.history.len() >= self.recipe.operations {
            return;
        }
        let invoked_us = after_us + 1 + self.choices.below(self.recipe.longest_us / 4 + 1);
        let kind = self.request(client);
        let length_us = 2 + self.choices.below(self.recipe.longest_us);
        let place = self.history.len();
        self.history.push(Operation { client, kind, invoked_us, completed_us: None });
        let done_us = invoked_us + self.choices.below(length_us);
        if self.chance(self.recipe.unknown) && !matches!(kind, Kind::Count { .. }) {
            self.history[place].kind = unanswered(kind);
            // The client gives up. The request may be on its way for a long time still.
            if self.chance(60) {
                let late_us = done_us + self.choices.below(self.recipe.longest_us * 4);
                self.pending.insert((late_us, place), Pending { place, client, answered_us: None });
            }
            if let Kind::Checkout { holder, .. } = kind
                && self.chance(40)
            {
                self.held.entry(client).or_default().push(holder);
            }
            return self.ask(client, invoked_us + length_us);
        }
        let answered_us = Some(invoked_us + length_us);
        self.pending.insert((done_us, place), Pending { place, client, answered_us });
    }

    fn request(&mut self, client: u32) -> Kind {
        if self.chance(self.recipe.counts) {
            return Kind::Count { in_use: 0 };
        }
        let held = self.held.get(&client).map_or(0, Vec::len);
        if held > 0 && (held > 2 || self.choices.below(2) == 0) {
            let which = self.choices.below(held as u64) as usize;
            // Now and then it forgets that it has given it back.
            let forgets = self.chance(5);
            let held = self.held.entry(client).or_default();
            let holder = if forgets { held[which] } else { held.swap_remove(which) };
            return Kind::Checkin { holder, answer: CheckinAnswer::Returned };
        }
        let holder = Holder(self.history.len() as u64);
        let seats = 1 + self.choices.below(self.recipe.most_seats);
        Kind::Checkout { holder, seats, answer: CheckoutAnswer::Granted }
    }

    /// The pool decides.
    fn happens(&mut self, at_us: u64, pending: Pending) {
        let Pending { place, client, answered_us } = pending;
        let kind = self.decide(self.history[place].kind);
        let Some(answered_us) = answered_us else { return };
        self.history[place].kind = kind;
        self.history[place].completed_us = Some(answered_us);
        if let Kind::Checkout { holder, answer: CheckoutAnswer::Granted, .. } = kind {
            self.held.entry(client).or_default().push(holder);
            if self.chance(self.recipe.may_end) {
                let invoked_us = at_us + self.choices.below(self.recipe.longest_us * 2);
                let end = Operation { client, kind: Kind::MayEnd { holder }, invoked_us, completed_us: None };
                self.history.push(end);
                if self.chance(50) {
                    let place = self.history.len() - 1;
                    self.pending.insert((invoked_us, place), Pending { place, client, answered_us: None });
                }
            }
        }
        self.ask(client, answered_us);
    }

    fn decide(&mut self, kind: Kind) -> Kind {
        let in_use: u64 = self.out.values().sum();
        let defect = self.recipe.defect;
        match kind {
            Kind::Checkout { holder, seats, .. } => {
                let capacity = self.recipe.capacity + u64::from(defect == Some(Defect::OneTooMany));
                if in_use + seats > capacity {
                    let in_use = self.chance(self.recipe.telling).then_some(in_use);
                    return Kind::Checkout { holder, seats, answer: CheckoutAnswer::Denied { in_use } };
                }
                if defect == Some(Defect::LosesCheckouts) && self.chance(25) {
                    self.odd.insert(holder);
                } else {
                    self.out.insert(holder, seats);
                }
                Kind::Checkout { holder, seats, answer: CheckoutAnswer::Granted }
            }
            Kind::Checkin { holder, .. } | Kind::MayEnd { holder } => {
                let known = self.odd.remove(&holder) || self.out.contains_key(&holder);
                if !(defect == Some(Defect::LosesCheckins) && self.chance(25)) {
                    self.out.remove(&holder);
                }
                let answer = if known { CheckinAnswer::Returned } else { CheckinAnswer::NotHeld };
                Kind::Checkin { holder, answer }
            }
            Kind::Count { .. } => {
                let stale = defect == Some(Defect::StaleCounts) && self.chance(50);
                let said = if stale { self.earlier_in_use } else { in_use };
                if self.chance(30) {
                    self.earlier_in_use = in_use;
                }
                Kind::Count { in_use: said }
            }
        }
    }
}

fn unanswered(kind: Kind) -> Kind {
    match kind {
        Kind::Checkout { holder, seats, .. } => {
            Kind::Checkout { holder, seats, answer: CheckoutAnswer::Unknown }
        }
        Kind::Checkin { holder, .. } => Kind::Checkin { holder, answer: CheckinAnswer::Unknown },
        other => other,
    }
}

/// A lie about one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// A denied checkout is told that it was granted.
    GrantedInstead,
    /// A granted checkout is told that it was denied.
    DeniedInstead,
    /// A count or a denial says one too few.
    OneLess,
    /// A count or a denial says one too many.
    OneMore,
    /// A checkin of nothing is told that it was done.
    ReturnedInstead,
    /// A checkin is told that there was nothing to return.
    NotHeldInstead,
    /// An answer comes from a time before its question.
    TooEarly,
    /// An answer comes before its time.
    TooLate,
}

impl Lie {
    pub(super) const ALL: [Lie; 8] = [
        Lie::GrantedInstead,
        Lie::DeniedInstead,
        Lie::OneLess,
        Lie::OneMore,
        Lie::ReturnedInstead,
        Lie::NotHeldInstead,
        Lie::TooEarly,
        Lie::TooLate,
    ];

    /// Tells it somewhere; `None` when there is nothing in this history to lie about like this.
    pub(super) fn tell(self, mut history: Vec<Operation>, seed: u64) -> Option<Vec<Operation>> {
        let told: Vec<(usize, Operation)> = history
            .iter()
            .enumerate()
            .filter_map(|(place, operation)| Some((place, self.twist(operation)?)))
            .collect();
        if told.is_empty() {
            return None;
        }
        let which = Choices::new(seed, 2).below(told.len() as u64) as usize;
        let (place, operation) = told[which].clone();
        history[place] = operation;
        Some(history)
    }

    fn twist(self, operation: &Operation) -> Option<Operation> {
        use CheckinAnswer::{NotHeld, Returned};
        use CheckoutAnswer::{Denied, Granted};
        let (invoked_us, completed_us) = (operation.invoked_us, operation.completed_us?);
        let length_us = completed_us - invoked_us + 1;
        let kind = match (self, operation.kind) {
            (Lie::GrantedInstead, Kind::Checkout { holder, seats, answer: Denied { .. } }) => {
                Kind::Checkout { holder, seats, answer: Granted }
            }
            (Lie::DeniedInstead, Kind::Checkout { holder, seats, answer: Granted }) => {
                Kind::Checkout { holder, seats, answer: Denied { in_use: None } }
            }
            (Lie::OneLess | Lie::OneMore, Kind::Count { in_use }) => {
                Kind::Count { in_use: self.off_by_one(in_use)? }
            }
            (
                Lie::OneLess | Lie::OneMore,
                Kind::Checkout { holder, seats, answer: Denied { in_use: Some(in_use) } },
            ) => {
                let answer = Denied { in_use: Some(self.off_by_one(in_use)?) };
                Kind::Checkout { holder, seats, answer }
            }
            (Lie::ReturnedInstead, Kind::Checkin { holder, answer: NotHeld }) => {
                Kind::Checkin { holder, answer: Returned }
            }
            (Lie::NotHeldInstead, Kind::Checkin { holder, answer: Returned }) => {
                Kind::Checkin { holder, answer: NotHeld }
            }
            (Lie::TooEarly, kind) => {
                let (invoked_us, completed_us) = (completed_us + 1, completed_us + length_us);
                return Some(Operation { kind, invoked_us, completed_us: Some(completed_us), ..*operation });
            }
            (Lie::TooLate, kind) => {
                let completed_us = invoked_us.checked_sub(1)?;
                let invoked_us = completed_us.saturating_sub(length_us);
                return Some(Operation { kind, invoked_us, completed_us: Some(completed_us), ..*operation });
            }
            _ => return None,
        };
        Some(Operation { kind, ..operation.clone() })
    }

    fn off_by_one(self, in_use: u64) -> Option<u64> {
        if self == Lie::OneLess { in_use.checked_sub(1) } else { in_use.checked_add(1) }
    }
}
