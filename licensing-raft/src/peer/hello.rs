//! The first words of a peer connection: both sides say who they are, and prove that they know the peer key before
//! anything else they send is looked at.
//!
//! ```text
//! dialer                                   acceptor
//! PEER_PREAMBLE, Hello{who, nonce}  ───▶
//!                                   ◀───  Accepted{who, nonce, proof}  or  Refused{why}
//! Proof                             ───▶
//! ```
//! A proof is an HMAC over everything both sides have said. Without a configured key an agreed zero key is used: the
//! exchange is the same and proves nothing, which is why the server then insists on loopback addresses.

use std::net::SocketAddr;
use std::time::Duration;

use hmac::Mac;
use licensing_core::codec;
use licensing_core::id::Role;
use licensing_core::spoken::common_version;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use crate::config::PeerKey;
use crate::mastership::lives::Boot;
use crate::membership::standing::TriadId;
use crate::peer::frame::{FrameError, FrameKeys, FrameReader, FrameWriter, HmacSha256, hmac};
use crate::peer::message::{Lane, PEER_PROTOCOLS};

/// Nobody needs longer to say hello; who does is not one of ours.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// A hello is a few hundred bytes.
pub(crate) const MAX_HELLO_FRAME: usize = 16 << 10;

/// Who a server is, as far as its peers must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The oldest version of the peer protocol it speaks.
    pub(crate) from: u16,
    /// The newest.
    pub(crate) to: u16,
    pub(crate) role: Role,
    /// Host ids of the license file.
    pub(crate) triad: String,
    /// `PRIMARY_IS_MASTER` and timings: servers that differ in them would not fail over as promised.
    pub(crate) rules: String,
    /// The triad that it is bound to, if any.
    pub(crate) triad_id: Option<TriadId>,
    pub(crate) lane: Lane,
    /// Differs after every start.
    boot: Boot,
    /// From a dialer that ends this connection by a reset as long as it lives: its own address.
    resets_from: Option<SocketAddr>,
    nonce: [u8; 32],
    /// What later versions want to say besides, by number. Who does not know a number ignores it.
    more: Vec<(u16, Vec<u8>)>,
}

#[cfg(feature = "testing")]
impl Hello {
    /// What makes the keys of this connection different from those of all others.
    pub(crate) fn nonce(&self) -> [u8; 32] {
        self.nonce
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Welcome {
    Accepted { hello: Hello, proof: [u8; 32] },
    Refused { why: String },
}

/// What a server brings to a hello.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    pub(crate) role: Role,
    pub(crate) boot: Boot,
    pub(crate) triad: String,
    pub(crate) rules: String,
    pub(crate) key: Option<PeerKey>,
}

/// A hello that did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it began with {0:02x?}, which is no peer")]
    NoPeer([u8; 4]),
    #[error("{0}")]
    Refused(String),
    #[error("the peer does not know the peer key: give all three servers the same key file")]
    WrongKey,
    #[error(
        "the address answers as the {found}, the {expected} was expected: compare the SERVER lines of both servers"
    )]
    WrongServer { found: Role, expected: Role },
}

/// A connection whose far end is proven.
pub(crate) struct Proven<S> {
    pub(crate) peer: Role,
    pub(crate) lane: Lane,
    /// The triad that the far end is bound to, if any.
    pub(crate) triad_id: Option<TriadId>,
    /// The life of the far end.
    pub(crate) boot: Boot,
    /// See [`Hello::resets_from`].
    pub(crate) resets_from: Option<SocketAddr>,
    pub(crate) reader: FrameReader<ReadHalf<S>>,
    pub(crate) writer: FrameWriter<WriteHalf<S>>,
}

impl Introduction {
    pub(crate) fn hello(&self, triad_id: Option<TriadId>, lane: Lane, nonce: [u8; 32]) -> Hello {
        Hello {
            from: PEER_PROTOCOLS.0,
            to: PEER_PROTOCOLS.1,
            role: self.role,
            triad: self.triad.clone(),
            rules: self.rules.clone(),
            triad_id,
            lane,
            boot: self.boot,
            resets_from: None,
            nonce,
            more: Vec::new(),
        }
    }

    fn key(&self) -> [u8; 32] {
        self.key.as_ref().map_or([0; 32], |key| key.0)
    }

    /// Whether this hello comes from one of the other two; if not, why.
    fn judge(&self, own_id: Option<TriadId>, hello: &Hello) -> Result<(), String> {
        if common_version((hello.from, hello.to), PEER_PROTOCOLS).is_none() {
            let (from, to) = PEER_PROTOCOLS;
            return Err(format!(
                "the {} speaks peer protocols {} to {}, the {} {from} to {to}: upgrade the older server step by step",
                hello.role, hello.from, hello.to, self.role
            ));
        }
        if hello.role == self.role {
            return Err(format!("two servers claim to be the {}: compare --role on both hosts", self.role));
        }
        if hello.triad != self.triad {
            return Err(format!(
                "the SERVER lines differ: the {} has `{}`, the {} has `{}`: install the same license file on all three",
                hello.role, hello.triad, self.role, self.triad
            ));
        }
        if hello.rules != self.rules {
            return Err(format!(
                "the servers follow different rules: the {} has `{}`, the {} has `{}`: make the first SERVER line and \
                 --profile equal on all three",
                hello.role, hello.rules, self.role, self.rules
            ));
        }
        if let (Some(theirs), Some(own)) = (hello.triad_id, own_id)
            && theirs != own
        {
            return Err(format!(
                "the data directories belong to different triads: the {} is of {theirs}, the {} of {own}: give one of \
                 them an empty directory",
                hello.role, self.role
            ));
        }
        Ok(())
    }

