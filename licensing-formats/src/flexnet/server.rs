//! SERVER lines: `SERVER host hostid [port] [PRIMARY_IS_MASTER] [HEARTBEAT_INTERVAL=seconds] [PLAT=n]`, the older
//! `SERVER_TIMEOUT=seconds` for the interval
//! (FlexNet License Administration Guide, SERVER Lines).
//!
//! One line is judged here by itself; how many there may be, and what they must agree on, is judged for the
//! whole file. The property kept: a setting that would have no effect is either refused or warned about,
//! never dropped in silence.

use std::net::Ipv6Addr;

use super::keyword::begins_a_line;
use crate::model::{HeartbeatInterval, ServerLine};
use crate::text::findings::{Findings, shown};
use crate::text::lexer::Word;
use crate::text::position::Position;
use crate::words::{HostId, HostIdError};

/// How HEARTBEAT_INTERVAL was spelt before.
const OLDER_INTERVAL: &str = "SERVER_TIMEOUT";

/// A SERVER line and the places its later judgement needs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) line: ServerLine,
    pub(crate) host_at: Position,
    pub(crate) port_at: Option<Position>,
    /// Just after the last word, where a missing port belongs.
    pub(crate) end: Position,
}

/// Parses the words after the keyword. `first` tells whether this is the file's first SERVER line.
/// Returns `None` after reporting at least one error.
pub(crate) fn parse(keyword: &Word, words: &[Word], first: bool, findings: &mut Findings) -> Option<Server> {
    let errors_before = findings.errors.len();
    let [host, id, rest @ ..] = words else {
        let at = words.last().unwrap_or(keyword).end;
        let missing = if words.is_empty() { "host name" } else { "host id" };
        let help = "write SERVER host hostid port, for example SERVER alpha 0019d244e9fc 27000";
        findings.error(at, format!("the SERVER line has no {missing}"), help);
        return None;
    };
    let host_id = host_id(&id.text, id.at, findings);
    if host_id == Some(HostId::Demo) {
        findings.error(id.at, "DEMO is not a host id for a server", "write the server's own host id, or ANY");
    }
    let mut server = Server {
        line: ServerLine {
            host: host_name(host, findings),
            host_id: host_id.unwrap_or(HostId::Any),
            port: None,
            primary_is_master: false,
            heartbeat_interval: None,
            line: keyword.at.line,
        },
        host_at: host.at,
        port_at: None,
        end: words.last().unwrap_or(keyword).end,
    };
    let mut rest = rest;
    if let Some((word, after)) = rest.split_first()
        && let Some(digits) = port_digits(word)
    {
        server.line.port = port(digits, word.at, findings);
        server.port_at = Some(word.at);
        rest = after;
    }
    attributes(rest, first, &mut server.line, findings);
    (findings.errors.len() == errors_before).then_some(server)
}

/// The host: IPv6 addresses may stand in brackets here, as they must in search paths.
fn host_name(word: &Word, findings: &mut Findings) -> String {
    let Some(rest) = word.text.strip_prefix('[') else { return word.text.clone() };
    let inner = rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok());
    match inner {
        Some(address) => address.to_owned(),
        None => {
            let problem = format!("{} is not an IPv6 address in brackets", shown(&word.text));
            findings.error(word.at, problem, "write a host name, or an address like [::1] or 192.0.2.7");
            word.text.clone()
        }
    }
}

/// Reads a host id, reporting why it is none.
pub(crate) fn host_id(text: &str, at: Position, findings: &mut Findings) -> Option<HostId> {
    match text.parse() {
        Ok(id) => Some(id),
        Err(problem) => {
            let problem = match problem {
                HostIdError::Empty => "the host id is empty".to_owned(),
                other => format!("{} is not a host id: {other}", shown(text)),
            };
            let help = "write the digits of the host id like 0019d244e9fc, ANY, or TYPE=value like ID=1234";
            findings.error(at, problem, help);
            None
        }
    }
}

/// The digits of `27000` or of the older `TCP:27000`.
fn port_digits(word: &Word) -> Option<&str> {
    let digits = match word.text.split_once(':') {
        Some((protocol, digits)) if protocol.eq_ignore_ascii_case("TCP") => digits,
        _ => &word.text,
    };
    digits.starts_with(|first: char| first.is_ascii_digit()).then_some(digits)
}

