//! What is claimed of the reference server, and what a run set must have seen of it.

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
    /// A newer edition than a server knows is not for it.
    pub const KNOWN_RULES: &str = "no server applies rules that it does not know";
    /// What a newer edition brings, before that edition.
    pub const NEW_RULES_SLEEP: &str =
        "licenses of several vendors are served from edition 2 on, and not before";
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

    /// A host got another version of the program.
    pub const REPLACED: &str = crate::simulation::faults::seen::REPLACED;
    /// A server found that its program is too old for the rules of its triad.
    pub const TOO_OLD: &str = crate::simulation::service::TOO_OLD;
    /// An operator held a newer edition of the rules.
    pub const HOLD: &str = "editions held";
    /// A newer edition of the rules began to apply.
    pub const RAISED: &str = "editions raised";
    /// The license of a second vendor was installed.
    pub const SECOND_VENDOR: &str = "second vendors installed";
    /// The license of a second vendor had to wait for a newer edition.
    pub const TOO_EARLY: &str = "second vendors refused before their edition";

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
        HOLD,
        REPLACED,
        TOO_OLD,
        RAISED,
        SECOND_VENDOR,
        TOO_EARLY,
    ];

    /// What a run set of single servers must have seen.
    pub const SINGLE: &[&str] =
        &[PRIMARY, REPEATED, FORGOTTEN, RECALLED, REMOVAL, REREAD, RAISED, SECOND_VENDOR];
}
