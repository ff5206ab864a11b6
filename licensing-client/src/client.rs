//! The client: a handle to a task that keeps a session alive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::command::{Action, Identity};
use licensing_core::id::{SessionId, Token};
use licensing_core::mutant::{Mutant, planted};
use licensing_core::outcome::Answer;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

use crate::admin_key::AdminKey;
use crate::dial::{Dial, OsTokens, TcpDial, TokenSource};
use crate::driver::seek::Dialer;
use crate::driver::ticket::{Command, Delivery, Ticket};
use crate::driver::{Driver, Setup};
use crate::error::{ConnectError, RequestError};
use crate::event::ClientEvent;
use crate::identity::{current_identity, cut};
use crate::protocol::{Hello, MAX_UNANSWERED, StatusFilter, StatusPage};
use crate::search_path::{SearchPath, ServerAddress};
use crate::session::{MAX_WAITING, Payload, Session};

/// How long a request may go without a definite answer before it is reported as unknown, unless configured: longer
/// than any election and than the restart of a machine's services, shorter than users' patience with a frozen
/// application.
pub const RECONNECT_TIMEOUT: Duration = Duration::from_secs(120);

/// How long it may take to find the master and to open a session, unless configured: longer than any failover, shorter than a
/// user waits before asking whether the application hangs.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Events kept for a listener that does not listen; older ones are lost to it. A failover makes two.
const MAX_EVENTS: usize = 64;

/// What a client needs to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Where to look for servers.
    pub search_path: SearchPath,
    /// Who the client says it is; [`current_identity`] unless set.
    pub identity: Identity,
    /// How long a request may go without a definite answer before it is reported as [`RequestError::Unknown`];
    /// [`RECONNECT_TIMEOUT`] unless set. The client itself goes on reconnecting after that.
    pub reconnect_timeout: Duration,
    /// How long [`Client::connect`] may take; [`CONNECT_TIMEOUT`] unless set.
    pub connect_timeout: Duration,
    /// Name and version of the program, for the servers' logs; cut to 256 bytes.
    pub software: String,
    /// Ask a standby to pass the connection on to the master, for clients that can reach only a load balancer. Such
    /// a client does not follow redirects.
    pub relay: bool,
    /// Proves that requests come from an administrator. Clients on the master's own machine need none.
    pub admin_key: Option<AdminKey>,
}

impl ClientConfig {
    /// A configuration with the defaults.
    pub fn new(search_path: SearchPath) -> ClientConfig {
        ClientConfig {
            search_path,
            identity: current_identity(),
            reconnect_timeout: RECONNECT_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            software: concat!("licensing-client ", env!("CARGO_PKG_VERSION")).to_owned(),
            relay: false,
            admin_key: None,
        }
    }
}

#[derive(Debug)]
struct Shared {
    session: SessionId,
    token: Token,
    commands: UnboundedSender<Command>,
    permits: Arc<Semaphore>,
    events: broadcast::Sender<ClientEvent>,
    /// Has been there since before the first event.
    first_events: Mutex<Option<broadcast::Receiver<ClientEvent>>>,
    server: watch::Receiver<Option<ServerAddress>>,
}