fn port(digits: &str, at: Position, findings: &mut Findings) -> Option<u16> {
    let port = digits.parse().ok().filter(|port| *port > 0);
    if port.is_none() {
        let problem = format!("{} is not a port number", shown(digits));
        findings.error(at, problem, "write a number from 1024 to 64000, for example 27000");
    }
    port
}

fn attributes(words: &[Word], first: bool, line: &mut ServerLine, findings: &mut Findings) {
    let mut seen: Vec<String> = Vec::new();
    for word in words {
        let (key, value) = match word.pair() {
            Some((key, value, at)) => (key, Some((value, at))),
            None => (word.text.as_str(), None),
        };
        if word.after_joint && begins_a_line(&word.text) {
            report_lost_line(word, findings);
            return;
        }
        let written = key.to_ascii_uppercase();
        let name = match written.as_str() {
            OLDER_INTERVAL => "HEARTBEAT_INTERVAL".to_owned(),
            _ => written.clone(),
        };
        if seen.contains(&name) {
            findings.error(word.at, format!("{name} stands twice on the line"), "remove one of them");
            continue;
        }
        match (name.as_str(), value) {
            ("PRIMARY_IS_MASTER", None) if first => line.primary_is_master = true,
            ("HEARTBEAT_INTERVAL", Some((value, at))) if first => {
                line.heartbeat_interval = heartbeat_interval(value, at, findings);
            }
            ("PRIMARY_IS_MASTER", None) | ("HEARTBEAT_INTERVAL", Some(_)) => {
                findings
                    .warn(word.at, format!("{name} has a meaning on the first SERVER line only, ignored"));
            }
            ("PLAT", Some(_)) => findings.warn(word.at, "PLAT is not supported, ignored"),
            ("PRIMARY_IS_MASTER", Some(_)) => {
                let problem = "PRIMARY_IS_MASTER takes no value";
                findings.error(word.at, problem, "write PRIMARY_IS_MASTER alone, or remove it");
            }
            ("HEARTBEAT_INTERVAL", None) => {
                let problem = "HEARTBEAT_INTERVAL has no value";
                findings.error(word.at, problem, "write HEARTBEAT_INTERVAL=seconds without blanks");
            }
            _ => {
                let problem = format!("{} is neither a port nor a SERVER attribute", shown(&word.text));
                let help = "write a port, PRIMARY_IS_MASTER or HEARTBEAT_INTERVAL=seconds, or remove it";
                findings.error(word.at, problem, help);
                continue;
            }
        }
        if written == OLDER_INTERVAL {
            findings.warn(word.at, format!("{OLDER_INTERVAL} is the older spelling, read as {name}"));
        } else if key != name {
            findings.warn(word.at, format!("{} read as {name}; write it in capitals", shown(key)));
        }
        seen.push(name);
    }
}

/// 0 is documented as legal but gives a timeout of -1 seconds; it means our default here.
fn heartbeat_interval(value: &str, at: Position, findings: &mut Findings) -> Option<HeartbeatInterval> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<u8> = if digits { value.parse().ok() } else { None };
    match seconds {
        Some(seconds @ 0..=HeartbeatInterval::MAX_S) => HeartbeatInterval::new(seconds),
        _ => {
            let problem = match value {
                "" => "HEARTBEAT_INTERVAL has no value".to_owned(),
                value if digits => format!("HEARTBEAT_INTERVAL is {}, more than 120", shown(value)),
                value => format!("HEARTBEAT_INTERVAL is {}, not a whole number", shown(value)),
            };
            findings.error(at, problem, "write a number of seconds from 1 to 120, or 0 for the default");
            None
        }
    }
}

/// A keyword at the start of a physical line, but inside a logical one: a stray `\` joined the two.
pub(crate) fn report_lost_line(word: &Word, findings: &mut Findings) {
    let problem = format!("this {} line is joined to the line above, which ends in \\", word.text);
    findings.error(word.at, problem, "remove the \\ at the end of the line above");
}
