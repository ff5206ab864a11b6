//! One server, asked directly: for status and administration, which concern a server and need no session.
//!
//! Nothing is retried and nobody is redirected here. An answer that does not come leaves it unknown whether the
//! request was done.

use std::time::Duration;

use licensing_core::edition::Edition;
use tokio::time::{Instant, timeout_at};

use crate::admin_key::AdminKey;
use crate::connection::{Connection, Ready};
use crate::dial::Dial;
use crate::error::{Awaited, ConnectionError};
use crate::protocol::{
    ClientMessage, Hello, Pages, Progress, Reply, Request, ServerMessage, StatusFilter, StatusPage,
    VendorDataPage,
};
use crate::search_path::ServerAddress;
use crate::words;

/// How long an answer may take unless set: a server decides within two leases, and with the default lease this
/// leaves time for reading a large license file.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Most pages of vendor data put together: four times the bytes a state can keep, and at the 2000 rows that servers put on a page
/// those of two million. A server that always has one more is not believed for ever.
const MAX_DATA_PAGES: usize = 1024;

/// What one server could not be asked, or did not answer well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// The connection could not be made or broke. What was asked before may or may not have been done.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The server did nothing, and says why.
    #[error("{server} refused {what}: {reason}")]
    Refused {
        /// Which server.
        server: ServerAddress,
        /// What was asked.
        what: &'static str,
        /// Its words.
        reason: String,
    },
}

/// A connection to one server, without a session.
#[derive(Debug)]
pub struct Direct {
    connection: Connection,
    next_id: u64,
    answer_limit: Duration,
}

impl Direct {
    /// Connects to one server, whatever its whereabouts.
    ///
    /// Errors: no connection, no welcome, or a refusal.
    pub async fn connect(server: &ServerAddress, dial: &dyn Dial) -> Result<Direct, DirectError> {
        let hello = Hello::new(concat!("licensing-client ", env!("CARGO_PKG_VERSION")));
        let connection = Connection::open(dial, server, &hello).await?;
        Ok(Direct { connection, next_id: 1, answer_limit: ANSWER_LIMIT })
    }

    /// Waits so long for each answer instead of [`ANSWER_LIMIT`].
    pub fn with_answer_limit(mut self, limit: Duration) -> Direct {
        self.answer_limit = limit;
        self
    }

    /// What the server said in its welcome: its role, who is master, and so on.
    pub fn welcome(&self) -> &Ready {
        self.connection.ready()
    }

    /// The server at the other end.
    pub fn server(&self) -> &ServerAddress {
        self.connection.server()
    }

    /// Asks anything and gives the reply as it is.
    ///
    /// Errors: the connection broke or no reply came in time. Then it is not known whether the request was done, and
    /// this connection is of no further use.
    pub async fn request(&mut self, request: Request) -> Result<Reply, DirectError> {
        let id = self.next_id;
        self.next_id += 1;
        self.connection.queue(&ClientMessage { id, request })?;
        let deadline = Instant::now() + self.answer_limit;
        loop {
            let message = timeout_at(deadline, self.connection.next()).await.map_err(|_| {
                let server = self.connection.server().clone();
                ConnectionError::Silent {
                    server,
                    awaited: Awaited::Answer,
                    waited_ms: words::millis(self.answer_limit),
                }
            })??;
            match message {
                ServerMessage::Reply { id: answered, reply } if answered == id => return Ok(reply),
                // News about mastership, or an answer that came too late for an earlier request.
                ServerMessage::Reply { .. } | ServerMessage::Moved(_) => {}
            }
        }
    }

    /// The state of the triad as this server knows it, all pages of it.
    ///
    /// Errors: as [`Direct::request`]; [`DirectError::Refused`] when the server answers something else.
    pub async fn status_all(&mut self, filter: StatusFilter) -> Result<StatusPage, DirectError> {
        let mut pages = Pages::default();
        loop {
            let request = Request::Status { filter: filter.clone(), after: pages.after() };
            match self.request(request).await? {
                Reply::Status(page) => {
                    if let Progress::Done(whole) = pages.add(page) {
                        return Ok(*whole);
                    }
                }
                other => return Err(self.refused(words::STATUS, other)),
            }
        }
    }

    /// All vendor data as this server knows it, for administrators. Where it was cut short, `more` of the whole says so. Its pages
    /// are made one after the other: what comes or goes meanwhile may be missing or be there still.
    ///
    /// Errors: as [`Direct::request`]; [`DirectError::Refused`] when the server answers something else.
    pub async fn vendor_data_all(&mut self) -> Result<VendorDataPage, DirectError> {
        if self.welcome().known_edition < Edition::VENDOR_DATA {
            // It could not read the question. What it has applied has none, or it would have had to stop.
            return Ok(VendorDataPage::default());
        }
        let mut whole = VendorDataPage::default();
        for _ in 0..MAX_DATA_PAGES {
            let after = whole.more;
            match self.request(Request::VendorData { after }).await? {
                Reply::VendorData(page) => {
                    let goes_on = page.more.is_some_and(|more| after.is_none_or(|after| more > after));
                    whole.triad.extend(page.triad);
                    whole.sessions.extend(page.sessions);
                    whole.checkouts.extend(page.checkouts);
                    whole.more = page.more;
                    // A server that names no later place to go on with would never end: the whole says that it is cut.
                    if !goes_on {
                        break;
                    }
                }
                other => return Err(self.refused(words::VENDOR_DATA, other)),
            }
        }
        Ok(whole)
    }

    /// Proves knowledge of the admin key; afterwards administrative requests are allowed on this connection. Gives
    /// the server's words.
    ///
    /// Errors: as [`Direct::request`]; [`DirectError::Refused`] when the key is not the server's.
    pub async fn authenticate(&mut self, key: &AdminKey) -> Result<String, DirectError> {
        let proof = key.proof(&self.welcome().challenge);
        match self.request(Request::Authenticate { proof }).await? {
            Reply::Done(words) => Ok(words),
            other => Err(self.refused("the proof of the admin key", other)),
        }
    }

    fn refused(&self, what: &'static str, reply: Reply) -> DirectError {
        let server = self.server().clone();
        let reason = match reply {
            Reply::Error(reason) => reason,
            Reply::Busy { retry_after_ms } => format!("it is busy, ask again in {retry_after_ms} ms"),
            other => {
                return ConnectionError::Nonsense { server, awaited: what, found: words::reply(&other) }
                    .into();
            }
        };
        DirectError::Refused { server, what, reason }
    }
}
