//! The numbers of everything a client and a server say to each other. They are for good, for version 1 of the protocol
//! is spoken by every later server: a line here is added, never changed, and what is added is of a newer version.
//!
//! A number is the place of a variant in its enum, and the first byte of what is written for it. Those of answers,
//! denials and actions are pinned in `licensing-core/tests/numbers.rs`; whole conversations, byte for byte, in
//! `licensing-daemon/tests/conversation.rs`. What no conversation can bring about has its bytes here.

use licensing_client::protocol::{
    DataPlace, MasterAddress, Place, Recollection, Refusal, Reply, Request, ServerMessage, StatusFilter,
    StatusPage, Upgrade, Welcome, Whereabouts,
};
use licensing_core::codec::{to_bytes, variants};
use licensing_core::command::{Action, Identity};
use licensing_core::edition::Edition;
use licensing_core::id::{Handle, LogIndex, RequestId, Role, SessionId, Timestamp, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The number of each value as it is written, with the name by which it is printed. All variants must be there.
fn written<T: Serialize + DeserializeOwned + std::fmt::Debug>(values: &[T]) -> String {
    assert_eq!(values.len(), variants::<T>().len(), "append what is new: {:?}", variants::<T>());
    let line = |value: &T| {
        let name = format!("{value:?}");
        let name = name.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        format!("{} {name}", to_bytes(value)[0])
    };
    values.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn hex(message: &impl Serialize) -> String {
    to_bytes(message).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn whereabouts() -> Whereabouts {
    Whereabouts { role: Role::Secondary, master: None }
}

fn answer(outcome: Outcome) -> Answer {
    Answer { index: LogIndex(7), at: Timestamp(1000), outcome }
}

fn page(more: Place) -> StatusPage {
    StatusPage {
        answered_by: Role::Primary,
        master: None,
        quorum: false,
        preferred: None,
        at: Timestamp(0),
        applied_index: LogIndex(0),
        edition: Edition(1),
        edition_held: false,
        vendors: Vec::new(),
        servers: Vec::new(),
        features: Vec::new(),
        checkouts: Vec::new(),
        sessions: 0,
        more: Some(more),
        warnings: Vec::new(),
    }
}

#[test]
fn requests_keep_their_numbers() {
    let (session, token, request) = (SessionId(0), Token([0; 16]), RequestId(0));
    let text = String::new;
    let identity = Identity { user: text(), host: text(), display: text(), pid: 0, project: text() };
    let action = Action::PreferMaster { role: None };
    let requests = [
        Request::OpenSession { token, identity },
        Request::Heartbeat { session, token },
        Request::Call { session, token, request, acknowledged: request, action },
        Request::Recall { session, token, request },
        Request::CloseSession { session, token },
        Request::Status { filter: StatusFilter::default(), after: None },
        Request::Authenticate { proof: [0; 32] },
        Request::Reread,
        Request::Shutdown { hand_over: false },
        Request::Upgrade(Upgrade::Finish),
        Request::VendorData { after: None },
    ];
    assert_eq!(
        written(&requests),
        "0 OpenSession, 1 Heartbeat, 2 Call, 3 Recall, 4 CloseSession, 5 Status, 6 Authenticate, 7 Reread, \
         8 Shutdown, 9 Upgrade, 10 VendorData"
    );
    let acts = [Upgrade::Finish, Upgrade::Hold, Upgrade::Release];
    assert_eq!(written(&acts), "0 Finish, 1 Hold, 2 Release");
    let places = [DataPlace::Session(SessionId(0)), DataPlace::Checkout(Handle(0))];
    assert_eq!(written(&places), "0 Session, 1 Checkout");
    assert_eq!(written(&[Place::Pools(0), Place::Checkout(Handle(0))]), "0 Pools, 1 Checkout");
}

#[test]
fn what_a_server_says_keeps_its_numbers() {
    let ready = Welcome::Ready {
        version: 1,
        whereabouts: whereabouts(),
        heartbeat_ms: 0,
        grace_ms: 0,
        challenge: [0; 32],
        more: Vec::new(),
    };
    let refused = Refusal::Version { from: 1, to: 1 };
    assert_eq!(written(&[ready, Welcome::Refused(refused.clone())]), "0 Ready, 1 Refused");
    assert_eq!(
        written(&[refused, Refusal::TooManyConnections { limit: 0 }]),
        "0 Version, 1 TooManyConnections"
    );
    let reply = ServerMessage::Reply { id: 0, reply: Reply::Gone };
    assert_eq!(written(&[reply, ServerMessage::Moved(whereabouts())]), "0 Reply, 1 Moved");
    let text = String::new;
    let replies = [
        Reply::Answer(answer(Outcome::Ticked)),
        Reply::Recalled(Recollection::NotSeen),
        Reply::Alive { index: LogIndex(0), heartbeat_ms: 0 },
        Reply::Gone,
        Reply::Status(Box::new(page(Place::Pools(0)))),
        Reply::Done(text()),
        Reply::NotMaster(whereabouts()),
        Reply::Unknown(text()),
        Reply::Busy { retry_after_ms: 0 },
        Reply::Error(text()),
        Reply::VendorData(Box::default()),
        Reply::NeedsEdition { needed: Edition(0) },
    ];
    assert_eq!(
        written(&replies),
        "0 Answer, 1 Recalled, 2 Alive, 3 Gone, 4 Status, 5 Done, 6 NotMaster, 7 Unknown, 8 Busy, 9 Error, 10 VendorData, 11 NeedsEdition"
    );
    let recollections = [
        Recollection::Answered(answer(Outcome::Ticked)),
        Recollection::NotSeen,
        Recollection::Forgotten,
        Recollection::NoSession,
    ];
    assert_eq!(written(&recollections), "0 Answered, 1 NotSeen, 2 Forgotten, 3 NoSession");
}

/// A server says these when it has too much to do, has lost its peers, or shows more than fits a frame.
#[test]
fn what_no_conversation_brings_about_keeps_its_bytes() {
    let reply = |reply| hex(&ServerMessage::Reply { id: 300, reply });
    let denied = |denial| reply(Reply::Answer(answer(Outcome::Denied(denial))));
    assert_eq!(reply(Reply::Unknown("why".to_owned())), "00fb2c010703776879");
    assert_eq!(reply(Reply::Busy { retry_after_ms: 50 }), "00fb2c010832");
    assert_eq!(denied(Denial::TooManySessions { limit: 200_000 }), "00fb2c010007fbe8030a04fc400d0300");
    assert_eq!(denied(Denial::NoLicense), "00fb2c010007fbe8030a08");
    let bad = Denial::BadLicense { problems: "why".to_owned() };
    assert_eq!(denied(bad), "00fb2c010007fbe8030a0503776879");
    assert_eq!(
        reply(Reply::Status(Box::new(page(Place::Pools(2000))))),
        "00fb2c0104000000000000010000000000000100fbd00700"
    );
    assert_eq!(
        reply(Reply::Status(Box::new(page(Place::Checkout(Handle(70_000)))))),
        "00fb2c0104000000000000010000000000000101fc7011010000"
    );
    let master = MasterAddress { role: Role::Primary, host: "alpha".to_owned(), port: 27000 };
    let moved = Whereabouts { role: Role::Secondary, master: Some(master) };
    assert_eq!(hex(&ServerMessage::Moved(moved)), "0101010005616c706861fb7869");
}
