//! Clients at work, from the first to the verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use tokio::task::JoinSet;

use super::board::Board;
use super::plan::Plan;
use super::watcher::Watcher;
use super::worker::Worker;
use crate::history::{History, Recorder, Told};
use crate::oracle::{Verdict, judge};
use crate::process::{programs, wait_until};

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
        assert!(verdict.is_determined(), "no server showed its state");
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
