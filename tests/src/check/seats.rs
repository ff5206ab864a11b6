//! What a history of seats is made of, for the judges of this module, and the pool that explains it.

use std::collections::BTreeMap;
use std::fmt;

use super::search::{Model, Timed};

/// Name of a checkout. Whoever records a history may choose the numbers; a checkout whose name nobody has learned gets
/// one that is used nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder(pub u64);

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who asked; for whoever reads the verdict.
    pub client: u32,
    /// What was asked and what was answered.
    pub kind: Kind,
    /// When it was asked. Of a possible end: the earliest moment it may come.
    pub invoked_us: u64,
    /// When it was answered. It does not matter where the answer is unknown; otherwise `None` says that the operation
    /// was done as told, nobody knows until when.
    pub completed_us: Option<u64>,
}

/// What was asked and what was answered. All of it about one feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Seats were asked for.
    Checkout {
        /// The checkout, if it came to one.
        holder: Holder,
        /// How many.
        seats: u64,
        /// The answer.
        answer: CheckoutAnswer,
    },
    /// Seats were returned.
    Checkin {
        /// Which checkout.
        holder: Holder,
        /// The answer.
        answer: CheckinAnswer,
    },
    /// Somebody asked how many seats are in use, and the answer is as good as any other: a status page that may be
    /// out of date is no count.
    Count {
        /// How many.
        in_use: u64,
    },
    /// The checkout may end by itself, as when its session is not heard of any more. It need not.
    MayEnd {
        /// Which checkout.
        holder: Holder,
    },
}

/// What became of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutAnswer {
    /// Granted.
    Granted,
    /// Denied, because too few seats were free.
    Denied {
        /// Seats in use then, if the denial says so.
        in_use: Option<u64>,
    },
    /// Nobody knows: granted then, or later, or never.
    Unknown,
}

/// What became of a checkin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckinAnswer {
    /// The seats are back.
    Returned,
    /// There is no such checkout.
    NotHeld,
    /// Nobody knows: done then, or later, or never.
    Unknown,
}

impl Operation {
    /// Whether it may never have happened.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self.kind,
            Kind::Checkout { answer: CheckoutAnswer::Unknown, .. }
                | Kind::Checkin { answer: CheckinAnswer::Unknown, .. }
                | Kind::MayEnd { .. }
        )
    }

    /// The last moment it can have happened.
    pub(super) fn until_us(&self) -> u64 {
        if self.is_unknown() { u64::MAX } else { self.completed_us.unwrap_or(u64::MAX).max(self.invoked_us) }
    }

    /// The same, with nothing known of its answer. `None` when nothing is left of it.
    pub(super) fn doubted(&self) -> Option<Operation> {
        let kind = match self.kind {
            Kind::Checkout { answer: CheckoutAnswer::Denied { .. }, .. }
            | Kind::Checkin { answer: CheckinAnswer::NotHeld, .. }
            | Kind::Count { .. } => return None,
            Kind::Checkout { holder, seats, .. } => {
                Kind::Checkout { holder, seats, answer: CheckoutAnswer::Unknown }
            }
            Kind::Checkin { holder, .. } => Kind::Checkin { holder, answer: CheckinAnswer::Unknown },
            Kind::MayEnd { holder } => Kind::MayEnd { holder },
        };
        Some(Operation { kind, completed_us: None, ..*self })
    }

    /// The checkout that this makes (`true`) or ends, if it was done.
    pub(super) fn takes_or_gives(&self) -> Option<(Holder, bool)> {
        match self.kind {
            Kind::Checkout { answer: CheckoutAnswer::Denied { .. }, .. }
            | Kind::Checkin { answer: CheckinAnswer::NotHeld, .. }
            | Kind::Count { .. } => None,
            Kind::Checkout { holder, .. } => Some((holder, true)),
            Kind::Checkin { holder, .. } | Kind::MayEnd { holder } => Some((holder, false)),
        }
    }

    /// For the general search.
    pub fn timed(&self) -> Timed<Kind> {
        let completed_us = (!self.is_unknown()).then(|| self.until_us());
        Timed { operation: self.kind, invoked_us: self.invoked_us, completed_us }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.completed_us {
            Some(completed_us) => write!(f, "{}..{completed_us} us", self.invoked_us)?,
            None => write!(f, "{}.. us", self.invoked_us)?,
        }
        write!(f, ", client {}: {}", self.client, self.kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Checkout { holder, seats, answer } => {
                let answer = match answer {
                    CheckoutAnswer::Granted => {
                        return write!(f, "checkout of {seats}, granted as {}", holder.0);
                    }
                    CheckoutAnswer::Denied { in_use: Some(in_use) } => format!("denied with {in_use} in use"),
                    CheckoutAnswer::Denied { in_use: None } => "denied".to_owned(),
                    CheckoutAnswer::Unknown => "never answered".to_owned(),
                };
                write!(f, "checkout of {seats}, {answer}")
            }
            Kind::Checkin { holder, answer } => {
                let answer = match answer {
                    CheckinAnswer::Returned => "returned",
                    CheckinAnswer::NotHeld => "not held",
                    CheckinAnswer::Unknown => "never answered",
                };
                write!(f, "checkin of {}, {answer}", holder.0)
            }
            Kind::Count { in_use } => write!(f, "count, {in_use} in use"),
            Kind::MayEnd { holder } => write!(f, "{} may end by itself", holder.0),
        }
    }
}

/// The seats of a feature as one client at a time would see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Seats there are.
    pub capacity: u64,
}

impl Model for Pool {
    type State = BTreeMap<Holder, u64>;
    type Operation = Kind;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, held: &Self::State, kind: &Kind) -> Option<Self::State> {
        let in_use: u64 = held.values().sum();
        match *kind {
            Kind::Checkout { seats, answer: CheckoutAnswer::Denied { in_use: said }, .. } => {
                let full = seats.saturating_add(in_use) > self.capacity;
                (full && said.is_none_or(|said| said == in_use)).then(|| held.clone())
            }
            Kind::Checkout { holder, seats, .. } => {
                let fits = seats.saturating_add(in_use) <= self.capacity;
                let mut held = held.clone();
                (fits && held.insert(holder, seats).is_none()).then_some(held)
            }
            Kind::Checkin { holder, answer: CheckinAnswer::NotHeld } => {
                (!held.contains_key(&holder)).then(|| held.clone())
            }
            Kind::Checkin { holder, .. } | Kind::MayEnd { holder } => {
                let mut held = held.clone();
                held.remove(&holder).map(|_| held)
            }
            Kind::Count { in_use: said } => (said == in_use).then(|| held.clone()),
        }
    }
}
