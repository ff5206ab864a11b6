//! What is true of every run, by name.

/// Each entry of the log decides one request.
pub const ONE_ENTRY_ONE_ANSWER: &str = "no log entry answers two requests";
/// Handles are names.
pub const HANDLES_ARE_UNIQUE: &str = "no handle names two checkouts";
/// What was over before something else began stands before it in the log.
pub const REAL_TIME_ORDER: &str = "the log agrees with the order of events";
/// At any index.
pub const NEVER_OVERSUBSCRIBED: &str = "never more seats are granted than licensed";
/// A "no" is an answer as good as a "yes".
pub const DENIALS_ARE_TRUE: &str = "every denial gives the true reason";
/// The clients of a run show life all the time.
pub const SESSIONS_LIVE: &str = "no session ends while its client lives";
/// The first half of the promise.
pub const CHECKOUTS_STAY: &str = "an acknowledged checkout stays until it is checked in";
/// The second half of the promise.
pub const CHECKINS_STAY: &str = "what was checked in does not come back";
/// Every seat that is out is somebody's.
pub const NO_GHOSTS: &str = "no seat is out that nobody holds";
/// However often a request is sent.
pub const COUNTED_ONCE: &str = "no request is counted twice";
/// From the entry on that put it there, on every server.
pub const DATA_STAYS: &str = "the data kept with a checkout is shown as it was put there";
/// Of a checkout: holder, feature, number of seats.
pub const SHOWN_AS_GRANTED: &str = "every server shows a checkout as it was granted";
/// Whoever ended it, and whether anybody waited for that.
pub const ENDED_HOLD_NOTHING: &str = "a session that its client has ended holds nothing";
/// As answers and states tell it.
pub const TIME_GOES_ON: &str = "each entry has one time, and no later one an earlier";
/// Of the counters beside the list.
pub const COUNTS_ARE_RIGHT: &str = "every server counts the seats it shows";
/// As status commands show it.
pub const SHOWN_WITHIN_LICENSE: &str = "no server ever shows more seats in use than licensed";
/// As far as clients can see.
pub const ONE_MASTER: &str = "at most one server is master at a time";
/// An edition of the rules that was raised is not lowered, and is the same for everybody at the same index.
pub const EDITIONS_STAY: &str = "the edition of the rules is one at each index, and never goes back";
/// Neither for whoever asks nor for whoever looks.
pub const RULES_SLEEP: &str = "no rule applies before its edition";
/// Once a vendor is served, it is served.
pub const LICENSES_STAY: &str = "a license that is served stays";
/// Otherwise nothing is known about the end.
pub const END_IS_SEEN: &str = "every server shows the state after the last answer";