    /// Speaks first, to the server at the place of `expected`.
    pub(crate) async fn dial<S>(
        &self,
        mut stream: S,
        expected: Role,
        triad_id: Option<TriadId>,
        lane: Lane,
        nonce: [u8; 32],
        resets_from: Option<SocketAddr>,
    ) -> Result<Proven<S>, HelloError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        use tokio::io::AsyncWriteExt;
        stream.write_all(&crate::PEER_PREAMBLE).await.map_err(FrameError::Io)?;
        let (mut reader, mut writer) = split(stream);
        let own = Hello { resets_from, ..self.hello(triad_id, lane, nonce) };
        writer.send(&own).await?;
        let (theirs, proof) = match reader.message("welcome of a peer").await? {
            Welcome::Accepted { hello, proof } => (hello, proof),
            Welcome::Refused { why } => return Err(HelloError::Refused(why)),
        };
        self.judge(triad_id, &theirs).map_err(HelloError::Refused)?;
        if theirs.role != expected {
            return Err(HelloError::WrongServer { found: theirs.role, expected });
        }
        let secret = self.key();
        transcript(&secret, "acceptor", &own, &theirs)
            .verify((&proof).into())
            .map_err(|_| HelloError::WrongKey)?;
        writer.send(&tag(&secret, "dialer", &own, &theirs)).await?;
        let keys = FrameKeys {
            sending: tag(&secret, "frames of the dialer", &own, &theirs),
            receiving: tag(&secret, "frames of the acceptor", &own, &theirs),
        };
        Ok(self.proven(theirs, reader, writer, keys))
    }

    /// Answers a peer whose preamble has been read.
    pub(crate) async fn accept<S>(
        &self,
        stream: S,
        triad_id: Option<TriadId>,
        nonce: [u8; 32],
    ) -> Result<Proven<S>, HelloError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut reader, mut writer) = split(stream);
        let theirs: Hello = reader.message("hello of a peer").await?;
        if let Err(why) = self.judge(triad_id, &theirs) {
            writer.send(&Welcome::Refused { why: why.clone() }).await?;
            return Err(HelloError::Refused(why));
        }
        let own = self.hello(triad_id, theirs.lane, nonce);
        let secret = self.key();
        let proof = tag(&secret, "acceptor", &theirs, &own);
        writer.send(&Welcome::Accepted { hello: own.clone(), proof }).await?;
        let answer: [u8; 32] = reader.message("proof of a peer").await?;
        transcript(&secret, "dialer", &theirs, &own)
            .verify((&answer).into())
            .map_err(|_| HelloError::WrongKey)?;
        let keys = FrameKeys {
            sending: tag(&secret, "frames of the acceptor", &theirs, &own),
            receiving: tag(&secret, "frames of the dialer", &theirs, &own),
        };
        Ok(self.proven(theirs, reader, writer, keys))
    }

    fn proven<S: AsyncRead + AsyncWrite>(
        &self,
        theirs: Hello,
        mut reader: FrameReader<ReadHalf<S>>,
        mut writer: FrameWriter<WriteHalf<S>>,
        keys: FrameKeys,
    ) -> Proven<S> {
        let authenticated = self.key.is_some();
        reader.proven(authenticated.then_some(keys.receiving));
        writer.proven(authenticated.then_some(keys.sending));
        let Hello { role: peer, lane, triad_id, boot, resets_from, .. } = theirs;
        Proven { peer, lane, triad_id, boot, resets_from, reader, writer }
    }
}

fn split<S: AsyncRead + AsyncWrite>(stream: S) -> (FrameReader<ReadHalf<S>>, FrameWriter<WriteHalf<S>>) {
    let (read, write) = tokio::io::split(stream);
    (FrameReader::new(read, MAX_HELLO_FRAME), FrameWriter::new(write, MAX_HELLO_FRAME))
}

fn transcript(key: &[u8; 32], purpose: &str, dialer: &Hello, acceptor: &Hello) -> HmacSha256 {
    let mut mac = hmac(key);
    mac.update(&codec::to_bytes(&(purpose, dialer, acceptor)));
    mac
}

