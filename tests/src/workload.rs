//! Clients that check out and in without a pause, and somebody who keeps looking at all three servers. Everything they
//! are told goes into a history, which is judged when they are done.
//!
//! The choices of the clients come from a seed; what the operating system does with three processes and their
//! sockets does not. So a seed repeats the work, not the run: a failed run leaves its history, which can be judged
//! again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Client, ClientConfig, ClientEvent, Direct, RequestError, ServerAddress, TcpDial};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Handle, Role, Seats};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_server::local_triad::LocalTriad;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::history::{Count, Held, History, Kind, Look, Read, Recorder, Told};
use crate::oracle::{Verdict, judge};
use crate::process::{programs, wait_until};

/// Set to repeat the choices of a run.
const SEED_VARIABLE: &str = "LICENSING_SEED";

/// Longest pause of a client between two requests, in milliseconds: an application, not a load test.
const LONGEST_THINK_MS: u64 = 4;

/// Between two looks at a server. Seven of them fit into what the oracle takes for unbroken.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How long a look waits for an answer: a paused server is looked at anew when it wakes.
const LOOK_LIMIT: Duration = Duration::from_millis(300);

/// Between two questions whether a server is master.
const QUESTION_PAUSE: Duration = Duration::from_millis(50);

/// How long such a question waits for its answer: through any pause, so that a server that wakes finds questions.
const QUESTION_LIMIT: Duration = Duration::from_secs(10);

/// Choices that can be made again: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled").
#[derive(Debug, Clone)]
pub struct Choices(u64);

impl Choices {
    /// The choices of this seed; `stream` tells apart those who share one.
    pub fn new(seed: u64, stream: u64) -> Choices {
        let mut choices = Choices((seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1));
        // The first numbers of small seeds resemble each other.
        for _ in 0..8 {
            choices.next();
        }
        choices
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the test.
    pub test: &'static str,
    /// Where all choices come from.
    pub seed: u64,
    /// How many clients.
    pub clients: u32,
    /// Most checkouts a client holds at a time.
    pub most_held: usize,
    /// Most seats a client takes at once.
    pub most_seats: u64,
    /// Seats of each feature, as in the license file.
    pub licensed: BTreeMap<String, Seats>,
}

impl Plan {
    /// Eight clients who want more than the default license of a triad has. Tells the line that repeats it.
    pub fn new(test: &'static str) -> Plan {
        let given = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(test));
        let plan = Plan {
            test,
            seed,
            clients: 8,
            most_held: 3,
            most_seats: 2,
            licensed: [("f1", 10), ("f2", 3)].map(|(name, seats)| (name.to_owned(), Seats(seats))).into(),
        };
        // Shown when the test fails.
        eprintln!("the same work again: {}", plan.replay_line());
        plan
    }

    /// What repeats the work of this plan.
    pub fn replay_line(&self) -> String {
        let own = std::env::current_exe().ok();
        let binary = own.as_deref().and_then(|path| path.file_stem()?.to_str()?.rsplit_once('-'));
        let binary = binary.map_or("…", |(name, _)| name);
        format!("{SEED_VARIABLE}={} cargo test -p licensing-tests --test {binary} {}", self.seed, self.test)
    }

