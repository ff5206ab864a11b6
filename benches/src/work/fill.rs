//! Fills a triad with many sessions that hold many seats, fast: over few connections, each with as many requests under
//! way as the protocol allows, every session asking for one thing at a time.
//!
//! A session does not need a connection of its own; it outlives any, for as long as the servers' grace. What the servers
//! keep of it is the same: its identity, its seats, the answer to its last request.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use licensing_client::connection::Connection;
use licensing_client::protocol::{ClientMessage, Hello, MAX_UNANSWERED, Reply, Request, ServerMessage};
use licensing_client::{OsTokens, ServerAddress, TcpDial, TokenSource};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{RequestId, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::show::output::talk;
use crate::work::triad::feature_name;

/// Connections it goes over: with 64 requests on each, half of the proposals a server takes at a time.
const CONNECTIONS: usize = 16;

/// Without an answer for so long the triad is stuck, and there is nothing to measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Before a request is sent again with the same number, because it was not known what became of it.
const RESEND_PAUSE: Duration = Duration::from_millis(20);

/// One session and how much it holds.
#[derive(Debug, Clone)]
pub struct Holder {
    number: usize,
    token: Token,
    session: Option<SessionId>,
    held: u64,
    /// How many seats it is to hold, each a checkout of its own.
    wanted: u64,
}

/// The sessions of a triad that is being filled.
#[derive(Debug)]
pub struct Filling {
    server: ServerAddress,
    features: usize,
    holders: Vec<Holder>,
    /// Requests that had to be sent again, because they were not answered definitely.
    pub resent: u64,
}

impl Filling {
    /// So many sessions that are to hold so many checkouts together, about equally many each. Nothing is sent yet.
    pub fn new(
        server: ServerAddress,
        features: usize,
        sessions: usize,
        checkouts: u64,
    ) -> anyhow::Result<Filling> {
        let mut holders = Vec::with_capacity(sessions);
        let (each, rest) = (checkouts / sessions as u64, checkouts % sessions as u64);
        for number in 0..sessions {
            let token = OsTokens.token().context("cannot make a token")?;
            let wanted = each + u64::from((number as u64) < rest);
            holders.push(Holder { number, token, session: None, held: 0, wanted });
        }
        Ok(Filling { server, features, holders, resent: 0 })
    }

    /// Opens the sessions. Gives how many per second.
    pub async fn open_sessions(&mut self) -> anyhow::Result<f64> {
        self.run("sessions", Goal::Sessions).await
    }

    /// Takes the checkouts. Gives how many per second.
    pub async fn take_checkouts(&mut self) -> anyhow::Result<f64> {
        self.run("checkouts", Goal::Checkouts).await
    }

    async fn run(&mut self, what: &str, goal: Goal) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let answered = Arc::new(AtomicU64::new(0));
        let share = self.holders.len().div_ceil(CONNECTIONS).max(1);
        let mut pumps = JoinSet::new();
        for holders in self.holders.chunks(share) {
            let (server, answered) = (self.server.clone(), answered.clone());
            let pump = Pump::new(holders.to_vec(), goal, self.features, answered);
            pumps.spawn(pump.run(server));
        }
        let telling = tell_progress(what.to_owned(), answered.clone());
        let mut holders = Vec::with_capacity(self.holders.len());
        while let Some(done) = pumps.join_next().await {
            let (some, resent) = done?.with_context(|| format!("cannot fill the triad with {what}"))?;
            holders.extend(some);
            self.resent += resent;
        }
        telling.abort();
        self.holders = holders;
        Ok(answered.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
    }
}

/// A line each second, until it is aborted.
fn tell_progress(what: String, answered: Arc<AtomicU64>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut before = 0;
        loop {
            sleep(Duration::from_secs(1)).await;
            let now = answered.load(Ordering::Relaxed);
            talk(format_args!("{now:9} {what}, {} in the last second", now - before));
            before = now;
        }
    })
}

#[derive(Debug, Clone, Copy)]
enum Goal {
    Sessions,
    Checkouts,
}

impl Holder {
    /// What is to be asked next, if anything is left.
    fn next(&self, goal: Goal, features: usize) -> anyhow::Result<Option<Request>> {
        let Some(session) = self.session else {
            return Ok(Some(Request::OpenSession { token: self.token, identity: self.identity() }));
        };
        if matches!(goal, Goal::Sessions) || self.held == self.wanted {
            return Ok(None);
        }
        let place = (self.number as u64 + self.held) % features as u64;
        Ok(Some(Request::Call {
            session,
            token: self.token,
            request: RequestId(self.held + 1),
            acknowledged: RequestId(self.held),
            action: Action::Checkout {
                vendor: None,
                feature: feature_name(usize::try_from(place)?),
                version: "1.0".to_owned(),
                seats: Seats(1),
            },
        }))
    }

