//! A network between real servers that misbehaves on purpose, without any privilege: every server reaches each other
//! one, and the clients reach every server, through a wire of its own, which is a TCP relay in this process.
//!
//! A wire carries bytes both ways, and each way has its own [`Flow`]. What one server says to another travels on two
//! wires: there on the connections it has dialed, back on those of the other. So a cut in one direction closes one way
//! of each.
//!
//! The property kept: a wire never invents, reorders or changes bytes, and leaves none out of a connection that it lets
//! go on. A connection that has lost bytes is reset when the network heals, as TCP would do it.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::process::programs;
use crate::workload::Choices;

/// Bytes read at once.
const PIECE: usize = 16 << 10;

/// Pieces under way in one direction of a connection: a megabyte, as much as a network with buffers holds.
const UNDER_WAY: usize = 64;

/// How long a byte is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delay {
    /// At least this long.
    pub least: Duration,
    /// And longer by any time up to this.
    pub more: Duration,
}

/// What happens to the bytes of one direction of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They arrive.
    Passes(Delay),
    /// They wait, and arrive when the network heals: a partition shorter than TCP's patience. New connections wait too.
    Held,
    /// They vanish, and the connection is reset when the network heals: a partition longer than that.
    Vanishes,
}

impl Flow {
    /// As if there were no wire.
    pub const FREE: Flow = Flow::Passes(Delay { least: Duration::ZERO, more: Duration::ZERO });

    fn passes(self) -> bool {
        matches!(self, Flow::Passes(_))
    }
}

/// Who dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All clients together.
    Clients,
    /// A server.
    Server(Role),
}

/// What a wire is like at the moment.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// From the one who dialed.
    there: Flow,
    /// To the one who dialed.
    back: Flow,
    /// Of a hundred new connections, how many are reset at once.
    lost_of_100: u64,
    /// Counts the orders to reset all connections.
    resets: u64,
}

/// What the wires have done: a test of faults that never happened proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were carried.
    pub connections: u64,
    /// Connections that were reset on order, lost at once, or reset for the bytes they had lost.
    pub resets: u64,
    /// Pieces that had to wait for the network to heal.
    pub held: u64,
    /// Pieces that vanished.
    pub vanished: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    resets: AtomicU64,
    held: AtomicU64,
    vanished: AtomicU64,
}

/// One relay, which is also its port.
#[derive(Debug)]
struct Wire {
    from: End,
    to: Role,
    port: u16,
    weather: watch::Sender<Weather>,
}

/// All wires of a triad. Gone when dropped, with all connections.
#[derive(Debug)]
pub struct Network {
    wires: Vec<Wire>,
    /// Where the servers really listen, once they do.
    ports: watch::Sender<Option<[u16; 3]>>,
    counters: Arc<Counters>,
    _tasks: JoinSet<()>,
}

impl Network {
    /// Wires that let everything pass. The seed decides delays and losses.
    pub async fn new(seed: u64) -> io::Result<Network> {
        let (ports, counters) = (watch::Sender::new(None), Arc::new(Counters::default()));
        let (mut wires, mut tasks) = (Vec::new(), JoinSet::new());
        for to in Role::ALL {
            let servers = Role::ALL.into_iter().filter(|from| *from != to).map(End::Server);
            for from in std::iter::once(End::Clients).chain(servers) {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let weather = Weather { there: Flow::FREE, back: Flow::FREE, lost_of_100: 0, resets: 0 };
                let weather = watch::Sender::new(weather);
                let port = listener.local_addr()?.port();
                let relay = Relay {
                    to,
                    weather: weather.subscribe(),
                    ports: ports.subscribe(),
                    counters: counters.clone(),
                };
                tasks.spawn(relay.run(listener, Choices::new(seed, 1000 + wires.len() as u64)));
                wires.push(Wire { from, to, port, weather });
            }
        }
        Ok(Network { wires, ports, counters, _tasks: tasks })
    }

    /// Starts three servers on this network, and waits until they are ready: before they have a master.
    pub async fn start(&self, options: TriadOptions) -> LocalTriad {
        self.start_program(&programs().server, options).await
    }

