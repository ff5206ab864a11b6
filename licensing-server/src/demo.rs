//! The showcase: three real servers, clients that hold and take seats, a killed master, and nobody loses a seat.
//!
//! What is counted is counted by the clients. `lost`: seats a client holds that the servers do not know. `double`:
//! seats the servers count that no client holds, and every moment at which the clients together held more than was
//! licensed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{
    Checkout, Client, ClientConfig, ConnectError, Direct, DirectError, RequestError, TcpDial,
};
use licensing_core::command::Identity;
use licensing_core::id::{Handle, Role};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::local_triad::{LocalTriad, TriadError, TriadOptions};
use crate::render::counted;

/// One for each client.
const USERS: [&str; 8] = ["ann", "bob", "cem", "dora", "eve", "finn", "gita", "hugo"];

/// Seats each client holds from begin to end.
const HELD_EACH: usize = 3;

/// Seats beyond those: fewer than clients that want one, so that some are always refused.
const SPARE: usize = 4;

const LICENSED: u64 = (USERS.len() * HELD_EACH + SPARE) as u64;

/// How long the clients work undisturbed before and after each blow.
const CALM: Duration = Duration::from_millis(700);

/// A client's pause between two requests: an application, not a load test.
const THINK: Duration = Duration::from_millis(2);

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Seats a client held and the servers had forgotten.
    pub lost: u64,
    /// Seats the servers counted and nobody held, and grants beyond the license.
    pub double: u64,
    /// From the SIGKILL to the first seat granted by the new master.
    pub failover_ms: u64,
    /// Longest wait of a client for an answer while mastership went back.
    pub handback_ms: u64,
    /// Requests the clients made.
    pub requests: u64,
    /// Requests without a definite answer.
    pub errors: u64,
}

impl Summary {
    /// Whether the promise was kept.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.double == 0 && self.errors == 0
    }
}

