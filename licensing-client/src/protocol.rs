//! What clients and servers say to each other: one envelope, versioned, in length-prefixed frames.
//!
//! A connection begins with [`PREAMBLE`] and the client's [`Hello`]; the server answers [`Welcome`]. After that the
//! client sends [`Request`]s, several at a time if it likes, and the server answers each by its id, in any order.
//! The server may also say by itself that mastership moved ([`ServerMessage::Moved`]).
//!
//! A frame is its length (four bytes, big-endian) and that many bytes of [`licensing_core::codec`].

use std::net::{IpAddr, SocketAddr};

use licensing_core::Keeper;
use licensing_core::command::{Action, Identity, Removal};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, LogIndex, PoolId, RequestId, Role, Seats, SessionId, Timestamp, Token};
use licensing_core::outcome::Answer;
use serde::{Deserialize, Serialize};

/// First bytes of a client's connection; peers, TLS and plain text begin differently.
pub const PREAMBLE: [u8; 4] = *b"\0LSC";

/// The versions of the protocol that this program speaks, oldest and newest. Client and server take the newest that both
/// do. Version 1 is for good: every later server speaks it, so no client is ever too old.
pub const PROTOCOL_VERSIONS: (u16, u16) = (1, 1);

/// The newest version that both ends speak, each given as its oldest and newest; `None` when there is none.
pub fn common_version(theirs: (u16, u16), ours: (u16, u16)) -> Option<u16> {
    let newest = theirs.1.min(ours.1);
    (newest >= theirs.0.max(ours.0)).then_some(newest)
}

/// Largest frame either side accepts, in bytes: far above any request, small enough that the frames of all
/// connections fit in memory. Status answers longer than this are split (see [`StatusPage`]).
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Largest number of requests a client may have under way on one connection: the state keeps as many answers.
pub const MAX_UNANSWERED: usize = licensing_core::session::MAX_UNANSWERED;

/// The client introduces itself. The same in every version of the protocol: what later ones want to say besides goes
/// into `more`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version the client speaks.
    pub from: u16,
    /// The newest.
    pub to: u16,
    /// Name and version of the program, for logs.
    pub software: String,
    /// Ask a standby to pass this connection on to the master, for clients that can reach only a load balancer.
    pub relay: bool,
    /// Set by a standby that passes a connection on: the client is not where the connection comes from.
    pub relayed_by: Option<Role>,
    /// What later versions want to say, by number. Who does not know a number ignores it.
    pub more: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// A client of this version.
    pub fn new(software: impl Into<String>) -> Hello {
        let (from, to) = PROTOCOL_VERSIONS;
        Hello { from, to, software: software.into(), relay: false, relayed_by: None, more: Vec::new() }
    }
}

/// The server introduces itself. The same in every version of the protocol, as [`Hello`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Welcome {
    /// The connection may be used.
    Ready {
        /// The version that is spoken from here on.
        version: u16,
        /// Whom the client is talking to, and who is master.
        whereabouts: Whereabouts,
        /// How often the client should send [`Request::Heartbeat`], in milliseconds.
        heartbeat_ms: u64,
        /// How long a session survives without a sign of life, in milliseconds.
        grace_ms: u64,
        /// 32 random bytes for proving the admin key.
        challenge: [u8; 32],
        /// What later versions want to say, by number. Who does not know a number ignores it.
        more: Vec<(u16, Vec<u8>)>,
    },
    /// The connection may not be used; the server closes it.
    Refused(Refusal),
}

/// Why a server will not talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No protocol version in common.
    #[error("the server speaks protocol versions {from} to {to}, this client others: upgrade the older one")]
    Version {
        /// The oldest the server speaks.
        from: u16,
        /// The newest.
        to: u16,
    },
    /// All connections are taken.
    #[error("the server has all its {limit} connections in use")]
    TooManyConnections {
        /// How many it keeps.
        limit: u32,
    },
}

/// Whom a client is talking to, and who is master as far as that server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Role of this server.
    pub role: Role,
    /// The master, if one is known.
    pub master: Option<MasterAddress>,
}

