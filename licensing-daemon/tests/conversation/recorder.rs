//! Writes a record: asks a server of this version in the words of its protocol, and names what will differ in later runs.
//!
//! Only a new version of the protocol needs it. When the types of the protocol have changed, what writes the records of
//! older versions goes away, and the records stay.

use std::collections::BTreeMap;

use licensing_client::protocol::{
    ClientMessage, Hello, MasterAddress, PREAMBLE, Recollection, Refusal, Reply, Request, ServerMessage,
    ServerStatus, StatusPage, VendorDataPage, Welcome, Whereabouts,
};
use licensing_core::Keeper;
use licensing_core::codec::{from_bytes, to_bytes};
use licensing_core::counted;
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, LogIndex, Role, SessionId, Timestamp};
use licensing_core::outcome::{Answer, Denial, Outcome};
use serde::Serialize;

use crate::player::Player;
use crate::record::{How, Line, text};
use crate::template::{Hole, Template};
use crate::world::Site;

/// What kinds of numbers have names of their own, each in the order in which it is first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
enum Kind {
    Any,
    Session,
    Handle,
    Index,
    Time,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Session, "session"), (Kind::Handle, "handle"), (Kind::Index, "index"), (Kind::Time, "time")];

// Values that stand for holes while a message is written, and that nothing else has.
const MARK: u64 = 0xf1a5 << 48;
const TEXT: &str = "\u{1}text\u{1}";
const TEXTS: &str = "\u{1}texts\u{1}";
const PAIRS: &[u8] = b"\x01pairs\x01";
const CHALLENGE: u8 = 0xc4;
const PROOF: u8 = 0xc5;

/// The session that was opened as the n-th.
pub(crate) fn session(number: u64) -> SessionId {
    SessionId(marked(Kind::Session, number))
}

/// The checkout that was granted as the n-th.
pub(crate) fn handle(number: u64) -> Handle {
    Handle(marked(Kind::Handle, number))
}

/// The proof of the admin key for the challenge of the n-th connection.
pub(crate) fn proof(number: u8) -> [u8; 32] {
    let mut proof = [PROOF; 32];
    proof[31] = number;
    proof
}

fn marked(kind: Kind, number: u64) -> u64 {
    MARK | (kind as u64) << 32 | number
}

/// The hole that begins here, and how many bytes it takes in a message that was written.
fn find(bytes: &[u8]) -> Option<(Hole, usize)> {
    match *bytes {
        [0xfd, number, 0, 0, 0, kind, 0, 0xa5, 0xf1, ..] => {
            let named = KINDS.iter().find(|(known, _)| *known as u64 == u64::from(kind));
            Some((Hole::Number(named.map(|(_, name)| format!("{name}.{number}"))), 9))
        }
        [0xfc, 0, 0, 0xa5, 0xf1, ..] => Some((Hole::Number(None), 5)),
        [0xfb, 0xff, 0xf1, ..] => Some((Hole::Number(None), 3)),
        [0xfb, role, 0xf1, ..] => {
            Some((Hole::Number(Some(format!("port.{}", Role::ALL.get(usize::from(role))?))), 3))
        }
        _ => {
            let texts = to_bytes(&[TEXTS].to_vec());
            let pairs = to_bytes(&vec![(7_u16, PAIRS)]);
            let found = [(texts, Hole::Texts), (pairs, Hole::Pairs), (to_bytes(&TEXT), Hole::Text)];
            let found = found.into_iter().find(|(mark, _)| bytes.starts_with(mark));
            found.map(|(mark, hole)| (hole, mark.len())).or_else(|| {
                let number = *bytes.get(31)?;
                match *bytes.first()? {
                    CHALLENGE if bytes[..31] == [CHALLENGE; 31] => {
                        Some((Hole::Challenge(format!("challenge.{number}")), 32))
                    }
                    PROOF if bytes[..31] == [PROOF; 31] => {
                        Some((Hole::Proof(format!("challenge.{number}")), 32))
                    }
                    _ => None,
                }
            })
        }
    }
}

