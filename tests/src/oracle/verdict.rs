//! What the judge says.

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not true that {claim}: {detail}")]
pub struct Violation {
    /// What should be true, one of [`claim`](super::claim).
    pub claim: &'static str,
    /// Where it is not.
    pub detail: String,
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
    /// Data that was kept with seats, after they were granted.
    pub data_set: u64,
    /// Licenses that came later.
    pub installed: u64,
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
    /// Adds what was judged elsewhere.
    pub fn add(&mut self, other: &Verdict) {
        self.granted += other.granted;
        self.denied += other.denied;
        self.returned += other.returned;
        self.data_set += other.data_set;
        self.installed += other.installed;
        self.unknown += other.unknown;
        self.vanished += other.vanished;
        self.held += other.held;
        self.reads += other.reads;
        self.looks += other.looks;
    }
}
