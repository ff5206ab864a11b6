//! The replicated state as openraft sees it: committed entries go into `licensing_core::apply`, answers and events come
//! out. Holds no rules and knows no clock; keeps the state and the index it was reached at together, always.

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use licensing_core::Prepared;
use licensing_core::command::{Command, Install, Proposal};
use licensing_core::digest::Digest;
use licensing_core::edition::Edition;
use licensing_core::event::Event;
use licensing_core::id::LogIndex;
use licensing_core::mutant::{Mutant, planted};
use licensing_core::outcome::Answer;
use licensing_core::snapshot;
use licensing_core::state::{Applied, State};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::broadcast;

use crate::engine::runtime::{in_background, let_go, off_thread};
use crate::engine::types::{Entry, LogId, Snapshot, SnapshotMeta, StoredMembership, Types};
use crate::environment::{Clock, SystemClock};
use crate::store::shelf::SnapshotShelf;

/// Events kept for a listener that is slower than the triad; one that falls further behind is told how many it missed.
const EVENT_BACKLOG: usize = 16_384;

/// What encoding takes on a busy host, for mutants that read the state before and its index behind it.
const MUTANT_PAUSE: Duration = Duration::from_millis(5);

/// openraft, applying to this machine.
pub(crate) type Raft = openraft::Raft<Types, Machine>;

/// The state of one server; clones share it.
#[derive(Clone)]
pub(crate) struct Machine {
    replica: Arc<RwLock<Replica>>,
    /// The newest edition of the rules that is known here.
    known: Edition,
    shelf: Arc<dyn SnapshotShelf>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct Replica {
    state: State,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Log id of the snapshot on the shelf.
    shelved: Option<LogId>,
}

impl Machine {
    /// A machine that knows the rules up to an edition.
    pub(crate) fn new(shelf: Arc<dyn SnapshotShelf>, known: Edition) -> Machine {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let replica = Replica { state: State::new().known_up_to(known), ..Replica::default() };
        Machine { replica: Arc::new(RwLock::new(replica)), known, shelf, events }
    }

    /// What has been applied here: a cheap copy that later entries do not change.
    pub(crate) fn state(&self) -> State {
        self.read().state.clone()
    }

    /// Looks at what has been applied here, without a copy. `look` must be short: it holds up `apply`.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.read().state)
    }

    /// The last entries of the newest snapshot that is durable here, and of what has been applied; 0 if there is none.
    pub(crate) fn shelved_and_applied(&self) -> (u64, u64) {
        let replica = self.read();
        let index = |id: &Option<LogId>| id.map_or(0, |id| id.index);
        (index(&replica.shelved), index(&replica.applied))
    }

    /// Everything that happens from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn read(&self) -> RwLockReadGuard<'_, Replica> {
        self.replica.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Replica> {
        self.replica.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state and what it is the state of, under one lock.
    fn at_this_moment(&self) -> (State, SnapshotMeta) {
        let replica = self.read();
        let meta = SnapshotMeta { last_log_id: replica.applied, last_membership: replica.membership.clone() };
        (replica.state.clone(), meta)
    }

    /// Keeps what was worked out for an install that is about to come.
    pub(crate) fn keep(&self, prepared: Prepared) {
        self.write().state.keep(prepared);
    }

    async fn apply_one(&self, entry: Entry) -> io::Result<Option<Answer>> {
        let log_id = entry.log_id();
        let applied = match entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Membership(membership) => {
                self.write().membership = StoredMembership::new(Some(log_id), membership);
                None
            }
            EntryPayload::Normal(payload) => {
                let mut proposal = Proposal::from_bytes(&payload.0).map_err(|error| {
                    io::Error::other(format!("entry {} of the log cannot be applied: {error}", log_id.index))
                })?;
                if planted(Mutant::OwnClock) {
                    proposal.at = SystemClock.now();
                }
                // Rules that are not known here cannot be applied: whoever went on would come to other answers.
                self.look(|state| state.can_apply(&proposal)).map_err(io::Error::other)?;
                let index = LogIndex(log_id.index);
                Some(match proposal.command {
                    Command::Install(Install::Staged { digest }) => {
                        self.apply_long(index, proposal, digest).await?
                    }
                    _ => self.write().state.apply(index, &proposal),
                })
            }
        };
        self.write().applied = Some(log_id);
        let Some(applied) = applied else { return Ok(None) };
        for event in applied.events {
            // No listener is no error.
            let _ = self.events.send(event);
        }
        Ok(Some(applied.answer))
    }

