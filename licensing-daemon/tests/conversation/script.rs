//! What the client of version 1 said when its records were written: every word of the protocol, and what it may get in
//! answer.

use licensing_client::protocol::{DataPlace, Hello, Place, Request, StatusFilter, Upgrade};
use licensing_core::command::{Action, Identity, Removal};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};

use crate::recorder::{Recorder, handle, proof, session};
use crate::world::Site;

const ADA: Token = Token([0xa1; 16]);
const BOB: Token = Token([0xb2; 16]);
const NOBODY: Token = Token([0xff; 16]);

/// One that never is.
const NO_SESSION: SessionId = SessionId(1 << 60);
const NO_HANDLE: Handle = Handle(1 << 60);

fn hello() -> Hello {
    Hello {
        from: 1,
        to: 1,
        software: "recorded client 1".to_owned(),
        relay: false,
        relayed_by: None,
        more: Vec::new(),
    }
}

/// Whoever is relayed comes from another machine, as far as the server can tell, and is no administrator.
fn stranger() -> Hello {
    Hello { relayed_by: Some(Role::Secondary), ..hello() }
}

fn open(token: Token, user: &str, project: &str) -> Request {
    let identity = Identity {
        user: user.to_owned(),
        host: "desk".to_owned(),
        display: ":0".to_owned(),
        pid: 4711,
        project: project.to_owned(),
    };
    Request::OpenSession { token, identity }
}

fn call(session: SessionId, token: Token, request: u64, acknowledged: u64, action: Action) -> Request {
    let (request, acknowledged) = (RequestId(request), RequestId(acknowledged));
    Request::Call { session, token, request, acknowledged, action }
}

fn checkout(feature: &str, version: &str, seats: u32) -> Action {
    let (feature, version) = (feature.to_owned(), version.to_owned());
    Action::Checkout { vendor: None, feature, version, seats: Seats(seats) }
}

fn of_vendor(vendor: &str, action: Action) -> Action {
    match action {
        Action::Checkout { feature, version, seats, .. } => {
            Action::Checkout { vendor: Some(vendor.to_owned()), feature, version, seats }
        }
        other => other,
    }
}

fn checkin(handle: Handle, owner: Option<Token>) -> Action {
    Action::Checkin { handle, owner }
}

fn holder(user: &str) -> Action {
    Action::Remove(Removal::Holder {
        feature: "mesher".to_owned(),
        user: user.to_owned(),
        host: "desk".to_owned(),
        display: ":0".to_owned(),
    })
}

fn status(feature: Option<&str>, without_checkouts: bool, after: Option<Place>) -> Request {
    let filter = StatusFilter { feature: feature.map(str::to_owned), without_checkouts };
    Request::Status { filter, after }
}

/// A client, an administrator and a few who do not keep to the protocol, with a single server.
pub(crate) async fn single() -> Recorder {
    let mut talk = Recorder::new(1, Site::Single { connections: 100 }).await;
    let a = "primary/a";
    talk.hello(a, "Hello", hello()).await;
    sessions(&mut talk, a).await;
    seats(&mut talk, a).await;
    numbers(&mut talk, a).await;
    pages(&mut talk, a).await;
    administration(&mut talk, a).await;
    strangers(&mut talk).await;
    ends(&mut talk, a).await;
    talk
}

async fn sessions(talk: &mut Recorder, a: &str) {
    talk.ask(a, "OpenSession of ada", open(ADA, "ada", "")).await;
    talk.ask(a, "OpenSession with the same token", open(ADA, "ada", "")).await;
    talk.ask(a, "OpenSession of bob for a project", open(BOB, "bob", "apollo")).await;
    talk.ask(a, "OpenSession with a name too long", open(NOBODY, &"x".repeat(257), "")).await;
    talk.ask(a, "Heartbeat", Request::Heartbeat { session: session(1), token: ADA }).await;
    talk.ask(a, "Heartbeat, wrong token", Request::Heartbeat { session: session(1), token: BOB }).await;
    talk.ask(a, "Heartbeat of nobody", Request::Heartbeat { session: NO_SESSION, token: ADA }).await;
}

