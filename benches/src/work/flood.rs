//! An open loop: requests are due at fixed times, whether or not the earlier ones were answered, as from users who do not
//! know how busy the servers are.
//!
//! Every connection has a session of its own and sends without waiting, up to the [`MAX_UNANSWERED`] requests the protocol
//! allows. A request that is due when so many are unanswered is not sent and counts as such: it is load that was
//! offered and that TCP and the protocol kept away from the servers. Nothing is repeated and no hint when to ask again
//! is followed: these are the worst of clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::FutureExt;
use hdrhistogram::Histogram;
use licensing_client::connection::Connection;
use licensing_client::protocol::{ClientMessage, MAX_UNANSWERED, Reply, Request, ServerMessage};
use licensing_client::{OsTokens, ServerAddress, TokenSource};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{Handle, RequestId, Seats, SessionId, Token};
use licensing_core::outcome::Outcome;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::measure::standing::open;
use crate::work::triad::feature_name;

/// How often a connection sends what has become due: short against every latency that is looked at here, and long
/// enough that a thousand connections do not wake a processor for each request.
const TICK: Duration = Duration::from_millis(5);

/// How long the last answers are waited for. A server answers within two leases.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// How much, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct FloodPlan {
    /// Connections, each with a session.
    pub connections: usize,
    /// Connection `n` uses feature `n` modulo this.
    pub features: usize,
    /// Requests of all connections that become due in a second.
    pub per_second: f64,
    /// For how long.
    pub lasting: Duration,
}

/// What became of the requests.
#[derive(Debug, Clone)]
pub struct FloodTally {
    /// Were due.
    pub offered: u64,
    /// Of these, were sent.
    pub sent: u64,
    /// Were answered with a decision while the flood lasted: granted or returned.
    pub decided: u64,
    /// Were answered with "busy".
    pub busy: u64,
    /// "Busy" with a time to wait that is not 0.
    pub hinted: u64,
    /// The longest time to wait that was named, in milliseconds.
    pub longest_hint_ms: u64,
    /// It is not known whether they were done.
    pub unknown: u64,
    /// Were sent to a master that no longer was one.
    pub not_master: u64,
    /// Were denied or answered with an error: neither should happen.
    pub refused: u64,
    /// Had no answer ten seconds after the end.
    pub unanswered: u64,
    /// Connections that broke.
    pub broken: u64,
    /// The last refusal, or why the last connection broke.
    pub last_problem: Option<String>,
    /// From being sent to the decision, in microseconds.
    pub decided_us: Histogram<u64>,
    /// From being sent to "busy", in microseconds.
    pub busy_us: Histogram<u64>,
}

/// Connections with their sessions, ready to send.
pub struct Flood {
    plan: FloodPlan,
    senders: Vec<Sender>,
}

impl Flood {
    /// Connects to the master and opens the sessions.
    pub async fn connect(plan: FloodPlan, master: &ServerAddress) -> anyhow::Result<Flood> {
        let mut opening = JoinSet::new();
        for number in 0..plan.connections {
            opening.spawn(Sender::open(number, plan, master.clone()));
        }
        let senders = opening.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Flood { plan, senders })
    }

    /// Sends until the time is over, waits for the last answers, and ends the sessions.
    pub async fn run(self) -> anyhow::Result<FloodTally> {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for sender in self.senders {
            running.spawn(sender.run(begun, begun + self.plan.lasting));
        }
        let mut all = FloodTally::new()?;
        while let Some(tally) = running.join_next().await {
            all.add(tally??)?;
        }
        Ok(all)
    }
}

/// What an unanswered request was for.
enum Purpose {
    Checkout,
    Checkin(Handle),
}

/// One connection of the flood.
struct Sender {
    connection: Connection,
    session: SessionId,
    token: Token,
    feature: String,
    per_second: f64,
    /// Number of the next request, which is also the id of its message.
    next: u64,
    unanswered: BTreeMap<u64, (Instant, Purpose)>,
    /// Answered requests behind an unanswered one: they cannot be acknowledged yet, so the state keeps their answers,
    /// and it keeps only so many.
    unacknowledged: BTreeSet<u64>,
    held: Vec<Handle>,
    tally: FloodTally,
}

