//! The real store, driven by hand: what openraft asks of it, one call at a time, for tests that cut the power, break
//! the disk or damage the files. Nothing here knows what is right; it carries out and shows.

use std::collections::BTreeSet;
use std::io;

use bytes::Bytes;
use licensing_core::edition::Edition;
use licensing_core::state::State;
use openraft::EntryPayload;
use openraft::StorageHelper;
use openraft::alias::OneshotReceiverOf;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;

use crate::config::NodeConfig;
use crate::engine::types::{Entry, LogId, Payload, SnapshotMeta, StoredMembership, Types, Vote};
use crate::error::StartError;
use crate::machine::Machine;
use crate::membership::standing::{Standing, TriadId};
use crate::store::Store;

/// So small a file of the journal is filled by a short run, several times over.
const SMALL_FILE_BYTES: u64 = 8 << 10;

/// Where an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Term of the leader that made it.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// What an entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cargo {
    /// Nothing: the first entry of a leader.
    Blank,
    /// The three members: entry 0.
    Founding,
    /// The bytes of a proposal.
    Proposal(Vec<u8>),
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub place: Place,
    /// What it carries.
    pub cargo: Cargo,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreContents {
    /// All entries that are not purged.
    pub entries: Vec<LogEntry>,
    /// The last purged entry.
    pub purged: Option<Place>,
    /// Term and server of the vote, and whether that server was elected.
    pub vote: Option<(u64, u64, bool)>,
    /// The last entry known to be committed.
    pub committed: Option<Place>,
    /// The last entry in the newest snapshot, and the state in it.
    pub snapshot: Option<(Option<Place>, Vec<u8>)>,
}

/// A write on its way to the disk.
pub struct Waiting(OneshotReceiverOf<Types, io::Result<()>>);

impl Waiting {
    /// Waits until it is durable, or has failed.
    ///
    /// # Errors
    ///
    /// What openraft would be told, upon which it stops.
    pub async fn durable(self) -> io::Result<()> {
        self.0.await.map_err(|_| io::Error::other("the store dropped a write without an answer"))?
    }
}

/// The store of one server in its data directory, as a node opens it.
pub struct RealStore {
    store: Store,
    machine: Machine,
}

impl RealStore {
    /// Opens the data directory of `config`, or makes it. `on_failure` hears of the first error of the writer.
    ///
    /// # Errors
    ///
    /// What a node would refuse to start with.
    pub fn open(
        config: &NodeConfig,
        on_failure: impl Fn(String) + Send + 'static,
    ) -> Result<RealStore, StartError> {
        Ok(RealStore::around(Store::open(config, on_failure)?))
    }

    /// The same with so small files of the journal that a short run fills several and uses some again.
    ///
    /// # Errors
    ///
    /// As [`RealStore::open`].
    pub fn open_with_small_files(
        config: &NodeConfig,
        on_failure: impl Fn(String) + Send + 'static,
    ) -> Result<RealStore, StartError> {
        Ok(RealStore::around(Store::open_sized(config, SMALL_FILE_BYTES, on_failure)?))
    }

    fn around(store: Store) -> RealStore {
        let machine = Machine::new(store.shelf.clone(), Edition::NEWEST);
        RealStore { store, machine }
    }

    /// What was found damaged.
    pub fn remarks(&self) -> &[String] {
        &self.store.remarks
    }

