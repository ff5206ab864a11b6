//! What is counted of the reference server.

/// Rare things that a run set must have seen to prove anything.
pub mod seen {
    pub use crate::simulation::nodes::names::seen::*;

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
