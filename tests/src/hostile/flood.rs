//! Malformed frames for a real server, one after the other and many at a time.

use licensing_client::framing::{decode_frame, encode_frame};
use licensing_client::protocol::{ClientMessage, Hello, MAX_FRAME_BYTES, PREAMBLE, Request};
use licensing_core::id::{SessionId, Token};
use licensing_raft::PEER_PREAMBLE;
use licensing_raft::testing::wire::PeerWord;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::hostile::{mutate, samples};
use crate::process::PATIENCE;
use crate::workload::Choices;

/// Connections of a flood at a time.
pub const AT_ONCE: u64 = 8;

/// Sends `count` malformed frames to this port and returns when the server has closed every connection.
pub async fn flood(port: u16, count: u64, choices: &mut Choices) {
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..AT_ONCE {
        let mut own = Choices::new(choices.below(u64::MAX), sender);
        let share = count / AT_ONCE + u64::from(sender < count % AT_ONCE);
        senders.spawn(async move {
            let supply = Supply::new();
            for _ in 0..share {
                deliver(port, &supply.connection(&mut own)).await;
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.expect("a sender of the flood panicked");
    }
}

/// What a hostile connection is made of.
struct Supply {
    hello: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
    peer_hellos: Vec<Vec<u8>>,
    /// A client that begins well: its hello, and signs of life of sessions that do not exist.
    good_beginning: Vec<u8>,
}

impl Supply {
    fn new() -> Supply {
        let mut good_beginning = PREAMBLE.to_vec();
        let heartbeat = Request::Heartbeat { session: SessionId(u64::MAX), token: Token([0; 16]) };
        good_beginning.extend(encode_frame(&samples::hello()).expect("a hello fits"));
        for id in 0..3 {
            let message = ClientMessage { id, request: heartbeat.clone() };
            good_beginning.extend(encode_frame(&message).expect("a sign of life fits"));
        }
        Supply {
            hello: vec![samples::content(&samples::hello())],
            requests: samples::requests().iter().map(samples::content).collect(),
            peer_hellos: samples::peer_hellos(),
            good_beginning,
        }
    }

    /// Everything that is sent on one connection: exactly one frame of it is malformed.
    fn connection(&self, choices: &mut Choices) -> Vec<u8> {
        match choices.below(8) {
            0 | 1 => self.malformed(choices, &PREAMBLE, &self.hello, |content| {
                decode_frame::<Hello>(content, "hello").is_ok()
            }),
            2 | 3 => self.malformed(choices, &PEER_PREAMBLE, &self.peer_hellos, |content| {
                PeerWord::Hello.reread(content).is_ok()
            }),
            4 => mutate::input(choices, &[vec![0xff; 64]]),
            _ => self.malformed(choices, &self.good_beginning, &self.requests, |content| {
                decode_frame::<ClientMessage>(content, "request").is_ok()
            }),
        }
    }

    fn malformed(
        &self,
        choices: &mut Choices,
        beginning: &[u8],
        contents: &[Vec<u8>],
        is_valid: impl Fn(&[u8]) -> bool,
    ) -> Vec<u8> {
        let mut content = mutate::input(choices, contents);
        if is_valid(&content) {
            content.push(0);
        }
        let length = content.len() as u32;
        let announced = match choices.below(8) {
            0 => u32::MAX,
            1 => MAX_FRAME_BYTES as u32 + 1,
            // Cut off.
            2 => length + 1 + choices.below(1000) as u32,
            _ => length,
        };
        [beginning, &announced.to_be_bytes(), &content].concat()
    }
}

async fn deliver(port: u16, bytes: &[u8]) {
    let talking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        // It may be closed before all of it is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = tokio::io::copy(&mut stream.take(1 << 20), &mut tokio::io::sink()).await;
    };
    timeout(PATIENCE, talking).await.unwrap_or_else(|_| panic!("the server never closes {bytes:02x?}"));
}

/// Memory of a process that is not swapped out, in bytes; `None` where the system does not tell.
pub fn memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
