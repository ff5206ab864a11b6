//! `licensectl vendor-data`: what daemons and applications keep beside the seats.

use std::fmt::Write as _;

use licensing_client::protocol::VendorDataPage;
use serde::Serialize;

use super::servers::no_master;
use crate::console::{Failure, put, put_json};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};

/// Shows all of it, as the master has it.
pub(super) async fn vendor_data(servers: &Servers, json: bool) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    let mut direct = servers.direct(&master.name).await?;
    let page = direct.vendor_data_all().await.map_err(Failure::unknown)?;
    if json {
        put_json(&Shown::of(&page))?
    } else {
        put(&text(&page))?
    }
    match page.more {
        None => Ok(Exit::Done),
        Some(_) => Err(Failure::unknown("there is more than was shown: ask again")),
    }
}

/// One line each: whose it is, and its bytes with what is not printable escaped.
fn text(page: &VendorDataPage) -> String {
    let mut out = String::new();
    let mut line = |whose: String, data: &[u8]| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{whose}: {}", data.escape_ascii());
    };
    for value in &page.triad {
        line(format!("triad {:?} (entry {})", value.key, value.set_at), &value.value);
    }
    for (session, data) in &page.sessions {
        line(format!("session {session}"), data);
    }
    for (handle, data) in &page.checkouts {
        line(format!("handle {handle}"), data);
    }
    if out.is_empty() { "no vendor data\n".to_owned() } else { out }
}

/// As JSON shows it; bytes as hexadecimal digits.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    triad: Vec<TriadShown<'a>>,
    sessions: Vec<SessionShown>,
    checkouts: Vec<CheckoutShown>,
}

#[derive(Debug, Serialize)]
struct TriadShown<'a> {
    key: &'a str,
    value_hex: String,
    set_at: u64,
}

#[derive(Debug, Serialize)]
struct SessionShown {
    session: u64,
    data_hex: String,
}

#[derive(Debug, Serialize)]
struct CheckoutShown {
    handle: u64,
    data_hex: String,
}

impl<'a> Shown<'a> {
    fn of(page: &'a VendorDataPage) -> Shown<'a> {
        let triad = page.triad.iter().map(|value| TriadShown {
            key: &value.key,
            value_hex: hex(&value.value),
            set_at: value.set_at.0,
        });
        let sessions = page
            .sessions
            .iter()
            .map(|(session, data)| SessionShown { session: session.0, data_hex: hex(data) });
        let checkouts = page
            .checkouts
            .iter()
            .map(|(handle, data)| CheckoutShown { handle: handle.0, data_hex: hex(data) });
        Shown { triad: triad.collect(), sessions: sessions.collect(), checkouts: checkouts.collect() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use licensing_client::protocol::TriadValue;
    use licensing_core::id::{Handle, LogIndex, SessionId};

    use super::*;

    fn page() -> VendorDataPage {
        let quota = TriadValue { key: "quota".to_owned(), value: b"12".to_vec(), set_at: LogIndex(5) };
        VendorDataPage {
            triad: vec![quota],
            sessions: vec![(SessionId(7), vec![0, b'\n'])],
            checkouts: vec![(Handle(9), b"render farm".to_vec())],
            more: None,
        }
    }

    #[test]
    fn each_line_says_whose_it_is() {
        let expected = "triad \"quota\" (entry 5): 12\nsession 7: \\x00\\n\nhandle 9: render farm\n";
        assert_eq!(text(&page()), expected);
        assert_eq!(text(&VendorDataPage::default()), "no vendor data\n");
    }

    #[test]
    fn json_has_every_byte() {
        let json = serde_json::to_value(Shown::of(&page())).unwrap();
        let expected = serde_json::json!({
            "triad": [{"key": "quota", "value_hex": "3132", "set_at": 5}],
            "sessions": [{"session": 7, "data_hex": "000a"}],
            "checkouts": [{"handle": 9, "data_hex": "72656e646572206661726d"}],
        });
        assert_eq!(json, expected);
    }
}
