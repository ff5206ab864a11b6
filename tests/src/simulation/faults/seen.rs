//! Everything that can be counted, by name.

/// A server died and lost what it had not synced; its connections were closed.
pub const CRASH: &str = "crashes";
/// The same without a word to anybody.
pub const POWER_LOSS: &str = "power losses";
/// All three died at once.
pub const BLACKOUT: &str = "blackouts";
/// A server was away for so long that the others no longer had the log it needs.
pub const LONG_OUTAGE: &str = "long outages";
/// A server died and was back before anybody could be elected, or just then.
pub const RESTART: &str = "restarts faster than an election";
/// A firewall refused and reset what went from one server to another, or from one to all.
pub const REJECTION: &str = "connections rejected by a firewall";
/// What forwards the connections of servers went down.
pub const FORWARDER: &str = "forwarders that went down";
/// A server stood still and went on.
pub const PAUSE: &str = "pauses";
/// A server was stopped as an administrator stops it.
pub const STOP: &str = "planned stops";
/// A disk failed under a server.
pub const DISK_ERROR: &str = "disk errors";
/// A disk was replaced by an empty one.
pub const WIPE: &str = "wiped disks";
/// The primary died when the secondary had missed entries that only the tertiary had.
pub const TRAP: &str = "primaries dead with the secondary behind";
/// A server was cut off from all.
pub const ISOLATION: &str = "isolations";
/// A server was cut off in one direction.
pub const ONE_WAY: &str = "one-way isolations";
/// Two servers were cut off from each other.
pub const CUT: &str = "cut pairs";
/// Two servers were cut off from each other in one direction.
pub const ONE_WAY_CUT: &str = "one-way cut pairs";
/// Everything was slow.
pub const SLOW: &str = "slow networks";
/// All connections of a server broke.
pub const RESET: &str = "resets";
/// A client was cut off for a while.
pub const CLIENT_CUT: &str = "clients cut off";
/// A client did not wait for an answer.
pub const GAVE_UP: &str = "answers not waited for";
/// A client fell silent for ever.
pub const VANISHED: &str = "clients vanished";
/// A wall clock jumped by an hour.
pub const CLOCK_JUMP: &str = "clock jumps";
/// A wall clock ran too fast or too slow.
pub const CLOCK_DRIFT: &str = "drifting clocks";
/// All three died within a millisecond of adding entries to a log.
pub const AT_APPEND: &str = "blackouts at an append";
/// A server died within a millisecond of saving a vote.
pub const AT_VOTE: &str = "crashes at a vote";
/// … of taking entries off the end of its log.
pub const AT_TRUNCATE: &str = "crashes at a truncation";
/// … of taking entries off the beginning of its log.
pub const AT_PURGE: &str = "crashes at a purge";
/// … of saving a snapshot.
pub const AT_SNAPSHOT: &str = "crashes at a snapshot";

/// Somebody was in trouble within a millisecond of a server being readmitted, by its leader or by itself.
pub const AT_READMISSION: &str = "troubles at a readmission";
/// … of a server noticing that it must join a triad that exists.
pub const AT_JOINING: &str = "troubles at a joining";
/// … of a triad being founded, or of the promise to one that is.
pub const AT_FOUNDING: &str = "troubles at a founding";
/// … of a leader beginning to hand over.
pub const AT_HANDOVER: &str = "troubles at the begin of a handover";
/// … of a server being told to take the leadership.
pub const AT_TRANSFER: &str = "troubles at the transfer of a leadership";
/// … of a part of a snapshot coming, with more to come.
pub const AT_CHUNK: &str = "troubles between the parts of a snapshot";
/// … of adding a license to a log, or a part of one.
pub const AT_LICENSE: &str = "troubles at the install of a license";
/// … of adding a newer edition of the rules to a log.
pub const AT_EDITION: &str = "troubles at the raise of an edition";
/// … of a server becoming master.
pub const AT_GAIN: &str = "troubles at the begin of a mastership";
/// … of a server being master no more.
pub const AT_LOSS: &str = "troubles at the end of a mastership";

/// What every run set must have seen.
pub const ALL: &[&str] = &[
    CRASH,
    POWER_LOSS,
    BLACKOUT,
    LONG_OUTAGE,
    RESTART,
    REJECTION,
    FORWARDER,
    PAUSE,
    STOP,
    DISK_ERROR,
    WIPE,
    TRAP,
    ISOLATION,
    ONE_WAY,
    CUT,
    ONE_WAY_CUT,
    SLOW,
    RESET,
    CLIENT_CUT,
    CLOCK_JUMP,
    CLOCK_DRIFT,
    AT_APPEND,
    AT_VOTE,
    AT_TRUNCATE,
    AT_PURGE,
    AT_SNAPSHOT,
    AT_READMISSION,
    AT_JOINING,
    AT_FOUNDING,
    AT_HANDOVER,
    AT_TRANSFER,
    AT_CHUNK,
    AT_LICENSE,
    AT_EDITION,
    AT_GAIN,
    AT_LOSS,
];

/// What does not happen to a single server.
pub const NOT_ALONE: &[&str] = &[
    REJECTION,
    FORWARDER,
    WIPE,
    TRAP,
    ISOLATION,
    ONE_WAY,
    CUT,
    ONE_WAY_CUT,
    AT_TRUNCATE,
    AT_READMISSION,
    AT_JOINING,
    AT_HANDOVER,
    AT_TRANSFER,
    AT_CHUNK,
    AT_LOSS,
];
