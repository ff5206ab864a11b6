//! The judge: given the history of a run, says whether every promise was kept, or which one was not and where.
//!
//! Nothing is searched for. Every answer carries the index of the log entry that decided it, so the answers are sorted
//! by it and replayed against a model of seats that a child could keep: a list of what is out. Every state a server
//! showed carries its index too and is compared with the list at that index, on whichever server and however late. So
//! a run of `n` operations and reads is judged in the time it takes to sort them.
//!
//! An answer that never came is *unknown*: the request may have been done at any index the client had not yet heard of
//! when it asked, or never. The model then keeps bounds instead of numbers, and is wrong about nothing.

use std::collections::BTreeMap;
use std::fmt::Display;

use licensing_core::id::{Handle, LogIndex, Role, Seats, SessionId};

use crate::history::{History, Kind, Operation, Read, Told};

/// What is true of every run, by name.
pub mod claim {
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
    /// Of a checkout: holder, feature, number of seats.
    pub const SHOWN_AS_GRANTED: &str = "every server shows a checkout as it was granted";
    /// Of the counters beside the list.
    pub const COUNTS_ARE_RIGHT: &str = "every server counts the seats it shows";
    /// As status commands show it.
    pub const SHOWN_WITHIN_LICENSE: &str = "no server ever shows more seats in use than licensed";
    /// As far as clients can see.
    pub const ONE_MASTER: &str = "at most one server is master at a time";
    /// Otherwise nothing is known about the end.
    pub const END_IS_SEEN: &str = "every server shows the state after the last answer";
}

/// Longest time between two reads from a master that leaves no room for another master in between: a new master keeps
/// the mastership for four heartbeats, which are 200 ms by default.
const UNBROKEN_US: u64 = 150_000;

/// Violations told of each claim; the first ones matter.
const TOLD: usize = 5;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not true that {claim}: {detail}")]
pub struct Violation {
    /// What should be true, one of [`claim`].
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
        self.unknown += other.unknown;
        self.vanished += other.vanished;
        self.held += other.held;
        self.reads += other.reads;
        self.looks += other.looks;
    }
}

/// Judges a history.
///
/// # Errors
///
/// The claims that are not true, with some of the places where they are not.
pub fn judge(history: &History) -> Result<Verdict, Vec<Violation>> {
    let mut case = Case::new(history);
    case.operations_are_in_order();
    case.replay();
    case.strangers_are_explained();
    case.masters_do_not_overlap();
    case.the_end_is_seen();
    if case.found.is_empty() { Ok(case.verdict) } else { Err(case.found) }
}

/// What a client was granted and holds until it is known to have been returned.
#[derive(Debug, Clone, Copy)]
struct Grant<'a> {
    client: u32,
    index: LogIndex,
    feature: &'a str,
    seats: Seats,
    /// A checkin of unknown outcome may have returned it.
    may_be_gone: bool,
}

/// What happens at a log index, in this order.
#[derive(Debug, Clone, Copy)]
enum Event<'a> {
    Answer(&'a Operation),
    Shown(&'a Read),
    /// From the next index on, a checkout of unknown outcome may have been granted.
    MayBeGranted(&'a str, Seats),
    /// From the next index on, a checkin of unknown outcome may have been done.
    MayBeReturned(Handle),
}

/// Seats of a feature at an index: at least, at most.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: u64,
    high: u64,
}

/// A checkout that a server showed and no client was told of.
type Stranger<'a> = (SessionId, &'a str, Seats);

struct Case<'a> {
    history: &'a History,
    /// When and with which index answers came, by time; the index is the largest so far.
    heard: Vec<(u64, LogIndex)>,
    sessions: BTreeMap<u32, SessionId>,
    held: BTreeMap<Handle, Grant<'a>>,
    returned: BTreeMap<Handle, LogIndex>,
    granted: BTreeMap<Handle, LogIndex>,
    bounds: BTreeMap<&'a str, Bounds>,
    strangers: BTreeMap<Stranger<'a>, BTreeMap<Handle, &'a Read>>,
    verdict: Verdict,
    found: Vec<Violation>,
}