impl Whereabouts {
    /// Whether this server is itself the master.
    pub fn is_master(&self) -> bool {
        self.master.as_ref().is_some_and(|master| master.role == self.role)
    }
}

/// Where the master is, as the license file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterAddress {
    /// Its role.
    pub role: Role,
    /// Host of its SERVER line.
    pub host: String,
    /// Port of its SERVER line.
    pub port: u16,
}

/// A request with the id its answer will carry. Ids belong to the connection and are never reused on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMessage {
    /// Chosen by the client.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What a client can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Start a session; the same token always names the same session, so it is safe to resend.
    OpenSession {
        /// Secret chosen by the client.
        token: Token,
        /// Who it is.
        identity: Identity,
    },
    /// A sign of life of a session; after a reconnect it also shows whether the session still exists.
    Heartbeat {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
    },
    /// A numbered request of a session, safe to resend with the same number.
    Call {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
        /// The client's number for it.
        request: RequestId,
        /// All up to this one are answered as far as the client is concerned.
        acknowledged: RequestId,
        /// What is asked. Administrative actions need [`Request::Authenticate`] first unless the client is local.
        action: Action,
    },
    /// What became of a numbered request? Answered without doing it.
    Recall {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
        /// The client's number for it.
        request: RequestId,
    },
    /// End a session and return its seats.
    CloseSession {
        /// Which session.
        session: SessionId,
        /// Its secret.
        token: Token,
    },
    /// State of the triad as this server knows it. Works on every server, also without a quorum.
    Status {
        /// What to leave out.
        filter: StatusFilter,
        /// Continue a long answer where [`StatusPage::more`] said.
        after: Option<Place>,
    },
    /// Prove knowledge of the admin key: HMAC-SHA256 of the welcome's challenge under the key.
    Authenticate {
        /// The proof.
        proof: [u8; 32],
    },
    /// Read the license file again (`lmreread`). For administrators.
    Reread,
    /// Stop this server (`lmdown`). For administrators.
    Shutdown {
        /// Whether a master should hand over first; not when the whole triad goes down.
        hand_over: bool,
    },
    /// Decide about a newer edition of the rules, once all servers know it. For administrators.
    Upgrade(Upgrade),
}

/// What to do about a newer edition of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upgrade {
    /// Apply it now.
    Finish,
    /// Do not apply it until somebody says so.
    Hold,
    /// Apply it when all servers have known it for a while, as usual.
    Release,
}

/// Where a long status goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// Behind so many pools.
    Pools(u32),
    /// Behind this checkout; all pools have been told.
    Checkout(Handle),
}

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusFilter {
    /// Only this feature.
    pub feature: Option<String>,
    /// Leave the checkouts out.
    pub without_checkouts: bool,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// The answer to a request.
    Reply {
        /// The request's id.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// Mastership moved; sent to every client of a server whose whereabouts changed.
    Moved(Whereabouts),
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Decided by the replicated state.
    Answer(Answer),
    /// To [`Request::Recall`].
    Recalled(Recollection),
    /// To [`Request::Heartbeat`]: the session lives.
    Alive {
        /// Applied index when it was judged.
        index: LogIndex,
        /// How often to send a heartbeat from now on, in milliseconds: less often in a crowd.
        heartbeat_ms: u64,
    },
    /// To [`Request::Heartbeat`]: no such session any more, or a wrong token.
    Gone,
    /// To [`Request::Status`].
    Status(Box<StatusPage>),
    /// To administrative requests: done, with a word about it.
    Done(String),
    /// This server is not master; nothing was done. Ask the one named.
    NotMaster(Whereabouts),
    /// The request may or may not have been done: ask again with the same number.
    Unknown(String),
    /// Nothing was done because too much is under way; ask again after this many milliseconds.
    Busy {
        /// When.
        retry_after_ms: u64,
    },
    /// Nothing was done, and asking again will not help.
    Error(String),
}

/// What became of a numbered request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recollection {
    /// It was answered.
    Answered(Answer),
    /// It has not been seen; it may still be under way.
    NotSeen,
    /// The client had acknowledged it.
    Forgotten,
    /// There is no such session.
    NoSession,
}

