//! What the judge says.

use crate::history::{Operation, Read};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not true that {claim}: {detail}")]
#[non_exhaustive]
pub struct Violation {
    /// What should be true, one of [`claim`](super::claim).
    pub claim: &'static str,
    /// Where it is not.
    pub detail: String,
    /// When and to whom it happened, as far as that can be said.
    pub at: At,
}

/// When something happened in a run, and to whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct At {
    /// Microseconds since the beginning.
    pub us: Option<u64>,
    /// A client, by its number.
    pub client: Option<u32>,
}

impl Violation {
    /// One of which nothing else is known.
    pub fn new(claim: &'static str, detail: impl ToString) -> Violation {
        Violation { claim, detail: detail.to_string(), at: At::default() }
    }

    /// The same, with when and to whom.
    pub fn at(self, at: impl Into<At>) -> Violation {
        Violation { at: at.into(), ..self }
    }
}

/// At that microsecond.
impl From<u64> for At {
    fn from(us: u64) -> At {
        At { us: Some(us), client: None }
    }
}

/// When it was asked.
impl From<&Operation> for At {
    fn from(operation: &Operation) -> At {
        At { us: Some(operation.invoked_us), client: Some(operation.client) }
    }
}

/// When it was asked for.
impl From<&Read> for At {
    fn from(read: &Read) -> At {
        At { us: Some(read.asked_us), client: None }
    }
}

/// What was judged: a run that did too little proves nothing, so tests look at the numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Checkouts that were granted.
    pub granted: u64,
    /// Checkouts that were denied.
    pub denied: u64,
    /// Checkins that were done.
    pub returned: u64,
    /// Checkouts that were granted with data.
    pub with_data: u64,
    /// Data that was kept with seats, after they were granted.
    pub data_set: u64,
    /// Licenses that came later.
    pub installed: u64,
    /// Sessions that their clients ended.
    pub closed: u64,
    /// Counts that somebody asked for.
    pub counts: u64,
    /// Requests without a definite answer.
    pub unknown: u64,
    /// Clients that fell silent for ever.
    pub vanished: u64,
    /// Checkouts that are out at the end.
    pub held: u64,
    /// States that servers showed.
    pub reads: u64,
    /// Times a server said whether it is master.
    pub looks: u64,
}

impl Verdict {
    /// Whether any server was looked at. If not, a seat that was lost or given away twice may have gone unnoticed.
    pub fn is_determined(&self) -> bool {
        self.reads > 0
    }

    /// Adds what was judged elsewhere.
    pub fn add(&mut self, other: &Verdict) {
        self.granted += other.granted;
        self.denied += other.denied;
        self.returned += other.returned;
        self.with_data += other.with_data;
        self.data_set += other.data_set;
        self.installed += other.installed;
        self.closed += other.closed;
        self.counts += other.counts;
        self.unknown += other.unknown;
        self.vanished += other.vanished;
        self.held += other.held;
        self.reads += other.reads;
        self.looks += other.looks;
    }
}
