//! The network of a simulated run. Every message takes a while; each direction between two ends can be cut without a
//! word to either, everything can be slow, and connections can be reset.
//!
//! Connections between servers end as TCP does. What a server dialed ends in good order when its process was killed and its
//! system lives; by a reset when it lives and lets go; without a word when its power is gone. A firewall can answer in the name of
//! either end with resets and refusals, and what forwards connections between two servers can end them in good order.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_raft::testing::{Reset, SimulatedStream};
use licensing_raft::watch::{Watched, Watcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

use super::random::Stream;

/// Bytes under way on one connection in one direction, as a socket buffer holds them.
const BUFFER: usize = 256 << 10;

/// Who can send and receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// One of the three servers.
    Server(Role),
    /// A client, by its number.
    Client(u32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Server(role) => write!(f, "the {role}"),
            End::Client(number) => write!(f, "client {number}"),
        }
    }
}

/// A direction.
pub type Way = (End, End);

/// A connection that comes in.
#[derive(Debug)]
pub struct Incoming {
    /// Its end here.
    pub stream: SimulatedStream,
    /// Who dialed.
    pub from: End,
    /// The address that it seems to come from.
    pub seen: SocketAddr,
}

/// What takes connections at a server.
pub type Listener = Arc<dyn Fn(Incoming) + Send + Sync>;

/// Of a hundred connections so many are reset by the system of a killed process, because something had not been read.
const UNREAD: u64 = 15;

/// The state of all wires.
#[derive(Debug, Clone, Default)]
struct Wires {
    cuts: BTreeSet<Way>,
    /// Whatever goes these ways is answered by a firewall with a reset.
    rejections: BTreeSet<Way>,
    /// Between these servers something forwards connections, as long as it runs.
    forwarded: BTreeSet<Way>,
    /// It does not run: its system refuses new ones.
    forwarder_is_down: bool,
    /// How often it has ended all it forwarded.
    forwarder_ends: u64,
    /// How often the process of each server was killed.
    kills: [u64; 3],
    /// Ends that nobody hears any more, and that hear nobody.
    gone: BTreeSet<End>,
    /// How often the host of each server has lost its power.
    deaths: [u64; 3],
    /// How often all connections of a server were reset.
    resets: [u64; 3],
    /// On top of the usual delay.
    slowness: Duration,
}

impl Wires {
    fn carries(&self, (from, to): Way) -> bool {
        !self.cuts.contains(&(from, to)) && !self.gone.contains(&from) && !self.gone.contains(&to)
    }

    /// A connection between these two lasts as long as this stays the same.
    fn fate(&self, ends: Way) -> Fate {
        let of = |end: End, counts: &[u64; 3]| match end {
            End::Server(role) => counts[role.place()],
            End::Client(_) => 0,
        };
        let both = |counts| of(ends.0, counts) + of(ends.1, counts);
        let forwarder_ends = if self.forwards(ends) { self.forwarder_ends } else { 0 };
        Fate { deaths: both(&self.deaths), resets: both(&self.resets), forwarder_ends }
    }

    fn forwards(&self, (one, other): Way) -> bool {
        self.forwarded.contains(&(one, other)) || self.forwarded.contains(&(other, one))
    }

    fn refuses(&self, way: Way) -> bool {
        self.rejections.contains(&way) || self.forwards(way) && self.forwarder_is_down
    }

    fn rejects_either(&self, (from, to): Way) -> bool {
        self.rejections.contains(&(from, to)) || self.rejections.contains(&(to, from))
    }

    /// How often the process at this end was killed; clients end as they like.
    fn kills(&self, end: End) -> u64 {
        match end {
            End::Server(role) => self.kills[role.place()],
            End::Client(_) => 0,
        }
    }
}

/// What has befallen two ends so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    deaths: u64,
    resets: u64,
    forwarder_ends: u64,
}

/// The network of one run; clones are the same.
#[derive(Clone)]
pub struct Network {
    listeners: Arc<Mutex<[Option<Listener>; 3]>>,
    wires: Arc<Watched<Wires>>,
    random: Stream,
    /// How processes of the killed end, apart from what others draw.
    endings: Stream,
    ports: Arc<AtomicU16>,
}

impl Network {
    /// The network of the run with this seed.
    pub fn new(seed: u64) -> Network {
        Network {
            listeners: Arc::default(),
            wires: Arc::new(Watched::new(Wires::default())),
            random: Stream::new(seed, "network"),
            endings: Stream::new(seed, "endings of connections"),
            ports: Arc::new(AtomicU16::new(10_000)),
        }
    }

    /// From now on connections to this server are handed to `listener`.
    pub fn listen(&self, role: Role, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = Some(listener);
    }

    /// A connection to a server, after a while.
    ///
    /// Errors: refused when nothing listens there. A cut keeps it waiting.
    pub async fn connect(&self, from: End, to: Role) -> io::Result<DuplexStream> {
        Ok(self.dial(from, to).await?.0)
    }

