//! Who might ask: with what right, and in whose name.

use std::net::SocketAddr;

use licensing_client::AdminKey;
use licensing_client::framing::encode_frame;
use licensing_client::protocol::{Hello, MAX_HELLO_BYTES, Reply, Request};
use licensing_core::id::{Handle, Role, SessionId, Token};

use crate::rows::Named;
use crate::site::{Site, key};
use crate::support::Raw;

pub(crate) const ADA: Token = Token([0xa1; 16]);
const EVE: Token = Token([0xe5; 16]);
const WRONG: Token = Token([0xff; 16]);

/// Names that somebody might take for something else than a name.
pub(crate) const HOSTILE: [&str; 7] = [
    "root\n127.0.0.1\0",
    "licensectl; relayed by the secondary",
    "\x1b[2J\x1b[31mWARN\x1b[0m \x07\u{9b}2J",
    "\"f1\" root@desk  (4 licenses)",
    "jos\u{e9} \u{202e}nimda\u{202c} \u{2028}",
    "a:b,c;d=e'f`g\\h\t",
    "   ",
];

/// By what right somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// From the machine of the server.
    Local,
    /// From there, with a wrong proof of the key: it takes nothing away.
    LocalWithAWrongKey,
    /// From elsewhere, with the admin key.
    Key,
    /// The same proof twice on its own connection.
    KeyTwice,
    /// From elsewhere, as a program of this name.
    Named(&'static str),
    /// As a program whose name is as long as a hello may be.
    LongName,
    /// With a proof of another key.
    WrongKey,
    /// With a proof that was good on another connection.
    OthersProof,
    /// With the right key, after three wrong ones.
    TooManyKeys,
}

impl Right {
    /// What a right makes of somebody.
    pub(crate) fn is_admin(self) -> bool {
        matches!(self, Right::Local | Right::LocalWithAWrongKey | Right::Key | Right::KeyTwice)
    }

    /// A connection with this right.
    pub(crate) async fn connect(self, address: SocketAddr) -> Raw {
        let hello = match self {
            Right::Local | Right::LocalWithAWrongKey => Hello::new("local"),
            Right::Named(name) => relayed(name),
            Right::LongName => long(MAX_HELLO_BYTES),
            _ => relayed("elsewhere"),
        };
        let mut raw = Raw::connect_as(address, hello).await;
        let own = key().proof(&raw.challenge());
        match self {
            Right::Key => assert_eq!(prove(&mut raw, own).await, Ok(())),
            Right::KeyTwice => {
                assert_eq!(prove(&mut raw, own).await, Ok(()));
                assert_eq!(prove(&mut raw, own).await, Ok(()));
            }
            Right::WrongKey | Right::LocalWithAWrongKey => {
                let other = AdminKey::from_bytes([7; 32]).proof(&raw.challenge());
                prove(&mut raw, other).await.unwrap_err();
            }
            Right::OthersProof => {
                let mut owner = Raw::connect_as(address, relayed("owner")).await;
                let proof = key().proof(&owner.challenge());
                assert_eq!(prove(&mut owner, proof).await, Ok(()));
                prove(&mut raw, proof).await.unwrap_err();
            }
            Right::TooManyKeys => {
                for _ in 0..3 {
                    prove(&mut raw, [0; 32]).await.unwrap_err();
                }
                let refused = prove(&mut raw, own).await.unwrap_err();
                assert!(refused.contains("too many wrong proofs"), "{refused}");
            }
            Right::Local | Right::Named(_) | Right::LongName => {}
        }
        raw
    }
}

async fn prove(raw: &mut Raw, proof: [u8; 32]) -> Result<(), String> {
    match raw.ask(Request::Authenticate { proof }).await {
        Reply::Done(_) => Ok(()),
        Reply::Error(words) => Err(words),
        other => panic!("{other:?}"),
    }
}

/// A hello as a standby passes it on: the connection comes from this machine, the client does not.
pub(crate) fn relayed(software: &str) -> Hello {
    Hello { relayed_by: Some(Role::Secondary), ..Hello::new(software) }
}

/// One of so many bytes.
pub(crate) fn long(bytes: usize) -> Hello {
    // The length in front is four bytes; that of a long name takes two more than that of none.
    let room = bytes + 4 - encode_frame(&relayed("")).unwrap().len() - 2;
    let hello = relayed(&"x".repeat(room));
    assert_eq!(encode_frame(&hello).unwrap().len(), bytes + 4);
    hello
}

/// In whose name somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Of the session that it names.
    Own,
    /// Of a session whose token it does not know.
    WrongToken,
    /// With the token of another session.
    OthersToken,
    /// With the token of the same client's session before this one.
    OldToken,
    /// Of a session that never was.
    Never,
    /// Of one that was closed.
    Closed,
    /// Of one that was silent for too long.
    Expired,
}

impl Standing {
    pub(crate) const ALL: [Standing; 7] = [
        Standing::Own,
        Standing::WrongToken,
        Standing::OthersToken,
        Standing::OldToken,
        Standing::Never,
        Standing::Closed,
        Standing::Expired,
    ];

    /// Makes the sessions that it takes.
    pub(crate) async fn prepare(self, site: &Site) -> Named {
        let others_token = EVE;
        let (_, others) = site.holder(EVE).await;
        let named = |session: SessionId, token, handle: Handle| Named {
            session,
            token,
            handle,
            others,
            others_token,
        };
        let (session, handle) = site.holder(ADA).await;
        match self {
            Standing::Own => named(session, ADA, handle),
            Standing::WrongToken => named(session, WRONG, handle),
            Standing::OthersToken => named(session, EVE, handle),
            Standing::OldToken => {
                site.close(session, ADA).await;
                let (session, handle) = site.holder(Token([0xa2; 16])).await;
                named(session, ADA, handle)
            }
            Standing::Never => named(SessionId(1 << 40), ADA, handle),
            Standing::Closed => {
                site.close(session, ADA).await;
                named(session, ADA, handle)
            }
            Standing::Expired => {
                site.expire(session).await;
                named(session, ADA, handle)
            }
        }
    }
}
