//! The task behind a client: owns its connection, its session and its search for a master, and moves messages
//! between them. All waiting of the crate happens in the one `select!` below; what to do is decided by [`Session`]
//! (what to send), [`Seek`] (whom to ask) and [`Watch`] (when silence is suspicious).

use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt;
use licensing_core::id::SessionId;
use licensing_core::outcome::Outcome;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::admin_key::AdminKey;
use crate::connection::Connection;
use crate::error::{ConnectError, ConnectionError};
use crate::event::ClientEvent;
use crate::protocol::ServerMessage;
use crate::search_path::{SearchPath, ServerAddress};
use crate::session::{NotOpened, Payload, Session, SessionEvent};
use crate::words::millis;

mod failover;
mod pause;
pub(crate) mod seek;
mod silence;
pub(crate) mod ticket;

use self::pause::Pause;
use self::seek::{Dialer, Known, LISTEN_LIMIT, Manner, Seek, Sought};
use self::silence::{Suspicion, Watch};
use self::ticket::{Command, Delivery, SeatGuard, Ticket};

/// Commands and messages taken at once before anything is written: what a full window of requests needs.
const BATCH: usize = 64;

/// Pauses before a new search when the last connection brought nothing: servers that take turns in saying "I am
/// master" and "I am not" must not be asked thousands of times a second.
const FIRST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// The connection in use.
struct Link {
    connection: Connection,
    /// Its server is not master, and was last heard then; `None` while it is master as far as we know.
    listening: Option<Instant>,
    /// The session was confirmed on it.
    confirmed: bool,
}

impl Link {
    fn is_serving(&self) -> bool {
        self.listening.is_none()
    }

    fn known(&self) -> Known {
        let role = Some(self.connection.ready().whereabouts.role);
        Known { address: self.connection.server().clone(), role }
    }
}

/// What the task was given.
pub(crate) struct Setup {
    pub(crate) dialer: Dialer,
    pub(crate) search_path: SearchPath,
    pub(crate) admin_key: Option<AdminKey>,
    pub(crate) session: Session<Ticket>,
    pub(crate) connect_timeout: Duration,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    /// For guards of seats; weak, so that the channel closes with the last handle.
    pub(crate) own: mpsc::WeakUnboundedSender<Command>,
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) server: watch::Sender<Option<ServerAddress>>,
    pub(crate) opened: oneshot::Sender<Result<SessionId, ConnectError>>,
}

/// The task's state.
pub(crate) struct Driver {
    dialer: Dialer,
    admin_key: Option<AdminKey>,
    session: Session<Ticket>,
    /// The independent sites; the session stays with the one it was opened at.
    sites: Vec<Vec<Known>>,
    site: usize,
    link: Option<Link>,
    seek: Option<Seek>,
    watch: Watch,
    rest: Pause,
    commands: mpsc::UnboundedReceiver<Command>,
    own: mpsc::WeakUnboundedSender<Command>,
    /// Handles exist.
    wanted: bool,
    events: broadcast::Sender<ClientEvent>,
    server: watch::Sender<Option<ServerAddress>>,
    opened: Option<oneshot::Sender<Result<SessionId, ConnectError>>>,
    start: Instant,
    connect_timeout: Duration,
    /// Since when there has been no master to talk to.
    gap_since: Option<Instant>,
}

enum Step {
    Message(Result<ServerMessage, ConnectionError>),
    Sought(Sought),
    Commands(usize),
    Time,
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Driver {
        let sites = setup.search_path.sites().iter().map(|site| {
            // Three are the triad in the order of its SERVER lines; of fewer the roles are not known.
            let is_triad = site.servers().len() == licensing_core::id::Role::ALL.len();
            let role = |place: usize| licensing_core::id::Role::ALL.get(place).copied().filter(|_| is_triad);
            let known = |(place, address): (usize, &ServerAddress)| Known {
                address: address.clone(),
                role: role(place),
            };
            site.servers().iter().enumerate().map(known).collect()
        });
        Driver {
            sites: sites.collect(),
            site: 0,
            link: None,
            seek: None,
            watch: Watch::new(setup.dialer.token),
            rest: Pause::new(FIRST_REST, LONGEST_REST, setup.dialer.token),
            dialer: setup.dialer,
            admin_key: setup.admin_key,
            session: setup.session,
            commands: setup.commands,
            own: setup.own,
            wanted: true,
            events: setup.events,
            server: setup.server,
            opened: Some(setup.opened),
            start: Instant::now(),
            connect_timeout: setup.connect_timeout,
            gap_since: None,
        }
    }

