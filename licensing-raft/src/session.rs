//! Sessions of those who speak a protocol of the program's own: opened, kept alive, asked for seats, closed. Retries nothing
//! across servers: after a failover the far end comes to the new master, with the token and the numbers it had.

use std::net::IpAddr;

use licensing_core::command::{ANY_VERSION, Action, Call, Command, Identity, Removal};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};

use crate::error::ProposeError;
use crate::node::Node;

/// What a client may ask for. What only administrators may is not among it, so nothing a client sends can move the
/// mastership.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAction {
    /// Seats of a feature, all or none.
    Checkout(Wanted),
    /// Seats back.
    Checkin {
        /// Which ones.
        handle: Handle,
    },
    /// Other vendor data for the session, or for one of its checkouts. From edition 3 of the rules on.
    SetVendorData {
        /// Which checkout; `None` for the session itself.
        handle: Option<Handle>,
        /// At most [`MAX_DATA_BYTES`](licensing_core::vendor_data::MAX_DATA_BYTES); empty takes it away.
        data: Vec<u8>,
    },
}

/// The seats a client wants: one of a feature, of any version and vendor, unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    vendor: Option<String>,
    feature: String,
    version: String,
    seats: Seats,
    vendor_data: Vec<u8>,
}

impl Wanted {
    /// One seat of the feature, by its name in the license file.
    pub fn feature(name: impl Into<String>) -> Wanted {
        let (feature, version) = (name.into(), ANY_VERSION.to_owned());
        Wanted { vendor: None, feature, version, seats: Seats(1), vendor_data: Vec::new() }
    }

    /// Of this vendor. Unless set, all vendors are asked in the order of their names.
    pub fn vendor(self, vendor: impl Into<String>) -> Wanted {
        Wanted { vendor: Some(vendor.into()), ..self }
    }

    /// Of this version: granted when it is not above the licensed one.
    pub fn version(self, version: impl Into<String>) -> Wanted {
        Wanted { version: version.into(), ..self }
    }

    /// So many seats, at least 1, all or none.
    pub fn seats(self, seats: u32) -> Wanted {
        Wanted { seats: Seats(seats), ..self }
    }

    /// With bytes of the program's own, kept beside the seats until they come back: at most
    /// [`MAX_DATA_BYTES`](licensing_core::vendor_data::MAX_DATA_BYTES). From edition 3 of the rules on.
    pub fn vendor_data(self, data: impl Into<Vec<u8>>) -> Wanted {
        Wanted { vendor_data: data.into(), ..self }
    }
}

impl From<ClientAction> for Action {
    fn from(action: ClientAction) -> Action {
        match action {
            ClientAction::Checkout(Wanted { vendor, feature, version, seats, vendor_data }) => {
                Action::checkout(vendor, feature, version, seats, vendor_data)
            }
            ClientAction::SetVendorData { handle, data } => Action::SetVendorData { handle, data },
            ClientAction::Checkin { handle } => Action::Checkin { handle, owner: None },
        }
    }
}

/// What only an administrator may ask for. It is as numbered as what clients ask, and the program decides who is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminAction {
    /// Takes seats away from whoever holds them.
    Remove(Removal),
    /// Keeps a server from being master, or allows it again.
    Maintain {
        /// Which one.
        role: Role,
        /// `true` keeps it from being master.
        on: bool,
    },
    /// Asks for a certain master, for as long as it can be.
    PreferMaster {
        /// `None` leaves it to the rules again.
        role: Option<Role>,
    },
}

impl From<AdminAction> for Action {
    fn from(action: AdminAction) -> Action {
        match action {
            AdminAction::Remove(removal) => Action::Remove(removal),
            AdminAction::Maintain { role, on } => Action::Maintain { role, on },
            AdminAction::PreferMaster { role } => Action::PreferMaster { role },
        }
    }
}

/// Why a session was not opened or a request not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// See [`ProposeError`].
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The session was not opened, for this reason.
    #[error("the session was not opened: {0}")]
    Refused(Denial),
    /// The session is gone, and its seats with it: it was silent for too long, or was closed.
    #[error("the session is gone, and its seats with it: open another one")]
    Gone,
}