/// One session with a license triad. Cheap to clone; all clones share the session.
///
/// The session ends with [`Client::close`]. When the last clone and the last [`Checkout`](crate::Checkout) are
/// dropped it is closed in the background, as far as the runtime still runs; otherwise the servers end it when its
/// grace has passed without a sign of life.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// Finds the master by TCP and opens a session. Must be called inside a tokio runtime with time and I/O enabled;
    /// dropping the future gives up.
    ///
    /// Errors: no master answered within [`ClientConfig::connect_timeout`], or the servers want no session.
    pub async fn connect(config: ClientConfig) -> Result<Client, ConnectError> {
        Client::connect_with(config, Arc::new(TcpDial), &OsTokens).await
    }

    /// As [`Client::connect`], with another way to reach servers and another source of secrets.
    ///
    /// Errors: as there.
    pub async fn connect_with(
        config: ClientConfig,
        dial: Arc<dyn Dial>,
        tokens: &dyn TokenSource,
    ) -> Result<Client, ConnectError> {
        let mut token = tokens.token().map_err(ConnectError::NoRandomness)?;
        if planted(Mutant::SharedToken) {
            token = Token([7; 16]);
        }
        let software = cut(&config.software).to_owned();
        let hello = Hello { relay: config.relay, ..Hello::new(software) };
        let (commands, receiver) = mpsc::unbounded_channel();
        let (events, first_events) = broadcast::channel(MAX_EVENTS);
        let (server_sender, server) = watch::channel(None);
        let (opened, session) = oneshot::channel();
        let driver = Driver::new(Setup {
            dialer: Dialer { dial, hello, token },
            search_path: config.search_path,
            admin_key: config.admin_key,
            session: Session::new(token, config.identity, config.reconnect_timeout),
            connect_timeout: config.connect_timeout,
            commands: receiver,
            own: commands.downgrade(),
            events: events.clone(),
            server: server_sender,
            opened,
        });
        tokio::spawn(driver.run());
        // The task ends without a word only when its runtime does.
        let gone =
            || ConnectError::NoMaster { waited_ms: 0, problems: "the runtime was shut down".to_owned() };
        let session = session.await.map_err(|_| gone())??;
        let permits = Arc::new(Semaphore::new(MAX_WAITING + MAX_UNANSWERED));
        let first_events = Mutex::new(Some(first_events));
        let shared = Shared { session, token, commands, permits, events, first_events, server };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// Asks for any action, exactly once, and gives the answer as it is: a denial too, with the index that
    /// witnesses it. Seats that are granted this way are the caller's to give back; if the future is dropped
    /// before it is done, they go back by themselves.
    ///
    /// Errors: whatever kept a definite answer from being given; never [`RequestError::Denied`].
    pub async fn call(&self, action: Action) -> Result<Answer, RequestError> {
        let delivery = self.ask(|ticket| Command::Call { action, ticket }).await?;
        if let Some(seats) = delivery.seats {
            seats.disarm();
        }
        answer(delivery.payload)
    }

    /// The state of the triad as the master knows it, all pages of it. Pages are made one after the other, so
    /// checkouts that come or go meanwhile may be missing or be there still.
    ///
    /// Errors: whatever kept it from being answered. Asking changes nothing, also when it is
    /// [`RequestError::Unknown`] whether it was answered.
    pub async fn status(&self, filter: StatusFilter) -> Result<StatusPage, RequestError> {
        match self.ask(|ticket| Command::Status { filter, ticket }).await?.payload {
            Payload::Status(page) => Ok(*page),
            other => Err(strange(&other)),
        }
    }

    /// Name of the session.
    pub fn session(&self) -> SessionId {
        self.shared.session
    }

    /// Secret of the session: whoever has it can give back its seats.
    pub fn token(&self) -> Token {
        self.shared.token
    }

    /// The master the client talks to; `None` while there is none.
    pub fn server(&self) -> Option<ServerAddress> {
        self.shared.server.borrow().clone()
    }

    /// What happens to the connection from now on; the first receiver also gets what happened before. One that
    /// lags more than 64 events behind loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<ClientEvent> {
        let mut first = self.shared.first_events.lock().unwrap_or_else(PoisonError::into_inner);
        first.take().unwrap_or_else(|| self.shared.events.subscribe())
    }

    /// Ends the session and returns all its seats, also those of other clones, and waits up to
    /// [`CLOSE_LIMIT`](crate::session::CLOSE_LIMIT) for the answer. A session that was gone already is as good.
    ///
    /// Errors: [`RequestError::Unknown`] when no answer came; the servers will end the session by themselves when
    /// its grace has passed. [`RequestError::Closed`] when a clone is closing it already.
    pub async fn close(self) -> Result<(), RequestError> {
        let delivery = self.ask_without_limit(|ticket| Command::Close { ticket }).await?;
        match delivery.payload {
            Payload::Closed => Ok(()),
            other => Err(strange(&other)),
        }
    }

    pub(crate) async fn ask(
        &self,
        command: impl FnOnce(Ticket) -> Command,
    ) -> Result<Delivery, RequestError> {
        let permit = Arc::clone(&self.shared.permits)
            .try_acquire_owned()
            .map_err(|_| RequestError::Busy { limit: MAX_WAITING + MAX_UNANSWERED })?;
        self.send(Some(permit), command).await
    }

    /// For what is limited otherwise: there are no more checkins than checkouts.
    pub(crate) async fn ask_without_limit(
        &self,
        command: impl FnOnce(Ticket) -> Command,
    ) -> Result<Delivery, RequestError> {
        self.send(None, command).await
    }

    async fn send(
        &self,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
        command: impl FnOnce(Ticket) -> Command,
    ) -> Result<Delivery, RequestError> {
        let (answer, answered) = oneshot::channel();
        // The task outlives its handles, unless its runtime was shut down.
        let gone = || RequestError::Unknown {
            what: "the request".to_owned(),
            reason: "the client's task ended with its runtime".to_owned(),
        };
        let command = command(Ticket { answer, _permit: permit });
        self.shared.commands.send(command).map_err(|_| RequestError::Closed)?;
        answered.await.map_err(|_| gone())?
    }
}

/// The answer to an action.
pub(crate) fn answer(payload: Payload) -> Result<Answer, RequestError> {
    match payload {
        Payload::Answer(answer) => Ok(answer),
        other => Err(strange(&other)),
    }
}

/// An answer of another kind than the session was asked for; the session never gives one.
fn strange(payload: &Payload) -> RequestError {
    RequestError::Unknown { what: "the request".to_owned(), reason: format!("the answer was {payload:?}") }
}