    /// Works until the session is over and no handle is left.
    pub(crate) async fn run(mut self) {
        let mut commands = Vec::with_capacity(BATCH);
        self.begin_seek(Manner::InOrder, Instant::now(), None);
        loop {
            self.keep_time();
            self.settle();
            if self.is_done() {
                return;
            }
            let wake = self.wake();
            let step = tokio::select! {
                biased;
                message = next_message(&mut self.link) => Step::Message(message),
                found = next_sought(&mut self.seek) => Step::Sought(found),
                count = self.commands.recv_many(&mut commands, BATCH), if self.wanted => Step::Commands(count),
                () = sleep_until(wake.unwrap_or(self.start)), if wake.is_some() => Step::Time,
            };
            match step {
                Step::Message(message) => self.messages(message),
                Step::Sought(Sought::Master(connection)) => self.found(*connection),
                // Time to look whether another site should be tried.
                Step::Sought(Sought::Settled) => {}
                Step::Commands(0) => {
                    self.wanted = false;
                    self.session.close(self.now(), None);
                }
                Step::Commands(_) => commands.drain(..).for_each(|command| self.command(command)),
                Step::Time => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn is_done(&self) -> bool {
        self.session.is_over() && !self.wanted
    }

    /// When to look around again though nothing happens.
    fn wake(&self) -> Option<Instant> {
        let now = self.now();
        let session = self.session.next_due(now);
        let silence = self.link.as_ref().and_then(|link| {
            self.watch.next_due(self.session.silent_since()?, link.is_serving() && self.seek.is_none())
        });
        let opening = self.opened.as_ref().map(|_| self.connect_timeout);
        let due = [session, silence, opening].into_iter().flatten().min();
        // A deadline beyond the range of time is never reached.
        let due = due.and_then(|due| self.start.checked_add(due));
        let other_site = self.may_rotate().then(|| self.seek.as_ref().map(Seek::patience)).flatten();
        let other_site = other_site.filter(|patience| *patience > Instant::now());
        [due, other_site, self.listen_until()].into_iter().flatten().min()
    }

    /// When a server that is not master is given up as a source of news.
    fn listen_until(&self) -> Option<Instant> {
        Some(self.link.as_ref()?.listening? + LISTEN_LIMIT)
    }

    /// What time alone changes.
    fn keep_time(&mut self) {
        let now = self.now();
        self.session.advance(now);
        if let (Some(link), Some(since)) = (&self.link, self.session.silent_since()) {
            let may_probe = link.is_serving() && self.seek.is_none();
            match self.watch.judge(now, since, may_probe) {
                Suspicion::None => {}
                Suspicion::Stalled => {
                    self.session.probe();
                    self.begin_seek(Manner::AtOnce, Instant::now(), None);
                }
                Suspicion::Dead { silent_ms } => {
                    self.lose_link(format!("no answer within {silent_ms} ms"));
                }
            }
        }
        if self.listen_until().is_some_and(|until| until <= Instant::now()) {
            self.lose_link("no news of a master".to_owned());
        }
        if self.may_rotate() && self.seek.as_ref().is_some_and(Seek::is_settled) {
            self.next_site();
        }
        if self.opened.is_some() && now >= self.connect_timeout {
            let waited_ms = millis(self.connect_timeout);
            let problems = match (&self.link, &self.seek) {
                (Some(link), _) => format!("{} did not open a session", link.connection.server()),
                (None, Some(seek)) => seek.problems(),
                (None, None) => String::new(),
            };
            self.not_opened(ConnectError::NoMaster { waited_ms, problems });
            self.session.close(now, None);
        }
    }

    /// Acts on what the session says and sends what it has, until it has nothing more.
    fn settle(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.session_event(event);
            }
            let now = self.now();
            let Some(link) = &mut self.link else { return };
            let mut problem = None;
            while let Some(message) = self.session.next_message(now) {
                if let Err(error) = link.connection.queue(&message) {
                    // Cannot happen: the session refuses what does not fit into a frame.
                    problem = Some(error.to_string());
                }
            }
            match problem {
                None => return,
                Some(reason) => self.lose_link(reason),
            }
        }
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Call { action, ticket } => self.session.submit(now, action, ticket),
            Command::Status { filter, ticket } => self.session.query(now, filter, ticket),
            Command::GiveBack { handle, ticket } => self.session.give_back(now, handle, ticket),
            Command::Close { ticket } => self.session.close(now, Some(ticket)),
        }
    }

    // ---- What comes in -----------------------------------------------------------------------------------------

