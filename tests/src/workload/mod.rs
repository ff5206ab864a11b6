//! Clients that check out and in without a pause, and somebody who keeps looking at all three servers. Everything they
//! are told goes into a history, which is judged when they are done.
//!
//! The choices of the clients come from a seed; what the operating system does with three processes and their
//! sockets does not. So a seed repeats the work, not the run: a failed run leaves its history, which can be judged
//! again.

mod board;
mod choices;
mod watcher;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use licensing_client::{Client, ClientConfig, ClientEvent, RequestError};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Handle, Role, Seats};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_server::local_triad::LocalTriad;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::board::Board;
use self::watcher::Watcher;
use crate::history::{History, Kind, Recorder, Told};
use crate::oracle::{Verdict, judge};
use crate::process::{programs, wait_until};

pub use self::choices::Choices;
pub use self::watcher::read;

/// Set to repeat the choices of a run.
const SEED_VARIABLE: &str = "LICENSING_SEED";

/// Longest pause of a client between two requests, in milliseconds: an application, not a load test.
const LONGEST_THINK_MS: u64 = 4;

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
