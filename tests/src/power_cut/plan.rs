//! What a store is asked to do in one run: the votes, appends, truncations, snapshots and purges of a server's life, as
//! openraft would order them. A seed decides all of it, so the program that does it and the judge who looks at what is
//! left of it know the same plan without telling each other.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::compiled;
use licensing_core::command::{Command, Identity, Proposal};
use licensing_core::id::{LogIndex, Timestamp, Token};
use licensing_core::state::State;
use licensing_raft::testing::store::{Cargo, LogEntry, Place};

use super::outline::{Chapter, Course, Outline, STOP_BEHIND_COMMIT, TOUR};
use crate::simulation::random::Stream;

/// One thing a store is asked to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Become a full member of the triad.
    Join,
    /// Vote for a server, or follow it once it is elected.
    Vote {
        /// In this term.
        term: u64,
        /// This server.
        server: u64,
        /// A quorum has elected it.
        elected: bool,
    },
    /// Entries behind the last one; the next step does not wait for them.
    Append(Vec<LogEntry>),
    /// Drop the entries behind this one.
    Truncate(Option<Place>),
    /// A quorum has the entries up to here: apply them.
    Commit(Place),
    /// Write a snapshot of what is applied.
    Snapshot,
    /// Take a leader's snapshot.
    Install {
        /// Its last entry.
        last: Place,
        /// The state in it.
        state: Vec<u8>,
    },
    /// Drop the entries up to here.
    Purge(Place),
    /// Wait for all appends.
    Settle,
    /// Stop cleanly and start again.
    Reopen,
}

/// Fingerprint of what an entry carries.
pub fn print(cargo: &Cargo) -> u64 {
    let bytes: &[u8] = match cargo {
        Cargo::Blank => b"blank",
        Cargo::Founding => b"founding",
        Cargo::Proposal(bytes) => bytes,
    };
    // FNV-1a
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What the log must hold after a step.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Every entry from index 0 on: purged ones, and ones that came in a snapshot, included.
    pub log: Rc<Vec<(Place, u64)>>,
    /// Index of the last entry the log itself holds or has purged.
    pub last: Option<u64>,
    /// The last purged entry.
    pub purged: Option<Place>,
    /// Term, server, elected.
    pub vote: Option<(u64, u64, bool)>,
}

/// A snapshot the plan makes: by which step, up to where, of what.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The step.
    pub step: usize,
    /// The last entry in it.
    pub last: Place,
}

/// A run.
pub struct Plan {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The log before the first step and after each.
    pub ledgers: Vec<Ledger>,
    /// The snapshots.
    pub snapshots: Vec<Planned>,
    /// Term of every committed entry, and the digest of the state after it.
    pub committed: BTreeMap<u64, (u64, String)>,
}

/// How large the entries of a plan are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    /// A few hundred bytes, as checkouts are.
    Small,
    /// License files of a few kilobytes among them, so that pages of the database grow beyond what it keeps in its log.
    Large,
}

impl Plan {
    /// The plan of this name.
    pub fn of(outline: Outline) -> Plan {
        let sizes = if outline.seed.is_multiple_of(2) { Sizes::Small } else { Sizes::Large };
        let mut author = Author::new(Stream::new(outline.seed, "power cut"), sizes);
        if outline.course != Course::Drawn(0) {
            author.begin();
        }
        match outline.course {
            Course::Drawn(length) => {
                while author.plan.steps.len() < length {
                    let drawn = Chapter::draw(&author.random);
                    author.chapter(drawn);
                }
            }
            Course::Tour => TOUR.iter().for_each(|chapter| author.chapter(*chapter)),
            Course::StopBehindCommit => {
                STOP_BEHIND_COMMIT.iter().for_each(|chapter| author.chapter(*chapter))
            }
        }
        author.push(Step::Settle);
        author.plan
    }
}

/// The digest of a state as text.
pub fn digest(state: &State) -> String {
    state.digest().to_string()
}

/// Writes a plan, and keeps what it leads to.
struct Author {
    random: Stream,
    sizes: Sizes,
    plan: Plan,
    now: Ledger,
    term: u64,
    state: State,
    committed: Option<Place>,
    /// The server has been started since it was told what is committed.
    forgotten: bool,
    snapshot: Option<Place>,
    /// What the entries that are not committed carry.
    open: BTreeMap<u64, Cargo>,
}