/// A conversation that is being written down.
pub(crate) struct Recorder {
    player: Player,
    lines: Vec<Line>,
    names: BTreeMap<(Kind, u64), u64>,
    challenges: u8,
    /// Ids of requests, by connection.
    asked: BTreeMap<String, u64>,
}

impl Recorder {
    pub(crate) async fn new(version: u16, site: Site) -> Recorder {
        let player = Player::new(version, site).await;
        Recorder { player, lines: Vec::new(), names: BTreeMap::new(), challenges: 0, asked: BTreeMap::new() }
    }

    /// The record.
    pub(crate) fn text(&self) -> String {
        text(&self.lines)
    }

    pub(crate) async fn act(&mut self, act: &str) {
        self.put(Line::Act(act.to_owned())).await;
    }

    /// Connects and says hello.
    pub(crate) async fn hello(&mut self, who: &str, words: &str, hello: Hello) {
        self.bytes(who, "preamble", PREAMBLE.to_vec()).await;
        self.say(who, words, &hello).await;
        let found = self.heard(who).await;
        let mut welcome: Welcome = from_bytes(&found, "welcome").unwrap();
        let words = self.hide_welcome(&mut welcome);
        self.compared(who, words, &welcome, &found);
    }

    /// Asks, and hears the answer.
    pub(crate) async fn ask(&mut self, who: &str, words: &str, request: Request) {
        let id = self.asked.entry(who.to_owned()).or_insert(0);
        *id += 1;
        let message = ClientMessage { id: *id, request };
        self.say(who, words, &message).await;
        self.hear(who).await;
    }

    /// Hears what the server says now.
    pub(crate) async fn hear(&mut self, who: &str) {
        let found = self.heard(who).await;
        let mut message: ServerMessage = from_bytes(&found, "message").unwrap();
        let words = self.hide(&mut message);
        self.compared(who, words, &message, &found);
    }

    /// Says bytes that are no frame.
    pub(crate) async fn bytes(&mut self, who: &str, words: &str, bytes: Vec<u8>) {
        let content = Template::of(&bytes, |_| None);
        self.said(who, How::ClientBytes, words.to_owned(), content).await;
    }

    pub(crate) async fn closed(&mut self, who: &str) {
        self.said(who, How::Closed, "closes the connection".to_owned(), Template::default()).await;
    }

    async fn say(&mut self, who: &str, words: &str, message: &impl Serialize) {
        let content = Template::of(&to_bytes(message), find);
        self.said(who, How::Client, words.to_owned(), content).await;
    }

    async fn said(&mut self, who: &str, how: How, words: String, content: Template) {
        assert!(!words.contains('|'), "{words}");
        self.put(Line::Said { who: who.to_owned(), how, words, content }).await;
    }

    async fn put(&mut self, line: Line) {
        self.player.play(&line).await.unwrap_or_else(|problem| panic!("{line}: {problem}"));
        self.lines.push(line);
    }

    async fn heard(&mut self, who: &str) -> Vec<u8> {
        let heard = self.player.hear(who).await.unwrap_or_else(|problem| panic!("{who}: {problem}"));
        heard.unwrap_or_else(|| panic!("{who}: closed after {}", self.lines.last().expect("a line")))
    }

    /// Writes down what was heard, with holes, and makes sure that it fits what was heard.
    fn compared(&mut self, who: &str, words: String, hidden: &impl Serialize, found: &[u8]) {
        let content = Template::of(&to_bytes(hidden), find);
        content.compare(found, &mut self.player.known).unwrap_or_else(|problem| panic!("{who}: {problem}"));
        let words = words.replace(&self.player.directory(), "").replace('|', "/").replace('\n', " / ");
        self.lines.push(Line::Said { who: who.to_owned(), how: How::Server, words, content });
    }