async fn seats(talk: &mut Recorder, a: &str) {
    let mut request = 0;
    let mut ask = async |words: &str, action: Action| {
        request += 1;
        talk.ask(a, &format!("Call {words}"), call(session(1), ADA, request, request - 1, action)).await;
    };
    ask("Checkout solver 2.1, 2 seats", checkout("solver", "2.1", 2)).await;
    ask("Checkout mesher of vendor demo", of_vendor("demo", checkout("mesher", "1.0", 1))).await;
    ask("Checkout viewer, uncounted", checkout("viewer", "0.9", 70_000)).await;
    ask("Checkout of another vendor", of_vendor("acme", checkout("mesher", "1.0", 1))).await;
    ask("Checkout of an unknown feature", checkout("nosuch", "1.0", 1)).await;
    ask("Checkout of a version that is none", checkout("solver", "x", 1)).await;
    ask("Checkout of a version too new", checkout("solver", "3.0", 1)).await;
    ask("Checkout of a feature that starts later", checkout("later", "1.0", 1)).await;
    ask("Checkout of a feature that expired", checkout("earlier", "1.0", 1)).await;
    ask("Checkout of more than there are", checkout("solver", "2.1", 6)).await;
    ask("Checkout of more than are free", checkout("solver", "2.1", 4)).await;
    ask("Checkout of 0 seats", checkout("solver", "2.1", 0)).await;
    ask("Checkin", checkin(handle(1), None)).await;
    ask("Checkin again", checkin(handle(1), None)).await;
    let of_bob = |request, action| call(session(2), BOB, request, request - 1, action);
    talk.ask(a, "Call Checkin of a foreign handle", of_bob(1, checkin(handle(2), None))).await;
    talk.ask(a, "Call Checkin with its owner's token", of_bob(2, checkin(handle(2), Some(ADA)))).await;
    talk.ask(a, "Call Checkin of a handle that never was", of_bob(3, checkin(NO_HANDLE, None))).await;
}

/// What the numbers of requests are for.
async fn numbers(talk: &mut Recorder, a: &str) {
    let again = checkin(handle(1), None);
    talk.ask(a, "Call sent again", call(session(1), ADA, 14, 13, again.clone())).await;
    talk.ask(a, "Call that was acknowledged", call(session(1), ADA, 13, 12, again.clone())).await;
    talk.ask(a, "Call that acknowledges itself", call(session(1), ADA, 15, 15, again.clone())).await;
    talk.ask(a, "Call of nobody", call(NO_SESSION, ADA, 1, 0, again.clone())).await;
    talk.ask(a, "Call with a wrong token", call(session(1), BOB, 15, 14, again.clone())).await;
    let recall = |session, token, request| Request::Recall { session, token, request: RequestId(request) };
    talk.ask(a, "Recall, answered", recall(session(1), ADA, 14)).await;
    talk.ask(a, "Recall, not seen", recall(session(1), ADA, 15)).await;
    talk.ask(a, "Recall, forgotten", recall(session(1), ADA, 13)).await;
    talk.ask(a, "Recall, no session", recall(NO_SESSION, ADA, 1)).await;
    for request in 15..79 {
        let words = format!("Call {request}, answers since 14 unacknowledged");
        talk.ask(a, &words, call(session(1), ADA, request, 14, checkin(NO_HANDLE, None))).await;
    }
    talk.ask(a, "Call, one too many", call(session(1), ADA, 79, 14, checkin(NO_HANDLE, None))).await;
    talk.ask(a, "Call, all acknowledged", call(session(1), ADA, 79, 78, checkout("solver", "2", 1))).await;
}

async fn pages(talk: &mut Recorder, a: &str) {
    talk.ask(a, "Status", status(None, false, None)).await;
    talk.ask(a, "Status of a feature", status(Some("solver"), false, None)).await;
    talk.ask(a, "Status without checkouts", status(None, true, None)).await;
    talk.ask(a, "Status behind three pools", status(None, false, Some(Place::Pools(3)))).await;
    talk.ask(a, "Status behind a checkout", status(None, false, Some(Place::Checkout(handle(3))))).await;
}

