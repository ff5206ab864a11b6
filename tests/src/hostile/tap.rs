//! Somebody on the wire between two servers: hears every frame, cannot forge one, and says again what was said, at another
//! time, in another place, to somebody else.
//!
//! The property kept: until it is told to meddle it passes on what it hears, frame by frame, in both directions. It meddles once,
//! in one connection, and writes down how many frames had arrived untouched by then: what is answered beyond that number was
//! believed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use licensing_raft::testing::wire::introduced;
use licensing_raft::{PEER_PREAMBLE, ServerAddress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::process::wait_until;

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the server that dialed.
    There,
    /// From the one that accepted.
    Back,
}

impl Way {
    /// Frames of the hello, before the first that is authenticated: hello and proof, or the welcome.
    pub const fn hello(self) -> usize {
        match self {
            Way::There => 2,
            Way::Back => 1,
        }
    }

    fn other(self) -> Way {
        match self {
            Way::There => Way::Back,
            Way::Back => Way::There,
        }
    }
}

/// What is done to a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meddling {
    /// It is said twice.
    Repeat,
    /// It is said again, so many frames later.
    Again(usize),
    /// It never arrives.
    LeaveOut,
    /// The next one arrives first.
    Swap,
    /// In its place comes the frame of the same number of the other direction, or the newest one there.
    Reflect,
    /// In its place comes the frame of the same number of another connection.
    Foreign(Conversation),
}

/// What was said on a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The name of its lane.
    pub lane: String,
    there: Vec<Vec<u8>>,
    back: Vec<Vec<u8>>,
    /// How many authenticated frames of that way had arrived untouched when somebody meddled.
    pub untouched: Option<usize>,
    /// Whether it is over.
    pub ended: bool,
}

impl Conversation {
    /// Contents of the frames of one direction, those of the hello included.
    pub fn said(&self, way: Way) -> &[Vec<u8>] {
        match way {
            Way::There => &self.there,
            Way::Back => &self.back,
        }
    }

    /// How many frames of a direction are authenticated.
    pub fn authenticated(&self, way: Way) -> usize {
        self.said(way).len().saturating_sub(way.hello())
    }

    /// The bytes of a direction, without the preamble.
    pub fn bytes(&self, way: Way) -> Vec<u8> {
        self.said(way).iter().flat_map(|content| framed(content)).collect()
    }

    fn note(&mut self, way: Way, content: &[u8]) {
        match way {
            Way::There => self.there.push(content.to_vec()),
            Way::Back => self.back.push(content.to_vec()),
        }
    }
}

/// A frame with its length.
fn framed(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

#[derive(Default)]
struct Tape {
    conversations: Vec<Conversation>,
    meddling: Option<(String, Way, Meddling)>,
    /// What whoever dials is answered from now on, instead of being connected.
    answer: Option<Vec<u8>>,
    /// How many frames each of those said who were answered so.
    answered: Vec<usize>,
}

/// See the module.
pub struct Tap {
    address: SocketAddr,
    tape: Arc<Mutex<Tape>>,
    /// Counts the orders to end all connections.
    cuts: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Tap {
    /// On the way to a server.
    pub fn before(target: &ServerAddress) -> Tap {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let address = listener.local_addr().expect("it listens");
        let (tape, (cuts, cut)) = (Arc::<Mutex<Tape>>::default(), watch::channel(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, target.host_and_port(), tape.clone(), cut));
        Tap { address, tape, cuts, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> ServerAddress {
        ServerAddress::new(self.address.ip().to_string(), self.address.port())
    }

    /// All that was heard, the oldest first.
    pub fn conversations(&self) -> Vec<Conversation> {
        lock(&self.tape).conversations.clone()
    }

    /// Meddles with one frame of the next or of a present connection of this lane.
    pub fn meddle(&self, lane: &str, way: Way, meddling: Meddling) {
        lock(&self.tape).meddling = Some((lane.to_owned(), way, meddling));
    }

    /// Ends all connections.
    pub async fn cut(&self) {
        let there_are = lock(&self.tape).conversations.len();
        self.cuts.send_modify(|cuts| *cuts += 1);
        let all_ended = || lock(&self.tape).conversations[..there_are].iter().all(|said| said.ended);
        wait_until("all connections have ended", async || all_ended().then_some(())).await;
    }

    /// Ends all connections, and answers whoever dials with these bytes from now on.
    pub async fn answer(&self, bytes: Vec<u8>) {
        lock(&self.tape).answer = Some(bytes);
        self.cut().await;
    }

    /// Connects again whoever dials. Gives how many frames each of those said who were answered otherwise.
    pub fn connect(&self) -> Vec<usize> {
        let mut tape = lock(&self.tape);
        tape.answer = None;
        std::mem::take(&mut tape.answered)
    }

    /// How many were answered with somebody else's words.
    pub fn answered(&self) -> usize {
        lock(&self.tape).answered.len()
    }
}

fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, target: String, tape: Arc<Mutex<Tape>>, cut: watch::Receiver<u64>) {
    let mut serving = JoinSet::new();
    while let Ok((dialer, _)) = listener.accept().await {
        let (target, tape, mut cut) = (target.clone(), tape.clone(), cut.clone());
        cut.mark_unchanged();
        serving.spawn(async move {
            tokio::select! {
                _ = serve(dialer, &target, &tape) => {}
                _ = cut.changed() => {}
            }
        });
        // Those that are over.
        while serving.try_join_next().is_some() {}
    }
}

/// Serves a connection until either side ends it. `None` when it ends.
async fn serve(mut dialer: TcpStream, target: &str, tape: &Mutex<Tape>) -> Option<()> {
    let mut preamble = [0; PEER_PREAMBLE.len()];
    dialer.read_exact(&mut preamble).await.ok()?;
    let hello = next_frame(&mut dialer).await?;
    let (place, answer) = {
        let mut tape = lock(tape);
        let lane = introduced(&hello)?.lane;
        let mut conversation = Conversation { lane, ..Conversation::default() };
        conversation.note(Way::There, &hello);
        tape.conversations.push(conversation);
        (tape.conversations.len() - 1, tape.answer.clone())
    };
    let _ended = Ended { tape, place };
    if let Some(answer) = answer {
        dialer.write_all(&answer).await.ok()?;
        // Until whoever dialed has had enough of it.
        let mut frames = 1;
        while next_frame(&mut dialer).await.is_some() {
            frames += 1;
        }
        lock(tape).answered.push(frames);
        return None;
    }
    let mut acceptor = TcpStream::connect(target).await.ok()?;
    acceptor.set_nodelay(true).ok()?;
    dialer.set_nodelay(true).ok()?;
    acceptor.write_all(&preamble).await.ok()?;
    acceptor.write_all(&framed(&hello)).await.ok()?;
    let ((from_dialer, to_dialer), (from_acceptor, to_acceptor)) =
        (dialer.into_split(), acceptor.into_split());
    let wire =
        |way| Wire { tape, place, way, heard: usize::from(way == Way::There), held: None, later: None };
    tokio::select! {
        over = wire(Way::There).carry(from_dialer, to_acceptor) => over?,
        over = wire(Way::Back).carry(from_acceptor, to_dialer) => over?,
    }
    None
}

/// Notes the end of a conversation, however it ends.
struct Ended<'t> {
    tape: &'t Mutex<Tape>,
    place: usize,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        lock(self.tape).conversations[self.place].ended = true;
    }
}

async fn next_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut content = vec![0; stream.read_u32().await.ok()? as usize];
    stream.read_exact(&mut content).await.ok()?;
    Some(content)
}

