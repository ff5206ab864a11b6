//! Opens a store as a server would after a power cut, and tells what it found: the same program code, in a process of
//! its own, because what is opened may end it.

use std::io;
use std::path::Path;

use licensing_raft::testing::store::{Cargo, LogEntry, Place, RealStore};
use serde::{Deserialize, Serialize};

use super::plan::{digest, print};
use super::work::open;

/// An entry: term, index, fingerprint of what it carries.
pub type Entry = (u64, u64, u64);

/// What a server would find in its data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// It would not start, and say this.
    Refused(String),
    /// It would start with this.
    Opened(Box<Opened>),
}

/// What a server would start with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// `unborn`, `joining`, `member`.
    pub standing: String,
    /// What it says about damage.
    pub remarks: Vec<String>,
    /// The log.
    pub entries: Vec<Entry>,
    /// Term and index of the last purged entry.
    pub purged: Option<(u64, u64)>,
    /// Term, server, elected.
    pub vote: Option<(u64, u64, bool)>,
    /// Term and index of the last entry known to be committed.
    pub committed: Option<(u64, u64)>,
    /// Last entry of the snapshot.
    pub snapshot: Option<(u64, u64)>,
    /// Index of the last entry applied at the start, and digest of the state then.
    pub applied: Option<(u64, String)>,
    /// What went wrong when openraft's start was repeated on it, or when it was used and opened once more.
    pub trouble: Option<String>,
}

impl Found {
    /// Whether a server that will not vote, or not start, says why.
    pub fn says_why(&self) -> bool {
        match self {
            Found::Refused(why) => !why.is_empty(),
            Found::Opened(opened) => opened.standing != "joining" || !opened.remarks.is_empty(),
        }
    }
}

/// Opens the store in `directory`, starts it, uses it, and opens it again.
pub async fn inspect(directory: &Path) -> Found {
    let mut store = match open(directory, |_| {}).await {
        Ok(store) => store,
        Err(error) => return Found::Refused(error.to_string()),
    };
    let mut opened = Opened {
        standing: store.standing().to_owned(),
        remarks: store.remarks().to_vec(),
        entries: Vec::new(),
        purged: None,
        vote: None,
        committed: None,
        snapshot: None,
        applied: None,
        trouble: None,
    };
    if let Err(error) = look(&mut store, &mut opened).await {
        opened.trouble = Some(error.to_string());
    } else if let Err(error) = live_on(store, directory).await {
        opened.trouble = Some(format!("in its next life: {error}"));
    }
    Found::Opened(Box::new(opened))
}

async fn look(store: &mut RealStore, opened: &mut Opened) -> io::Result<()> {
    let contents = store.contents().await?;
    let pair = |place: Place| (place.term, place.index);
    opened.entries = contents
        .entries
        .iter()
        .map(|entry| (entry.place.term, entry.place.index, print(&entry.cargo)))
        .collect();
    opened.purged = contents.purged.map(pair);
    opened.vote = contents.vote;
    opened.committed = contents.committed.map(pair);
    opened.snapshot = contents.snapshot.as_ref().and_then(|(last, _)| last.map(pair));
    store.start().await?;
    let applied = opened.committed.max(opened.snapshot).map(|(_, index)| index);
    opened.applied = applied.map(|index| (index, digest(&store.state())));
    Ok(())
}

/// Goes on with a store that was just started, as openraft would, and looks whether that lasts.
async fn live_on(mut store: RealStore, directory: &Path) -> io::Result<()> {
    let before = store.contents().await?;
    let term = before.vote.map_or(0, |(term, ..)| term) + 1;
    let last = before.entries.last().map(|entry| entry.place).max(before.purged);
    let first = last.map_or(0, |place| place.index + 1);
    store.vote(term, 1, true).await?;
    let entries: Vec<LogEntry> = (first..first + 3)
        .map(|index| LogEntry { place: Place { term, index }, cargo: Cargo::Blank })
        .collect();
    store.append(entries.clone()).await?.durable().await?;
    store.close();
    let mut store = open(directory, |_| {}).await?;
    let after = store.contents().await?;
    store.close();
    let mut expected = before;
    expected.vote = Some((term, 1, true));
    expected.entries.extend(entries);
    // Only a hint, which goes to the disk along with the next write.
    expected.committed = after.committed;
    if expected != after {
        return Err(io::Error::other("what it held and what was added to it did not last"));
    }
    Ok(())
}