/// Whoever connects from the server's own machine is an administrator.
async fn administration(talk: &mut Recorder, a: &str) {
    let mut request = 79;
    let mut next = |action| {
        request += 1;
        call(session(1), ADA, request, request - 1, action)
    };
    talk.ask(a, "Call Checkout mesher", next(checkout("mesher", "1", 1))).await;
    talk.ask(a, "Call Remove of a handle", next(Action::Remove(Removal::Handle(handle(4))))).await;
    talk.ask(a, "Call Remove of a holder", next(holder("ada"))).await;
    talk.ask(a, "Call Remove of a holder of nothing", next(holder("ada"))).await;
    talk.ask(a, "Reread, nothing changed", Request::Reread).await;
    talk.act("the license file is now second.lic").await;
    talk.ask(a, "Reread", Request::Reread).await;
    talk.act("the license file is now broken.lic").await;
    talk.ask(a, "Reread of a broken file", Request::Reread).await;
    talk.act("the license file is now first.lic").await;
    talk.ask(a, "Upgrade Hold", Request::Upgrade(Upgrade::Hold)).await;
    talk.ask(a, "Status while the edition is held", status(None, true, Some(Place::Pools(5)))).await;
    talk.ask(a, "Upgrade Release", Request::Upgrade(Upgrade::Release)).await;
    talk.ask(a, "Upgrade Finish", Request::Upgrade(Upgrade::Finish)).await;
}

/// Whoever does not is one when he knows the admin key.
async fn strangers(talk: &mut Recorder) {
    let (b, c, d) = ("primary/b", "primary/c", "primary/d");
    talk.hello(b, "Hello of a stranger", stranger()).await;
    let remove = call(session(1), ADA, 84, 83, holder("ada"));
    talk.ask(b, "Call Remove, not allowed", remove.clone()).await;
    talk.ask(b, "Reread, not allowed", Request::Reread).await;
    talk.ask(b, "Upgrade, not allowed", Request::Upgrade(Upgrade::Finish)).await;
    talk.ask(b, "Shutdown, not allowed", Request::Shutdown { hand_over: true }).await;
    for _ in 0..3 {
        talk.ask(b, "Authenticate, wrong", Request::Authenticate { proof: [0; 32] }).await;
    }
    talk.ask(b, "Authenticate, too often", Request::Authenticate { proof: proof(2) }).await;
    talk.hello(c, "Hello of a stranger", stranger()).await;
    talk.ask(c, "Authenticate", Request::Authenticate { proof: proof(3) }).await;
    talk.ask(c, "Call Remove, allowed", remove).await;
    let more = vec![(300, b"what a later client says".to_vec()), (65_535, Vec::new())];
    talk.hello(d, "Hello with more than version 1 knows", Hello { more, ..hello() }).await;
    talk.ask(d, "OpenSession with the same token", open(BOB, "bob", "apollo")).await;
}

/// How a session, a connection and a server end.
async fn ends(talk: &mut Recorder, a: &str) {
    let none = |number: u16| Hello { from: number, to: number, ..hello() };
    talk.hello("primary/e", "Hello in a version that nobody speaks", none(u16::MAX)).await;
    talk.closed("primary/e").await;
    for (who, words, bytes) in [
        ("primary/f", "a hello that is none", vec![0, 0, 0, 2, 0xff, 0xff]),
        ("primary/g", "4,097 bytes of hello announced", vec![0, 0, 0x10, 0x01]),
    ] {
        talk.bytes(who, "preamble", b"\0LSC".to_vec()).await;
        talk.bytes(who, words, bytes).await;
        talk.closed(who).await;
    }
    for (who, words, bytes) in [
        ("primary/h", "a request that is none", vec![0, 0, 0, 2, 1, 0xff]),
        ("primary/i", "a Reread with a byte too many", vec![0, 0, 0, 3, 1, 7, 0]),
        ("primary/j", "1,048,577 bytes announced", vec![0, 0x10, 0, 1]),
    ] {
        talk.hello(who, "Hello", hello()).await;
        talk.bytes(who, words, bytes).await;
        talk.closed(who).await;
    }
    talk.ask(a, "CloseSession", Request::CloseSession { session: session(1), token: ADA }).await;
    talk.ask(a, "CloseSession again", Request::CloseSession { session: session(1), token: ADA }).await;
    talk.ask(a, "Shutdown", Request::Shutdown { hand_over: false }).await;
    talk.closed(a).await;
}