/// A session at this server. It is the far end's: losing the connection or the server does not end it, only
/// [`Session::close`] or silence does.
#[derive(Debug, Clone)]
pub struct Session {
    node: Node,
    id: SessionId,
    token: Token,
}

impl Node {
    /// Opens a session, or finds it again: while one with this token lives, the same token gives the same session, and
    /// **another one afterwards**, which holds nothing and has seen no number. So ask for this when a session begins, tell the
    /// far end its [`Session::id`], and have it come back by [`Node::resume_session`]. The token is its secret; take 16 random
    /// bytes. It is a sign of life, too. `address` is shown to administrators.
    ///
    /// # Errors
    ///
    /// Not the master, no definite answer (ask again with the same token), or a name that is too long.
    pub async fn open_session(
        &self,
        token: Token,
        identity: Identity,
        address: Option<IpAddr>,
    ) -> Result<Session, SessionError> {
        let answer = self.propose(Command::OpenSession { token, identity, address }).await?;
        match answer.outcome {
            Outcome::SessionOpened { session } => {
                self.touch(session);
                Ok(Session { node: self.clone(), id: session, token })
            }
            Outcome::Denied(denial) => Err(SessionError::Refused(denial)),
            other => Err(ProposeError::Unknown(format!("an odd answer: {other:?}")).into()),
        }
    }

    /// A session that was opened before, here or at another server: for a far end that comes back, after a failover for
    /// instance. It is a sign of life, too.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] is certain: no session of that name has that token. It has ended, its seats are back, and its far end
    /// must hear of it; or the name or the secret is not its own. Not the master, or no quorum, says
    /// nothing about the session.
    pub async fn resume_session(&self, id: SessionId, token: Token) -> Result<Session, SessionError> {
        let session = Session { node: self.clone(), id, token };
        session.alive().await?;
        Ok(session)
    }
}

impl Session {
    /// Its name.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Asks for something. The far end numbers its requests 1, 2, 3 … and asks for one after the other; a resent number gets
    /// its first answer, on any server, so ask again with the same one whenever there was no definite answer. Each number says
    /// that the answers to all before it have come: those are no longer kept, and asking for them again is denied
    /// ([`Denial::ForgottenRequest`]), which says nothing of what became of them.
    ///
    /// # Errors
    ///
    /// No definite answer, or the session is gone. A denial is an answer.
    pub async fn call(&self, number: RequestId, action: ClientAction) -> Result<Answer, SessionError> {
        self.ask(number, action.into()).await
    }

    /// [`Session::call`] for what the program lets only its administrators do. Nothing is checked here.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn administer(&self, number: RequestId, action: AdminAction) -> Result<Answer, SessionError> {
        self.ask(number, action.into()).await
    }

    async fn ask(&self, number: RequestId, action: Action) -> Result<Answer, SessionError> {
        let acknowledged = RequestId(number.0.saturating_sub(1));
        let (session, token) = (self.id, self.token);
        let call = Call { session, token, request: number, acknowledged, action };
        let answer = self.node.propose(Command::Call(call)).await?;
        match answer.outcome {
            Outcome::Denied(Denial::UnknownSession { .. } | Denial::WrongToken { .. }) => {
                Err(SessionError::Gone)
            }
            _ => {
                self.node.touch(self.id);
                Ok(answer)
            }
        }
    }

    /// A sign of life: the session's grace begins anew. Ask for one every [`Node::session_heartbeat`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] is certain; not the master, or no quorum, says nothing about the session.
    pub async fn alive(&self) -> Result<(), SessionError> {
        let is_known = |state: &licensing_core::state::State| state.session_matches(self.id, &self.token);
        if !(self.node.serves() && self.node.look(is_known)) {
            // A server that is behind does not know yet what it will.
            if !is_known(&self.node.read().await?) {
                return Err(SessionError::Gone);
            }
        }
        self.node.touch(self.id);
        Ok(())
    }

    /// Ends the session and gives its seats back. One that was gone already is as good.
    ///
    /// # Errors
    ///
    /// No definite answer: it ends by itself after its grace.
    pub async fn close(self) -> Result<(), SessionError> {
        let (session, token) = (self.id, self.token);
        self.node.propose(Command::CloseSession { session, token }).await?;
        Ok(())
    }
}