/// One direction of a connection.
struct Wire<'t> {
    tape: &'t Mutex<Tape>,
    place: usize,
    way: Way,
    /// Frames heard so far.
    heard: usize,
    /// A frame that waits for the next one to overtake it.
    held: Option<Vec<u8>>,
    /// A frame that is said again in front of the one with this number.
    later: Option<(usize, Vec<u8>)>,
}

impl Wire<'_> {
    async fn carry(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Option<()> {
        loop {
            let content = next_frame(&mut from).await?;
            for content in self.passed_on(content) {
                to.write_all(&framed(&content)).await.ok()?;
            }
        }
    }

    /// What is said instead of a frame.
    fn passed_on(&mut self, content: Vec<u8>) -> Vec<Vec<u8>> {
        let mut tape = lock(self.tape);
        let Tape { conversations, meddling, .. } = &mut *tape;
        let conversation = &mut conversations[self.place];
        conversation.note(self.way, &content);
        self.heard += 1;
        // Of the authenticated frames; the first of them passes untouched.
        let number = match (self.heard - 1).checked_sub(self.way.hello()) {
            None | Some(0) => return vec![content],
            Some(number) => number,
        };
        if let Some(held) = self.held.take() {
            return vec![content, held];
        }
        if let Some((at, again)) = self.later.take() {
            if at > number {
                self.later = Some((at, again));
                return vec![content];
            }
            conversation.untouched = Some(number);
            return vec![again, content];
        }
        let is_here =
            |(lane, way, _): &mut (String, Way, Meddling)| *lane == conversation.lane && *way == self.way;
        let Some((.., meddling)) = meddling.take_if(is_here) else { return vec![content] };
        conversation.untouched = Some(number);
        match meddling {
            Meddling::Repeat => {
                conversation.untouched = Some(number + 1);
                vec![content.clone(), content]
            }
            Meddling::Again(later) => {
                conversation.untouched = None;
                self.later = Some((number + later, content.clone()));
                vec![content]
            }
            Meddling::LeaveOut => vec![],
            Meddling::Swap => {
                self.held = Some(content);
                vec![]
            }
            Meddling::Reflect => vec![of_number(conversation, self.way.other(), number)],
            Meddling::Foreign(other) => vec![of_number(&other, self.way, number)],
        }
    }
}

/// The authenticated frame with this number, or the last there is.
fn of_number(conversation: &Conversation, way: Way, number: usize) -> Vec<u8> {
    let said = conversation.said(way);
    let found = said.get(way.hello() + number).or(said.last());
    found.cloned().expect("something was said")
}
