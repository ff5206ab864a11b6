//! The numbers of everything that goes to disk or over a wire. They are for good: a line here is added, never changed.
//!
//! A number is the place of a variant in its enum, and the first byte of what is written for it. Precedence of denials is
//! another matter: `Denial::rank`.

use std::collections::BTreeSet;

use licensing_core::codec::{to_bytes, variants};
use licensing_core::*;
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

fn identity() -> Identity {
    let text = String::new;
    Identity { user: text(), host: text(), display: text(), pid: 0, project: text() }
}

fn holding() -> Holding {
    let text = String::new;
    let (vendor, feature, user, host) = (text(), text(), text(), text());
    let vendor_data = Default::default();
    Holding { handle: Handle(0), vendor, feature, seats: Seats(0), user, host, vendor_data }
}

fn denials() -> Vec<Denial> {
    let text = String::new;
    let (session, handle, seats) = (SessionId(0), Handle(0), Seats(0));
    let feature = text;
    vec![
        Denial::UnknownSession { session },
        Denial::WrongToken { session },
        Denial::ForgottenRequest { request: RequestId(0) },
        Denial::TooManyUnanswered { limit: 0 },
        Denial::TooManySessions { limit: 0 },
        Denial::BadLicense { problems: text() },
        Denial::InvalidParameter { what: text() },
        Denial::BadVersion { version: text() },
        Denial::NoLicense,
        Denial::UnknownFeature { feature: feature() },
        Denial::VersionNotLicensed { feature: feature(), requested: text(), licensed: text() },
        Denial::NotStarted { feature: feature(), starts: text() },
        Denial::Expired { feature: feature(), expired: text() },
        Denial::MoreThanLicensed { feature: feature(), requested: seats, licensed: seats },
        Denial::NoFreeSeats { feature: feature(), requested: seats, in_use: seats, licensed: seats },
        Denial::UnknownHandle { handle },
        Denial::NotTheHolder { handle },
        Denial::NothingToRemove { what: text() },
        Denial::UnknownVendor { vendor: text() },
        Denial::VendorDataFull { limit: 0 },
        Denial::VendorDataChanged { key: text(), set_at: None },
        Denial::PartsMissing { parts: 0 },
    ]
}

#[test]
fn denials_keep_their_numbers() {
    assert_eq!(
        written(&denials()),
        "0 UnknownSession, 1 WrongToken, 2 ForgottenRequest, 3 TooManyUnanswered, 4 TooManySessions, 5 BadLicense, \
         6 InvalidParameter, 7 BadVersion, 8 NoLicense, 9 UnknownFeature, 10 VersionNotLicensed, 11 NotStarted, \
         12 Expired, 13 MoreThanLicensed, 14 NoFreeSeats, 15 UnknownHandle, 16 NotTheHolder, 17 NothingToRemove, \
         18 UnknownVendor, 19 VendorDataFull, 20 VendorDataChanged, 21 PartsMissing"
    );
}

#[test]
fn no_two_denials_have_the_same_rank_and_none_is_left_out() {
    let ranks: BTreeSet<u32> = denials().iter().map(Denial::rank).collect();
    assert_eq!(ranks, (0..denials().len() as u32).collect());
}

/// The table of `docs/semantics.md`, where administrators look them up.
#[test]
// The crate itself may not touch files; the document has to be read.
#[allow(clippy::disallowed_methods)]
fn the_documents_name_every_denial_with_its_code_in_the_order_of_their_ranks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/semantics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rows) = text.split_once("| denial | FlexNet code | when |\n|---|---|---|\n").unwrap();
    let rows = rows.lines().take_while(|line| line.starts_with('|'));
    let told: Vec<String> = rows
        .map(|row| row.split(" | ").take(2).collect::<Vec<_>>().join(" ").replace(['|', '`', ' '], ""))
        .collect();
    let mut denials = denials();
    denials.sort_by_key(Denial::rank);
    let name =
        |denial: &Denial| format!("{denial:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    let expected: Vec<String> =
        denials.iter().map(|denial| format!("{}{}", name(denial), denial.flexnet_code())).collect();
    assert_eq!(told, expected);
}

#[test]
fn outcomes_keep_their_numbers() {
    let (handle, role) = (Handle(0), Role::Primary);
    let outcomes = [
        Outcome::Installed { pools: 0 },
        Outcome::SessionOpened { session: SessionId(0) },
        Outcome::SessionClosed { returned: Vec::new() },
        Outcome::Expired { sessions: Vec::new() },
        Outcome::Granted { handle, seats: Seats(0) },
        Outcome::Returned { handle },
        Outcome::Removed { handles: Vec::new() },
        Outcome::Maintained { role, on: false },
        Outcome::Preferred { role: None },
        Outcome::Ticked,
        Outcome::Denied(Denial::NoLicense),
        Outcome::Staged { parts: 0 },
        Outcome::EditionRaised { edition: Edition(0) },
        Outcome::EditionHeld { on: false },
        Outcome::VendorDataSet { set_at: None },
    ];
    assert_eq!(
        written(&outcomes),
        "0 Installed, 1 SessionOpened, 2 SessionClosed, 3 Expired, 4 Granted, 5 Returned, 6 Removed, 7 Maintained, \
         8 Preferred, 9 Ticked, 10 Denied, 11 Staged, 12 EditionRaised, 13 EditionHeld, 14 VendorDataSet"
    );
}

