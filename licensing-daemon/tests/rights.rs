//! Who may not: every request, asked by everybody who might ask it. What is answered, and what it leaves in the state.

mod support;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use licensing_client::AdminKey;
use licensing_client::protocol::{Hello, Recollection, Reply, Request, StatusFilter, Upgrade};
use licensing_core::codec::variants;
use licensing_core::command::{Action, Identity, Removal};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};
use licensing_core::state::State;
use licensing_daemon::{Caller, Daemon, LicenseFile, Node, listen};
use support::{FEATURES, Raw, text, wait_until};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const ADA: Token = Token([0xa1; 16]);
const WRONG: Token = Token([0xff; 16]);
/// Of whoever administrates from elsewhere.
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A daemon, and the node inside.
struct Site {
    address: SocketAddr,
    node: Node,
    _stop: oneshot::Sender<()>,
    _directory: TempDir,
}

impl Site {
    async fn new(grace: Duration) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lic");
        std::fs::write(&path, format!("SERVER this_host ANY\nVENDOR demo\n{FEATURES}")).unwrap();
        let (node, is_node) = oneshot::channel();
        let node = std::sync::Mutex::new(Some(node));
        let lend = move |caller: Caller| {
            let _ = node.lock().unwrap().take().map(|node| node.send(caller.node));
            std::future::ready(())
        };
        let key = AdminKey::parse(KEY).unwrap();
        let daemon = Daemon::builder(LicenseFile::read(&path).unwrap())
            .data(directory.path().join("data"))
            .admin_key(key)
            .session_grace(grace)
            .door(*b"ACME", lend)
            .start(listen("127.0.0.1:0".parse().unwrap()).unwrap())
            .await
            .unwrap();
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        tokio::spawn(daemon.run(move |address| ready.send(address).unwrap(), shutdown));
        let address = is_ready.await.unwrap();
        let is_master = async || text(address, "STATUS\r\n").await.contains("(MASTER)").then_some(());
        wait_until("a master", is_master).await;
        TcpStream::connect(address).await.unwrap().write_all(b"ACME").await.unwrap();
        let node = is_node.await.unwrap();
        wait_until("a license", async || node.look(State::is_licensed).then_some(())).await;
        Site { address, node, _stop: stop, _directory: directory }
    }

    /// A session of ada's with a checkout.
    async fn holder(&self) -> (SessionId, Handle) {
        let session = self.node.open_session(ADA, Identity::new("ada", "desk"), None).await.unwrap();
        let wanted = licensing_daemon::ClientAction::Checkout(licensing_daemon::Wanted::feature("f1"));
        match session.call(RequestId(1), wanted).await.unwrap().outcome {
            Outcome::Granted { handle, .. } => (session.id(), handle),
            other => panic!("{other:?}"),
        }
    }

    /// Everything in the state that somebody could want to change.
    fn seen(&self) -> String {
        self.node.look(|state| {
            let mut seen = format!("{:?} held {}", state.edition(), state.edition_held());
            for session in state.sessions() {
                let _ = write!(seen, ", session {session} {:?}", state.vendor_data(session));
            }
            for checkout in state.checkouts() {
                let _ = write!(seen, ", checkout {} {:?}", checkout.handle, checkout.vendor_data);
            }
            let kept = Role::ALL.map(|role| state.in_maintenance(role));
            let _ = write!(seen, ", {kept:?} {:?}", state.preferred_master());
            seen
        })
    }
}

