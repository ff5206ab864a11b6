//! How a proposal is carried to its decision: the time is put on it here, one deadline holds for all of it, and what is
//! not decided by then is unknown. Never forwards; waits only for what takes milliseconds.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use licensing_core::command::{Command, Proposal};
use licensing_core::edition::Edition;
use licensing_core::id::{LogIndex, Role};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::outcome::Answer;
use licensing_core::state::State;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use openraft::{ReadPolicy, ServerState};
use tokio::task::unconstrained;

use crate::engine::types::{Decided, Payload};
use crate::error::ProposeError;
use crate::mastership::{Mastership, judge};
use crate::shared::Shared;
use crate::time::{Instant, timeout, timeout_at};

/// What a refused client is told to wait.
const BUSY_RETRY_MS: u64 = 20;
/// Largest encoded proposal: what the disks and the network take in a few milliseconds. A long license travels in parts.
pub(crate) const MAX_PROPOSAL_BYTES: usize = 1 << 20;

impl Shared {
    /// How long a proposal may wait: it outlives a failover, not a client's patience.
    pub(crate) fn deadline(&self) -> Duration {
        self.config.timings.lease() * 2
    }

    pub(crate) fn other_master(&self) -> Option<Role> {
        self.mastership.borrow().master.filter(|role| *role != self.config.role)
    }

    pub(crate) fn ensure_serving(&self) -> Result<(), ProposeError> {
        if let Some(why) = self.failure.why() {
            return Err(ProposeError::Stopped(why));
        }
        if self.is_leaving() {
            return Err(ProposeError::NotMaster { master: self.other_master() });
        }
        match judge::now(self) {
            Mastership { serving: true, .. } => Ok(()),
            Mastership { master, .. } => Err(ProposeError::NotMaster { master }),
        }
    }

    /// Proposes, and waits out a handover or a lease that is being renewed: those take milliseconds.
    pub(crate) async fn propose(&self, command: &Command) -> Result<Answer, ProposeError> {
        let permit = self.proposals.try_acquire();
        if permit.is_err() && !planted(Mutant::QueueWithoutLimit) {
            return Err(ProposeError::Busy { retry_after_ms: BUSY_RETRY_MS });
        }
        let deadline = Instant::now() + self.deadline();
        loop {
            let refused = match self.ensure_serving() {
                Ok(()) => match self.write(command, deadline).await {
                    Err(refused @ ProposeError::NotMaster { .. }) => refused,
                    definite => return definite,
                },
                Err(refused @ ProposeError::NotMaster { .. }) => refused,
                Err(stopped) => return Err(stopped),
            };
            if !self.may_lead_soon() || !Box::pin(self.wait_to_serve(deadline)).await {
                return Err(ProposeError::NotMaster { master: self.other_master().or(master_of(&refused)) });
            }
        }
    }

    /// One try, for proposals that are judged anew instead of repeated.
    pub(crate) async fn propose_once(&self, command: Command) -> Result<Answer, ProposeError> {
        self.ensure_serving()?;
        self.write(&command, Instant::now() + self.deadline()).await
    }

    /// The state as of now: everything acknowledged before the call is in it. Only the master can tell.
    pub(crate) async fn read(&self) -> Result<State, ProposeError> {
        let shared = self;
        if planted(Mutant::LocalRead) {
            return Ok(shared.machine.state());
        }
        shared.ensure_serving()?;
        let ready = async {
            let linearizer = shared.raft.get_read_linearizer(ReadPolicy::ReadIndex).await.ok()?;
            linearizer.await_ready(&shared.raft).await.ok()
        };
        match timeout(shared.deadline(), ready).await {
            Ok(Some(_)) => Ok(shared.machine.state()),
            Ok(None) | Err(_) => Err(ProposeError::NotMaster { master: shared.other_master() }),
        }
    }