#[test]
fn commands_and_actions_keep_their_numbers() {
    let (session, token, digest) = (SessionId(0), Token([0; 16]), Digest([0; 32]));
    let action = Action::PreferMaster { role: None };
    let call = Call { session, token, request: RequestId(0), acknowledged: RequestId(0), action };
    let install = Install::Staged { digest };
    let commands = [
        Command::Install(install),
        Command::OpenSession { token, identity: identity(), address: None },
        Command::CloseSession { session, token },
        Command::Expire { sessions: Vec::new(), judged_at: LogIndex(0) },
        Command::Call(call),
        Command::Tick,
        Command::Stage { digest, part: 0, bytes: Vec::new() },
        Command::RaiseEdition { to: Edition(0) },
        Command::HoldEdition { on: false },
        Command::SetTriadData { key: String::new(), value: None, believed: None },
    ];
    assert_eq!(
        written(&commands),
        "0 Install, 1 OpenSession, 2 CloseSession, 3 Expire, 4 Call, 5 Tick, 6 Stage, 7 RaiseEdition, \
         8 HoldEdition, 9 SetTriadData"
    );
    let (text, handle, role) = (String::new, Handle(0), Role::Primary);
    let actions = [
        Action::Checkout { vendor: None, feature: text(), version: text(), seats: Seats(0) },
        Action::Checkin { handle, owner: None },
        Action::Remove(Removal::Handle(handle)),
        Action::Maintain { role, on: false },
        Action::PreferMaster { role: None },
        Action::CheckoutWith {
            vendor: None,
            feature: text(),
            version: text(),
            seats: Seats(0),
            extras: Vec::new(),
        },
        Action::SetVendorData { handle: None, data: Vec::new() },
    ];
    assert_eq!(
        written(&actions),
        "0 Checkout, 1 Checkin, 2 Remove, 3 Maintain, 4 PreferMaster, 5 CheckoutWith, 6 SetVendorData"
    );
    assert_eq!(written(&[Extra::VendorData(Vec::new())]), "0 VendorData");
    let holder = Removal::Holder { feature: text(), user: text(), host: text(), display: text() };
    assert_eq!(written(&[Removal::Handle(handle), holder]), "0 Handle, 1 Holder");
    let whole = Compiled::from_text("acme.lic", "SERVER alpha ANY\nVENDOR acme\n").unwrap();
    assert_eq!(written(&[Install::from(whole), Install::Staged { digest }]), "0 Whole, 1 Staged");
}

#[test]
fn events_keep_their_numbers() {
    let (session, role) = (SessionId(0), Role::Primary);
    let text = String::new;
    let denial = Denial::NoLicense;
    let events = [
        EventKind::Out(holding()),
        EventKind::In { holding: holding(), why: Return::Checkin },
        EventKind::Denied { feature: text(), seats: Seats(0), user: text(), host: text(), denial },
        EventKind::SessionOpened(session),
        EventKind::SessionEnded { session, expired: false },
        EventKind::LicenseInstalled { vendor: text(), pools: 0 },
        EventKind::Maintenance { role, on: false },
        EventKind::Preference(None),
        EventKind::EditionRaised { edition: Edition(0) },
        EventKind::EditionHeld { on: false },
        EventKind::VendorDataSet { session, handle: None, data: Vec::new() },
        EventKind::TriadDataSet { key: text(), digest: None },
    ];
    assert_eq!(
        written(&events),
        "0 Out, 1 In, 2 Denied, 3 SessionOpened, 4 SessionEnded, 5 LicenseInstalled, 6 Maintenance, 7 Preference, \
         8 EditionRaised, 9 EditionHeld, 10 VendorDataSet, 11 TriadDataSet"
    );
    let returns = [Return::Checkin, Return::SessionClosed, Return::SessionExpired, Return::Removed];
    assert_eq!(written(&returns), "0 Checkin, 1 SessionClosed, 2 SessionExpired, 3 Removed");
}

#[test]
fn roles_keepers_and_words_of_a_license_keep_their_numbers() {
    assert_eq!(written(&Role::ALL), "0 Primary, 1 Secondary, 2 Tertiary");
    let until = Timestamp(0);
    let keepers = [Keeper::Session(SessionId(0)), Keeper::Linger { until }, Keeper::Borrow { until }];
    assert_eq!(written(&keepers), "0 Session, 1 Linger, 2 Borrow");
    let kinds = [license::FeatureKind::Feature, license::FeatureKind::Increment];
    assert_eq!(written(&kinds), "0 Feature, 1 Increment");
    let counts = [license::Count::Uncounted, license::Count::Counted(1)];
    assert_eq!(written(&counts), "0 Uncounted, 1 Counted");
    let day = license::Date::new(2026, 1, 1).unwrap();
    assert_eq!(written(&[license::Expiry::On(day), license::Expiry::Permanent]), "0 On, 1 Permanent");
}
