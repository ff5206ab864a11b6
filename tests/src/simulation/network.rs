//! The network of a simulated run. Every message takes a while; each direction between two ends can be cut without a
//! word to either, everything can be slow, and connections can be reset.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
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

/// What takes connections at a server.
pub type Listener = Arc<dyn Fn(DuplexStream, End) + Send + Sync>;

/// The state of all wires.
#[derive(Debug, Clone, Default)]
struct Wires {
    cuts: BTreeSet<Way>,
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
        Fate { deaths: both(&self.deaths), resets: both(&self.resets) }
    }
}

/// What has befallen two ends so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    deaths: u64,
    resets: u64,
}

/// The network of one run; clones are the same.
#[derive(Clone)]
pub struct Network {
    listeners: Arc<Mutex<[Option<Listener>; 3]>>,
    wires: Arc<Watched<Wires>>,
    random: Stream,
}

impl Network {
    pub(crate) fn new(random: Stream) -> Network {
        Network { listeners: Arc::default(), wires: Arc::new(Watched::new(Wires::default())), random }
    }

    /// From now on connections to this server are handed to `listener`.
    pub fn listen(&self, role: Role, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = Some(listener);
    }

    /// A connection to a server, after a while.
    ///
    /// Errors: refused when nothing listens there. A cut keeps it waiting.
    pub async fn connect(&self, from: End, to: Role) -> io::Result<DuplexStream> {
        let (near, far) = self.wire(from, to).await;
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[to.place()].clone();
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        listener(far, from);
        Ok(near)
    }

    /// Two ends of one connection, when the first packets have gone both ways.
    async fn wire(&self, from: End, to: Role) -> (DuplexStream, DuplexStream) {
        let to = End::Server(to);
        self.pass((from, to)).await;
        self.pass((to, from)).await;
        let fate = self.wires.borrow().fate((from, to));
        let broken = Watched::new(false);
        let (near, near_wire) = tokio::io::duplex(BUFFER);
        let (far, far_wire) = tokio::io::duplex(BUFFER);
        let (from_near, to_near) = tokio::io::split(near_wire);
        let (from_far, to_far) = tokio::io::split(far_wire);
        for (way, source, sink) in [((from, to), from_near, to_far), ((to, from), from_far, to_near)] {
            let carrier = Carrier { network: self.clone(), way, fate, broken: broken.clone() };
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
        wires.carries((one, other)) && wires.carries((other, one)) && wires.slowness.is_zero()
    }

    /// How often connections between two servers have been broken.
    pub(crate) fn breaks(&self, one: Role, other: Role) -> u64 {
        let Fate { deaths, resets } = self.wires.borrow().fate((End::Server(one), End::Server(other)));
        deaths + resets
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

    /// Nothing listens at this server any more; the system it ran on closes its connections.
    pub(crate) fn refuse(&self, role: Role) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)[role.place()] = None;
    }

    /// The host of this server is gone without a word: what it had sent is lost, and whoever has a connection with it
    /// hears of that when they say something and the host is back.
    pub(crate) fn lose_power(&self, role: Role) {
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
    /// The connection has ended for both, and both will hear of it.
    broken: Watched<bool>,
}

impl Carrier {
    async fn carry(self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut wires: Watcher<Wires> = self.network.wires.subscribe();
        let (mut resets, mut broken) = (wires.clone(), self.broken.subscribe());
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
                    _ => break,
                },
                _ = broken.wait_for(|broken| *broken) => break,
                () = self.reset(&mut resets) => {
                    self.broken.send_replace(true);
                    break;
                }
            };
            tokio::time::sleep(self.network.delay()).await;
            let Ok(now) = wires.wait_for(|wires| wires.carries(self.way)).await else { return };
            // A server that was started anew knows nothing of this connection, and says so.
            if now.fate(self.way) != self.fate || to.write_all(&buffer[..length]).await.is_err() {
                self.broken.send_replace(true);
                break;
            }
        }
        // The end of a connection is news that travels as data does.
        tokio::time::sleep(self.network.delay()).await;
        if wires.wait_for(|wires| wires.carries(self.way)).await.is_ok() {
            let _ = to.shutdown().await;
        }
    }

    /// Whether one of the two has died without a word since the connection was made.
    fn has_died(&self, wires: &Wires) -> bool {
        wires.fate(self.way).deaths != self.fate.deaths
    }

    async fn reset(&self, wires: &mut Watcher<Wires>) {
        let _ = wires.wait_for(|wires| wires.fate(self.way).resets != self.fate.resets).await;
    }
}