/// A demonstration that could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// See [`TriadError`].
    #[error(transparent)]
    Triad(#[from] TriadError),
    /// A client found no server.
    #[error("a client cannot connect: {0}")]
    Connect(#[from] ConnectError),
    /// A client did not get the seats that were free.
    #[error("a client did not get its seats: {0}")]
    Request(#[from] RequestError),
    /// The master did not tell its state.
    #[error("cannot ask the master: {0}")]
    Status(#[from] DirectError),
}

/// Shows it, with servers of this program. `tell` gets one line after the other.
pub async fn show(program: PathBuf, tell: impl Fn(String)) -> Result<Summary, DemoError> {
    let options = TriadOptions {
        features: format!("FEATURE cad demo 1.0 permanent {LICENSED} SIGN=0\n"),
        ..TriadOptions::default()
    };
    let mut triad = LocalTriad::start(program, options).await?;
    let addresses = Role::ALL.map(|role| format!("{role} on port {}", triad.address(role).port));
    tell(format!("         three servers: {}", addresses.join(", ")));
    let clock = Instant::now();
    let say = |text: String| tell(format!("{:6.2} s {text}", clock.elapsed().as_secs_f64()));

    triad.wait_until_master(Role::Primary).await?;
    say(format!("the primary is master, {LICENSED} seats of `cad` are licensed"));
    let mut office = Office::open(&triad).await?;
    say(format!("{} clients hold {HELD_EACH} seats each and compete for the other {SPARE}", USERS.len()));
    sleep(CALM).await;

    let killed = Instant::now();
    triad.kill(Role::Primary);
    say("the primary is killed (SIGKILL), in the middle of it".to_owned());
    triad.wait_until_master(Role::Secondary).await?;
    let first = office.wait_for_grant_after(killed).await;
    let mut summary = Summary { failover_ms: millis(first - killed), ..Summary::default() };
    say(format!(
        "the secondary is master, and grants the next seat {} ms after the kill",
        summary.failover_ms
    ));
    let found = audit(&triad, Role::Secondary, &mut office).await?;
    summary.add(&found);
    say(found.words());
    say(format!(
        "what a client noticed: at worst one answer took {} ms",
        millis(office.longest_wait(killed))
    ));
    sleep(CALM).await;

    let restarted = Instant::now();
    triad.restart(Role::Primary).await?;
    say("the primary is started again, and catches up".to_owned());
    triad.wait_until_master(Role::Primary).await?;
    say("the primary is master again, because the license file says PRIMARY_IS_MASTER".to_owned());
    sleep(CALM).await;
    summary.handback_ms = millis(office.longest_wait(restarted));
    let found = audit(&triad, Role::Primary, &mut office).await?;
    summary.add(&found);
    say(found.words());
    say(format!("what a client noticed: at worst one answer took {} ms", summary.handback_ms));

    let work = office.close().await?;
    summary.requests = work.requests;
    summary.errors = work.errors;
    summary.double += work.beyond_license;
    let page = status(&triad, Role::Primary).await?;
    summary.double += page.checkouts.len() as u64;
    say(format!("all clients are gone, {} in use", counted(page.checkouts.len() as u64, "seat")));
    tell(format!(
        "         {} requests, {} without an answer, {} seats lost, {} counted twice",
        summary.requests, summary.errors, summary.lost, summary.double
    ));
    Ok(summary)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The clients at work.
struct Office {
    clients: Vec<Client>,
    held: Vec<Checkout>,
    workers: JoinSet<Result<(), RequestError>>,
    board: Arc<Board>,
}

/// What the workers write down.
#[derive(Default)]
struct Board {
    stop: AtomicBool,
    pause: AtomicBool,
    /// Workers that are between two checkouts and see the pause.
    resting: AtomicU64,
    /// Seats that workers know to be theirs at this moment, the held ones included.
    in_hand: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    beyond_license: AtomicU64,
    answers: Mutex<Vec<Answered>>,
}

/// One answered request.
#[derive(Clone, Copy)]
struct Answered {
    asked: Instant,
    answered: Instant,
    granted: bool,
}

/// Counts of a finished office.
struct Work {
    requests: u64,
    errors: u64,
    beyond_license: u64,
}

impl Office {
    async fn open(triad: &LocalTriad) -> Result<Office, DemoError> {
        let mut office = Office {
            clients: Vec::new(),
            held: Vec::new(),
            workers: JoinSet::new(),
            board: Arc::new(Board::default()),
        };
        for (place, user) in USERS.iter().enumerate() {
            let mut config = ClientConfig::new(triad.search_path());
            config.identity = Identity {
                user: (*user).to_owned(),
                host: format!("desk-{}", place + 1),
                display: "/dev/tty".to_owned(),
                pid: std::process::id(),
            };
            let client = Client::connect(config).await?;
            for _ in 0..HELD_EACH {
                office.held.push(client.checkout("cad").await?);
                office.board.in_hand.fetch_add(1, Ordering::SeqCst);
            }
            office.clients.push(client);
        }
        for client in &office.clients {
            office.workers.spawn(work(client.clone(), office.board.clone()));
        }
        Ok(office)
    }

    /// Waits until a seat is granted to a request made after this moment.
    async fn wait_for_grant_after(&self, moment: Instant) -> Instant {
        loop {
            let first =
                self.board.answers_since(moment).find(|answer| answer.granted).map(|answer| answer.answered);
            match first {
                Some(answered) => return answered,
                None => sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// The longest wait for an answer among requests answered after this moment.
    fn longest_wait(&self, since: Instant) -> Duration {
        let answers = self.board.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = answers.iter().filter(|answer| answer.answered > since);
        waits.map(|answer| answer.answered - answer.asked).max().unwrap_or_default()
    }

    /// Lets every worker finish what it does and hold nothing but its own seats.
    async fn rest(&self) {
        self.board.pause.store(true, Ordering::SeqCst);
        while self.board.resting.load(Ordering::SeqCst) < USERS.len() as u64 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn go_on(&self) {
        self.board.pause.store(false, Ordering::SeqCst);
    }

    async fn close(mut self) -> Result<Work, DemoError> {
        self.board.stop.store(true, Ordering::SeqCst);
        while self.workers.join_next().await.is_some() {}
        for seats in self.held.drain(..) {
            seats.checkin().await?;
        }
        for client in self.clients.drain(..) {
            client.close().await?;
        }
        Ok(Work {
            requests: self.board.requests.load(Ordering::SeqCst),
            errors: self.board.errors.load(Ordering::SeqCst),
            beyond_license: self.board.beyond_license.load(Ordering::SeqCst),
        })
    }
}

impl Board {
    fn note(&self, asked: Instant, granted: bool) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = Answered { asked, answered: Instant::now(), granted };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }

    fn answers_since(&self, moment: Instant) -> impl Iterator<Item = Answered> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let later: Vec<Answered> = answers.iter().filter(|answer| answer.asked > moment).copied().collect();
        later.into_iter()
    }
}

/// Takes a seat, gives it back, and so on; being refused is part of the job.
async fn work(client: Client, board: Arc<Board>) -> Result<(), RequestError> {
    while !board.stop.load(Ordering::SeqCst) {
        if board.pause.load(Ordering::SeqCst) {
            board.resting.fetch_add(1, Ordering::SeqCst);
            while board.pause.load(Ordering::SeqCst) && !board.stop.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1)).await;
            }
            board.resting.fetch_sub(1, Ordering::SeqCst);
        }
        let asked = Instant::now();
        match client.checkout("cad").await {
            Ok(seat) => {
                // Counted after the grant and discounted before the return: never more than the servers count.
                if board.in_hand.fetch_add(1, Ordering::SeqCst) >= LICENSED {
                    board.beyond_license.fetch_add(1, Ordering::SeqCst);
                }
                board.note(asked, true);
                sleep(THINK).await;
                board.in_hand.fetch_sub(1, Ordering::SeqCst);
                let asked = Instant::now();
                match seat.checkin().await {
                    Ok(_) => board.note(asked, false),
                    Err(_) => drop(board.errors.fetch_add(1, Ordering::SeqCst)),
                }
            }
            Err(RequestError::Denied(_)) => board.note(asked, false),
            Err(_) => drop(board.errors.fetch_add(1, Ordering::SeqCst)),
        }
        sleep(THINK).await;
    }
    Ok(())
}

/// What an audit found.
struct Findings {
    held: u64,
    lost: u64,
    unknown: u64,
}

impl Findings {
    fn words(&self) -> String {
        format!(
            "audit: {} seats are held, {} of them lost, {} counted that nobody holds",
            self.held, self.lost, self.unknown
        )
    }
}

impl Summary {
    fn add(&mut self, found: &Findings) {
        self.lost += found.lost;
        self.double += found.unknown;
    }
}

/// Compares what the clients hold with what the master counts, while nothing moves.
async fn audit(triad: &LocalTriad, master: Role, office: &mut Office) -> Result<Findings, DemoError> {
    office.rest().await;
    let page = status(triad, master).await?;
    let counted: Vec<Handle> = page.checkouts.iter().map(|checkout| checkout.handle).collect();
    let held: Vec<Handle> = office.held.iter().map(Checkout::handle).collect();
    let missing = |there: &[Handle], here: &[Handle]| {
        there.iter().filter(|handle| !here.contains(handle)).count() as u64
    };
    let found = Findings {
        held: held.len() as u64,
        lost: missing(&held, &counted),
        unknown: missing(&counted, &held),
    };
    office.go_on();
    Ok(found)
}

async fn status(triad: &LocalTriad, master: Role) -> Result<StatusPage, DemoError> {
    let mut direct = Direct::connect(&triad.address(master), &TcpDial).await?;
    Ok(direct.status_all(StatusFilter::default()).await?)
}