    /// Starts three servers of any program that is called as [`TriadOptions::call`] says, and takes `--peer-address
    /// ROLE=PORT@HOST` behind that for where it reaches a peer, as `licensing-server` does.
    ///
    /// # Panics
    ///
    /// When they do not become ready.
    pub async fn start_program(&self, program: &Path, mut options: TriadOptions) -> LocalTriad {
        options.public_ports = Some(Role::ALL.map(|to| self.port(End::Clients, to)));
        for wire in &self.wires {
            if let End::Server(from) = wire.from {
                let address = format!("{}={}@127.0.0.1", wire.to, wire.port);
                options.own[from.place()].arguments.extend(["--peer-address".to_owned(), address]);
            }
        }
        let triad = LocalTriad::start(program, options).await;
        let triad = triad.unwrap_or_else(|error| panic!("{error}"));
        self.lead_to(Role::ALL.map(|role| triad.address(role).port));
        triad
    }

    /// Says where the servers listen; until then connections wait.
    fn lead_to(&self, ports: [u16; 3]) {
        self.ports.send_replace(Some(ports));
    }

    fn port(&self, from: End, to: Role) -> u16 {
        let wire = self.wires.iter().find(|wire| wire.from == from && wire.to == to);
        wire.expect("nobody dials himself").port
    }

    /// Decides what happens to the bytes that one server sends to another one, on whichever connection.
    pub fn say(&self, from: Role, to: Role, flow: Flow) {
        for wire in &self.wires {
            wire.weather.send_modify(|weather| match wire.from {
                End::Server(dialer) if (dialer, wire.to) == (from, to) => weather.there = flow,
                End::Server(dialer) if (dialer, wire.to) == (to, from) => weather.back = flow,
                _ => {}
            });
        }
    }

    /// Decides what happens between two servers, in both directions.
    pub fn pair(&self, one: Role, other: Role, flow: Flow) {
        self.say(one, other, flow);
        self.say(other, one, flow);
    }

    /// Decides what happens between one server and the other two.
    pub fn around(&self, server: Role, flow: Flow) {
        for other in Role::ALL.into_iter().filter(|other| *other != server) {
            self.pair(server, other, flow);
        }
    }

    /// Decides what happens between the clients and one server.
    pub fn clients(&self, server: Role, flow: Flow) {
        for wire in self.wires.iter().filter(|wire| wire.from == End::Clients && wire.to == server) {
            wire.weather.send_modify(|weather| (weather.there, weather.back) = (flow, flow));
        }
    }

    /// Resets all connections of one wire; the place counts through all nine.
    pub fn reset(&self, place: usize) {
        self.wires[place % self.wires.len()].weather.send_modify(|weather| weather.resets += 1);
    }

    /// Loses so many of a hundred new connections, everywhere.
    pub fn lose(&self, of_100: u64) {
        for wire in &self.wires {
            wire.weather.send_modify(|weather| weather.lost_of_100 = of_100);
        }
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.lose(0);
        for wire in &self.wires {
            wire.weather.send_modify(|weather| (weather.there, weather.back) = (Flow::FREE, Flow::FREE));
        }
    }

    /// What the wires have done so far.
    pub fn tally(&self) -> Tally {
        let Counters { connections, resets, held, vanished } = &*self.counters;
        let [connections, resets, held, vanished] =
            [connections, resets, held, vanished].map(|count| count.load(Ordering::SeqCst));
        Tally { connections, resets, held, vanished }
    }
}

/// The far side of a wire.
#[derive(Debug, Clone)]
struct Relay {
    to: Role,
    weather: watch::Receiver<Weather>,
    ports: watch::Receiver<Option<[u16; 3]>>,
    counters: Arc<Counters>,
}

/// A connection that is not to end well; both ends see a reset.
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken
    }
}

impl From<watch::error::RecvError> for Broken {
    /// The network is gone.
    fn from(_: watch::error::RecvError) -> Broken {
        Broken
    }
}