/// One of every request, as somebody asks it who speaks for this session.
fn requests(session: SessionId, handle: Handle, token: Token) -> Vec<(&'static str, Request)> {
    let call = |request, action| {
        let (request, acknowledged) = (RequestId(request), RequestId(0));
        Request::Call { session, token, request, acknowledged, action }
    };
    let text = |text: &str| text.to_owned();
    let version = || text("1.0");
    let checkout =
        Action::Checkout { vendor: None, feature: text("f1"), version: version(), seats: Seats(1) };
    let with = Action::checkout(None, text("f1"), version(), Seats(1), b"job".to_vec());
    let holder =
        Removal::Holder { feature: text("f1"), user: text("ada"), host: text("desk"), display: text("") };
    vec![
        ("heartbeat", Request::Heartbeat { session, token }),
        ("recall", Request::Recall { session, token, request: RequestId(1) }),
        ("status", Request::Status { filter: StatusFilter::default(), after: None }),
        ("checkout", call(10, checkout)),
        ("checkout with data", call(11, with)),
        ("set data", call(12, Action::SetVendorData { handle: Some(handle), data: b"mine".to_vec() })),
        ("maintain", call(13, Action::Maintain { role: Role::Secondary, on: true })),
        ("prefer", call(14, Action::PreferMaster { role: Some(Role::Secondary) })),
        ("remove a holder's", call(15, Action::Remove(holder))),
        ("remove a handle", call(16, Action::Remove(Removal::Handle(handle)))),
        ("vendor data", Request::VendorData { after: None }),
        ("upgrade", Request::Upgrade(Upgrade::Hold)),
        ("reread", Request::Reread),
        ("authenticate", Request::Authenticate { proof: [7; 32] }),
        ("checkin", call(17, Action::Checkin { handle, owner: None })),
        ("open", Request::OpenSession { token: Token([0xb2; 16]), identity: Identity::new("bob", "desk") }),
        ("close", Request::CloseSession { session, token }),
        ("shutdown", Request::Shutdown { hand_over: false }),
    ]
}

/// The kind of an answer; of a denial its reason.
fn kind(reply: &Reply) -> String {
    let word = |text: String| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    match reply {
        Reply::Answer(Answer { outcome: Outcome::Denied(denial), .. }) => word(format!("{denial:?}")),
        Reply::Answer(Answer { outcome, .. }) => word(format!("{outcome:?}")),
        Reply::Recalled(Recollection::Answered(_)) => "Answered".to_owned(),
        Reply::Recalled(other) => format!("{other:?}"),
        other => word(format!("{other:?}")),
    }
}

