//! One client, which checks out and in without a pause.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_client::{Client, ClientConfig, ClientEvent};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Handle, Seats};
use licensing_server::local_triad::LocalTriad;
use tokio::sync::broadcast;
use tokio::time::sleep;

use super::board::Board;
use super::choices::Choices;
use super::plan::Plan;
use super::told::told;
use crate::history::{Kind, Recorder, Told};

/// Longest pause of a client between two requests, in milliseconds: an application, not a load test.
const LONGEST_THINK_MS: u64 = 4;

/// One client.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: u32,
    pub(super) client: Client,
    pub(super) events: broadcast::Receiver<ClientEvent>,
    pub(super) choices: Choices,
    pub(super) held: Vec<Handle>,
    pub(super) plan: Plan,
    pub(super) recorder: Recorder,
    pub(super) board: Arc<Board>,
}

impl Worker {
    pub(super) async fn open(
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
    pub(super) async fn run(mut self) -> Worker {
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
