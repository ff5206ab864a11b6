//! The table: every request, who may ask it, and what comes of it.

use std::collections::BTreeSet;

use licensing_client::protocol::{Recollection, Reply, Request, StatusFilter, Upgrade};
use licensing_core::codec::variants;
use licensing_core::command::{Action, Extra, Identity, Removal};
use licensing_core::id::{Handle, RequestId, Role, Seats, SessionId, Token};
use licensing_core::outcome::{Answer, Outcome};

/// Whom a request names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) session: SessionId,
    pub(crate) token: Token,
    /// What the session holds, or held.
    pub(crate) handle: Handle,
    /// What somebody else holds.
    pub(crate) others: Handle,
    /// The secret of whoever holds that.
    pub(crate) others_token: Token,
}

/// A request, and what is answered to it: by whom the session is that it names, by whoever names one with a wrong token, and
/// by whoever names one that is not there. Behind each, what is left in the state (`site::left`).
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) ask: fn(&Named) -> Request,
    /// Whether only administrators may: everybody else is told `Error`, and nothing is left.
    pub(crate) administrative: bool,
    pub(crate) own: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) gone: &'static str,
}

/// Somebody who is not there yet.
pub(crate) const NEWCOMER: Token = Token([0xb2; 16]);

fn call(named: &Named, action: Action) -> Request {
    let (session, token) = (named.session, named.token);
    Request::Call { session, token, request: RequestId(9), acknowledged: RequestId(0), action }
}

fn checkout(data: &[u8]) -> Action {
    Action::checkout(None, "f1".to_owned(), "1.0".to_owned(), Seats(1), data.to_vec())
}

fn data(handle: Option<Handle>) -> Action {
    Action::SetVendorData { handle, data: b"mine".to_vec() }
}

fn checkin(handle: Handle, owner: Option<Token>) -> Action {
    Action::Checkin { handle, owner }
}

fn of_ada() -> Action {
    let [feature, user, host, display] = ["f1", "ada", "desk", ""].map(str::to_owned);
    Action::Remove(Removal::Holder { feature, user, host, display })
}

fn open(token: Token) -> Request {
    Request::OpenSession { token, identity: Identity::new("bob", "desk") }
}

