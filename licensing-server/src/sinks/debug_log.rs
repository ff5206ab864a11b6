//! What happened, in the words administrators search their logs for: `OUT:`, `IN:`, `DENIED:`
//! (FLEXnet License Administration Guide, Debug Log File).
//!
//! Every server of the triad logs the same history, whoever is master: the events come out of the replicated state.

use std::time::Duration;

use licensing_admin::text::words::printable;
use licensing_core::counted;
use licensing_core::event::{Event, EventKind, Holding, Return};
use licensing_core::id::Seats;
use licensing_core::outcome::Denial;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tracing::{debug, info, warn};

/// After what there was has been logged: nobody reads a log this closely, and being woken for each event costs more than
/// writing it.
const PAUSE: Duration = Duration::from_millis(5);

/// Logs events until the node stops.
pub(crate) async fn follow(mut events: Receiver<Event>) {
    let mut next = events.recv().await;
    loop {
        match next {
            Ok(event) => log(&event),
            // A burst faster than the log can be written: the state is whole, only this log is not.
            Err(RecvError::Lagged(missed)) => warn!("{missed} events were not logged"),
            Err(RecvError::Closed) => return,
        }
        next = match events.try_recv() {
            Ok(event) => Ok(event),
            Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Closed) => return,
            Err(TryRecvError::Empty) => {
                tokio::time::sleep(PAUSE).await;
                events.recv().await
            }
        };
    }
}

fn log(event: &Event) {
    let index = event.index.0;
    match &event.kind {
        EventKind::SessionOpened(_) | EventKind::SessionEnded { expired: false, .. } => {
            debug!(index, "{}", line(&event.kind));
        }
        kind => info!(index, "{}", line(kind)),
    }
}

/// The event as one line, without time and daemon name.
fn line(kind: &EventKind) -> String {
    match kind {
        EventKind::Out(holding) => format!("OUT: {}", held(holding)),
        EventKind::In { holding, why } => {
            let why = match why {
                Return::Checkin | Return::SessionClosed => "",
                Return::SessionExpired => "(INACTIVE)",
                Return::Removed => "(REMOVED)",
                _ => "",
            };
            format!("IN: {}{why}", held(holding)).trim_end().to_owned()
        }
        EventKind::Denied { feature, seats, user, host, denial } => {
            let count = count(*seats);
            format!("DENIED: {}{count}({})", who(feature, user, host), reason(denial))
        }
        EventKind::SessionOpened(session) => format!("session {session} opened"),
        EventKind::SessionEnded { session, expired: false } => format!("session {session} closed"),
        EventKind::SessionEnded { session, expired: true } => {
            format!("session {session} ended: no sign of life from its client")
        }
        EventKind::LicenseInstalled { vendor, pools } => {
            format!("license of vendor {vendor} installed, {}", counted(u64::from(*pools), "pool"))
        }
        EventKind::Maintenance { role, on: true } => format!("maintenance of the {role} begins"),
        EventKind::Maintenance { role, on: false } => format!("maintenance of the {role} ends"),
        EventKind::Preference(Some(role)) => format!("the operator prefers the {role} as master"),
        EventKind::Preference(None) => "the operator leaves the choice of a master to the rules".to_owned(),
        EventKind::EditionRaised { edition } => format!("the rules of edition {edition} apply from now on"),
        EventKind::EditionHeld { on: true } => "the operator holds the edition of the rules".to_owned(),
        EventKind::EditionHeld { on: false } => {
            "the operator holds the edition of the rules no more".to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// `"feature" user@host  (3 licenses) `, the count only from 2 on; two blanks follow the host.
fn held(holding: &Holding) -> String {
    who(&holding.feature, &holding.user, &holding.host) + &count(holding.seats)
}

fn who(feature: &str, user: &str, host: &str) -> String {
    format!("\"{}\" {}@{}  ", printable(feature), printable(user), printable(host))
}

fn count(seats: Seats) -> String {
    if seats.0 > 1 { format!("({seats} licenses) ") } else { String::new() }
}

fn reason(denial: &Denial) -> String {
    format!("{}. ({})", denial.flexnet_text().trim_end_matches('.'), denial.flexnet_code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing_core::id::Handle;

    #[test]
    fn events_read_as_in_a_debug_log() {
        let holding = |seats| Holding {
            handle: Handle(7),
            vendor: "demo".to_owned(),
            feature: "f1".to_owned(),
            seats: Seats(seats),
            user: "ann".to_owned(),
            host: "ws-07".to_owned(),
            vendor_data: Default::default(),
        };
        let returned = |seats, why| EventKind::In { holding: holding(seats), why };
        let denied = EventKind::Denied {
            feature: "f1".to_owned(),
            seats: Seats(25),
            user: "bob\n".to_owned(),
            host: "ws-08".to_owned(),
            denial: Denial::NoFreeSeats {
                feature: "f1".to_owned(),
                requested: Seats(25),
                in_use: Seats(9),
                licensed: Seats(30),
            },
        };
        for (kind, says) in [
            (EventKind::Out(holding(1)), "OUT: \"f1\" ann@ws-07  "),
            (EventKind::Out(holding(3)), "OUT: \"f1\" ann@ws-07  (3 licenses) "),
            (returned(1, Return::Checkin), "IN: \"f1\" ann@ws-07"),
            (returned(1, Return::SessionExpired), "IN: \"f1\" ann@ws-07  (INACTIVE)"),
            (returned(2, Return::Removed), "IN: \"f1\" ann@ws-07  (2 licenses) (REMOVED)"),
            (
                denied,
                "DENIED: \"f1\" bob?@ws-08  (25 licenses) (Licensed number of users already reached. (-4))",
            ),
        ] {
            assert_eq!(line(&kind), says);
        }
    }
}
