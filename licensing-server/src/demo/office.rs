//! Clients at work: each holds some seats from begin to end and takes another again and again. What they know to be
//! theirs is written down as they learn it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_client::{Checkout, Client, ClientConfig, RequestError, SearchPath};
use licensing_core::command::Identity;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::error::DemoError;

/// One for each client.
pub(super) const USERS: [&str; 8] = ["ann", "bob", "cem", "dora", "eve", "finn", "gita", "hugo"];

/// Seats each client holds from begin to end.
pub(super) const HELD_EACH: usize = 3;

/// Seats beyond those: fewer than clients that want one, so that some are always refused.
pub(super) const SPARE: usize = 4;

pub(super) const LICENSED: u64 = (USERS.len() * HELD_EACH + SPARE) as u64;

/// A client's pause between two requests: an application, not a load test.
const THINK: Duration = Duration::from_millis(2);

/// The clients at work.
pub(super) struct Office {
    clients: Vec<Client>,
    pub(super) held: Vec<Checkout>,
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
pub(super) struct Work {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) beyond_license: u64,
}

impl Office {
    pub(super) async fn open(path: SearchPath) -> Result<Office, DemoError> {
        let mut office = Office {
            clients: Vec::new(),
            held: Vec::new(),
            workers: JoinSet::new(),
            board: Arc::new(Board::default()),
        };
        for (place, user) in USERS.iter().enumerate() {
            let mut config = ClientConfig::new(path.clone());
            config.identity = Identity {
                user: (*user).to_owned(),
                host: format!("desk-{}", place + 1),
                display: "/dev/tty".to_owned(),
                pid: std::process::id(),
                project: String::new(),
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
    pub(super) async fn wait_for_grant_after(&self, moment: Instant) -> Instant {
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
    pub(super) fn longest_wait(&self, since: Instant) -> Duration {
        let answers = self.board.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = answers.iter().filter(|answer| answer.answered > since);
        waits.map(|answer| answer.answered - answer.asked).max().unwrap_or_default()
    }

    /// Lets every worker finish what it does and hold nothing but its own seats.
    pub(super) async fn rest(&self) {
        self.board.pause.store(true, Ordering::SeqCst);
        while self.board.resting.load(Ordering::SeqCst) < USERS.len() as u64 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) fn go_on(&self) {
        self.board.pause.store(false, Ordering::SeqCst);
    }

    pub(super) async fn close(mut self) -> Result<Work, RequestError> {
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