    /// [`Network::connect`], and the address of the near end.
    pub(crate) async fn dial(&self, from: End, to: Role) -> io::Result<(DuplexStream, SocketAddr)> {
        let way = (from, End::Server(to));
        self.pass(way).await;
        if self.wires.borrow().refuses(way) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.pass((way.1, way.0)).await;
        // The answer of whoever listens does not get through, and is not missed there.
        let _ = self.wires.subscribe().wait_for(|wires| !wires.rejections.contains(&(way.1, way.0))).await;
        let (near, stream) = self.wire(way);
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[to.place()].clone();
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let own = self.next_address(from);
        // Whatever forwards a connection dials it anew.
        let is_forwarded = self.wires.borrow().forwards(way);
        let seen = if is_forwarded { self.next_address(way.1) } else { own };
        listener(Incoming { stream, from, seen });
        Ok((near, own))
    }

    fn next_address(&self, of: End) -> SocketAddr {
        let host = match of {
            End::Server(role) => [10, 0, 0, role.number() as u8],
            End::Client(_) => [10, 0, 1, 1],
        };
        SocketAddr::from((host, self.ports.fetch_add(1, Ordering::SeqCst)))
    }

    /// Two ends of one connection, when the first packets have gone both ways.
    fn wire(&self, (from, to): Way) -> (DuplexStream, SimulatedStream) {
        let (fate, kills) = {
            let wires = self.wires.borrow();
            (wires.fate((from, to)), wires.kills(from))
        };
        let broken = Watched::new(false);
        let (near, near_wire) = tokio::io::duplex(BUFFER);
        let (far, far_wire) = tokio::io::duplex(BUFFER);
        let (from_near, to_near) = tokio::io::split(near_wire);
        let (from_far, to_far) = tokio::io::split(far_wire);
        let (far, reset) = SimulatedStream::new(far);
        let ways = [((from, to), from_near, to_far, Some(reset)), ((to, from), from_far, to_near, None)];
        for (way, source, sink, reset) in ways {
            let carrier = Carrier { network: self.clone(), way, fate, kills, reset, broken: broken.clone() };
            tokio::spawn(carrier.carry(source, sink));
        }
        (near, far)
    }

    /// A message to a server and its answer, for services that do not speak over connections: the question may be lost,
    /// the answer may be lost, and the question may come twice, the second time late. `None`: no answer came.
    pub async fn call<T, F>(&self, from: End, to: Role, mut handle: impl FnMut() -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let there = (from, End::Server(to));
        self.pass(there).await;
        if self.random.chance(3) {
            return None;
        }
        if self.random.chance(3) {
            let (again, network) = (handle(), self.clone());
            tokio::spawn(async move {
                tokio::time::sleep(network.random.between_us(1_000, 500_000)).await;
                again.await;
            });
        }
        let answer = handle().await?;
        self.pass((there.1, there.0)).await;
        (!self.random.chance(3)).then_some(answer)
    }

    /// Waits as long as a message takes this way; while it is cut, for ever.
    async fn pass(&self, way: Way) {
        tokio::time::sleep(self.delay()).await;
        let _ = self.wires.subscribe().wait_for(|wires| wires.carries(way)).await;
    }

    fn delay(&self) -> Duration {
        // One packet in fifty is lost and sent again.
        let most = if self.random.chance(2) { 30_000 } else { 400 };
        self.random.between_us(50, most) + self.wires.borrow().slowness
    }

    /// Whether two servers hear each other both ways, as fast as ever.
    pub(crate) fn carries_freely(&self, one: Role, other: Role) -> bool {
        let (one, other) = (End::Server(one), End::Server(other));
        let wires = self.wires.borrow();
        wires.carries((one, other))
            && wires.carries((other, one))
            && !wires.rejects_either((one, other))
            && !(wires.forwards((one, other)) && wires.forwarder_is_down)
            && wires.slowness.is_zero()
    }

    /// How often connections between two servers have been broken.
    pub(crate) fn breaks(&self, one: Role, other: Role) -> u64 {
        let Fate { deaths, resets, forwarder_ends } =
            self.wires.borrow().fate((End::Server(one), End::Server(other)));
        deaths + resets + forwarder_ends
    }

    /// Cuts these ways.
    pub fn cut(&self, ways: impl IntoIterator<Item = Way>) {
        self.change(|wires| wires.cuts.extend(ways));
    }

    /// Mends these ways.
    pub fn mend(&self, ways: impl IntoIterator<Item = Way>) {
        self.change(|wires| {
            for way in ways {
                wires.cuts.remove(&way);
            }
        });
    }

    /// A firewall answers whatever goes these ways: new connections are refused, those there are are reset at both ends.
    pub fn reject(&self, ways: impl IntoIterator<Item = Way>) {
        self.change(|wires| wires.rejections.extend(ways));
    }

    /// The firewall lets everything through again.
    pub fn let_through(&self) {
        self.change(|wires| wires.rejections.clear());
    }

