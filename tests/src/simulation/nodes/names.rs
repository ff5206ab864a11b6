//! What is claimed of servers with a node inside, and what is counted.

/// What is claimed of them, besides the claims of every service.
pub mod claim {
    /// Checked by [`licensing_core::invariants`].
    pub const INVARIANTS: &str = "every replica keeps every invariant";
    /// Whatever has happened to them.
    pub const REPLICAS: &str = "replicas are equal at equal index";
    /// Whatever clocks do.
    pub const TIME: &str = "state time never goes back";
    /// Not even while it leads.
    pub const NO_TERTIARY: &str = "the tertiary never serves";
    /// A target is looked at before the mastership is on its way.
    pub const HANDOVER_TO_SOMEBODY: &str =
        "no server hands over when everybody who could take it has long been away";
    /// Rules it does not know are not applied by a server.
    pub const KNOWS_ITS_RULES: &str = "no server goes on with rules that it does not know";
    /// Neither a moment too early.
    pub const STOPS_FOR_A_REASON: &str =
        "a server stops as too old only when the others have agreed on what it does not know";
    /// Every server has said that it knows them.
    pub const RAISED_TOGETHER: &str = "no edition applies before every server has known it";
    /// Who can be elected is.
    pub const SOMEBODY_SERVES: &str = "two members whom nobody troubles have a master within five seconds";
    /// Neither because of what a target has gone through before.
    pub const HANDOVERS_END: &str = "no handover to a server that nobody troubles is taken back";
    /// By the log, or by a snapshot.
    pub const CATCHES_UP: &str =
        "a standby that is behind comes closer within four seconds when nobody troubles the servers";
    /// And stays the same.
    pub const KEEPS_SERVING: &str = "in peace the master serves without a break";
    /// Permits, places and tasks.
    pub const COMES_BACK: &str = "at rest nothing is taken by those who are gone";
    /// At the same instant.
    pub const ONE_MASTER: &str = "at most one server serves at any instant";
}

/// Rare things that a run set must have seen to prove anything.
pub mod seen {
    /// The primary was master.
    pub const PRIMARY: &str = "times the primary became master";
    /// The secondary was master.
    pub const SECONDARY: &str = "times the secondary became master";
    /// The primary took over from the secondary.
    pub const HAND_BACK: &str = "hand-backs to the primary";
    /// The tertiary led for a moment, to bring another server up to date.
    pub const CARETAKER: &str = "caretaker episodes";
    /// A server campaigned before the lease of its leader had ended, because that was dead.
    pub const BY_EVIDENCE: &str = "elections on evidence";
    /// A server was brought up to date by a snapshot.
    pub const SNAPSHOT: &str = "snapshots installed";
    /// The servers raised the edition in the middle of the trouble.
    pub const RAISED: &str = "editions raised";
}