impl Sender {
    async fn open(number: usize, plan: FloodPlan, master: ServerAddress) -> anyhow::Result<Sender> {
        let about = || format!("connection {} of the flood cannot be opened", number + 1);
        let mut connection = open(&master).await.with_context(about)?;
        let token = OsTokens.token().with_context(about)?;
        let identity = Identity {
            user: format!("flood-{}", number + 1),
            host: "bench".to_owned(),
            display: "/dev/null".to_owned(),
            pid: std::process::id(),
            project: String::new(),
        };
        let request = Request::OpenSession { token, identity };
        connection.queue(&ClientMessage { id: 0, request }).with_context(about)?;
        let session = loop {
            match connection.next().await.with_context(about)? {
                ServerMessage::Reply { reply: Reply::Answer(answer), .. } => match answer.outcome {
                    Outcome::SessionOpened { session } => break session,
                    other => bail!("{}: {other:?}", about()),
                },
                ServerMessage::Reply { reply, .. } => bail!("{}: {reply:?}", about()),
                ServerMessage::Moved(_) => {}
            }
        };
        Ok(Sender {
            connection,
            session,
            token,
            feature: feature_name(number % plan.features.max(1)),
            per_second: plan.per_second / plan.connections as f64,
            next: 1,
            unanswered: BTreeMap::new(),
            unacknowledged: BTreeSet::new(),
            held: Vec::new(),
            tally: FloodTally::new()?,
        })
    }

    async fn run(mut self, begun: Instant, until: Instant) -> anyhow::Result<FloodTally> {
        if let Err(problem) = self.send_until(begun, until).await {
            self.tally.broken += 1;
            self.tally.unanswered += self.unanswered.len() as u64;
            self.tally.last_problem = Some(format!("{problem:#}"));
            return Ok(self.tally);
        }
        let last = timeout(LAST_ANSWERS, async {
            while !self.unanswered.is_empty() {
                let message = self.connection.next().await?;
                self.take(message, until)?;
            }
            anyhow::Ok(())
        });
        match last.await {
            Ok(answered) => answered?,
            Err(_) => self.tally.unanswered += self.unanswered.len() as u64,
        }
        // Nobody waits for the answer: without it the session expires.
        let request = Request::CloseSession { session: self.session, token: self.token };
        self.connection.queue(&ClientMessage { id: self.next, request })?;
        self.connection.flush().await?;
        Ok(self.tally)
    }