impl<'a> Case<'a> {
    fn new(history: &'a History) -> Case<'a> {
        let mut heard: Vec<(u64, LogIndex)> = history
            .operations
            .iter()
            .filter_map(|operation| Some((operation.completed_us?, operation.told.index()?)))
            .collect();
        heard.sort_unstable();
        let mut largest = LogIndex(0);
        for (_, index) in &mut heard {
            largest = largest.max(*index);
            *index = largest;
        }
        let session = |operation: &Operation| match operation.told {
            Told::Opened { session } => Some((operation.client, session)),
            _ => None,
        };
        Case {
            history,
            heard,
            sessions: history.operations.iter().filter_map(session).collect(),
            held: BTreeMap::new(),
            returned: BTreeMap::new(),
            granted: BTreeMap::new(),
            bounds: BTreeMap::new(),
            strangers: BTreeMap::new(),
            verdict: Verdict {
                looks: history.looks.len() as u64,
                vanished: history.vanished.len() as u64,
                ..Verdict::default()
            },
            found: Vec::new(),
        }
    }

    fn report(&mut self, claim: &'static str, detail: impl Display) {
        if self.found.iter().filter(|violation| violation.claim == claim).count() < TOLD {
            self.found.push(Violation { claim, detail: detail.to_string() });
        }
    }

    /// The largest index anybody had been told before this moment.
    fn known_before(&self, at_us: u64) -> LogIndex {
        let place = self.heard.partition_point(|(when, _)| *when < at_us);
        place.checked_sub(1).map_or(LogIndex(0), |last| self.heard[last].1)
    }

    fn licensed(&self, feature: &str) -> u64 {
        self.history.about.licensed.get(feature).map_or(0, |seats| u64::from(seats.0))
    }

    /// Everything that can be said without a model.
    fn operations_are_in_order(&mut self) {
        let answered = self.history.operations.iter();
        let mut answered: Vec<(LogIndex, &Operation)> =
            answered.filter_map(|operation| Some((operation.told.index()?, operation))).collect();
        answered.sort_by_key(|(index, _)| *index);
        let mut last_invoked: Option<(LogIndex, &Operation)> = None;
        for pair in answered.windows(2) {
            let ((one, first), (other, second)) = (pair[0], pair[1]);
            if one == other {
                let detail = format!("entry {one} answers {} and {}", told(first), told(second));
                self.report(claim::ONE_ENTRY_ONE_ANSWER, detail);
            }
        }
        for (index, operation) in answered {
            if let Some((before, later)) = last_invoked
                && operation.completed_us.is_some_and(|completed| completed < later.invoked_us)
            {
                let detail = format!(
                    "{} was over before {} began, and is decided by entry {index}, later than entry {before}",
                    told(operation),
                    told(later)
                );
                self.report(claim::REAL_TIME_ORDER, detail);
            }
            if last_invoked.is_none_or(|(_, later)| later.invoked_us < operation.invoked_us) {
                last_invoked = Some((index, operation));
            }
        }
    }

    /// Sorts by index and lets it happen again.
    fn replay(&mut self) {
        let mut events: Vec<(LogIndex, u8, Event<'a>)> = Vec::new();
        for operation in &self.history.operations {
            match (&operation.told, &operation.kind) {
                (Told::Unknown { .. }, kind) => {
                    self.verdict.unknown += 1;
                    let after = self.known_before(operation.invoked_us);
                    match kind {
                        Kind::Checkout { feature, seats } => {
                            events.push((after, 2, Event::MayBeGranted(feature, *seats)));
                        }
                        Kind::Checkin { handle } | Kind::Remove { handle } => {
                            // Not before it was granted, and handles are the indexes of their grants.
                            let after = after.max(LogIndex(handle.0));
                            events.push((after, 2, Event::MayBeReturned(*handle)));
                        }
                        Kind::Open => {}
                    }
                }
                (Told::SessionLost, _) => {
                    let detail =
                        format!("client {} was told so at {} us", operation.client, operation.invoked_us);
                    self.report(claim::SESSIONS_LIVE, detail);
                }
                (told, _) => {
                    events.extend(told.index().map(|index| (index, 0, Event::Answer(operation))));
                }
            }
        }
        events.extend(self.ends_of_the_vanished());
        events.extend(self.history.reads.iter().map(|read| (read.applied, 1, Event::Shown(read))));
        events.sort_by_key(|(index, rank, _)| (*index, *rank));
        for (index, _, event) in events {
            match event {
                Event::Answer(operation) => self.answered(index, operation),
                Event::Shown(read) => self.shown(read),
                Event::MayBeGranted(feature, seats) => {
                    self.bounds.entry(feature).or_default().high += u64::from(seats.0);
                }
                Event::MayBeReturned(handle) => {
                    if let Some(grant) = self.held.get_mut(&handle)
                        && !grant.may_be_gone
                    {
                        grant.may_be_gone = true;
                        self.bounds.entry(grant.feature).or_default().low -= u64::from(grant.seats.0);
                    }
                }
            }
        }
        self.verdict.held = self.held.len() as u64;
    }

    /// The seats of a client that fell silent may go back at any index that nobody had heard of while it was certain
    /// to keep them.
    fn ends_of_the_vanished(&self) -> Vec<(LogIndex, u8, Event<'a>)> {
        let mut events = Vec::new();
        for vanished in &self.history.vanished {
            let after = self.known_before(vanished.kept_until_us);
            let own = self.history.operations.iter().filter(|operation| operation.client == vanished.client);
            events.extend(own.filter_map(|operation| match operation.told {
                Told::Granted { handle, index } => Some((after.max(index), 2, Event::MayBeReturned(handle))),
                _ => None,
            }));
        }
        events
    }

    fn answered(&mut self, index: LogIndex, operation: &'a Operation) {
        match (&operation.kind, &operation.told) {
            (Kind::Open, Told::Opened { .. }) => {}
            (Kind::Checkout { feature, seats }, Told::Granted { handle, .. }) => {
                self.verdict.granted += 1;
                let client = operation.client;
                let grant = Grant { client, index, feature, seats: *seats, may_be_gone: false };
                self.grant(*handle, grant);
            }
            (Kind::Checkout { feature, seats }, Told::NoFreeSeats { in_use, .. }) => {
                self.verdict.denied += 1;
                self.denied(operation, feature, *seats, *in_use);
            }
            (Kind::Checkin { handle } | Kind::Remove { handle }, Told::Returned { .. }) => {
                self.verdict.returned += 1;
                self.give_back(index, *handle, operation);
            }
            (Kind::Checkin { handle } | Kind::Remove { handle }, Told::UnknownHandle { .. }) => {
                match self.held.get(handle) {
                    // The checkin that nobody answered was done.
                    Some(grant) if grant.may_be_gone => self.take_off(index, *handle),
                    Some(_) => {
                        let detail = format!("{}, though it is held", told(operation));
                        self.report(claim::CHECKOUTS_STAY, detail);
                    }
                    None => {}
                }
            }
            _ => self.report(claim::DENIALS_ARE_TRUE, told(operation)),
        }
    }

    fn grant(&mut self, handle: Handle, grant: Grant<'a>) {
        if let Some(first) = self.granted.insert(handle, grant.index) {
            let detail = format!("handle {handle} was granted by entries {first} and {}", grant.index);
            self.report(claim::HANDLES_ARE_UNIQUE, detail);
            return;
        }
        let licensed = self.licensed(grant.feature);
        let bounds = self.bounds.entry(grant.feature).or_default();
        bounds.low += u64::from(grant.seats.0);
        bounds.high += u64::from(grant.seats.0);
        let low = bounds.low;
        if low > licensed {
            let detail = format!(
                "entry {} gave client {} {} more of {}: {low} of {licensed} are out",
                grant.index, grant.client, grant.seats, grant.feature
            );
            self.report(claim::NEVER_OVERSUBSCRIBED, detail);
        }
        self.held.insert(handle, grant);
    }

    fn denied(&mut self, operation: &Operation, feature: &str, seats: Seats, in_use: Seats) {
        let Bounds { low, high } = self.bounds.get(feature).copied().unwrap_or_default();
        let (in_use, licensed) = (u64::from(in_use.0), self.licensed(feature));
        if in_use < low || in_use > high || in_use + u64::from(seats.0) <= licensed {
            let detail =
                format!("{}, and {low} to {high} of {licensed} are held by clients", told(operation));
            self.report(claim::DENIALS_ARE_TRUE, detail);
        }
    }

    fn give_back(&mut self, index: LogIndex, handle: Handle, operation: &Operation) {
        if self.held.contains_key(&handle) {
            self.take_off(index, handle);
        } else if let Some(before) = self.returned.get(&handle) {
            let detail = format!("{}, and entry {before} had returned it already", told(operation));
            self.report(claim::COUNTED_ONCE, detail);
        } else {
            let detail = format!("{}, which nobody was granted before", told(operation));
            self.report(claim::NO_GHOSTS, detail);
        }
    }

    fn take_off(&mut self, index: LogIndex, handle: Handle) {
        let Some(grant) = self.held.remove(&handle) else { return };
        let seats = u64::from(grant.seats.0);
        let bounds = self.bounds.entry(grant.feature).or_default();
        bounds.high -= seats;
        if !grant.may_be_gone {
            bounds.low -= seats;
        }
        self.returned.insert(handle, index);
    }

    /// Compares what a server showed with what was out at that index.
    fn shown(&mut self, read: &'a Read) {
        self.verdict.reads += 1;
        let mut missing = self.held.clone();
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        for shown in &read.held {
            *counted.entry(&shown.feature).or_default() += u64::from(shown.seats.0);
            let Some(grant) = missing.remove(&shown.handle) else {
                self.stranger(read, shown.handle, (shown.session, &shown.feature, shown.seats));
                continue;
            };
            if self.is_gone(grant.client, read) {
                let detail = format!(
                    "{} still shows checkout {} of client {}, which fell silent long ago",
                    whom(read),
                    shown.handle,
                    grant.client
                );
                self.report(claim::NO_GHOSTS, detail);
            }
            let holder = self.sessions.get(&grant.client).copied();
            if holder != Some(shown.session) || grant.feature != shown.feature || grant.seats != shown.seats {
                let detail = format!(
                    "{} shows checkout {} as {} of {} in session {}; client {} was granted {} of {}",
                    whom(read),
                    shown.handle,
                    shown.seats,
                    shown.feature,
                    shown.session,
                    grant.client,
                    grant.seats,
                    grant.feature
                );
                self.report(claim::SHOWN_AS_GRANTED, detail);
            }
        }
        for (handle, grant) in missing.into_iter().filter(|(_, grant)| !grant.may_be_gone) {
            let detail = format!(
                "{} does not show checkout {handle} ({} of {}), which client {} holds since entry {}",
                whom(read),
                grant.seats,
                grant.feature,
                grant.client,
                grant.index
            );
            self.report(claim::CHECKOUTS_STAY, detail);
        }
        for (feature, count) in &read.features {
            let (issued, in_use) = (u64::from(count.issued.0), u64::from(count.in_use.0));
            let sum = counted.get(feature.as_str()).copied().unwrap_or(0);
            if in_use != sum || issued != self.licensed(feature) {
                let detail = format!(
                    "{} counts {in_use} of {issued} for {feature}, shows {sum}, and {} are licensed",
                    whom(read),
                    self.licensed(feature)
                );
                self.report(claim::COUNTS_ARE_RIGHT, detail);
            }
            if in_use.max(sum) > issued {
                let detail = format!("{} shows {} of {issued} for {feature}", whom(read), in_use.max(sum));
                self.report(claim::SHOWN_WITHIN_LICENSE, detail);
            }
        }
    }

    fn is_gone(&self, client: u32, read: &Read) -> bool {
        let vanished = self.history.vanished.iter().find(|vanished| vanished.client == client);
        vanished.is_some_and(|vanished| vanished.gone_by_us.is_some_and(|gone| read.asked_us >= gone))
    }

    /// A checkout that is shown and is not held by anybody at that index.
    fn stranger(&mut self, read: &'a Read, handle: Handle, stranger: Stranger<'a>) {
        if let Some(returned) = self.returned.get(&handle) {
            let detail =
                format!("{} shows checkout {handle}, which entry {returned} had returned", whom(read));
            self.report(claim::CHECKINS_STAY, detail);
        } else {
            self.strangers.entry(stranger).or_default().entry(handle).or_insert(read);
        }
    }

    /// A stranger can only be what a client asked for and was never answered; each such request explains one.
    fn strangers_are_explained(&mut self) {
        for ((session, feature, seats), shown) in std::mem::take(&mut self.strangers) {
            let client = self.sessions.iter().find(|(_, own)| **own == session).map(|(client, _)| *client);
            let asked = Kind::Checkout { feature: feature.to_owned(), seats };
            let maybes = self.history.operations.iter().filter(|operation| {
                matches!(operation.told, Told::Unknown { .. })
                    && Some(operation.client) == client
                    && operation.kind == asked
            });
            // Each may have happened at any entry after the one that was known when it was asked. The earliest request
            // explains the earliest stranger: if that does not work out, nothing does.
            let mut maybes: Vec<LogIndex> =
                maybes.map(|operation| self.known_before(operation.invoked_us)).collect();
            maybes.sort_unstable();
            let mut maybes = maybes.into_iter().peekable();
            for (handle, read) in shown {
                if maybes.next_if(|after| after.0 < handle.0).is_some() {
                    continue;
                }
                let what = format!("{} shows checkout {handle} ({seats} of {feature})", whom(read));
                match client {
                    Some(client) => {
                        let detail = format!(
                            "{what} of session {session}, and client {client} was never told of it: something it asked \
                             for was done more often than once"
                        );
                        self.report(claim::COUNTED_ONCE, detail);
                    }
                    None => {
                        self.report(
                            claim::NO_GHOSTS,
                            format!("{what} of session {session}, which nobody has"),
                        );
                    }
                }
            }
        }
    }

    /// A server was master all the time between reads that follow closely on each other and both say so. No other
    /// server may have said so entirely within such a stretch.
    fn masters_do_not_overlap(&mut self) {
        let mut reads: Vec<&Read> = self.history.reads.iter().collect();
        reads.sort_by_key(|read| read.asked_us);
        let stretches = Role::ALL.map(|role| stretches(&reads, role));
        let shown = reads.iter().map(|read| (read.server, read.asked_us, read.answered_us, read.master));
        let said = self.history.looks.iter();
        let said = said.map(|look| (look.server, look.asked_us, look.answered_us, look.master));
        for (server, asked, answered, _) in shown.chain(said).filter(|(_, _, _, master)| *master) {
            for role in server.others() {
                let stretches = &stretches[role.place()];
                let place = stretches.partition_point(|(from, _)| *from < asked);
                let Some((from, until)) = place.checked_sub(1).map(|last| stretches[last]) else { continue };
                if answered < until {
                    let detail = format!(
                        "the {server} said between {asked} and {answered} us that it is; the {role} was from {from} \
                         to {until} us"
                    );
                    self.report(claim::ONE_MASTER, detail);
                }
            }
        }
    }

    fn the_end_is_seen(&mut self) {
        let last = self.heard.last().map_or(LogIndex(0), |(_, index)| *index);
        for role in Role::ALL.into_iter().take(self.history.about.servers) {
            let reads = self.history.reads.iter().filter(|read| read.server == role);
            let seen = reads.map(|read| read.applied).max();
            if seen.is_none_or(|seen| seen < last) {
                let seen = seen.map_or("nothing".to_owned(), |index| format!("entry {index}"));
                let detail = format!("the {role} showed {seen}, the last answer was entry {last}");
                self.report(claim::END_IS_SEEN, detail);
            }
        }
    }
}

/// Stretches of time in which a server was master without a gap.
fn stretches(reads: &[&Read], role: Role) -> Vec<(u64, u64)> {
    let mut stretches = Vec::new();
    let mut last: Option<&Read> = None;
    for read in reads.iter().filter(|read| read.server == role) {
        if let Some(last) = last.filter(|last| last.master && read.master)
            && read.answered_us.saturating_sub(last.asked_us) < UNBROKEN_US
        {
            // It was master at some moment of each of the two, so between them for certain.
            match stretches.last_mut() {
                Some((_, until)) if *until == last.asked_us => *until = read.asked_us,
                _ => stretches.push((last.answered_us, read.asked_us)),
            }
        }
        last = Some(read);
    }
    stretches
}

fn whom(read: &Read) -> String {
    format!("the {} at entry {}", read.server, read.applied)
}

fn told(operation: &Operation) -> String {
    format!("client {}: {:?} was told {:?}", operation.client, operation.kind, operation.told)
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
