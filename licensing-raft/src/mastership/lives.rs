//! What the connections between this server and the two others tell of the lives of those two.
//!
//! A life is one process, from its start to its end; its hello names it by its boot. A connection that it dialed, and that
//! ended as only its death ends it, makes its death likely; that nothing else is left of it and that nobody listens at
//! its address any more makes it sure enough to vote on. Whatever connects or answers there takes all of it back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use licensing_core::id::Role;

use crate::ending::Ending;
use crate::engine::watch::{Watched, Watcher};

/// What tells the lives of a server apart.
pub(crate) type Boot = [u8; 16];

/// One life of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) role: Role,
    pub(crate) boot: Boot,
}

/// See the module. Clones are the same.
#[derive(Clone)]
pub(crate) struct Lives(Arc<Known>);

struct Known {
    peers: Mutex<[Peer; 3]>,
    /// Grows with whatever changes.
    news: Watched<u64>,
}

/// What is known of one of the others.
#[derive(Default)]
struct Peer {
    /// Connections that it dialed and proved itself on, and that have not ended.
    from_it: usize,
    /// Such as this server dialed.
    to_it: usize,
    /// How often there was a new one of either.
    met: u64,
    /// The life of which a connection ended as only its death ends it. No connection was made since.
    ended: Option<Boot>,
    /// The life whose address refused a connection after all that.
    dead: Option<Boot>,
}

impl Peer {
    fn is_silent(&self) -> bool {
        self.from_it == 0 && self.to_it == 0
    }

    fn meet(&mut self) {
        self.met += 1;
        (self.ended, self.dead) = (None, None);
    }
}

impl Lives {
    pub(crate) fn new() -> Lives {
        Lives(Arc::new(Known { peers: Mutex::default(), news: Watched::new(0) }))
    }

    /// Hears of everything that changes here.
    pub(crate) fn news(&self) -> Watcher<u64> {
        self.0.news.subscribe()
    }

    /// A peer has dialed this server and proved itself.
    ///
    /// `ending`: how the connection ends, if only the death of its process can end it in good order.
    pub(crate) fn dialed_by(&self, life: Life, ending: Option<Ending>) -> FromPeer {
        self.change(life.role, |peer| {
            peer.from_it += 1;
            peer.meet();
        });
        FromPeer { lives: self.clone(), life, ending, is_open: true }
    }

    /// This server has dialed a peer, which has proved itself.
    pub(crate) fn reached(&self, role: Role) -> ToPeer {
        self.change(role, |peer| {
            peer.to_it += 1;
            peer.meet();
        });
        ToPeer { lives: self.clone(), role }
    }

    /// Whether all connections of this life have ended, one of them as only its death ends it. Then, how often there have been
    /// new ones so far.
    pub(crate) fn seems_over(&self, life: Life) -> Option<u64> {
        let peers = self.lock();
        let peer = &peers[life.role.place()];
        (peer.is_silent() && peer.ended == Some(life.boot)).then_some(peer.met)
    }

    /// Nobody listens where this life did, and nobody did since [`Lives::seems_over`] gave this number.
    pub(crate) fn refused(&self, life: Life, met: u64) {
        self.change(life.role, |peer| {
            if peer.is_silent() && peer.met == met && peer.ended == Some(life.boot) {
                peer.dead = Some(life.boot);
            }
        });
    }

    /// Whether there is evidence that this life is over.
    pub(crate) fn is_over(&self, life: Life) -> bool {
        let peers = self.lock();
        let peer = &peers[life.role.place()];
        peer.is_silent() && peer.dead == Some(life.boot)
    }

    /// Whether there were connections with the others, and none is left with either, in or out.
    pub(crate) fn is_cut_off(&self) -> bool {
        let peers = self.lock();
        peers.iter().any(|peer| peer.met > 0) && peers.iter().all(Peer::is_silent)
    }

    fn change(&self, role: Role, change: impl FnOnce(&mut Peer)) {
        change(&mut self.lock()[role.place()]);
        self.0.news.send_if_modified(|news| {
            *news += 1;
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, [Peer; 3]> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that a peer dialed, as long as this lives.
pub(crate) struct FromPeer {
    lives: Lives,
    life: Life,
    ending: Option<Ending>,
    is_open: bool,
}

impl FromPeer {
    /// Whose it is.
    pub(crate) fn life(&self) -> Life {
        self.life
    }

    /// Nothing more can be read from it, or it is given up.
    pub(crate) fn ended(&mut self) {
        if !std::mem::replace(&mut self.is_open, false) {
            return;
        }
        let boot = self.life.boot;
        let by_death = self.ending.as_ref().is_some_and(Ending::is_orderly);
        self.lives.change(self.life.role, |peer| {
            peer.from_it -= 1;
            if by_death {
                peer.ended = Some(boot);
            }
        });
    }
}

impl Drop for FromPeer {
    fn drop(&mut self) {
        self.ended();
    }
}

/// A connection to a peer, as long as this lives.
pub(crate) struct ToPeer {
    lives: Lives,
    role: Role,
}

impl Drop for ToPeer {
    fn drop(&mut self) {
        self.lives.change(self.role, |peer| peer.to_it -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::ending::Observed;

    fn life(boot: u8) -> Life {
        Life { role: Role::Primary, boot: [boot; 16] }
    }

    /// How a connection ends that ends in good order.
    async fn orderly() -> Option<Ending> {
        let (mut stream, ending) = Observed::new(tokio::io::empty());
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        Some(ending)
    }

    /// The address refuses a connection now; whether the life is over then.
    fn is_over_when_refused(lives: &Lives, life: Life) -> bool {
        if let Some(met) = lives.seems_over(life) {
            lives.refused(life, met);
        }
        lives.is_over(life)
    }

    #[tokio::test]
    async fn a_life_is_over_when_nothing_is_left_of_it() {
        let lives = Lives::new();
        let log = lives.dialed_by(life(1), orderly().await);
        let (control, own) = (lives.dialed_by(life(1), None), lives.reached(Role::Primary));
        drop(log);
        assert!(!is_over_when_refused(&lives, life(1)), "another lane is open");
        drop(control);
        assert!(!is_over_when_refused(&lives, life(1)), "the own lane is open");
        drop(own);
        assert!(!lives.is_over(life(1)), "nobody has asked at its address");
        assert!(is_over_when_refused(&lives, life(1)));
        assert!(!is_over_when_refused(&lives, life(2)), "it was another life");
        drop(lives.dialed_by(life(2), None));
        assert!(!is_over_when_refused(&lives, life(1)), "it has connected again");
    }

    #[test]
    fn a_reset_says_nothing() {
        let lives = Lives::new();
        drop(lives.dialed_by(life(1), Some(Ending::default())));
        drop(lives.reached(Role::Primary));
        assert!(!is_over_when_refused(&lives, life(1)));
        assert!(lives.is_cut_off());
    }

    #[tokio::test]
    async fn a_refusal_from_before_a_new_connection_says_nothing() {
        let lives = Lives::new();
        drop(lives.dialed_by(life(1), orderly().await));
        let met = lives.seems_over(life(1)).unwrap();
        drop(lives.dialed_by(life(1), orderly().await));
        lives.refused(life(1), met);
        assert!(!lives.is_over(life(1)));
    }

    #[test]
    fn whoever_has_met_nobody_is_not_cut_off() {
        let lives = Lives::new();
        assert!(!lives.is_cut_off());
        let one = lives.reached(Role::Secondary);
        assert!(!lives.is_cut_off());
        drop(one);
        assert!(lives.is_cut_off());
    }
}