    async fn send_until(&mut self, begun: Instant, until: Instant) -> anyhow::Result<()> {
        let mut tick = interval_at(begun, TICK);
        // What was missed is due all the same, at once: `send_due` counts by the clock.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = tick.tick() => {}
                message = self.connection.next() => self.take(message?, until)?,
            }
            // One wake-up takes all answers that are there. No more than a window of them can be.
            for _ in 0..MAX_UNANSWERED {
                let Some(message) = self.connection.next().now_or_never() else { break };
                self.take(message?, until)?;
            }
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.send_due(now, begun)?;
        }
    }

    fn send_due(&mut self, now: Instant, begun: Instant) -> anyhow::Result<()> {
        let due = ((now - begun).as_secs_f64() * self.per_second) as u64;
        let newly_due = due.saturating_sub(self.tally.offered);
        let acknowledged = self.acknowledged();
        self.unacknowledged = self.unacknowledged.split_off(&acknowledged);
        let room = MAX_UNANSWERED.saturating_sub(self.unanswered.len() + self.unacknowledged.len());
        for _ in 0..newly_due.min(room as u64) {
            self.send(now)?;
        }
        self.tally.offered += newly_due;
        Ok(())
    }

    /// Gives a seat back when it holds one, else asks for one.
    fn send(&mut self, now: Instant) -> anyhow::Result<()> {
        let (action, purpose) = match self.held.pop() {
            Some(handle) => (Action::Checkin { handle, owner: None }, Purpose::Checkin(handle)),
            None => {
                let feature = self.feature.clone();
                (
                    Action::Checkout { vendor: None, feature, version: "1.0".to_owned(), seats: Seats(1) },
                    Purpose::Checkout,
                )
            }
        };
        let acknowledged = self.acknowledged();
        let number = self.next;
        self.next += 1;
        let call = Request::Call {
            session: self.session,
            token: self.token,
            request: RequestId(number),
            acknowledged: RequestId(acknowledged),
            action,
        };
        self.connection.queue(&ClientMessage { id: number, request: call })?;
        self.unanswered.insert(number, (now, purpose));
        self.tally.sent += 1;
        Ok(())
    }

    /// All requests up to this one are answered.
    fn acknowledged(&self) -> u64 {
        self.unanswered.first_key_value().map_or(self.next, |(oldest, _)| *oldest) - 1
    }

    fn take(&mut self, message: ServerMessage, until: Instant) -> anyhow::Result<()> {
        let ServerMessage::Reply { id, reply } = message else { return Ok(()) };
        let Some((sent, purpose)) = self.unanswered.remove(&id) else {
            bail!("request {id} was answered twice or never sent");
        };
        if !matches!(reply, Reply::Busy { .. } | Reply::NotMaster(_)) {
            self.unacknowledged.insert(id);
        }
        let now = Instant::now();
        let waited_us = u64::try_from((now - sent).as_micros()).unwrap_or(u64::MAX);
        let tally = &mut self.tally;
        match reply {
            Reply::Answer(answer) => match answer.outcome {
                Outcome::Granted { handle, .. } => {
                    self.held.push(handle);
                    tally.decided(waited_us, now < until)?;
                }
                Outcome::Returned { .. } => tally.decided(waited_us, now < until)?,
                other => tally.refused(format!("{other:?}")),
            },
            Reply::Busy { retry_after_ms } => {
                tally.busy(waited_us, retry_after_ms)?;
                self.keep(purpose);
            }
            Reply::NotMaster(_) => {
                tally.not_master += 1;
                self.keep(purpose);
            }
            // A seat that may or may not be back is not asked for again: it ends with the session.
            Reply::Unknown(_) => tally.unknown += 1,
            other => tally.refused(format!("{other:?}")),
        }
        Ok(())
    }

    /// A checkin that was not done leaves the seat where it was.
    fn keep(&mut self, purpose: Purpose) {
        if let Purpose::Checkin(handle) = purpose {
            self.held.push(handle);
        }
    }
}

impl FloodTally {
    fn new() -> anyhow::Result<FloodTally> {
        let histogram = || Histogram::new(3).context("cannot make a histogram");
        Ok(FloodTally {
            offered: 0,
            sent: 0,
            decided: 0,
            busy: 0,
            hinted: 0,
            longest_hint_ms: 0,
            unknown: 0,
            not_master: 0,
            refused: 0,
            unanswered: 0,
            broken: 0,
            last_problem: None,
            decided_us: histogram()?,
            busy_us: histogram()?,
        })
    }

    fn decided(&mut self, waited_us: u64, in_time: bool) -> anyhow::Result<()> {
        self.decided += u64::from(in_time);
        self.decided_us.record(waited_us).context("cannot note a latency")
    }

    fn busy(&mut self, waited_us: u64, retry_after_ms: u64) -> anyhow::Result<()> {
        self.busy += 1;
        self.hinted += u64::from(retry_after_ms > 0);
        self.longest_hint_ms = self.longest_hint_ms.max(retry_after_ms);
        self.busy_us.record(waited_us).context("cannot note a latency")
    }

    fn refused(&mut self, why: String) {
        self.refused += 1;
        self.last_problem = Some(why);
    }

    fn add(&mut self, other: FloodTally) -> anyhow::Result<()> {
        self.offered += other.offered;
        self.sent += other.sent;
        self.decided += other.decided;
        self.busy += other.busy;
        self.hinted += other.hinted;
        self.longest_hint_ms = self.longest_hint_ms.max(other.longest_hint_ms);
        self.unknown += other.unknown;
        self.not_master += other.not_master;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.broken += other.broken;
        self.last_problem = other.last_problem.or(self.last_problem.take());
        self.decided_us.add(other.decided_us).context("cannot add histograms")?;
        self.busy_us.add(other.busy_us).context("cannot add histograms")
    }
}
