//! How a proposal is carried to its decision: the time is put on it here, one deadline holds for all of it, and what is
//! not decided by then is unknown. Never forwards; waits only for what takes milliseconds.

use std::time::Duration;

use licensing_core::command::{Command, Proposal};
use licensing_core::id::{LogIndex, Role};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::outcome::Answer;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};

use crate::error::ProposeError;
use crate::mastership::{self, Mastership};
use crate::node::Inner;
use crate::types::Payload;

/// What a refused client is told to wait.
const BUSY_RETRY_MS: u64 = 20;
/// Largest encoded proposal: a license file of 1 MiB is refused long before.
const MAX_PROPOSAL_BYTES: usize = 1 << 20;

impl Inner {
    /// How long a proposal may wait: it outlives a failover, not a client's patience.
    pub(crate) fn deadline(&self) -> Duration {
        self.config.timings.lease() * 2
    }

    pub(crate) fn other_master(&self) -> Option<Role> {
        self.mastership.borrow().master.filter(|role| *role != self.config.role)
    }

    pub(crate) fn ensure_serving(&self) -> Result<(), ProposeError> {
        if let Some(why) = &*self.failure.borrow() {
            return Err(ProposeError::Stopped(why.clone()));
        }
        if self.is_leaving() {
            return Err(ProposeError::NotMaster { master: self.other_master() });
        }
        match mastership::now(self) {
            Mastership { serving: true, .. } => Ok(()),
            Mastership { master, .. } => Err(ProposeError::NotMaster { master }),
        }
    }

    /// Proposes, and waits out a handover or a lease that is being renewed: those take milliseconds.
    pub(crate) async fn propose(&self, command: Command) -> Result<Answer, ProposeError> {
        let permit = self.proposals.try_acquire();
        if permit.is_err() && !planted(Mutant::QueueWithoutLimit) {
            return Err(ProposeError::Busy { retry_after_ms: BUSY_RETRY_MS });
        }
        let deadline = Instant::now() + self.deadline();
        loop {
            let refused = match self.ensure_serving() {
                Ok(()) => match self.write(command.clone(), deadline).await {
                    Err(refused @ ProposeError::NotMaster { .. }) => refused,
                    definite => return definite,
                },
                Err(refused @ ProposeError::NotMaster { .. }) => refused,
                Err(stopped) => return Err(stopped),
            };
            if !self.may_lead_soon() || !self.wait_to_serve(deadline).await {
                return Err(ProposeError::NotMaster { master: self.other_master().or(master_of(&refused)) });
            }
        }
    }

    /// One try, for proposals that are judged anew instead of repeated.
    pub(crate) async fn propose_once(&self, command: Command) -> Result<Answer, ProposeError> {
        self.ensure_serving()?;
        self.write(command, Instant::now() + self.deadline()).await
    }

    async fn write(&self, command: Command, deadline: Instant) -> Result<Answer, ProposeError> {
        let proposal = Proposal { at: self.triad_time(), command };
        let bytes = proposal.to_bytes();
        if bytes.len() > MAX_PROPOSAL_BYTES {
            let length = bytes.len();
            return Err(ProposeError::TooLarge { bytes: length, limit: MAX_PROPOSAL_BYTES });
        }
        let written = timeout_at(deadline, self.raft.client_write(Payload(bytes.into()))).await;
        match written {
            Ok(Ok(response)) => response
                .data
                .ok_or_else(|| ProposeError::Unknown("the entry was applied without an answer".to_owned())),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
                Err(ProposeError::NotMaster { master: forward.leader_id.and_then(Role::from_number) })
            }
            Ok(Err(RaftError::APIError(error))) => Err(ProposeError::Unknown(error.to_string())),
            // It may have been appended before the engine stopped.
            Ok(Err(RaftError::Fatal(fatal))) => Err(ProposeError::Unknown(fatal.to_string())),
            Err(_) if planted(Mutant::AnswerOnTimeout) => {
                let mut state = self.machine.state();
                let next = LogIndex(state.last_index().0 + 1);
                Ok(state.apply(next, &proposal).answer)
            }
            Err(_) => Err(ProposeError::Unknown("no quorum answered in time".to_owned())),
        }
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
            tokio::time::sleep(Duration::from_millis(1)).await;
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
