//! What is claimed of the reference server besides, and what is counted.

/// What is claimed of it, besides the claims of every service around a node.
pub mod claim {
    /// The triad's own vendor data is as durable as seats.
    pub const COUNT_STAYS: &str = "what was counted in the triad's own data stays counted";
    /// Not master, or busy: a client may believe it and never ask again.
    pub const NOT_DONE_STAYS: &str = "what a server says it has not done is never done";
    /// Neither from a server that stands still for a while, nor through one that does not know where they are.
    pub const STRANGERS_GET_NOTHING: &str =
        "what somebody without a right or a secret asks for is refused, and not done";
    /// However small they are.
    pub const PAGES_TELL_ALL: &str = "the pages of a status tell all that the server has";
    /// Of two who read and write, one notices.
    pub const COUNTED_IN_TURN: &str = "nobody counts in the triad's own data on what is not there any more";
}

/// Rare things that a run set must have seen to prove anything.
pub mod seen {
    use crate::simulation::clients::seen as clients;
    use crate::simulation::faults::seen::GAVE_UP;
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
    /// A license with fewer seats of a feature than at first was installed.
    pub const FEWER: &str = "licenses with fewer seats";
    /// … with as many or more.
    pub const MORE: &str = "licenses with more seats";
    /// … without the feature.
    pub const TAKEN_OUT: &str = "licenses without a feature";
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
    /// A server's state passed midnight.
    pub const MIDNIGHT: &str = "midnights passed";
    /// Somebody without rights asked for what needs some.
    pub const NO_RIGHTS: &str = "requests of strangers refused";
    /// … behind a load balancer, from where a standby may have passed it on.
    pub const NO_RIGHTS_BEHIND: &str = "requests of strangers behind a balancer refused";
    /// Somebody named a session whose secret it did not know.
    pub const WRONG_TOKEN: &str = "wrong tokens refused";
    /// A client came through a standby.
    pub const RELAYED: &str = "clients passed on by a standby";
    /// The triad's own vendor data was set.
    pub const COUNTED: &str = "numbers counted up in the triad's own data";
    /// A session whose requests were not all done, and never were.
    pub const UNDONE: &str = "sessions with requests that were not done";
    /// All pages of a status were compared with the state.
    pub const PAGES: &str = "statuses compared page by page";
    /// It could not be, because the rules did not allow it yet.
    pub const COUNT_SLEPT: &str = "numbers not counted up for want of the edition";
    /// An operator forbade a newer edition for the time being.
    pub const HELD: &str = "upgrades held";

    /// All of them.
    pub const ALL: &[&str] = &[
        PRIMARY,
        SECONDARY,
        HAND_BACK,
        CARETAKER,
        BY_EVIDENCE,
        SNAPSHOT,
        REPEATED,
        FORGOTTEN,
        RECALLED,
        FLOOD,
        PREFERENCE,
        MAINTENANCE,
        REMOVAL,
        REREAD,
        FEWER,
        MORE,
        TAKEN_OUT,
        MIDNIGHT,
        SECOND,
        COUNTED,
        PAGES,
        UNDONE,
        NO_RIGHTS,
        NO_RIGHTS_BEHIND,
        WRONG_TOKEN,
        RELAYED,
        GAVE_UP,
        clients::CLOSED,
        clients::CLOSING_LEFT,
        clients::CHECKIN_LEFT,
        clients::DROPPED,
        clients::COUNTED,
        clients::MORE_THAN_LICENSED,
        clients::NOT_STARTED,
        clients::EXPIRED,
    ];

    /// What a run set with upgrades must have seen besides.
    pub const UPGRADE: &[&str] = &[SECOND_DENIED, COUNT_SLEPT, FINISHED, UNFINISHED, HELD, RAISED];

    /// What a single server does not do.
    pub const NOT_ALONE: &[&str] = &[
        SECONDARY,
        HAND_BACK,
        CARETAKER,
        BY_EVIDENCE,
        SNAPSHOT,
        PREFERENCE,
        MAINTENANCE,
        UNFINISHED,
        NO_RIGHTS_BEHIND,
        RELAYED,
    ];
}