/// A page of the triad's state, as one server knows it. Only the first page carries more than pools and checkouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Role of the server that answers.
    pub answered_by: Role,
    /// The master, if this server knows one.
    pub master: Option<Role>,
    /// Whether a quorum is in reach as far as this server knows.
    pub quorum: bool,
    /// The operator's choice of a master.
    pub preferred: Option<Role>,
    /// State time.
    pub at: Timestamp,
    /// Applied index the page was made at.
    pub applied_index: LogIndex,
    /// The edition of the rules that is applied.
    pub edition: Edition,
    /// Whether an operator holds it.
    pub edition_held: bool,
    /// What is served for whom, by the names of the vendors.
    pub vendors: Vec<VendorStatus>,
    /// The servers, in order: three of a triad, or a single one.
    pub servers: Vec<ServerStatus>,
    /// The pools, by vendor and in license file order.
    pub features: Vec<FeatureStatus>,
    /// The checkouts, by handle.
    pub checkouts: Vec<CheckoutStatus>,
    /// Sessions in the state.
    pub sessions: u64,
    /// Ask again with this for the rest.
    pub more: Option<Place>,
    /// Things an administrator should know, one sentence each.
    pub warnings: Vec<String>,
}

/// What is served for one vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorStatus {
    /// The vendor.
    pub name: String,
    /// Path of its license file on the answering server; empty when this server was started without one.
    pub license_path: String,
    /// The log entry that installed what is served; `None` when nothing is served yet.
    pub installed_at: Option<LogIndex>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its role.
    pub role: Role,
    /// Host of its SERVER line.
    pub host: String,
    /// Port of its SERVER line.
    pub port: u16,
    /// Host id of its SERVER line.
    pub host_id: String,
    /// Whether the answering server hears it.
    pub up: bool,
    /// Whether it is master.
    pub master: bool,
    /// Version of its program; empty when it was never heard.
    pub version: String,
    /// The newest edition of the rules it knows; `None` when it is not there to say so.
    pub known_edition: Option<Edition>,
    /// What it has applied.
    pub applied_index: Option<LogIndex>,
    /// How many entries it is behind the newest that is known.
    pub log_lag: Option<u64>,
    /// What keeps it from full membership, if anything (catching up, other license file, clock off, maintenance).
    pub remark: Option<String>,
}

/// One pool of seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureStatus {
    /// Its number, by which checkouts name it.
    pub pool: PoolId,
    /// Feature name.
    pub name: String,
    /// Licensed version.
    pub version: String,
    /// Vendor.
    pub vendor: String,
    /// Seats licensed now; `None` when they are not counted.
    pub issued: Option<Seats>,
    /// Seats taken.
    pub in_use: Seats,
    /// Last day of the line that lasts longest, as FlexNet writes it, or `permanent`.
    pub expires: String,
    /// Node lock of the lines, if any.
    pub host_id: Option<String>,
}

/// One checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutStatus {
    /// Its name.
    pub handle: Handle,
    /// The pool that counts it.
    pub pool: PoolId,
    /// Whose feature.
    pub vendor: String,
    /// Feature name.
    pub feature: String,
    /// Version of the pool it was granted from.
    pub licensed_version: String,
    /// Version asked for.
    pub version: String,
    /// Seats held.
    pub count: Seats,
    /// User.
    pub user: String,
    /// Host.
    pub host: String,
    /// Display.
    pub display: String,
    /// Process id.
    pub pid: u32,
    /// The project the work is for, empty when there is none.
    pub project: String,
    /// Where the holder's connection came from; `None` when the server could not tell.
    pub address: Option<IpAddr>,
    /// When it was granted.
    pub since: Timestamp,
    /// What keeps it out.
    pub keeper: Keeper,
}

/// Whether an action is for administrators only. `Checkin` of a foreign handle is judged by its token instead.
pub fn is_administrative(action: &Action) -> bool {
    match action {
        Action::Remove(Removal::Handle(_) | Removal::Holder { .. })
        | Action::Maintain { .. }
        | Action::PreferMaster { .. } => true,
        Action::Checkout { .. } | Action::Checkin { .. } => false,
    }
}

/// Whether a connection's far end is this machine, for administrators without a key.
pub fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