    /// Choices for whoever disturbs the work.
    pub fn choices(&self) -> Choices {
        Choices::new(self.seed, 0)
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Workload {
    plan: Plan,
    recorder: Recorder,
    board: Arc<Board>,
    workers: JoinSet<Worker>,
    watchers: JoinSet<()>,
}

/// What everybody can see.
#[derive(Debug, Default)]
struct Board {
    stop: AtomicBool,
    /// Answers each client has got.
    answers: Vec<AtomicU64>,
    /// What each server has shown that it has applied.
    applied: [AtomicU64; 3],
    /// Times a client saw itself without a master.
    disconnections: AtomicU64,
}

/// What came out of the work, after it was judged good.
#[derive(Debug)]
pub struct Report {
    /// The oracle's.
    pub verdict: Verdict,
    /// Requests that got no definite answer, or certainly were not done: what a caller sees as an error.
    pub errors: Vec<Told>,
    /// Times a client saw itself without a master.
    pub disconnections: u64,
    /// Longest wait for an answer.
    pub longest_wait: Duration,
}

impl Workload {
    /// Opens a session for each client and sets all to work.
    pub async fn start(triad: &LocalTriad, plan: Plan) -> Workload {
        let recorder = Recorder::new(plan.test, plan.seed, plan.licensed.clone());
        let answers = (0..plan.clients).map(|_| AtomicU64::new(0)).collect();
        let board = Arc::new(Board { answers, ..Board::default() });
        let mut opened = Vec::new();
        for number in 1..=plan.clients {
            opened.push(Worker::open(triad, &plan, number, &recorder, &board).await);
        }
        let mut watchers = JoinSet::new();
        for role in Role::ALL {
            let watcher = Watcher { role, address: triad.address(role), recorder: recorder.clone() };
            watchers.spawn(watcher.clone().run(board.clone()));
            watchers.spawn(watcher.ask_whether_master());
        }
        let mut workers = JoinSet::new();
        for worker in opened {
            workers.spawn(worker.run());
        }
        Workload { plan, recorder, board, workers, watchers }
    }

    /// Waits until every client has got so many more answers: the triad serves, and serves all.
    pub async fn answers(&self, more: u64) {
        let now = |client: usize| self.board.answers[client].load(Ordering::SeqCst);
        let goals: Vec<u64> = (0..self.board.answers.len()).map(|client| now(client) + more).collect();
        wait_until(format!("every client has {more} more answers"), async || {
            goals.iter().enumerate().all(|(client, goal)| now(client) >= *goal).then_some(())
        })
        .await;
    }

    /// Ends the work, looks at all three servers once more and judges. Then the clients close their sessions, which
    /// must give back everything.
    ///
    /// Panics when a promise was not kept; the message names the file with the history.
    pub async fn finish(mut self, triad: &LocalTriad) -> Report {
        self.board.stop.store(true, Ordering::SeqCst);
        let mut workers = Vec::new();
        while let Some(worker) = self.workers.join_next().await {
            workers.push(worker.expect("a client panicked"));
        }
        let last = self.recorder.last_index();
        wait_until(format!("all three servers have applied entry {last}"), async || {
            let applied = |role: Role| self.board.applied[role.place()].load(Ordering::SeqCst);
            Role::ALL.into_iter().all(|role| applied(role) >= last.0).then_some(())
        })
        .await;
        self.watchers.shutdown().await;
        let history = self.recorder.history();
        let verdict = judge(&history).unwrap_or_else(|violations| {
            let stories: Vec<String> = violations.iter().map(ToString::to_string).collect();
            panic!("{}\n{}", stories.join("\n"), self.where_to_look(&history))
        });
        eprintln!("judged good: {verdict:?}");
        for worker in workers {
            worker.client.close().await.expect("a session can be closed");
        }
        wait_until("all seats are back when all sessions are closed", async || {
            let page = crate::process::master_status(triad).await;
            (page.checkouts.is_empty() && page.sessions == 0).then_some(())
        })
        .await;
        self.report(verdict, &history)
    }

    fn report(&self, verdict: Verdict, history: &History) -> Report {
        let failed = |told: &&Told| matches!(told, Told::Unknown { .. } | Told::NotDone { .. });
        let told = history.operations.iter().map(|operation| &operation.told);
        let waits = history.operations.iter().filter_map(|operation| {
            operation.completed_us.map(|completed| completed.saturating_sub(operation.invoked_us))
        });
        Report {
            verdict,
            errors: told.filter(failed).cloned().collect(),
            disconnections: self.board.disconnections.load(Ordering::SeqCst),
            longest_wait: Duration::from_micros(waits.max().unwrap_or(0)),
        }
    }

    fn where_to_look(&self, history: &History) -> String {
        let directory = programs().target.join("tmp");
        let path = directory.join(format!("history-{}-{}.jsonl", self.plan.test, self.plan.seed));
        let saved =
            std::fs::create_dir_all(&directory).map_err(Into::into).and_then(|()| history.save(&path));
        let kept = match saved {
            Ok(()) => format!("the history is in {}", path.display()),
            Err(error) => format!("the history is lost: {error}"),
        };
        format!("{kept}\nthe same work again: {}", self.plan.replay_line())
    }
}

/// One client.
#[derive(Debug)]
struct Worker {
    number: u32,
    client: Client,
    events: broadcast::Receiver<ClientEvent>,
    choices: Choices,
    held: Vec<Handle>,
    plan: Plan,
    recorder: Recorder,
    board: Arc<Board>,
}

impl Worker {
    async fn open(
        triad: &LocalTriad,
        plan: &Plan,
        number: u32,
        recorder: &Recorder,
        board: &Arc<Board>,
    ) -> Worker {
        let mut config = ClientConfig::new(triad.search_path());
        config.identity = Identity {
            user: format!("user{number}"),
            host: "desk".to_owned(),
            display: format!(":{number}"),
            pid: std::process::id(),
            project: String::new(),
        };
        let open = recorder.invoke(number, Kind::Open);
        let client = Client::connect(config).await.unwrap_or_else(|error| panic!("client {number}: {error}"));
        recorder.complete(open, Told::Opened { session: client.session() });
        Worker {
            number,
            events: client.events(),
            client,
            choices: Choices::new(plan.seed, u64::from(number)),
            held: Vec::new(),
            plan: plan.clone(),
            recorder: recorder.clone(),
            board: board.clone(),
        }
    }

    /// Works until it is told to stop; keeps its seats then.
    async fn run(mut self) -> Worker {
        while !self.board.stop.load(Ordering::SeqCst) {
            let full = self.held.len() >= self.plan.most_held;
            if self.held.is_empty() || (!full && self.choices.below(2) == 0) {
                self.check_out().await;
            } else {
                self.check_in().await;
            }
            self.board.answers[self.number as usize - 1].fetch_add(1, Ordering::SeqCst);
            self.notice_events();
            sleep(Duration::from_millis(self.choices.below(LONGEST_THINK_MS))).await;
        }
        self.notice_events();
        self
    }

    async fn check_out(&mut self) {
        let place = self.choices.below(self.plan.licensed.len() as u64) as usize;
        let feature = self.plan.licensed.keys().nth(place).cloned().unwrap_or_default();
        let seats = Seats(1 + self.choices.below(self.plan.most_seats) as u32);
        let action =
            Action::Checkout { vendor: None, feature: feature.clone(), version: "1.0".to_owned(), seats };
        let told = self.ask(Kind::Checkout { feature, seats }, action).await;
        if let Told::Granted { handle, .. } = told {
            self.held.push(handle);
        }
    }

    async fn check_in(&mut self) {
        let place = self.choices.below(self.held.len() as u64) as usize;
        let handle = self.held.swap_remove(place);
        self.ask(Kind::Checkin { handle }, Action::Checkin { handle, owner: None }).await;
    }

    async fn ask(&mut self, kind: Kind, action: Action) -> Told {
        let asked = self.recorder.invoke(self.number, kind);
        let told = told(self.client.call(action).await);
        self.recorder.complete(asked, told.clone());
        told
    }

    fn notice_events(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(ClientEvent::Disconnected { .. }) => {
                    self.board.disconnections.fetch_add(1, Ordering::SeqCst);
                }
                Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return,
            }
        }
    }
}