    /// Installing a long license takes longer than the node may be away: it is done on another thread, to a copy of the
    /// state, which nobody else changes meanwhile. Letting go of the old one takes as long. Where it was not prepared
    /// nobody waits for it: the master prepares what it proposes.
    async fn apply_long(&self, index: LogIndex, proposal: Proposal, digest: Digest) -> io::Result<Applied> {
        let mut state = self.state();
        let prepared = state.is_prepared(&digest);
        let work = move || {
            let applied = state.apply(index, &proposal);
            (state, applied)
        };
        let (state, applied) = if prepared { off_thread(work).await? } else { in_background(work).await? };
        let old = std::mem::replace(&mut self.write().state, state);
        let_go(old)?;
        Ok(applied)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = Machine;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let replica = self.read();
        Ok((replica.applied, replica.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut last = None;
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut answer = self.apply_one(entry).await?;
            if planted(Mutant::AnswersShifted) {
                answer = last.replace(answer.clone()).unwrap_or(answer);
            }
            if let Some(responder) = responder {
                responder.send(answer);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Machine {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, taken: Bytes) -> Result<(), io::Error> {
        let bytes = taken.clone();
        let state = off_thread(move || State::from_bytes(&bytes)).await?.map_err(io::Error::other)?;
        let state = state.known_up_to(self.known);
        state.can_serve().map_err(io::Error::other)?;
        if self.read().shelved != meta.last_log_id || meta.last_log_id.is_none() {
            self.shelf.save(meta.clone(), taken).await?;
        }
        let mut replica = self.write();
        let state = snapshot::install(state, &replica.state);
        *replica = Replica {
            state,
            applied: meta.last_log_id,
            membership: meta.last_membership.clone(),
            shelved: meta.last_log_id,
        };
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let loaded = self.shelf.load().await?;
        Ok(loaded.map(|(meta, snapshot)| {
            self.write().shelved = meta.last_log_id;
            Snapshot { meta, snapshot }
        }))
    }
}

impl RaftSnapshotBuilder<Types> for Machine {
    type SnapshotData = Bytes;

    /// Encodes a cheap copy of the state on another thread: `apply` goes on meanwhile.
    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (mut state, mut meta) = self.at_this_moment();
        if planted(Mutant::IndexAheadOfState) {
            crate::time::sleep(MUTANT_PAUSE).await;
            meta = self.at_this_moment().1;
        }
        if planted(Mutant::StateAheadOfIndex) {
            crate::time::sleep(MUTANT_PAUSE).await;
            state = self.at_this_moment().0;
        }
        let snapshot = in_background(move || Bytes::from(state.to_bytes())).await?;
        self.shelf.save(meta.clone(), snapshot.clone()).await?;
        self.write().shelved = meta.last_log_id;
        Ok(Snapshot { meta, snapshot })
    }
}

#[cfg(test)]
mod tests {
    use licensing_core::command::{Command, Proposal};
    use licensing_core::id::{LogIndex, Timestamp};

    use super::*;
    use crate::store::shelf::FileShelf;

    /// Entries say it one by one; a snapshot says it at once, and must be refused before anything of it is kept.
    #[tokio::test]
    async fn a_snapshot_whose_rules_are_not_known_is_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::new();
        let raise = Command::RaiseEdition { to: Edition::NEWEST };
        state.apply(LogIndex(1), &Proposal { at: Timestamp(1), command: raise });
        let bytes = Bytes::from(state.to_bytes());
        for (known, is_taken) in [(Edition::FIRST, false), (Edition::NEWEST, true)] {
            let mut machine = Machine::new(Arc::new(FileShelf::new(dir.path())), known);
            let installed = machine.install_snapshot(&SnapshotMeta::default(), bytes.clone()).await;
            assert_eq!(installed.is_ok(), is_taken, "{known}: {installed:?}");
            assert_eq!(machine.look(State::edition) == Edition::NEWEST, is_taken);
        }
    }
}