    fn name(&mut self, kind: Kind, value: u64) -> u64 {
        let next = 1 + self.names.keys().filter(|(known, _)| *known == kind).count() as u64;
        marked(kind, *self.names.entry((kind, value)).or_insert(next))
    }

    fn hide_welcome(&mut self, welcome: &mut Welcome) -> String {
        match welcome {
            Welcome::Ready { version, whereabouts, heartbeat_ms, grace_ms, challenge, more } => {
                hide_whereabouts(whereabouts);
                (*heartbeat_ms, *grace_ms) = (marked(Kind::Any, 0), marked(Kind::Any, 0));
                self.challenges += 1;
                *challenge = [CHALLENGE; 32];
                challenge[31] = self.challenges;
                *more = vec![(7, PAIRS.to_vec())];
                format!("Ready, version {version} is spoken, {}", place(whereabouts))
            }
            Welcome::Refused(refusal) => {
                let words = format!("Refused: {refusal}");
                if let Refusal::Version { to, .. } = refusal {
                    *to = 0xf1ff;
                }
                words
            }
        }
    }

    fn hide(&mut self, message: &mut ServerMessage) -> String {
        match message {
            ServerMessage::Moved(whereabouts) => {
                hide_whereabouts(whereabouts);
                format!("Moved, {}", place(whereabouts))
            }
            ServerMessage::Reply { id, reply } => format!("Reply to {id}: {}", self.hide_reply(reply)),
        }
    }

    fn hide_reply(&mut self, reply: &mut Reply) -> String {
        let said = |word: &str, words: &mut String| {
            let line = format!("{word} `{words}`");
            *words = TEXT.to_owned();
            line
        };
        match reply {
            Reply::Answer(answer) => format!("Answer {}", self.hide_answer(answer)),
            Reply::Recalled(Recollection::Answered(answer)) => {
                format!("Recalled Answered {}", self.hide_answer(answer))
            }
            Reply::Recalled(other) => format!("Recalled {other:?}"),
            Reply::Alive { index, heartbeat_ms } => {
                (*index, *heartbeat_ms) = (LogIndex(marked(Kind::Any, 0)), marked(Kind::Any, 0));
                "Alive".to_owned()
            }
            Reply::Gone => "Gone".to_owned(),
            Reply::Status(page) => {
                self.hide_page(page);
                let [servers, pools, checkouts] = [
                    counted(page.servers.len() as u64, "server"),
                    counted(page.features.len() as u64, "pool"),
                    counted(page.checkouts.len() as u64, "checkout"),
                ];
                format!("Status with {servers}, {pools}, {checkouts}")
            }
            Reply::Done(words) => said("Done", words),
            Reply::NotMaster(whereabouts) => {
                hide_whereabouts(whereabouts);
                format!("NotMaster, {}", place(whereabouts))
            }
            Reply::Unknown(words) => said("Unknown", words),
            Reply::Busy { .. } => "Busy".to_owned(),
            Reply::Error(words) => said("Error", words),
            Reply::NeedsEdition { needed } => format!("NeedsEdition {needed}"),
            Reply::VendorData(page) => {
                self.hide_data(page);
                let [triad, sessions, checkouts] = [
                    counted(page.triad.len() as u64, "key"),
                    counted(page.sessions.len() as u64, "session"),
                    counted(page.checkouts.len() as u64, "checkout"),
                ];
                format!("VendorData with {triad}, {sessions}, {checkouts}")
            }
        }
    }