pub(crate) fn told(result: Result<Answer, RequestError>) -> Told {
    let Answer { index, outcome, .. } = match result {
        Ok(answer) => answer,
        Err(error @ RequestError::Unknown { .. }) => return Told::Unknown { why: error.to_string() },
        Err(RequestError::SessionLost { .. }) => return Told::SessionLost,
        Err(error) => return Told::NotDone { why: error.to_string() },
    };
    match outcome {
        Outcome::Granted { handle, .. } => Told::Granted { index, handle },
        Outcome::Returned { .. } => Told::Returned { index },
        Outcome::Denied(Denial::NoFreeSeats { in_use, .. }) => Told::NoFreeSeats { index, in_use },
        Outcome::Denied(Denial::UnknownHandle { .. }) => Told::UnknownHandle { index },
        Outcome::Denied(denial) => Told::Denied { index, why: denial.to_string() },
        other => Told::Denied { index, why: format!("{other:?}") },
    }
}

/// Somebody who looks at one server as often as that is useful.
#[derive(Clone)]
struct Watcher {
    role: Role,
    address: ServerAddress,
    recorder: Recorder,
}

impl Watcher {
    async fn run(self, board: Arc<Board>) {
        let mut connection = None;
        loop {
            // A server that is down or paused is looked at again in a moment.
            connection = match connection.take() {
                None => Direct::connect(&self.address, &TcpDial)
                    .await
                    .ok()
                    .map(|direct| direct.with_answer_limit(LOOK_LIMIT)),
                Some(mut direct) => self.look(&mut direct, &board).await.map(|()| direct),
            };
            sleep(LOOK_PAUSE).await;
        }
    }