    /// From now on something forwards all connections between these ends; to be said before there are any.
    pub fn forward(&self, ways: impl IntoIterator<Item = Way>) {
        self.change(|wires| wires.forwarded.extend(ways));
    }

    /// Whether something forwards connections between servers.
    pub(crate) fn is_forwarding(&self) -> bool {
        !self.wires.borrow().forwarded.is_empty()
    }

    /// What forwards connections goes down: those it forwards end in good order at both ends, and new ones are refused until it
    /// is up again.
    pub fn set_forwarder(&self, is_up: bool) {
        self.change(|wires| {
            wires.forwarder_is_down = !is_up;
            wires.forwarder_ends += u64::from(!is_up);
        });
    }

    /// This end is never heard again.
    pub fn vanish(&self, end: End) {
        self.change(|wires| wires.gone.extend([end]));
    }

    /// Every message takes so much longer.
    pub fn slow_down(&self, slowness: Duration) {
        self.change(|wires| wires.slowness = slowness);
    }

    /// All connections of a server break.
    pub fn reset(&self, role: Role) {
        self.change(|wires| wires.resets[role.place()] += 1);
    }

    /// The process of this server is dead: nothing listens any more, and the system it ran on closes its connections.
    pub(crate) fn refuse(&self, role: Role) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = None;
        self.change(|wires| wires.kills[role.place()] += 1);
    }

    /// The host of this server is gone without a word: what it had sent is lost, and whoever has a connection with it
    /// hears of that when they say something and the host is back.
    pub fn lose_power(&self, role: Role) {
        self.refuse(role);
        self.change(|wires| wires.deaths[role.place()] += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Wires)) {
        self.wires.send_if_modified(|wires| {
            change(wires);
            true
        });
    }
}

/// One direction of one connection.
struct Carrier {
    network: Network,
    way: Way,
    fate: Fate,
    /// How often the process that dialed had been killed when it did.
    kills: u64,
    /// Makes the end a reset for the server that was dialed.
    reset: Option<Reset>,
    /// The connection has ended for both, and both will hear of it.
    broken: Watched<bool>,
}

impl Carrier {
    async fn carry(self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut wires: Watcher<Wires> = self.network.wires.subscribe();
        let (mut resets, mut broken) = (wires.clone(), self.broken.subscribe());
        let mut in_good_order = false;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = tokio::select! {
                biased;
                read = from.read(&mut buffer) => match read {
                    Ok(length @ 1..) => length,
                    // Whoever lost its power says no goodbye; everybody else does.
                    _ if self.has_died(&wires.borrow()) => {
                        let _ = broken.wait_for(|broken| *broken).await;
                        break;
                    }
                    _ => {
                        in_good_order = self.ends_in_good_order(&wires.borrow());
                        break;
                    }
                },
                _ = broken.wait_for(|broken| *broken) => break,
                by_forwarder = self.reset(&mut resets) => {
                    in_good_order = by_forwarder;
                    self.broken.send_replace(!by_forwarder);
                    break;
                }
            };
            tokio::time::sleep(self.network.delay()).await;
            let Ok(now) = wires.wait_for(|wires| wires.carries(self.way)).await else { return };
            // A server that was started anew knows nothing of this connection, and says so.
            if now.rejects_either(self.way)
                || now.fate(self.way) != self.fate
                || to.write_all(&buffer[..length]).await.is_err()
            {
                self.broken.send_replace(true);
                break;
            }
        }
        // The end of a connection is news that travels as data does.
        if let Some(reset) = self.reset.as_ref().filter(|_| !in_good_order) {
            reset.arrives();
        }
        tokio::time::sleep(self.network.delay()).await;
        if wires.wait_for(|wires| wires.carries(self.way)).await.is_ok() {
            let _ = to.shutdown().await;
        }
    }

    /// Whether one of the two has died without a word since the connection was made.
    fn has_died(&self, wires: &Wires) -> bool {
        wires.fate(self.way).deaths != self.fate.deaths
    }

    /// Whether the end that was read is one in good order. A server that lives resets what it dialed, and so does now and then the
    /// system of one that was killed; what was dialed by others ends as they like.
    fn ends_in_good_order(&self, wires: &Wires) -> bool {
        match (&self.reset, self.way.0) {
            (Some(_), dialer @ End::Server(_)) => {
                wires.kills(dialer) != self.kills && !self.network.endings.chance(UNREAD)
            }
            (Some(_), End::Client(_)) | (None, _) => true,
        }
    }

    /// Waits until somebody on the way ends the connection; `true`: in good order.
    async fn reset(&self, wires: &mut Watcher<Wires>) -> bool {
        let ends = |wires: &Wires| {
            let fate = wires.fate(self.way);
            fate.resets != self.fate.resets
                || fate.forwarder_ends != self.fate.forwarder_ends
                || wires.rejects_either(self.way)
        };
        let ended = wires.wait_for(ends).await;
        ended.is_ok_and(|wires| wires.fate(self.way).forwarder_ends != self.fate.forwarder_ends)
    }
}
