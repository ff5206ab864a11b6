//! How requests and replies are called in errors and logs.

use std::time::Duration;

use licensing_core::command::{Action, Removal};
use licensing_core::id::Handle;

use crate::protocol::Reply;

/// A look at vendor data.
pub(crate) const VENDOR_DATA: &str = "the vendor data";

/// A status query.
pub(crate) const STATUS: &str = "the status query";

/// Closing the session.
pub(crate) const CLOSE: &str = "closing the session";

/// Longest piece of a caller's text repeated in an error, in characters.
const LONGEST_QUOTE: usize = 64;

/// What is asked, as the subject of a sentence.
pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Checkout { feature, version, seats, .. }
        | Action::CheckoutWith { feature, version, seats, .. } => {
            let (feature, version) = (quote(feature), quote(version));
            format!("checkout of {seats} seats of feature `{feature}` version {version}")
        }
        Action::Checkin { handle, .. } => checkin(*handle),
        Action::SetVendorData { handle: None, .. } => "vendor data of the session".to_owned(),
        Action::SetVendorData { handle: Some(handle), .. } => format!("vendor data of handle {handle}"),
        Action::Remove(Removal::Handle(handle)) => format!("removal of handle {handle}"),
        Action::Remove(Removal::Holder { feature, user, host, display }) => {
            let [feature, user, host, display] = [feature, user, host, display].map(|text| quote(text));
            format!("removal of `{feature}` from `{user}` on `{host}` at `{display}`")
        }
        Action::Maintain { role, on: true } => format!("maintenance of the {role}"),
        Action::Maintain { role, on: false } => format!("end of maintenance of the {role}"),
        Action::PreferMaster { role: Some(role) } => format!("preference of the {role} as master"),
        Action::PreferMaster { role: None } => "end of the preference of a master".to_owned(),
    }
}

/// Giving seats back.
pub(crate) fn checkin(handle: Handle) -> String {
    format!("checkin of handle {handle}")
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The kind of a reply.
pub(crate) fn reply(reply: &Reply) -> &'static str {
    match reply {
        Reply::Answer(_) => "an answer",
        Reply::Recalled(_) => "a recollection",
        Reply::Alive { .. } => "a sign that the session lives",
        Reply::Gone => "a sign that the session is gone",
        Reply::Status(_) => "a status page",
        Reply::Done(_) => "a confirmation",
        Reply::NotMaster(_) => "not being master",
        Reply::Unknown(_) => "not knowing",
        Reply::Busy { .. } => "being busy",
        Reply::Error(_) => "an error",
        Reply::NeedsEdition { .. } => "a rule that sleeps",
        Reply::VendorData(_) => "a page of vendor data",
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
