//! What the first bytes of a connection say. Reads as little as tells what it is, and decides nothing.

use std::io::ErrorKind;

use licensing_client::protocol::PREAMBLE;
use licensing_raft::PEER_PREAMBLE;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::door::Door;

/// Longest line of text, in bytes: `STATUS` and whatever a monitor appends.
const MAX_LINE: usize = 128;

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Peer,
    Client,
    /// The door with this number.
    Own(usize),
    Tls,
    Line(String),
}

/// First bytes that mean nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningProblem {
    #[error("began with {0:02x?}, which is neither a client, a peer nor text")]
    Garbage(Vec<u8>),
    #[error("sent a line of more than {MAX_LINE} bytes")]
    LongLine,
    #[error("closed the connection before saying anything: {0}")]
    Io(#[from] std::io::Error),
}

/// First byte of a TLS record that begins a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Reads as little as tells what it is: what follows belongs to the next reader.
pub(super) async fn read_opening<R: AsyncRead + Unpin>(
    stream: &mut R,
    doors: &[Door],
) -> Result<Opening, OpeningProblem> {
    let first = stream.read_u8().await?;
    let mut read = vec![first];
    if doors.iter().any(|door| door.preamble[0] == first) {
        // Shorter than this are no words of anybody's.
        let mut rest = [0; 3];
        stream.read_exact(&mut rest).await?;
        read.extend(rest);
        if let Some(number) = doors.iter().position(|door| door.preamble == *read) {
            return Ok(Opening::Own(number));
        }
    }
    match first {
        0 => {
            let known = read.len();
            read.resize(4, 0);
            stream.read_exact(&mut read[known..]).await?;
            match read.first_chunk::<4>().copied().unwrap_or_default() {
                PREAMBLE => Ok(Opening::Client),
                PEER_PREAMBLE => Ok(Opening::Peer),
                other => Err(OpeningProblem::Garbage(other.to_vec())),
            }
        }
        TLS_HANDSHAKE => Ok(Opening::Tls),
        b' '..=b'~' | b'\r' | b'\n' => {
            let mut line = read;
            while !line.contains(&b'\n') {
                if line.len() == MAX_LINE {
                    return Err(OpeningProblem::LongLine);
                }
                match stream.read_u8().await {
                    Ok(byte) => line.push(byte),
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Opening::Line(String::from_utf8_lossy(&line).into_owned()))
        }
        _ => Err(OpeningProblem::Garbage(read)),
    }
}

/// Whose connections begin so already, if anybody's do.
pub(crate) fn taken_by(preamble: [u8; 4]) -> Option<&'static str> {
    match preamble {
        PREAMBLE => Some("clients of the house"),
        PEER_PREAMBLE => Some("the other servers"),
        [TLS_HANDSHAKE, ..] => Some("TLS"),
        [b'\r' | b'\n', ..] => Some("an empty line of text"),
        other => other.eq_ignore_ascii_case(b"STAT").then_some("the question STATUS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opening(bytes: &[u8]) -> Result<Opening, String> {
        let mut stream = bytes;
        let doors =
            [Door { preamble: *b"ACME", serve: std::sync::Arc::new(|_| Box::pin(std::future::ready(()))) }];
        read_opening(&mut stream, &doors).await.map_err(|problem| problem.to_string())
    }

    #[tokio::test]
    async fn the_first_bytes_tell_who_it_is() {
        assert_eq!(opening(b"\0LSC\0\0\0\x05hello").await, Ok(Opening::Client));
        assert_eq!(opening(b"\0LSP....").await, Ok(Opening::Peer));
        assert_eq!(opening(b"\x16\x03\x01\x02\0").await, Ok(Opening::Tls));
        assert_eq!(opening(b"STATUS\r\nmore").await, Ok(Opening::Line("STATUS\r\n".to_owned())));
        assert_eq!(opening(b"ACME hello").await, Ok(Opening::Own(0)));
        assert_eq!(opening(b"ACM?\r\n").await, Ok(Opening::Line("ACM?\r\n".to_owned())));
        assert_eq!(opening(b"STATUS").await, Ok(Opening::Line("STATUS".to_owned())));
    }

    #[tokio::test]
    async fn garbage_is_named() {
        let garbage = |bytes: &str| format!("began with {bytes}, which is neither a client, a peer nor text");
        assert_eq!(opening(b"\xff\xff\xff\xff").await, Err(garbage("[ff]")));
        assert_eq!(opening(b"\0LSX").await, Err(garbage("[00, 4c, 53, 58]")));
        assert!(opening(&[b'x'; 1000]).await.unwrap_err().contains("more than 128 bytes"));
        assert!(opening(b"").await.unwrap_err().contains("closed the connection"));
    }
}
