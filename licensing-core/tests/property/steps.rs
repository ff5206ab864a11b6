//! What random logs are made of.

use licensing_core::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::spec::{Line, Spec};

/// One step of a random log. What it refers to (a session, a handle, an old proposal) is picked when the step is
/// taken, among all there ever were.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Install(Index),
    InstallNonsense,
    Open {
        who: u8,
    },
    Close {
        session: Index,
        right_token: bool,
    },
    Expire {
        sessions: Vec<Index>,
        judged_ago: u64,
    },
    Call {
        session: Index,
        right_token: bool,
        number: Number,
        ask: Ask,
    },
    /// Many requests that are never acknowledged.
    Burst {
        session: Index,
        requests: u64,
    },
    Tick,
    Raise,
    SetTriadData {
        key: &'static str,
        length: Option<usize>,
        believed: Option<Believed>,
    },
    /// An old proposal once more, as a new entry: a retry that was committed twice.
    Resend(Index),
    /// An old entry at its old index: a machine that was fed twice.
    Refeed(Index),
    /// Somebody takes a snapshot.
    Snapshot,
}

/// What the master's clock says, seen from the clock of the state.
#[derive(Debug, Clone)]
pub(crate) enum When {
    Hours(u64),
    HoursBack(u64),
    /// The moment at which the next line starts or ends, or just before it.
    Deadline {
        ms_before: u64,
    },
}

/// What an asker believes of a key.
#[derive(Debug, Clone)]
pub(crate) enum Believed {
    Right,
    Absent,
    Odd(u64),
}

#[derive(Debug, Clone)]
pub(crate) enum Number {
    /// The next one, acknowledging all but the last few.
    Next { unacknowledged: u64 },
    /// Any small numbers.
    Odd { request: u64, acknowledged: u64 },
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Checkout {
        feature: &'static str,
        version: &'static str,
        seats: u32,
        data: Option<usize>,
    },
    /// Of the session, or of a checkout.
    SetVendorData {
        handle: Option<Index>,
        length: usize,
    },
    Checkin {
        handle: Index,
        owner: Option<Index>,
    },
    RemoveHandle(Index),
    RemoveHolder {
        feature: &'static str,
        who: u8,
    },
    Maintain {
        role: Role,
        on: bool,
    },
    Prefer(Option<Role>),
}

pub(crate) const FEATURES: [&str; 3] = ["f", "g", "h"];

fn line() -> impl Strategy<Value = Line> {
    let version = select(vec![(1000, "1"), (1000, "1.0"), (2100, "2.1"), (2100, "2.10"), (2900, "2.9")]);
    let day = || proptest::option::weighted(0.3, 1..28u64);
    let seats = prop_oneof![1 => Just(0), 8 => 1..5u32];
    let sort = prop_oneof![4 => Just(100), 1 => 99..102u32];
    let vendor_string = prop_oneof![3 => Just("a"), 1 => Just("b")];
    (
        prop::bool::weighted(0.7),
        select(&FEATURES[..2]),
        version,
        day(),
        day(),
        day(),
        seats,
        sort,
        vendor_string,
    )
        .prop_map(
            |(increment, feature, version, last_day, first_day, issued_day, seats, sort, vendor_string)| {
                // A line that ends before it starts is refused by the parser.
                let first_day = first_day.filter(|first| last_day.is_none_or(|last| *first <= last));
                Line {
                    increment,
                    feature,
                    version,
                    last_day,
                    first_day,
                    issued_day,
                    seats,
                    sort,
                    vendor_string,
                }
            },
        )
}

pub(crate) fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        8 => (0..12u64).prop_map(When::Hours),
        1 => (1..100u64).prop_map(When::HoursBack),
        1 => (0..3u64).prop_map(|ms_before| When::Deadline { ms_before }),
    ]
}

pub(crate) fn spec() -> impl Strategy<Value = Spec> {
    let host_id = prop_oneof![9 => Just("ANY"), 1 => Just("001122334455")];
    (vec(line(), 1..6), host_id).prop_map(|(mut lines, host_id)| {
        // FEATURE lines of a name stand before its INCREMENT lines, as the format asks.
        lines.sort_by_key(|line| line.increment);
        Spec { lines, host_id }
    })
}