    /// How far the server belongs to its triad: `unborn`, `founding`, `joining` or `member`.
    pub fn standing(&self) -> &'static str {
        self.store.standing.read().word()
    }

    /// Makes the server a full member: it may vote from now on.
    ///
    /// # Errors
    ///
    /// The standing could not be written.
    pub fn become_member(&self) -> io::Result<()> {
        self.store.standing.write(&Standing::Member { triad_id: TriadId([7; 16]) })
    }

    /// What openraft does first: restores the newest snapshot and applies what is known to be committed.
    ///
    /// # Errors
    ///
    /// openraft would not start on this store.
    pub async fn start(&mut self) -> io::Result<()> {
        let mut helper = StorageHelper::new(&mut self.store.log, &mut self.machine).with_id(1);
        helper.get_initial_state().await.map(drop).map_err(io::Error::other)
    }

    /// Votes for `server` in `term`, or follows it when it was elected.
    ///
    /// # Errors
    ///
    /// It is not durable.
    pub async fn vote(&mut self, term: u64, server: u64, elected: bool) -> io::Result<()> {
        let vote = if elected { Vote::new_committed(term, server) } else { Vote::new(term, server) };
        self.store.log.save_vote(&vote).await
    }

    /// Appends entries behind the last one.
    ///
    /// # Errors
    ///
    /// They were not even queued.
    pub async fn append(&mut self, entries: Vec<LogEntry>) -> io::Result<Waiting> {
        let (done, wait) = Types::oneshot();
        let entries = entries.into_iter().map(entry);
        self.store.log.append(entries, IOFlushed::signal(done)).await?;
        Ok(Waiting(wait))
    }

    /// Drops the entries behind `last`: they contradict those of a leader.
    ///
    /// # Errors
    ///
    /// It is not durable.
    pub async fn truncate_after(&mut self, last: Option<Place>) -> io::Result<()> {
        self.store.log.truncate_after(last.map(log_id)).await
    }

    /// Applies the entries up to `upto`, which a quorum has.
    ///
    /// # Errors
    ///
    /// An entry could not be read or applied.
    pub async fn commit(&mut self, upto: Place) -> io::Result<()> {
        self.store.log.save_committed(Some(log_id(upto))).await?;
        let (applied, _) = self.machine.applied_state().await?;
        let from = applied.map_or(0, |id| id.index + 1);
        let entries = self.store.log.try_get_log_entries(from..=upto.index).await?;
        let entries = entries.into_iter().map(|entry| Ok((entry, None)));
        self.machine.apply(futures_util::stream::iter(entries)).await
    }

    /// Writes a snapshot of what is applied.
    ///
    /// # Errors
    ///
    /// It is not durable.
    pub async fn snapshot(&mut self) -> io::Result<()> {
        self.machine.get_snapshot_builder().await.build_snapshot().await.map(drop)
    }

    /// Takes a leader's snapshot.
    ///
    /// # Errors
    ///
    /// It is not durable.
    pub async fn install(&mut self, last: Place, state: Vec<u8>) -> io::Result<()> {
        let founding = LogId::new(committed_leader(0), 0);
        let last_membership = StoredMembership::new(Some(founding), members());
        let meta = SnapshotMeta { last_log_id: Some(log_id(last)), last_membership };
        self.machine.install_snapshot(&meta, Bytes::from(state)).await?;
        self.store.log.save_committed(Some(log_id(last))).await
    }

    /// Drops the entries up to `upto`: they are in a snapshot.
    ///
    /// # Errors
    ///
    /// It was not even queued; nobody waits until it is durable.
    pub async fn purge(&mut self, upto: Place) -> io::Result<()> {
        self.store.log.purge(log_id(upto)).await
    }

    /// What has been applied.
    pub fn state(&self) -> State {
        self.machine.state()
    }

    /// What the store holds, read as openraft reads it.
    ///
    /// # Errors
    ///
    /// Something could not be read.
    pub async fn contents(&mut self) -> io::Result<StoreContents> {
        let log = &mut self.store.log;
        let entries = log.try_get_log_entries(..).await?;
        let vote = log.read_vote().await?;
        let snapshot = self.store.shelf.load().await?;
        Ok(StoreContents {
            entries: entries.into_iter().map(log_entry).collect(),
            purged: log.get_log_state().await?.last_purged_log_id.map(place),
            vote: vote.map(|vote| (vote.leader_id.term, vote.leader_id.voted_for, vote.committed)),
            committed: log.read_committed().await?.map(place),
            snapshot: snapshot.map(|(meta, state)| (meta.last_log_id.map(place), state.to_vec())),
        })
    }

    /// Finishes what is queued, as a clean stop does.
    pub fn close(self) {
        self.store.log.close();
        self.store.standing.release();
    }
}

fn committed_leader(term: u64) -> openraft::alias::CommittedLeaderIdOf<Types> {
    <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(term, 1).to_committed()
}

fn log_id(place: Place) -> LogId {
    LogId::new(committed_leader(place.term), place.index)
}

fn place(id: LogId) -> Place {
    Place { term: id.leader_id.term, index: id.index }
}

fn members() -> openraft::Membership<u64, openraft::EmptyNode> {
    openraft::Membership::new_with_defaults(vec![BTreeSet::from([1, 2, 3])], [])
}

fn entry(entry: LogEntry) -> Entry {
    let payload = match entry.cargo {
        Cargo::Blank => EntryPayload::Blank,
        Cargo::Founding => EntryPayload::Membership(members()),
        Cargo::Proposal(bytes) => EntryPayload::Normal(Payload(Bytes::from(bytes))),
    };
    Entry::new(log_id(entry.place), payload)
}

fn log_entry(entry: Entry) -> LogEntry {
    let place = place(entry.log_id());
    let cargo = match entry.payload {
        EntryPayload::Blank => Cargo::Blank,
        EntryPayload::Membership(_) => Cargo::Founding,
        EntryPayload::Normal(payload) => Cargo::Proposal(payload.0.to_vec()),
    };
    LogEntry { place, cargo }
}
