//! Who is at the door: how many say hello at a time, which connection of a peer is the newest, and who was refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;
use tokio::sync::oneshot;

use crate::engine::watch::Watched;
use crate::peer::message::Lane;
use crate::time::Instant;

/// Hellos under way at once. One that is not done when so many others have begun is given up: whoever says hello
/// slowly, or not at all, keeps nobody out. A few megabytes.
const MAX_HELLOS: u64 = 256;
/// The same refusal of a peer is logged this often.
const REPEAT_REFUSAL: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Reception {
    /// Of each peer and lane the newest connection. When another comes, the one before it is let go, so there are never
    /// more than three from each of two peers.
    newest: Mutex<BTreeMap<(Role, Lane), oneshot::Sender<()>>>,
    /// How many connections have begun to say hello.
    hellos: Watched<u64>,
    last_refusal: Mutex<Option<(String, Instant)>>,
}

impl Reception {
    pub(crate) fn new() -> Reception {
        Reception { newest: Mutex::default(), hellos: Watched::new(0), last_refusal: Mutex::default() }
    }

    /// A connection begins to say hello; its number.
    pub(crate) fn begin(&self) -> u64 {
        let mut number = 0;
        self.hellos.send_if_modified(|hellos| {
            *hellos += 1;
            number = *hellos;
            true
        });
        number
    }

    /// Returns once so many others have begun that the hello with this number is given up.
    pub(crate) async fn crowded_out(&self, number: u64) {
        let mut hellos = self.hellos.subscribe();
        let _ = hellos.wait_for(|hellos| *hellos >= number + MAX_HELLOS).await;
    }

    /// A peer has one connection for each lane. If an older one is still there, its far end is gone without a word, as a
    /// host that lost its power: nothing would ever come of it.
    pub(crate) fn replace(&self, peer: Role, lane: Lane) -> oneshot::Receiver<()> {
        let (newest, replaced) = oneshot::channel();
        // Dropping what was there before is what tells it.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert((peer, lane), newest);
        replaced
    }

    /// Says why a peer was refused, once in a while: it tries again many times a second.
    pub(crate) fn refused(&self, from: &str, why: &str) {
        let mut last = self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(said, at)| said != why || at.elapsed() > REPEAT_REFUSAL) {
            tracing::warn!(%from, "refused a peer: {why}");
            *last = Some((why.to_owned(), Instant::now()));
        }
    }
}