    /// One message and whatever else has come with it, so that the answers to many requests cause one write.
    fn messages(&mut self, first: Result<ServerMessage, ConnectionError>) {
        let mut next = Some(first);
        for left in (0..BATCH).rev() {
            match next {
                None => return,
                Some(Ok(message)) => self.message(message),
                Some(Err(error)) => return self.lose_link(error.to_string()),
            }
            let link = self.link.as_mut().filter(|_| left > 0);
            next = link.and_then(|link| link.connection.next().now_or_never());
        }
    }

    fn message(&mut self, message: ServerMessage) {
        let now = self.now();
        if let Some(heard) = self.link.as_mut().and_then(|link| link.listening.as_mut()) {
            *heard = Instant::now();
        }
        match message {
            ServerMessage::Reply { id, reply } => self.session.receive(now, id, reply),
            ServerMessage::Moved(whereabouts) => {
                self.session.heard(now);
                self.whereabouts(whereabouts, "mastership moved");
            }
        }
        // At once, so that a batch of answers is judged in the light of what each of them said.
        while let Some(event) = self.session.poll_event() {
            self.session_event(event);
        }
        if self.link.as_ref().is_some_and(Link::is_serving) && self.seek.take().is_some() {
            debug!(server = self.server_name(), "the master is slow but alive");
            self.watch.recovered(now);
        }
    }

    fn session_event(&mut self, event: SessionEvent<Ticket>) {
        match event {
            SessionEvent::Opened(session) => self.opened(session),
            SessionEvent::NotOpened(NotOpened::Denied(denial)) => {
                self.not_opened(ConnectError::Denied(denial))
            }
            SessionEvent::NotOpened(NotOpened::Refused(what)) => {
                let server = self.link.as_ref().map(|link| link.connection.server().to_string());
                self.not_opened(ConnectError::Refused { server: server.unwrap_or_default(), what });
            }
            SessionEvent::Delivered { waiter, result } => {
                let delivery = result.map(|payload| Delivery { seats: self.guard(&payload), payload });
                // Whoever does not wait any more does not get it; seats in it go back by their guard.
                let _ = waiter.answer.send(delivery);
            }
            SessionEvent::Confirmed => self.confirmed(),
            SessionEvent::NotMaster(whereabouts) => self.whereabouts(whereabouts, "the server is not master"),
            SessionEvent::Servers(servers) => self.learn(&servers),
            SessionEvent::Nonsense { awaited, found } => {
                if let Some(link) = &self.link {
                    let server = link.connection.server().clone();
                    let reason = ConnectionError::Nonsense { server, awaited, found }.to_string();
                    self.lose_link(reason);
                }
            }
            SessionEvent::Lost(session) => {
                warn!(%session, "the session is gone and its seats with it");
                self.hang_up();
                self.tell(ClientEvent::SessionLost);
            }
            SessionEvent::Closed => self.hang_up(),
        }
    }

    fn guard(&self, payload: &Payload) -> Option<SeatGuard> {
        match payload {
            Payload::Answer(answer) => match answer.outcome {
                Outcome::Granted { handle, .. } => Some(SeatGuard::new(handle, self.own.upgrade()?)),
                _ => None,
            },
            Payload::Status(_) | Payload::Closed => None,
        }
    }

    fn opened(&mut self, session: SessionId) {
        let Some(opened) = self.opened.take() else { return };
        // Nobody waits when the connecting future was dropped; then the handles are gone too, and the task closes.
        let _ = opened.send(Ok(session));
        if let Some(link) = &self.link {
            self.tell(ClientEvent::Connected { server: link.connection.server().clone() });
        }
        self.gap_since = None;
    }

    fn not_opened(&mut self, error: ConnectError) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Err(error));
        }
        self.hang_up();
    }

    /// The session lives on the present connection.
    fn confirmed(&mut self) {
        let Some(link) = &mut self.link else { return };
        link.confirmed = true;
        self.rest.reset();
        let server = link.connection.server().clone();
        if let Some(since) = self.gap_since.take() {
            self.tell(ClientEvent::Reconnected { server, gap_ms: millis(since.elapsed()) });
        }
    }

    fn tell(&self, event: ClientEvent) {
        debug!(?event);
        // Nobody listens: nobody needs to.
        let _ = self.events.send(event);
    }

    /// Nothing will be sent any more.
    fn hang_up(&mut self) {
        self.link = None;
        self.seek = None;
        self.server.send_replace(None);
    }
}

async fn next_message(link: &mut Option<Link>) -> Result<ServerMessage, ConnectionError> {
    match link {
        Some(link) => link.connection.next().await,
        None => pending().await,
    }
}

async fn next_sought(seek: &mut Option<Seek>) -> Sought {
    match seek {
        Some(seek) => seek.next().await,
        None => pending().await,
    }
}