impl Author {
    fn new(random: Stream, sizes: Sizes) -> Author {
        let plan = Plan {
            steps: Vec::new(),
            ledgers: vec![Ledger::default()],
            snapshots: Vec::new(),
            committed: BTreeMap::new(),
        };
        let now = Ledger::default();
        let (state, open) = (State::default(), BTreeMap::new());
        let (committed, snapshot) = (None, None);
        Author { random, sizes, plan, now, term: 0, state, committed, forgotten: false, snapshot, open }
    }

    fn push(&mut self, step: Step) {
        self.plan.steps.push(step);
        self.plan.ledgers.push(self.now.clone());
    }

    fn begin(&mut self) {
        self.push(Step::Join);
        let place = Place { term: 0, index: 0 };
        self.append_all(vec![LogEntry { place, cargo: Cargo::Founding }]);
        self.push(Step::Settle);
        self.elect();
    }

    fn chapter(&mut self, chapter: Chapter) {
        let most = if self.sizes == Sizes::Small { 30 } else { 6 };
        match chapter {
            Chapter::Append => {
                let count = 1 + self.random.below(most);
                self.append(count);
            }
            Chapter::Fill => self.append(most),
            Chapter::Settle => self.push(Step::Settle),
            Chapter::Commit => {
                let (first, next) = self.uncommitted();
                if first < next {
                    let upto = self.random.below(next - first) + first;
                    self.commit(upto);
                }
            }
            Chapter::CommitAll => {
                let (first, next) = self.uncommitted();
                if first < next {
                    self.commit(next - 1);
                }
            }
            Chapter::Snapshot => self.snapshot(),
            Chapter::Conflict => self.conflict(),
            Chapter::Elect => self.elect(),
            Chapter::Install => self.install(),
            Chapter::Reopen => {
                self.forgotten = true;
                self.push(Step::Reopen);
            }
        }
    }

    fn last(&self) -> Option<Place> {
        self.now.log.last().map(|(place, _)| *place)
    }

    fn next_index(&self) -> u64 {
        self.last().map_or(0, |place| place.index + 1)
    }

    fn append(&mut self, count: u64) {
        let first = self.next_index();
        let entries = (first..first + count).map(|index| self.entry(index)).collect();
        self.append_all(entries);
    }

    fn append_all(&mut self, entries: Vec<LogEntry>) {
        let log = Rc::make_mut(&mut self.now.log);
        log.extend(entries.iter().map(|entry| (entry.place, print(&entry.cargo))));
        self.now.last = log.last().map(|(place, _)| place.index);
        self.remember(&entries);
        self.push(Step::Append(entries));
    }

    /// A new leader: a vote, the news of its election, and its first, empty entry.
    fn elect(&mut self) {
        self.vote();
        let place = Place { term: self.term, index: self.next_index() };
        self.append_all(vec![LogEntry { place, cargo: Cargo::Blank }]);
    }

    fn vote(&mut self) {
        self.term += 1;
        let server = 1 + self.random.below(3);
        for elected in [false, true] {
            self.now.vote = Some((self.term, server, elected));
            self.push(Step::Vote { term: self.term, server, elected });
        }
    }

    /// A new leader that does not have our last entries.
    fn conflict(&mut self) {
        let (first, next) = self.uncommitted();
        if first >= next {
            return;
        }
        let from = first + self.random.below(next - first);
        self.vote();
        self.truncate(from);
        let place = Place { term: self.term, index: from };
        self.append_all(vec![LogEntry { place, cargo: Cargo::Blank }]);
    }

    fn truncate(&mut self, from: u64) {
        Rc::make_mut(&mut self.now.log).truncate(usize::try_from(from).unwrap_or(usize::MAX));
        let last = self.last();
        self.now.last = last.map(|place| place.index);
        self.push(Step::Truncate(last));
    }

    /// The first entry that is not committed, and the one that comes next.
    fn uncommitted(&self) -> (u64, u64) {
        (self.committed.map_or(0, |place| place.index + 1), self.next_index())
    }

    fn commit(&mut self, upto: u64) {
        self.apply(upto);
        let place = self.now.log[usize::try_from(upto).unwrap_or(usize::MAX)].0;
        self.tell(place);
    }

    fn tell(&mut self, committed: Place) {
        self.forgotten = false;
        self.push(Step::Commit(committed));
    }

    fn remember(&mut self, entries: &[LogEntry]) {
        self.open.extend(entries.iter().map(|entry| (entry.place.index, entry.cargo.clone())));
    }