    fn hide_answer(&mut self, answer: &mut Answer) -> String {
        let index = self.name(Kind::Index, answer.index.0);
        answer.index = LogIndex(index);
        // Two entries may have the same time, and have different ones in another run.
        answer.at = Timestamp(marked(Kind::Time, index & 0xffff_ffff));
        let words = match &answer.outcome {
            Outcome::Denied(denial) => format!("Denied: {denial}"),
            outcome => format!("{outcome:?}"),
        };
        let words = words.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
            + words.split_once("Denied").map_or("", |(_, why)| why.trim_start_matches(':'));
        let mut handles = |handles: &mut Vec<Handle>| {
            handles.iter_mut().for_each(|handle| handle.0 = self.name(Kind::Handle, handle.0));
        };
        match &mut answer.outcome {
            Outcome::SessionOpened { session } => session.0 = self.name(Kind::Session, session.0),
            Outcome::Granted { handle, .. } | Outcome::Returned { handle } => {
                handle.0 = self.name(Kind::Handle, handle.0);
            }
            Outcome::VendorDataSet { set_at: Some(at) } => at.0 = self.name(Kind::Index, at.0),
            Outcome::SessionClosed { returned } => handles(returned),
            Outcome::Removed { handles: removed } => handles(removed),
            Outcome::Denied(denial) => self.hide_denial(denial),
            _ => {}
        }
        words
    }

    fn hide_denial(&mut self, denial: &mut Denial) {
        match denial {
            Denial::UnknownSession { session } | Denial::WrongToken { session } => {
                self.known(Kind::Session, &mut session.0);
            }
            Denial::UnknownHandle { handle } | Denial::NotTheHolder { handle } => {
                self.known(Kind::Handle, &mut handle.0)
            }
            Denial::InvalidParameter { what } | Denial::NothingToRemove { what } => *what = TEXT.to_owned(),
            _ => {}
        }
    }

    /// Names what has a name already; anything else is what the client made up.
    fn known(&mut self, kind: Kind, value: &mut u64) {
        if self.names.contains_key(&(kind, *value)) {
            *value = self.name(kind, *value);
        }
    }

    fn hide_data(&mut self, page: &mut VendorDataPage) {
        for (session, _) in &mut page.sessions {
            session.0 = self.name(Kind::Session, session.0);
        }
        for (handle, _) in &mut page.checkouts {
            handle.0 = self.name(Kind::Handle, handle.0);
        }
    }

    fn hide_page(&mut self, page: &mut StatusPage) {
        let number = || marked(Kind::Any, 0);
        (page.at, page.applied_index) = (Timestamp(number()), LogIndex(number()));
        page.edition = Edition(any_u32());
        for vendor in &mut page.vendors {
            vendor.license_path = TEXT.to_owned();
            vendor.installed_at = vendor.installed_at.map(|_| LogIndex(number()));
        }
        page.servers.iter_mut().for_each(hide_server);
        for checkout in &mut page.checkouts {
            checkout.handle.0 = self.name(Kind::Handle, checkout.handle.0);
            checkout.since = Timestamp(number());
            if let Keeper::Session(session) = &mut checkout.keeper {
                self.known(Kind::Session, &mut session.0);
            }
        }
        page.warnings = vec![TEXTS.to_owned()];
    }
}

/// An edition: the only number of four bytes that differs.
fn any_u32() -> u32 {
    0xf1a5_0000
}

fn hide_server(server: &mut ServerStatus) {
    if server.port != 27000 {
        server.port = 0xf100 | server.role.place() as u16;
    }
    if !server.version.is_empty() {
        server.version = TEXT.to_owned();
    }
    server.known_edition = server.known_edition.map(|_| Edition(any_u32()));
    server.applied_index = server.applied_index.map(|_| LogIndex(marked(Kind::Any, 0)));
    server.log_lag = server.log_lag.map(|_| marked(Kind::Any, 0));
    server.remark = server.remark.as_ref().map(|_| TEXT.to_owned());
}

fn hide_whereabouts(whereabouts: &mut Whereabouts) {
    if let Some(MasterAddress { role, port, .. }) = &mut whereabouts.master
        && *port != 27000
    {
        *port = 0xf100 | role.place() as u16;
    }
}

fn place(whereabouts: &Whereabouts) -> String {
    let master = whereabouts.master.as_ref().map(|master| format!("the {} is master", master.role));
    format!("this is the {}, {}", whereabouts.role, master.as_deref().unwrap_or("no master is known"))
}
