//! Simulated clients: each has a session, checks seats out and in, and resends a request under its number until the
//! answer is definite, at whichever server is master by then.

use std::time::Duration;

use licensing_core::command::{Action, Call, Command, Identity};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};
use licensing_raft::ProposeError;
use licensing_raft::watch::Watcher;
use tokio::time::timeout;

use super::judge::Judge;
use super::network::Network;
use super::random::Stream;

/// How long a client waits for one answer before it asks again.
const ANSWER_LIMIT: Duration = Duration::from_millis(900);

/// One client.
pub(crate) struct Client {
    network: Network,
    judge: Judge,
    random: Stream,
    token: Token,
    identity: Identity,
    session: Option<SessionId>,
    next: u64,
    held: Vec<Handle>,
}

impl Client {
    pub(crate) fn new(number: u64, network: Network, judge: Judge, random: Stream) -> Client {
        let mut token = [0; 16];
        token.copy_from_slice(&random.bytes()[..16]);
        let identity = Identity {
            user: format!("user{number}"),
            host: "cad-17".to_owned(),
            display: ":0".to_owned(),
            pid: number as u32,
        };
        Client {
            network,
            judge,
            random,
            token: Token(token),
            identity,
            session: None,
            next: 1,
            held: Vec::new(),
        }
    }

    /// Works until told to stop; what it holds then stays held.
    pub(crate) async fn work(mut self, mut stop: Watcher<bool>) {
        while !*stop.borrow() {
            let pause = self.random.between_us(1_000, 120_000);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
            let Some(session) = self.session(&stop).await else { continue };
            if !self.held.is_empty() && self.random.chance(50) {
                let place = self.random.below(self.held.len() as u64) as usize;
                let handle = self.held.swap_remove(place);
                self.check_in(session, handle, &stop).await;
            } else {
                self.check_out(session, &stop).await;
            }
        }
    }

    async fn session(&mut self, stop: &Watcher<bool>) -> Option<SessionId> {
        if self.session.is_none() {
            let command = Command::OpenSession { token: self.token, identity: self.identity.clone() };
            if let Some(Outcome::SessionOpened { session }) =
                self.ask(command, stop).await.map(|answer| answer.outcome)
            {
                self.session = Some(session);
            }
        }
        self.session
    }

    async fn check_out(&mut self, session: SessionId, stop: &Watcher<bool>) {
        let feature = if self.random.chance(70) { "f1" } else { "f2" };
        let seats = Seats(1 + self.random.below(2) as u32);
        let action = Action::Checkout { feature: feature.to_owned(), version: "1.0".to_owned(), seats };
        match self.call(session, action, stop).await.map(|answer| answer.outcome) {
            Some(Outcome::Granted { handle, .. }) => self.held.push(handle),
            Some(Outcome::Denied(Denial::NoFreeSeats { .. } | Denial::MoreThanLicensed { .. })) | None => {}
            Some(other) => self.judge.fail("a checkout is granted or there is no seat", format!("{other:?}")),
        }
    }

    async fn check_in(&mut self, session: SessionId, handle: Handle, stop: &Watcher<bool>) {
        let action = Action::Checkin { handle, owner: None };
        match self.call(session, action, stop).await.map(|answer| answer.outcome) {
            Some(Outcome::Returned { .. }) => self.judge.returned(handle),
            None => self.judge.in_doubt(handle),
            Some(other) => {
                self.judge
                    .fail("a seat that was granted can be returned", format!("handle {handle}: {other:?}"));
            }
        }
    }

    async fn call(&mut self, session: SessionId, action: Action, stop: &Watcher<bool>) -> Option<Answer> {
        let request = RequestId(self.next);
        self.next += 1;
        let acknowledged = RequestId(request.0 - 1);
        let call = Call { session, token: self.token, request, acknowledged, action };
        let answer = self.ask(Command::Call(call.clone()), stop).await?;
        // Now and then a late duplicate arrives: it must get the first answer.
        if self.random.chance(10)
            && let Some(again) = self.ask_again(Command::Call(call), stop).await
            && again != answer
        {
            self.judge.fail("a repeated request gets its first answer", format!("{answer:?} then {again:?}"));
        }
        Some(answer)
    }

    /// Asks until the answer is definite, or the run ends.
    async fn ask(&mut self, command: Command, stop: &Watcher<bool>) -> Option<Answer> {
        // A session may have been opened by a try whose answer was lost.
        let first_try = !matches!(command, Command::OpenSession { .. });
        self.ask_until_definite(command, stop, first_try).await
    }

    /// Asks what has been answered before.
    async fn ask_again(&mut self, command: Command, stop: &Watcher<bool>) -> Option<Answer> {
        self.ask_until_definite(command, stop, false).await
    }

    async fn ask_until_definite(
        &mut self,
        command: Command,
        stop: &Watcher<bool>,
        mut first_try: bool,
    ) -> Option<Answer> {
        let horizon = self.judge.horizon();
        while !*stop.borrow() {
            if let Some(node) = self.master() {
                match timeout(ANSWER_LIMIT, node.propose(command.clone())).await {
                    Ok(Ok(answer)) => {
                        self.judge.answered(
                            &answer,
                            horizon,
                            first_try && !matches!(command, Command::OpenSession { .. }),
                        );
                        if let Some(session) = self.session {
                            node.touch(session);
                        }
                        return Some(answer);
                    }
                    Ok(Err(ProposeError::NotMaster { .. } | ProposeError::Busy { .. })) => {}
                    Ok(Err(_)) | Err(_) => first_try = false,
                }
            }
            tokio::time::sleep(self.random.between_us(2_000, 30_000)).await;
        }
        None
    }

    fn master(&self) -> Option<licensing_raft::Node> {
        [Role::Primary, Role::Secondary, Role::Tertiary]
            .into_iter()
            .filter_map(|role| self.network.node(role))
            .find(|node| node.mastership().borrow().serving)
    }
}
