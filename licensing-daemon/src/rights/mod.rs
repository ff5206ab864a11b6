//! Who may do what. The only place that judges it.
//!
//! An administrator is whoever asks from this machine, or proves knowledge of the admin key. Everybody else gets a
//! refusal that says so, and a line in the log.

pub(crate) mod judge;

use licensing_client::protocol::Reply;
use tracing::warn;

use self::judge::Asked;
use crate::port::far::Far;
use crate::server::Server;

/// Wrong proofs accepted on one connection before it is not listened to any more: a person who mistook a file tries
/// twice.
const MAX_WRONG_PROOFS: u32 = 3;

/// What a connection may do.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    allowed: bool,
    challenge: [u8; 32],
    wrong_proofs: u32,
}

impl Rights {
    /// `local`: the far end is this machine.
    pub(crate) fn new(local: bool, challenge: [u8; 32]) -> Rights {
        Rights { allowed: local, challenge, wrong_proofs: 0 }
    }

    /// Judges a proof of the admin key.
    pub(crate) fn authenticate(&mut self, server: &Server, proof: &[u8; 32], from: Far) -> Reply {
        let Some(key) = &server.admin_key else {
            return Reply::Error("this server has no admin key: start it with --admin-key FILE".to_owned());
        };
        if self.wrong_proofs >= MAX_WRONG_PROOFS {
            return Reply::Error("too many wrong proofs on this connection: connect again".to_owned());
        }
        if !key.verifies(&self.challenge, proof) {
            self.wrong_proofs += 1;
            warn!(%from, "wrong proof of the admin key");
            return Reply::Error("wrong admin key: use the key this server was started with".to_owned());
        }
        self.allowed = true;
        Reply::Done("you are an administrator on this connection".to_owned())
    }

    /// Whether this may be asked here; otherwise the refusal, which is logged.
    pub(crate) fn check(&self, server: &Server, what: &str, from: Far) -> Result<(), Reply> {
        let asked = Asked { what: what.to_owned(), from: from.0, allowed: self.allowed };
        let own = server.judge.as_ref().and_then(|judge| (judge.0)(&asked));
        if own.unwrap_or(self.allowed) {
            return Ok(());
        }
        warn!(%from, "refused to a stranger: {what}");
        if own.is_some() {
            return Err(Reply::Error(format!("this server does not let you do that: {what}")));
        }
        let how = match server.admin_key {
            Some(_) => "ask over the loopback, or with licensectl --admin-key FILE",
            None => "ask over the loopback, or start the servers with --admin-key FILE",
        };
        Err(Reply::Error(format!("you are not an administrator of this server: {how}")))
    }
}
