//! What is claimed of the reference server, and what is counted.

/// What is claimed of our triad, besides the claims of every service.
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
    /// A server was brought up to date by a snapshot.
    pub const SNAPSHOT: &str = "snapshots installed";
    /// A late duplicate got its first answer.
    pub const REPEATED: &str = "duplicates answered from memory";
    /// A late duplicate was refused, because its client had heard the answer.
    pub const FORGOTTEN: &str = "duplicates refused as old";
    /// Somebody asked what became of a request, and was told.
    pub const RECALLED: &str = "answers recalled";
    /// Somebody asked for more at once than a node takes.
    pub const FLOOD: &str = "floods";
    /// An operator asked for another master.
    pub const PREFERENCE: &str = "failovers asked for";
    /// An operator put a server into maintenance.
    pub const MAINTENANCE: &str = "maintenances";
    /// An operator took a seat away.
    pub const REMOVAL: &str = "removals";
    /// An operator installed another license file.
    pub const REREAD: &str = "rereads";
    /// The license of a second vendor was installed.
    pub const SECOND: &str = "second vendors installed";
    /// It was denied, because the rules did not allow it yet.
    pub const SECOND_DENIED: &str = "second vendors denied";
    /// An operator had a newer edition of the rules applied.
    pub const FINISHED: &str = "upgrades finished";
    /// An operator could not, because a server was not there.
    pub const UNFINISHED: &str = "upgrades not finished because a server was missing";
    /// An operator forbade a newer edition for the time being.
    pub const HELD: &str = "upgrades held";
    /// The servers raised the edition in the middle of the trouble.
    pub const RAISED: &str = "editions raised";

    /// All of them.
    pub const ALL: &[&str] = &[
        PRIMARY,
        SECONDARY,
        HAND_BACK,
        CARETAKER,
        SNAPSHOT,
        REPEATED,
        FORGOTTEN,
        RECALLED,
        FLOOD,
        PREFERENCE,
        MAINTENANCE,
        REMOVAL,
        REREAD,
        SECOND,
    ];

    /// What a run set with upgrades must have seen besides.
    pub const UPGRADE: &[&str] = &[SECOND_DENIED, FINISHED, UNFINISHED, HELD, RAISED];

    /// What a single server does not do.
    pub const NOT_ALONE: &[&str] =
        &[SECONDARY, HAND_BACK, CARETAKER, SNAPSHOT, PREFERENCE, MAINTENANCE, UNFINISHED];
}