/// Asks all of them, and says of each what was answered, with `!` where the state is another one afterwards.
async fn answers(site: &Site, raw: &mut Raw, token: Token, all: bool) -> Vec<String> {
    let (session, handle) = site.holder().await;
    let mut answers = Vec::new();
    for (what, request) in requests(session, handle, token) {
        // Whoever may stop the server ends the test.
        if what == "shutdown" && all {
            continue;
        }
        let before = site.seen();
        let reply = raw.ask(request).await;
        let changed = if site.seen() == before { "" } else { "!" };
        answers.push(format!("{what}: {}{changed}", kind(&reply)));
    }
    answers
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn every_request_is_in_the_table() {
    let requests = requests(SessionId(1), Handle(1), ADA);
    let known = |name: &str| requests.iter().any(|(_, request)| format!("{request:?}").starts_with(name));
    let missing: Vec<&str> = variants::<Request>().iter().copied().filter(|name| !known(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "say who may ask for what is new");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_the_servers_machine_may_do_all_of_it() {
    let site = Site::new(LONG).await;
    let mut raw = Raw::connect(site.address).await;
    let expected = [
        "heartbeat: Alive",
        "recall: Answered",
        "status: Status",
        "checkout: Granted!",
        "checkout with data: Granted!",
        "set data: VendorDataSet!",
        "maintain: Maintained!",
        "prefer: Preferred!",
        "remove a holder's: Removed!",
        "remove a handle: NothingToRemove",
        "vendor data: VendorData",
        "upgrade: Done!",
        "reread: Done",
        "authenticate: Error",
        "checkin: UnknownHandle",
        "open: SessionOpened!",
        "close: SessionClosed!",
    ];
    assert_eq!(answers(&site, &mut raw, ADA, true).await, expected);
}

/// One that is relayed, with the right token: it may do what a client may, and nothing an administrator may.
const OF_A_CLIENT: [&str; 18] = [
    "heartbeat: Alive",
    "recall: Answered",
    "status: Status",
    "checkout: Granted!",
    "checkout with data: Granted!",
    "set data: VendorDataSet!",
    "maintain: Error",
    "prefer: Error",
    "remove a holder's: Error",
    "remove a handle: Error",
    "vendor data: Error",
    "upgrade: Error",
    "reread: Error",
    "authenticate: Error",
    "checkin: Returned!",
    "open: SessionOpened!",
    "close: SessionClosed!",
    "shutdown: Error",
];

fn relayed(software: &str) -> Hello {
    Hello { relayed_by: Some(Role::Secondary), ..Hello::new(software) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_from_elsewhere_may_do_what_a_client_may() {
    for software in [String::new(), "x".repeat(256), "root\n127.0.0.1\0".to_owned()] {
        let site = Site::new(LONG).await;
        let mut raw = Raw::connect_as(site.address, relayed(&software)).await;
        assert_eq!(answers(&site, &mut raw, ADA, false).await, OF_A_CLIENT, "{software:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_good_elsewhere_is_good_for_nothing() {
    let site = Site::new(LONG).await;
    let key = AdminKey::parse(KEY).unwrap();
    let proof = |raw: &Raw| key.proof(&raw.challenge());
    let mut own = Raw::connect_as(site.address, relayed("own")).await;
    let said = proof(&own);
    assert!(matches!(own.ask(Request::Authenticate { proof: said }).await, Reply::Done(_)));
    let mut thief = Raw::connect_as(site.address, relayed("thief")).await;
    assert!(matches!(thief.ask(Request::Authenticate { proof: said }).await, Reply::Error(_)));
    assert_eq!(answers(&site, &mut thief, ADA, false).await, OF_A_CLIENT);
    assert_ne!(own.challenge(), thief.challenge());
}

/// Whatever is asked in the name of a session without its token changes nothing; what needs none goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_changes_nothing() {
    let site = Site::new(LONG).await;
    let mut raw = Raw::connect(site.address).await;
    let expected = [
        "heartbeat: Gone",
        "recall: NoSession",
        "status: Status",
        "checkout: WrongToken",
        "checkout with data: WrongToken",
        "set data: WrongToken",
        "maintain: WrongToken",
        "prefer: WrongToken",
        "remove a holder's: WrongToken",
        "remove a handle: WrongToken",
        "vendor data: VendorData",
        "upgrade: Done!",
        "reread: Done",
        "authenticate: Error",
        "checkin: WrongToken",
        "open: SessionOpened!",
        "close: WrongToken",
    ];
    assert_eq!(answers(&site, &mut raw, WRONG, true).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_closed_is_nobodys() {
    let site = Site::new(LONG).await;
    let (session, handle) = site.holder().await;
    let mut raw = Raw::connect_as(site.address, relayed("late")).await;
    assert_eq!(kind(&raw.ask(Request::CloseSession { session, token: ADA }).await), "SessionClosed");
    let before = site.seen();
    let expected = [
        "heartbeat: Gone",
        "recall: NoSession",
        "checkout: UnknownSession",
        "checkout with data: UnknownSession",
        "set data: UnknownSession",
        "checkin: UnknownSession",
        "close: UnknownSession",
    ];
    let mut found = Vec::new();
    for (what, request) in requests(session, handle, ADA) {
        if expected.iter().any(|line| line.split(':').next() == Some(what)) {
            found.push(format!("{what}: {}", kind(&raw.ask(request).await)));
        }
    }
    assert_eq!(found, expected);
    assert_eq!(site.seen(), before);
}

/// Nor does it keep a session alive that its own client has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_no_sign_of_life() {
    let site = Site::new(Duration::from_millis(700)).await;
    let (session, handle) = site.holder().await;
    let mut raw = Raw::connect_as(site.address, relayed("stranger")).await;
    let of_a_client = |what: &str| matches!(what, "heartbeat" | "recall" | "checkout" | "checkin" | "close");
    wait_until("the session ends", async || {
        for (_, request) in requests(session, handle, WRONG).into_iter().filter(|(what, _)| of_a_client(what))
        {
            raw.ask(request).await;
        }
        site.node.look(|state| state.holder(session).is_none()).then_some(())
    })
    .await;
}