    async fn look(&self, direct: &mut Direct, board: &Board) -> Option<()> {
        let asked_us = self.recorder.now_us();
        let page = direct.status_all(StatusFilter::default()).await.ok()?;
        let answered_us = self.recorder.now_us();
        self.recorder.read(read(self.role, &page, asked_us, answered_us));
        board.applied[self.role.place()].store(page.applied_index.0, Ordering::SeqCst);
        Some(())
    }

    /// Asks as a load balancer does, and does not wait for one answer before it asks again.
    async fn ask_whether_master(self) {
        let mut questions = JoinSet::new();
        loop {
            let watcher = self.clone();
            questions.spawn(async move { watcher.ask().await });
            while questions.try_join_next().is_some() {}
            sleep(QUESTION_PAUSE).await;
        }
    }

    async fn ask(&self) -> Option<()> {
        let asked_us = self.recorder.now_us();
        let asking = async {
            let mut stream = TcpStream::connect((&*self.address.host, self.address.port)).await?;
            stream.write_all(b"STATUS\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answer = timeout(QUESTION_LIMIT, asking).await.ok()?.ok()?;
        let (answered_us, master) = (self.recorder.now_us(), answer.contains("(MASTER)"));
        self.recorder.look(Look { server: self.role, asked_us, answered_us, master });
        Some(())
    }
}

/// A status page as a part of a history.
pub fn read(server: Role, page: &StatusPage, asked_us: u64, answered_us: u64) -> Read {
    let count = |issued: Option<Seats>, in_use| Count { issued: issued.unwrap_or(Seats(u32::MAX)), in_use };
    let features = page.features.iter().map(|pool| (pool.name.clone(), count(pool.issued, pool.in_use)));
    let held = page.checkouts.iter().map(|checkout| Held {
        handle: checkout.handle,
        session: checkout.keeper.session().unwrap_or_default(),
        feature: checkout.feature.clone(),
        seats: checkout.count,
    });
    Read {
        server,
        asked_us,
        answered_us,
        master: page.master == Some(server),
        applied: page.applied_index,
        features: features.collect(),
        held: held.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_choices_again() {
        let some = |seed, stream| {
            let mut choices = Choices::new(seed, stream);
            (0..20).map(|_| choices.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(some(7, 1), some(7, 1));
        assert_ne!(some(7, 1), some(7, 2));
        assert_ne!(some(7, 1), some(8, 1));
        assert!(some(0, 0).iter().any(|choice| *choice != 0));
    }
}