fn tag(key: &[u8; 32], purpose: &str, dialer: &Hello, acceptor: &Hello) -> [u8; 32] {
    transcript(key, purpose, dialer, acceptor).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn introduction(role: Role, key: u8) -> Introduction {
        let rules = "PRIMARY_IS_MASTER, heartbeat 50 ms, lease 300 ms".to_owned();
        let triad = "demo ANY ANY ANY".to_owned();
        Introduction { role, boot: [role.number() as u8; 16], triad, rules, key: Some(PeerKey([key; 32])) }
    }

    type Ends = (Result<Proven<DuplexStream>, HelloError>, Result<Proven<DuplexStream>, HelloError>);

    /// The primary dials the secondary.
    async fn meet(dialer: &Introduction, acceptor: &Introduction, ids: [Option<TriadId>; 2]) -> Ends {
        let (here, mut there) = tokio::io::duplex(64 << 10);
        let accept = async {
            let mut preamble = [0; 4];
            there.read_exact(&mut preamble).await.unwrap();
            assert_eq!(preamble, crate::PEER_PREAMBLE);
            acceptor.accept(there, ids[1], [2; 32]).await
        };
        tokio::join!(dialer.dial(here, Role::Secondary, ids[0], Lane::Log, [1; 32], None), accept)
    }

    #[tokio::test]
    async fn two_servers_of_a_triad_prove_themselves_and_talk() {
        let id = Some(TriadId([5; 16]));
        let (here, there) =
            meet(&introduction(Role::Primary, 7), &introduction(Role::Secondary, 7), [id, None]).await;
        let (mut here, mut there) = (here.unwrap(), there.unwrap());
        assert_eq!((here.peer, there.peer, there.lane), (Role::Secondary, Role::Primary, Lane::Log));
        for word in ["one", "two"] {
            here.writer.feed(Bytes::from(word)).await.unwrap();
            here.writer.flush().await.unwrap();
            assert_eq!(there.reader.next().await.unwrap(), word);
        }
    }

    #[tokio::test]
    async fn a_wrong_key_proves_nothing_to_either_side() {
        let (here, _) =
            meet(&introduction(Role::Primary, 7), &introduction(Role::Secondary, 8), [None, None]).await;
        assert!(matches!(here.err(), Some(HelloError::WrongKey)));
    }

    /// Both sides must hear why, in words that name both servers.
    async fn check_refused(other: Introduction, ids: [Option<TriadId>; 2], said: &str) {
        let (here, there) = meet(&introduction(Role::Primary, 7), &other, ids).await;
        for error in [here.err().unwrap().to_string(), there.err().unwrap().to_string()] {
            assert!(error.contains(said), "`{error}` should contain `{said}`");
        }
    }

    #[tokio::test]
    async fn strangers_are_told_why_they_are_refused() {
        let secondary = || introduction(Role::Secondary, 7);
        check_refused(
            Introduction { triad: "demo ANY 0019d244e9fc ANY".to_owned(), ..secondary() },
            [None, None],
            "the primary has `demo ANY ANY ANY`, the secondary has `demo ANY 0019d244e9fc ANY`",
        )
        .await;
        check_refused(
            Introduction { rules: "other".to_owned(), ..secondary() },
            [None, None],
            "follow different rules",
        )
        .await;
        check_refused(introduction(Role::Primary, 7), [None, None], "two servers claim to be the primary")
            .await;
        let ids = [Some(TriadId([1; 16])), Some(TriadId([2; 16]))];
        check_refused(secondary(), ids, "belong to different triads").await;
    }

    #[tokio::test]
    async fn the_server_at_an_address_must_be_the_one_that_is_expected_there() {
        let (here, _) =
            meet(&introduction(Role::Primary, 7), &introduction(Role::Tertiary, 7), [None, None]).await;
        let error = here.err().unwrap().to_string();
        assert!(error.contains("answers as the tertiary, the secondary was expected"), "{error}");
    }

    #[tokio::test]
    async fn an_altered_repeated_or_oversized_frame_ends_the_connection() {
        for forge in [|wire: &mut Vec<u8>| wire[20] ^= 1, |wire: &mut Vec<u8>| wire.extend(wire.clone())] {
            let keys = Some([9; 32]);
            let (mut near, far) = tokio::io::duplex(1 << 16);
            let (inside, mut tap) = tokio::io::duplex(1 << 16);
            let mut writer = FrameWriter::new(inside, 1 << 10);
            writer.proven(keys);
            writer.feed(Bytes::from("a vote for somebody")).await.unwrap();
            writer.flush().await.unwrap();
            drop(writer);
            let mut wire = Vec::new();
            tap.read_to_end(&mut wire).await.unwrap();
            forge(&mut wire);
            near.write_all(&wire).await.unwrap();
            let mut reader = FrameReader::new(far, 1 << 10);
            reader.proven(keys);
            let first = reader.next().await;
            let forged = if first.is_ok() { reader.next().await } else { first };
            assert!(matches!(forged, Err(FrameError::Forged)), "{forged:?}");
        }
        let (mut near, far) = tokio::io::duplex(1 << 16);
        near.write_all(&[0xff; 8]).await.unwrap();
        let oversized = FrameReader::new(far, MAX_HELLO_FRAME).next().await;
        assert!(matches!(oversized, Err(FrameError::TooLong { limit: MAX_HELLO_FRAME })), "{oversized:?}");
    }
}