    async fn write(&self, command: &Command, deadline: Instant) -> Result<Answer, ProposeError> {
        self.check_edition(command)?;
        let decided = self.submit(self.encode(command)?)?;
        match timeout_at(deadline, decided).await {
            Ok(Ok(Ok(response))) => response
                .data
                .ok_or_else(|| ProposeError::Unknown("the entry was applied without an answer".to_owned())),
            Ok(Ok(Err(ClientWriteError::ForwardToLeader(forward)))) => {
                Err(ProposeError::NotMaster { master: forward.leader_id.and_then(Role::from_number) })
            }
            Ok(Ok(Err(error))) => Err(ProposeError::Unknown(error.to_string())),
            // It may have been appended before the engine stopped.
            Ok(Err(_)) => Err(ProposeError::Unknown("the engine stopped".to_owned())),
            Err(_) if planted(Mutant::AnswerOnTimeout) => Ok(self.guess(command)),
            Err(_) => Err(ProposeError::Unknown("no quorum answered in time".to_owned())),
        }
    }

    /// Servers of before an edition cannot read what it brings, so it is not proposed before all have agreed on it. An edition
    /// is never lowered, so what is allowed here is allowed where the entry is applied.
    fn check_edition(&self, command: &Command) -> Result<(), ProposeError> {
        let needed = command.needs();
        if needed == Edition::FIRST {
            return Ok(());
        }
        let applied = self.machine.look(State::edition);
        if needed > applied { Err(ProposeError::NeedsEdition { needed, applied }) } else { Ok(()) }
    }

    /// The command with the time of the triad on it.
    fn stamped(&self, command: &Command) -> Proposal {
        Proposal { at: self.triad_time(), command: command.clone() }
    }

    fn encode(&self, command: &Command) -> Result<Bytes, ProposeError> {
        let bytes = self.stamped(command).to_bytes();
        if bytes.len() > MAX_PROPOSAL_BYTES {
            return Err(ProposeError::TooLarge { bytes: bytes.len(), limit: MAX_PROPOSAL_BYTES });
        }
        Ok(bytes.into())
    }

    /// Gives a proposal to the engine. What is waited for is small, and so is what each request under way takes: the
    /// engine's own way of waiting takes several kilobytes.
    fn submit(&self, proposal: Bytes) -> Result<Decided, ProposeError> {
        let (responder, decided) = ProgressResponder::complete_only();
        let submitted = self.raft.client_write_ff(Payload(proposal), Some(responder));
        match unconstrained(submitted).now_or_never() {
            Some(Ok(())) => Ok(decided),
            Some(Err(fatal)) => Err(ProposeError::Unknown(fatal.to_string())),
            // Its queue holds many times the proposals that are let through, so it is full only when the engine stands
            // still; a message that found no place was not taken.
            None => Err(ProposeError::Busy { retry_after_ms: BUSY_RETRY_MS }),
        }
    }

    /// What the answer would be here, if it were decided next.
    fn guess(&self, command: &Command) -> Answer {
        let mut state = self.machine.state();
        let next = LogIndex(state.last_index().0 + 1);
        state.apply(next, &self.stamped(command)).answer
    }

    /// Whether this server leads, or is handing over, so that waiting a moment makes sense.
    fn may_lead_soon(&self) -> bool {
        let leads = self.raft.metrics().borrow_watched().state == ServerState::Leader;
        self.config.role.may_serve() && !self.is_leaving() && (leads || self.is_handing_over())
    }

    /// Waits until this server serves or somebody else does. `false` when the deadline has passed or another serves.
    async fn wait_to_serve(&self, deadline: Instant) -> bool {
        let own = self.config.role;
        let mut mastership = self.mastership.subscribe();
        let settled =
            mastership.wait_for(|now| now.serving || now.master.is_some_and(|master| master != own));
        let serving = matches!(timeout_at(deadline, settled).await, Ok(Ok(now)) if now.serving);
        // openraft may refuse a moment longer than the watched mastership says: do not spin.
        if serving {
            crate::time::sleep(Duration::from_millis(1)).await;
        }
        serving && Instant::now() < deadline
    }
}

fn master_of(error: &ProposeError) -> Option<Role> {
    match error {
        ProposeError::NotMaster { master } => *master,
        _ => None,
    }
}