impl Relay {
    async fn run(self, listener: TcpListener, mut choices: Choices) {
        let mut connections = JoinSet::new();
        let mut number = 0;
        // Only a system without file descriptors fails here; the tests would time out and say so.
        while let Ok((near, _)) = listener.accept().await {
            number += 1;
            let lost = choices.below(100) < self.weather.borrow().lost_of_100;
            let choices = Choices::new(choices.below(u64::MAX), number);
            let relay = self.clone();
            connections.spawn(async move { relay.carry(near, lost, choices).await });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn carry(mut self, mut near: TcpStream, lost: bool, choices: Choices) {
        let resets = self.weather.borrow().resets;
        let mut orders = self.weather.clone();
        let broken = async { orders.wait_for(|weather| lost || weather.resets != resets).await.map(drop) };
        let mut far = None;
        let ended = tokio::select! {
            biased;
            _ = broken => Err(Broken),
            ended = self.connect_and_carry(&mut near, &mut far, choices) => ended,
        };
        if ended.is_err() {
            self.counters.resets.fetch_add(1, Ordering::SeqCst);
            for stream in [Some(near), far].into_iter().flatten() {
                // It fails for a socket that is broken already.
                let _ = stream.set_zero_linger();
            }
        }
    }

    async fn connect_and_carry(
        &mut self,
        near: &mut TcpStream,
        far: &mut Option<TcpStream>,
        choices: Choices,
    ) -> Result<(), Broken> {
        let port = self.ports.wait_for(Option::is_some).await?.map_or(0, |ports| ports[self.to.place()]);
        // The handshake needs both directions.
        self.weather.wait_for(|weather| weather.there.passes() && weather.back.passes()).await?;
        let far = far.insert(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
        self.counters.connections.fetch_add(1, Ordering::SeqCst);
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let (near_reader, near_writer) = near.split();
        let (far_reader, far_writer) = far.split();
        let mut back_choices = choices.clone();
        back_choices.below(2);
        let there = self.way(|weather| weather.there, choices);
        let back = self.way(|weather| weather.back, back_choices);
        tokio::try_join!(there.carry(near_reader, far_writer), back.carry(far_reader, near_writer))?;
        Ok(())
    }

    fn way(&self, flow: fn(&Weather) -> Flow, choices: Choices) -> Way {
        Way { flow, weather: self.weather.clone(), counters: self.counters.clone(), choices }
    }
}

/// One direction of one connection.
struct Way {
    flow: fn(&Weather) -> Flow,
    weather: watch::Receiver<Weather>,
    counters: Arc<Counters>,
    choices: Choices,
}

/// Some bytes, and when they may arrive.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

impl Way {
    async fn carry(mut self, mut reader: ReadHalf<'_>, mut writer: WriteHalf<'_>) -> Result<(), Broken> {
        let (departures, mut arrivals) = mpsc::channel(UNDER_WAY);
        let (flow, weather) = (self.flow, self.weather.clone());
        let mut choices = self.choices.clone();
        let reading = async move {
            let mut bytes = vec![0; PIECE];
            loop {
                let length = reader.read(&mut bytes).await?;
                if length == 0 {
                    // Dropping the sender tells the other half, behind everything that is under way.
                    return Ok::<(), Broken>(());
                }
                let delay = match flow(&weather.borrow()) {
                    Flow::Passes(delay) => delay,
                    Flow::Held | Flow::Vanishes => Delay::default(),
                };
                let more = Duration::from_micros(choices.below(delay.more.as_micros() as u64 + 1));
                let piece =
                    Piece { due: Instant::now() + delay.least + more, bytes: bytes[..length].to_vec() };
                departures.send(piece).await.map_err(|_| Broken)?;
            }
        };
        let writing = async move {
            // Whoever is first stays first.
            while let Some(piece) = arrivals.recv().await {
                sleep_until(piece.due).await;
                self.pass().await?;
                writer.write_all(&piece.bytes).await?;
            }
            self.pass().await?;
            writer.shutdown().await?;
            Ok::<(), Broken>(())
        };
        tokio::try_join!(reading, writing)?;
        Ok(())
    }

    /// Waits until a piece may arrive. When it may not, ever, this waits until the network heals and is an error.
    async fn pass(&mut self) -> Result<(), Broken> {
        let flow = self.flow;
        let now = flow(&self.weather.borrow());
        match now {
            Flow::Passes(_) => return Ok(()),
            Flow::Held => self.counters.held.fetch_add(1, Ordering::SeqCst),
            Flow::Vanishes => self.counters.vanished.fetch_add(1, Ordering::SeqCst),
        };
        self.weather.wait_for(|weather| flow(weather).passes()).await?;
        if now == Flow::Vanishes { Err(Broken) } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