type Three = [&'static str; 3];

/// What is asked in the name of a session.
fn session(what: &'static str, ask: fn(&Named) -> Request, [own, wrong, gone]: Three) -> Row {
    Row { what, ask, administrative: false, own, wrong, gone }
}

/// A numbered request: decided by the log, so each leaves an entry there.
fn numbered(what: &'static str, ask: fn(&Named) -> Request, own: &'static str) -> Row {
    session(what, ask, [own, "WrongToken ~", "UnknownSession ~"])
}

/// The same of an administrator.
fn numbered_of_admins(what: &'static str, ask: fn(&Named) -> Request, own: &'static str) -> Row {
    Row { administrative: true, ..numbered(what, ask, own) }
}

/// What names no session.
fn nameless(what: &'static str, ask: fn(&Named) -> Request, said: &'static str) -> Row {
    session(what, ask, [said; 3])
}

/// The same of an administrator.
fn of_admins(what: &'static str, ask: fn(&Named) -> Request, said: &'static str) -> Row {
    Row { administrative: true, ..nameless(what, ask, said) }
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    use Request::{Authenticate, CloseSession, Heartbeat, Recall, Reread, Shutdown, Status, VendorData};
    vec![
        session(
            "heartbeat",
            |named| Heartbeat { session: named.session, token: named.token },
            ["Alive =", "Gone =", "Gone ="],
        ),
        session(
            "recall",
            |named| Recall { session: named.session, token: named.token, request: RequestId(1) },
            ["Answered =", "NoSession =", "NoSession ="],
        ),
        session(
            "close",
            |named| CloseSession { session: named.session, token: named.token },
            ["SessionClosed !", "WrongToken ~", "UnknownSession ~"],
        ),
        numbered("checkout", |named| call(named, checkout(b"")), "Granted !"),
        numbered("checkout with data", |named| call(named, checkout(b"job")), "Granted !"),
        numbered("checkin", |named| call(named, checkin(named.handle, None)), "Returned !"),
        numbered("checkin of others'", |named| call(named, checkin(named.others, None)), "NotTheHolder !"),
        numbered(
            "checkin of others' with one's own token",
            |named| call(named, checkin(named.others, Some(named.token))),
            "NotTheHolder !",
        ),
        numbered(
            "checkin of others' with their token",
            |named| call(named, checkin(named.others, Some(named.others_token))),
            "Returned !",
        ),
        numbered("data of the session", |named| call(named, data(None)), "VendorDataSet !"),
        numbered("data of a checkout", |named| call(named, data(Some(named.handle))), "VendorDataSet !"),
        numbered("data of others' checkout", |named| call(named, data(Some(named.others))), "NotTheHolder !"),
        numbered_of_admins("remove a holder's", |named| call(named, of_ada()), "Removed !"),
        numbered_of_admins(
            "remove a handle",
            |named| call(named, Action::Remove(Removal::Handle(named.others))),
            "Removed !",
        ),
        numbered_of_admins(
            "maintain",
            |named| call(named, Action::Maintain { role: Role::Secondary, on: true }),
            "Maintained !",
        ),
        numbered_of_admins(
            "prefer",
            |named| call(named, Action::PreferMaster { role: Some(Role::Secondary) }),
            "Preferred !",
        ),
        nameless("open", |_| open(NEWCOMER), "SessionOpened !"),
        // The token is the whole secret: whoever has it is the session.
        nameless("open with the token", |named| open(named.token), "SessionOpened !"),
        nameless("status", |_| Status { filter: StatusFilter::default(), after: None }, "Status ="),
        nameless("authenticate", |_| Authenticate { proof: [7; 32] }, "Error ="),
        of_admins("vendor data", |_| VendorData { after: None }, "VendorData ="),
        of_admins("reread", |_| Reread, "Done ="),
        of_admins("upgrade: hold", |_| Request::Upgrade(Upgrade::Hold), "Done !"),
        of_admins("upgrade: release", |_| Request::Upgrade(Upgrade::Release), "Done ~"),
        of_admins("upgrade: finish", |_| Request::Upgrade(Upgrade::Finish), "Done ~"),
        of_admins("shutdown", |_| Shutdown { hand_over: false }, "Done ="),
        of_admins("shutdown with a handover", |_| Shutdown { hand_over: true }, "Done ="),
    ]
}

/// The kind of an answer; of a denial its reason.
pub(crate) fn kind(reply: &Reply) -> String {
    let word = |text: String| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    match reply {
        Reply::Answer(Answer { outcome: Outcome::Denied(denial), .. }) => word(format!("{denial:?}")),
        Reply::Answer(Answer { outcome, .. }) => word(format!("{outcome:?}")),
        Reply::Recalled(Recollection::Answered(_)) => "Answered".to_owned(),
        Reply::Recalled(other) => format!("{other:?}"),
        other => word(format!("{other:?}")),
    }
}

/// What a request consists of. There is no arm for what will come: whoever adds a request is led here, and to a row.
fn parts(request: &Request) -> Vec<&'static str> {
    let of_action = |action: &Action| match action {
        Action::Checkout { .. } => "Checkout",
        Action::Checkin { .. } => "Checkin",
        Action::Remove(Removal::Handle(_)) => "Remove Handle",
        Action::Remove(Removal::Holder { .. }) => "Remove Holder",
        Action::Maintain { .. } => "Maintain",
        Action::PreferMaster { .. } => "PreferMaster",
        Action::CheckoutWith { .. } => "CheckoutWith VendorData",
        Action::SetVendorData { .. } => "SetVendorData",
    };
    match request {
        Request::OpenSession { .. } => vec!["OpenSession"],
        Request::Heartbeat { .. } => vec!["Heartbeat"],
        Request::Call { action, .. } => [&["Call"][..], &words(of_action(action))].concat(),
        Request::Recall { .. } => vec!["Recall"],
        Request::CloseSession { .. } => vec!["CloseSession"],
        Request::Status { .. } => vec!["Status"],
        Request::Authenticate { .. } => vec!["Authenticate"],
        Request::Reread => vec!["Reread"],
        Request::Shutdown { .. } => vec!["Shutdown"],
        Request::Upgrade(Upgrade::Finish) => vec!["Upgrade", "Finish"],
        Request::Upgrade(Upgrade::Hold) => vec!["Upgrade", "Hold"],
        Request::Upgrade(Upgrade::Release) => vec!["Upgrade", "Release"],
        Request::VendorData { .. } => vec!["VendorData"],
    }
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split(' ').collect()
}

#[test]
fn every_request_is_in_the_table() {
    let (session, token, handle) = (SessionId(1), NEWCOMER, Handle(1));
    let named = Named { session, token, handle, others: handle, others_token: token };
    let rows = rows();
    let known: BTreeSet<&str> = rows.iter().flat_map(|row| parts(&(row.ask)(&named))).collect();
    let there_are = [
        variants::<Request>(),
        variants::<Action>(),
        variants::<Removal>(),
        variants::<Extra>(),
        variants::<Upgrade>(),
    ];
    let missing: Vec<&str> =
        there_are.into_iter().flatten().copied().filter(|name| !known.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "say who may ask for what is new");
    assert!(there_are.iter().all(|variants| !variants.is_empty()));
}
