//! Format 1 of a log entry: read, no longer written, and never changed.
//!
//! It has the text of a license and not yet what the text says: reading is the one place where an old text is parsed.

use serde::Deserialize;

use super::names::PROPOSAL;
use crate::codec::{self, CodecError};
use crate::command::{Action, Call, Command, Identity, Proposal, Removal};
use crate::id::{Handle, LogIndex, RequestId, Role, Seats, SessionId, Timestamp, Token};
use crate::license::Compiled;

/// The name of a license file that was stored without one.
pub(super) const UNNAMED: &str = "license.lic";

pub(super) fn read(content: &[u8]) -> Result<Proposal, CodecError> {
    let record: ProposalRecord = codec::from_bytes(content, PROPOSAL)?;
    Ok(Proposal { at: record.at, command: record.command.into_command()? })
}

#[derive(Deserialize)]
struct ProposalRecord {
    at: Timestamp,
    command: CommandRecord,
}

#[derive(Deserialize)]
enum CommandRecord {
    Install { license: String },
    OpenSession { token: Token, identity: IdentityRecord },
    CloseSession { session: SessionId, token: Token },
    Expire { sessions: Vec<SessionId>, judged_at: LogIndex },
    Call(CallRecord),
    Tick,
}

#[derive(Deserialize)]
struct CallRecord {
    session: SessionId,
    token: Token,
    request: RequestId,
    acknowledged: RequestId,
    action: ActionRecord,
}

#[derive(Deserialize)]
enum ActionRecord {
    Checkout { feature: String, version: String, seats: Seats },
    Checkin { handle: Handle, owner: Option<Token> },
    Remove(Removal),
    Maintain { role: Role, on: bool },
    PreferMaster { role: Option<Role> },
}

/// Who a client said it was.
#[derive(Deserialize)]
pub(super) struct IdentityRecord {
    user: String,
    host: String,
    display: String,
    pid: u32,
}

impl IdentityRecord {
    pub(super) fn into_identity(self) -> Identity {
        let IdentityRecord { user, host, display, pid } = self;
        Identity { user, host, display, pid, project: String::new() }
    }
}

impl CommandRecord {
    fn into_command(self) -> Result<Command, CodecError> {
        Ok(match self {
            CommandRecord::Install { license } => {
                let compiled = Compiled::from_text(UNNAMED, &license).map_err(|errors| {
                    let problem = format!("its license cannot be read any more: {errors}");
                    CodecError::Malformed { what: PROPOSAL, problem }
                })?;
                Command::Install(compiled.into())
            }
            CommandRecord::OpenSession { token, identity } => {
                Command::OpenSession { token, identity: identity.into_identity(), address: None }
            }
            CommandRecord::CloseSession { session, token } => Command::CloseSession { session, token },
            CommandRecord::Expire { sessions, judged_at } => Command::Expire { sessions, judged_at },
            CommandRecord::Call(call) => {
                let CallRecord { session, token, request, acknowledged, action } = call;
                let action = action.into_action();
                Command::Call(Call { session, token, request, acknowledged, action })
            }
            CommandRecord::Tick => Command::Tick,
        })
    }
}

impl ActionRecord {
    fn into_action(self) -> Action {
        match self {
            ActionRecord::Checkout { feature, version, seats } => {
                Action::Checkout { vendor: None, feature, version, seats }
            }
            ActionRecord::Checkin { handle, owner } => Action::Checkin { handle, owner },
            ActionRecord::Remove(removal) => Action::Remove(removal),
            ActionRecord::Maintain { role, on } => Action::Maintain { role, on },
            ActionRecord::PreferMaster { role } => Action::PreferMaster { role },
        }
    }
}