/// An application that keeps data of its own beside its seats, and somebody who wants to see it.
pub(crate) async fn vendor_data() -> Recorder {
    let mut talk = Recorder::new(1, Site::Single { connections: 100 }).await;
    let (a, b) = ("primary/a", "primary/b");
    talk.hello(a, "Hello", hello()).await;
    talk.ask(a, "OpenSession of ada", open(ADA, "ada", "")).await;
    let with =
        |data: &[u8]| Action::checkout(None, "solver".to_owned(), "2.1".to_owned(), Seats(1), data.to_vec());
    let set = |handle, data: &[u8]| Action::SetVendorData { handle, data: data.to_vec() };
    let farm = b"render farm";
    talk.ask(a, "Upgrade Finish", Request::Upgrade(Upgrade::Finish)).await;
    let mut request = 0;
    let mut ask = async |words: &str, action: Action| {
        request += 1;
        talk.ask(a, &format!("Call {words}"), call(session(1), ADA, request, request - 1, action)).await;
    };
    ask("CheckoutWith vendor data", with(farm)).await;
    ask("CheckoutWith too much of it", with(&[7; 1025])).await;
    ask("SetVendorData of the session", set(None, b"ada's")).await;
    ask("SetVendorData of a checkout", set(Some(handle(1)), b"mill")).await;
    ask("SetVendorData of a handle that never was", set(Some(NO_HANDLE), b"mill")).await;
    let behind = |place| Request::VendorData { after: Some(place) };
    talk.ask(a, "VendorData", Request::VendorData { after: None }).await;
    talk.ask(a, "VendorData behind a session", behind(DataPlace::Session(session(1)))).await;
    talk.ask(a, "VendorData behind a checkout", behind(DataPlace::Checkout(handle(1)))).await;
    talk.hello(b, "Hello of a stranger", stranger()).await;
    talk.ask(b, "VendorData, not allowed", Request::VendorData { after: None }).await;
    talk
}

/// A client that comes too early, one that meets a standby, one that is relayed, and an operator.
pub(crate) async fn standby() -> Recorder {
    let mut talk = Recorder::new(1, Site::Triad).await;
    let (a, b, c) = ("primary/a", "secondary/b", "secondary/c");
    talk.hello(a, "Hello", hello()).await;
    let heartbeat = Request::Heartbeat { session: NO_SESSION, token: ADA };
    let recall = Request::Recall { session: NO_SESSION, token: ADA, request: RequestId(1) };
    talk.ask(a, "OpenSession without a quorum", open(ADA, "ada", "")).await;
    talk.ask(a, "Heartbeat without a quorum", heartbeat.clone()).await;
    talk.ask(a, "Recall without a quorum", recall.clone()).await;
    talk.ask(a, "Reread without a quorum", Request::Reread).await;
    talk.act("the secondary starts and the primary is master").await;
    talk.hear(a).await;
    talk.hello(b, "Hello to a standby", hello()).await;
    talk.ask(b, "OpenSession", open(ADA, "ada", "")).await;
    talk.ask(b, "Heartbeat", heartbeat).await;
    talk.ask(b, "Recall", recall).await;
    talk.ask(b, "Upgrade", Request::Upgrade(Upgrade::Hold)).await;
    talk.hello(c, "Hello to be relayed", Hello { relay: true, ..hello() }).await;
    talk.ask(c, "OpenSession", open(ADA, "ada", "")).await;
    talk.ask(c, "Call Checkout", call(session(1), ADA, 1, 0, checkout("solver", "2.5", 1))).await;
    let mut request = 1;
    let mut operate = async |words: &str, action: Action| {
        request += 1;
        talk.ask(a, &format!("Call {words}"), call(session(1), ADA, request, request - 1, action)).await;
    };
    let maintain = |on| Action::Maintain { role: Role::Tertiary, on };
    operate("Maintain the tertiary", maintain(true)).await;
    operate("Maintain it no more", maintain(false)).await;
    operate("PreferMaster the primary", Action::PreferMaster { role: Some(Role::Primary) }).await;
    operate("PreferMaster nobody", Action::PreferMaster { role: None }).await;
    operate("PreferMaster the tertiary", Action::PreferMaster { role: Some(Role::Tertiary) }).await;
    talk.ask(a, "Upgrade Finish, the tertiary is not there", Request::Upgrade(Upgrade::Finish)).await;
    talk.ask(b, "Shutdown, after a handover", Request::Shutdown { hand_over: true }).await;
    talk.closed(b).await;
    talk.hear(a).await;
    talk
}

/// A server that has room for one client.
pub(crate) async fn full() -> Recorder {
    let mut talk = Recorder::new(1, Site::Single { connections: 1 }).await;
    talk.hello("primary/a", "Hello", hello()).await;
    talk.hello("primary/b", "Hello, one too many", hello()).await;
    talk.closed("primary/b").await;
    talk
}