    fn apply(&mut self, upto: u64) {
        for index in self.uncommitted().0..=upto {
            let place = self.now.log[usize::try_from(index).unwrap_or(usize::MAX)].0;
            if let Some(Cargo::Proposal(bytes)) = self.open.remove(&index) {
                let proposal = Proposal::from_bytes(&bytes).expect("it was just written");
                self.state.apply(LogIndex(index), &proposal);
            }
            self.plan.committed.insert(index, (place.term, digest(&self.state)));
            self.committed = Some(place);
        }
    }

    /// What is committed reaches the disk with the next write. A server that stops before it has forgotten it, and applies
    /// it, to be found in its next snapshot, when its leader tells it again.
    fn snapshot(&mut self) {
        let Some(last) = self.committed.filter(|place| Some(*place) != self.snapshot) else { return };
        if self.forgotten {
            self.tell(last);
        }
        self.snapshot = Some(last);
        self.plan.snapshots.push(Planned { step: self.plan.steps.len(), last });
        self.push(Step::Snapshot);
        let kept = self.random.below(8);
        let purged = self.now.purged.map_or(0, |place| place.index);
        if let Some(upto) = last.index.checked_sub(kept).filter(|upto| *upto > purged) {
            self.purge(upto);
        }
    }

    fn purge(&mut self, upto: u64) {
        let place = self.now.log[usize::try_from(upto).unwrap_or(usize::MAX)].0;
        self.now.purged = Some(place);
        self.now.last = self.now.last.max(Some(upto));
        self.push(Step::Purge(place));
    }

    /// A leader that has purged what we miss: what we have beyond the commit goes, its snapshot comes.
    fn install(&mut self) {
        self.push(Step::Settle);
        self.vote();
        let (first, next) = self.uncommitted();
        if first < next {
            self.truncate(first);
        }
        let count = 1 + self.random.below(40);
        let missed: Vec<LogEntry> = (first..first + count).map(|index| self.entry(index)).collect();
        self.remember(&missed);
        let prints = missed.iter().map(|entry| (entry.place, print(&entry.cargo)));
        Rc::make_mut(&mut self.now.log).extend(prints);
        self.apply(first + count - 1);
        let last = Place { term: self.term, index: first + count - 1 };
        self.snapshot = Some(last);
        self.forgotten = false;
        self.plan.snapshots.push(Planned { step: self.plan.steps.len(), last });
        self.push(Step::Install { last, state: self.state.to_bytes() });
        self.purge(last.index);
    }

    fn entry(&mut self, index: u64) -> LogEntry {
        let at = Timestamp(1_800_000_000_000 + index);
        let command = match (self.sizes, self.random.below(100)) {
            (Sizes::Small, _) | (Sizes::Large, 0..60) => self.open_session(),
            (Sizes::Large, 60..85) => self.install_license(1 << 10, 12 << 10),
            (Sizes::Large, 85..98) => self.install_license(12 << 10, 60 << 10),
            (Sizes::Large, _) => self.install_license(100 << 10, 300 << 10),
        };
        let cargo = Cargo::Proposal(Proposal { at, command }.to_bytes());
        LogEntry { place: Place { term: self.term, index }, cargo }
    }

    fn open_session(&mut self) -> Command {
        let bytes = self.random.bytes();
        let text = |length: u64| "u".repeat(usize::try_from(length).unwrap_or_default());
        let identity = Identity {
            user: text(1 + self.random.below(250)),
            host: text(1 + self.random.below(250)),
            display: "/dev/tty".to_owned(),
            pid: 7,
            project: String::new(),
        };
        let mut token = [0; 16];
        token.copy_from_slice(&bytes[..16]);
        Command::OpenSession { token: Token(token), identity, address: None }
    }

    fn install_license(&mut self, least: u64, most: u64) -> Command {
        let mut license = String::from(
            "SERVER alpha ANY 27000\nSERVER beta ANY 27000\nSERVER gamma ANY 27000\nVENDOR demo\n\
             FEATURE f1 demo 1.0 permanent 10 SIGN=0\n",
        );
        let length = least + self.random.below(most - least);
        while (license.len() as u64) < length {
            license.push_str(&format!(
                "# {:016x}{:016x}{:016x}\n",
                self.random.next(),
                self.random.next(),
                7
            ));
        }
        Command::Install(compiled(&license).into())
    }
}