    /// As long as names in a company are.
    fn identity(&self) -> Identity {
        Identity {
            user: format!("user-{}", self.number + 1),
            host: format!("workstation-{}", self.number + 1),
            display: "/dev/pts/0".to_owned(),
            pid: std::process::id(),
            project: String::new(),
        }
    }

    fn take(&mut self, answer: Answer) -> anyhow::Result<()> {
        match answer.outcome {
            Outcome::SessionOpened { session } => self.session = Some(session),
            Outcome::Granted { .. } => self.held += 1,
            other => bail!("session {} was answered {other:?}", self.number + 1),
        }
        Ok(())
    }
}

/// One connection and the sessions that go over it.
struct Pump {
    holders: Vec<Holder>,
    goal: Goal,
    features: usize,
    answered: Arc<AtomicU64>,
    /// Places of holders whose next request may be sent.
    ready: VecDeque<usize>,
    /// Whose request an id is.
    under_way: HashMap<u64, usize>,
    next_id: u64,
    resent: u64,
}

impl Pump {
    fn new(holders: Vec<Holder>, goal: Goal, features: usize, answered: Arc<AtomicU64>) -> Pump {
        let ready = (0..holders.len()).collect();
        Pump { holders, goal, features, answered, ready, under_way: HashMap::new(), next_id: 1, resent: 0 }
    }

    async fn run(mut self, server: ServerAddress) -> anyhow::Result<(Vec<Holder>, u64)> {
        let software = "licensing-benches".to_owned();
        let hello = Hello::new(software);
        let mut connection = Connection::open(&TcpDial, &server, &hello).await?;
        let mut last_answer = Instant::now();
        loop {
            self.send_what_fits(&mut connection)?;
            if self.under_way.is_empty() {
                return Ok((self.holders, self.resent));
            }
            let next = timeout(PATIENCE, connection.next()).await;
            let message = next.with_context(|| {
                format!(
                    "{server} has {} requests of one connection unanswered for {PATIENCE:?}",
                    self.under_way.len()
                )
            })??;
            let ServerMessage::Reply { id, reply } = message else { continue };
            let Some(place) = self.under_way.remove(&id) else { continue };
            match reply {
                Reply::Answer(answer) => {
                    self.holders[place].take(answer)?;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    self.ready.push_front(place);
                    last_answer = Instant::now();
                }
                Reply::Busy { .. } | Reply::Unknown(_) | Reply::NotMaster(_)
                    if last_answer.elapsed() < PATIENCE =>
                {
                    // As every client does; the number stays the same, so nothing is done twice.
                    self.resent += 1;
                    self.ready.push_back(place);
                    sleep(RESEND_PAUSE).await;
                }
                other => bail!("{server} answered {other:?}"),
            }
        }
    }

    fn send_what_fits(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        while self.under_way.len() < MAX_UNANSWERED
            && let Some(place) = self.ready.pop_front()
        {
            let Some(request) = self.holders[place].next(self.goal, self.features)? else { continue };
            connection.queue(&ClientMessage { id: self.next_id, request })?;
            self.under_way.insert(self.next_id, place);
            self.next_id += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(session: Option<SessionId>, held: u64) -> Holder {
        Holder { number: 4, token: Token([1; 16]), session, held, wanted: 3 }
    }

    #[test]
    fn seats_are_spread_over_all_sessions() {
        let filling = Filling::new(ServerAddress::new("127.0.0.1", 1), 2, 3, 10).unwrap();
        let wanted: Vec<u64> = filling.holders.iter().map(|holder| holder.wanted).collect();
        assert_eq!(wanted, [4, 3, 3]);
    }

    #[test]
    fn a_session_is_opened_before_it_asks_for_seats() {
        let next = holder(None, 0).next(Goal::Checkouts, 2).unwrap();
        assert!(matches!(next, Some(Request::OpenSession { .. })));
        assert_eq!(holder(Some(SessionId(7)), 0).next(Goal::Sessions, 2).unwrap(), None);
    }

    #[test]
    fn each_checkout_has_the_next_number_and_acknowledges_those_before() {
        let next = holder(Some(SessionId(7)), 2).next(Goal::Checkouts, 4).unwrap();
        let Some(Request::Call { request, acknowledged, action, .. }) = next else { panic!("{next:?}") };
        assert_eq!((request, acknowledged), (RequestId(3), RequestId(2)));
        assert!(
            matches!(action, Action::Checkout { vendor: None, feature, seats: Seats(1), .. } if feature == "f3")
        );
        assert_eq!(holder(Some(SessionId(7)), 3).next(Goal::Checkouts, 4).unwrap(), None);
    }
}
