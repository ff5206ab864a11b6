//! What clients keep beside their seats: texts that say whose they are, so that a judge who was not there can tell.

use licensing_core::id::{Handle, Seats};

/// What a client keeps with seats when it asks for them.
pub fn at_first(client: u32, feature: &str, seats: Seats) -> String {
    format!("client {client}: {seats} of {feature}")
}

/// What it keeps with them later, instead.
pub fn later(client: u32, handle: Handle) -> String {
    format!("client {client}: still has {handle}")
}