/// Bytes of vendor data.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 8 => 1..20usize, 1 => 1023..1026usize]
}

fn ask() -> impl Strategy<Value = Ask> {
    let version = select(vec!["1", "1.0", "1.5", "2.1", "2.100", "2.5", "2.9", "3", "x"]);
    let seats = prop_oneof![1 => Just(0), 20 => 1..4u32, 1 => 4..20u32];
    let checkout = (select(&FEATURES[..]), version, seats, proptest::option::weighted(0.3, length()))
        .prop_map(|(feature, version, seats, data)| Ask::Checkout { feature, version, seats, data });
    let role = select(&Role::ALL[..]);
    prop_oneof![
        12 => checkout,
        6 => (any::<Index>(), proptest::option::of(any::<Index>()))
            .prop_map(|(handle, owner)| Ask::Checkin { handle, owner }),
        1 => any::<Index>().prop_map(Ask::RemoveHandle),
        1 => (select(&FEATURES[..]), 0..5u8).prop_map(|(feature, who)| Ask::RemoveHolder { feature, who }),
        1 => (role.clone(), any::<bool>()).prop_map(|(role, on)| Ask::Maintain { role, on }),
        1 => proptest::option::of(role).prop_map(Ask::Prefer),
        3 => (proptest::option::of(any::<Index>()), length())
            .prop_map(|(handle, length)| Ask::SetVendorData { handle, length }),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![
        6 => (0..4u64).prop_map(|unacknowledged| Number::Next { unacknowledged }),
        1 => (0..12u64, 0..12u64).prop_map(|(request, acknowledged)| Number::Odd { request, acknowledged }),
    ];
    let believed = prop_oneof![
        4 => Just(Believed::Right),
        2 => Just(Believed::Absent),
        1 => (0..20u64).prop_map(Believed::Odd),
    ];
    let right = || prop::bool::weighted(0.95);
    prop_oneof![
        2 => any::<Index>().prop_map(Step::Install),
        1 => Just(Step::InstallNonsense),
        4 => (0..6u8).prop_map(|who| Step::Open { who }),
        1 => (any::<Index>(), right()).prop_map(|(session, right_token)| Step::Close { session, right_token }),
        1 => (vec(any::<Index>(), 0..4), 0..20u64)
            .prop_map(|(sessions, judged_ago)| Step::Expire { sessions, judged_ago }),
        30 => (any::<Index>(), right(), number, ask())
            .prop_map(|(session, right_token, number, ask)| Step::Call { session, right_token, number, ask }),
        1 => (any::<Index>(), 50..70u64).prop_map(|(session, requests)| Step::Burst { session, requests }),
        1 => Just(Step::Tick),
        2 => Just(Step::Raise),
        3 => (select(vec!["", "a", "b"]), proptest::option::weighted(0.8, 0..20usize), proptest::option::of(believed))
            .prop_map(|(key, length, believed)| Step::SetTriadData { key, length, believed }),
        4 => any::<Index>().prop_map(Step::Resend),
        1 => any::<Index>().prop_map(Step::Refeed),
        1 => Just(Step::Snapshot),
    ]
}

/// Six actors, two of whom say they are the same.
pub(crate) fn identity(who: u8) -> Identity {
    let name = ["ada", "ada", "bob", "cyd", "dan", "eve"].get(usize::from(who)).copied().unwrap_or("nobody");
    let (host, display) = ("desk".to_owned(), ":0".to_owned());
    Identity { user: name.to_owned(), host, display, pid: u32::from(who), project: String::new() }
}

/// Any proposal at all, sensible or not, with numbers at their ends.
pub(crate) fn any_proposal() -> impl Strategy<Value = Proposal> {
    let number = || prop_oneof![0..20u64, Just(u64::MAX - 1), Just(u64::MAX), any::<u64>()];
    let text = || {
        prop_oneof![
            3 => select(vec!["f", "g", "1", "1.0", "", "\u{0}", "ada", "desk", ":0"]).prop_map(str::to_owned),
            1 => ".{0,300}",
            1 => "é{120,140}",
        ]
    };
    let license = prop_oneof![
        3 => spec().prop_map(|spec| spec.text()),
        1 => (spec(), any::<Index>()).prop_map(|(spec, cut)| {
            let text = spec.text();
            text.get(..cut.index(text.len())).unwrap_or_default().to_owned()
        }),
    ]
    .prop_map(|text| Compiled::from_text("acme.lic", &text))
    .prop_filter_map("is a license", |compiled| Some(Install::from(compiled.ok()?)));
    let token = || prop_oneof![4 => Just(Token([1; 16])), 1 => any::<[u8; 16]>().prop_map(Token)];
    let session = move || number().prop_map(SessionId);
    let identity = (text(), text(), text(), any::<u32>(), text())
        .prop_map(|(user, host, display, pid, project)| Identity { user, host, display, pid, project });
    let digest = || prop_oneof![4 => Just(Digest([1; 32])), 1 => any::<[u8; 32]>().prop_map(Digest)];
    let seats = prop_oneof![0..4u32, Just(u32::MAX), any::<u32>()].prop_map(Seats);
    let data = || prop_oneof![4 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 1023..1026)];
    let handle = move || number().prop_map(Handle);
    let role = || select(&Role::ALL[..]);
    let removal = prop_oneof![
        handle().prop_map(Removal::Handle),
        (text(), text(), text(), text()).prop_map(|(feature, user, host, display)| Removal::Holder {
            feature,
            user,
            host,
            display
        }),
    ];
    let action = prop_oneof![
        4 => (proptest::option::weighted(0.1, text()), text(), text(), seats)
            .prop_map(|(vendor, feature, version, seats)| Action::Checkout { vendor, feature, version, seats }),
        2 => (handle(), proptest::option::of(token()))
            .prop_map(|(handle, owner)| Action::Checkin { handle, owner }),
        1 => removal.prop_map(Action::Remove),
        1 => (role(), any::<bool>()).prop_map(|(role, on)| Action::Maintain { role, on }),
        1 => proptest::option::of(role()).prop_map(|role| Action::PreferMaster { role }),
        1 => (proptest::option::of(handle()), data())
            .prop_map(|(handle, data)| Action::SetVendorData { handle, data }),
        1 => (text(), vec(data(), 0..3)).prop_map(|(feature, data)| {
            let extras = data.into_iter().map(Extra::VendorData).collect();
            Action::CheckoutWith { vendor: None, feature, version: "1".to_owned(), seats: Seats(1), extras }
        }),
    ];
    let call = (session(), token(), number(), number(), action).prop_map(
        |(session, token, request, acknowledged, action)| {
            let (request, acknowledged) = (RequestId(request), RequestId(acknowledged));
            Command::Call(Call { session, token, request, acknowledged, action })
        },
    );
    let command = prop_oneof![
        1 => license.prop_map(Command::Install),
        1 => (token(), identity).prop_map(|(token, identity)| {
            Command::OpenSession { token, identity, address: None }
        }),
        1 => (digest(), 0..3u32, vec(any::<u8>(), 0..20))
            .prop_map(|(digest, part, bytes)| Command::Stage { digest, part, bytes }),
        1 => digest().prop_map(|digest| Command::Install(Install::Staged { digest })),
        1 => number().prop_map(|to| Command::RaiseEdition { to: Edition(to as u32) }),
        1 => any::<bool>().prop_map(|on| Command::HoldEdition { on }),
        1 => (text(), proptest::option::of(data()), proptest::option::of(number())).prop_map(
            |(key, value, believed)| Command::SetTriadData { key, value, believed: believed.map(LogIndex) }
        ),
        1 => (session(), token()).prop_map(|(session, token)| Command::CloseSession { session, token }),
        1 => (vec(session(), 0..5), number()).prop_map(|(sessions, judged_at)| {
            Command::Expire { sessions, judged_at: LogIndex(judged_at) }
        }),
        6 => call,
        1 => Just(Command::Tick),
    ];
    (number(), command).prop_map(|(at, command)| Proposal { at: Timestamp(at), command })
}
