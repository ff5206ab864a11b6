//! Frames between peers: a length, a message authentication code once both sides have proved themselves, the bytes.
//!
//! With a peer key every frame carries an HMAC-SHA256 over its number and content under keys made for this connection
//! and direction, so that nothing can be inserted, replayed, reordered or altered on the way.

use std::io::ErrorKind;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use licensing_core::codec;
use licensing_core::mutant::{Mutant, planted};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Largest frame a peer may send: entries are read in batches of 2 MiB plus one entry of at most 1 MiB, a snapshot
/// chunk is 1 MiB.
pub(crate) const MAX_PEER_FRAME: usize = 4 << 20;

/// Bytes of the authentication code in front of a frame: half of an HMAC-SHA256, as RFC 2104 allows.
const MAC_BYTES: usize = 16;

/// Keys of one connection.
#[derive(Clone)]
pub(crate) struct FrameKeys {
    pub(crate) sending: [u8; 32],
    pub(crate) receiving: [u8; 32],
}

/// The connection ended, or something came in that no peer sends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("a frame of more than {limit} bytes was announced")]
    TooLong { limit: usize },
    #[error("a message of {bytes} bytes does not fit into a frame of {limit}")]
    Unsendable { bytes: usize, limit: usize },
    #[error("a frame is too short for its authentication code")]
    Short,
    #[error("the authentication code of a frame is wrong")]
    Forged,
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
}

fn length_codec(limit: usize) -> LengthDelimitedCodec {
    let limit = if planted(Mutant::FrameWithoutLimit) { usize::MAX } else { limit };
    LengthDelimitedCodec::builder().max_frame_length(limit).new_codec()
}

pub(crate) struct FrameReader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    key: Option<[u8; 32]>,
    number: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(reader: R, limit: usize) -> FrameReader<R> {
        FrameReader { frames: FramedRead::new(reader, length_codec(limit)), key: None, number: 0 }
    }

    /// From the next frame on: full size, authenticated if there is a key.
    pub(crate) fn proven(&mut self, key: Option<[u8; 32]>) {
        if !planted(Mutant::FrameWithoutLimit) {
            self.frames.decoder_mut().set_max_frame_length(MAX_PEER_FRAME);
        }
        self.key = key;
    }

    /// The content of the next frame.
    pub(crate) async fn next(&mut self) -> Result<Bytes, FrameError> {
        let frame = match self.frames.next().await.ok_or(FrameError::Closed)? {
            Ok(frame) => frame.freeze(),
            // The length codec has one complaint of its own, and no way to ask for it but the kind.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(FrameError::TooLong { limit: self.frames.decoder().max_frame_length() });
            }
            Err(error) => return Err(FrameError::Io(error)),
        };
        let Some(key) = &self.key else { return Ok(frame) };
        if frame.len() < MAC_BYTES {
            return Err(FrameError::Short);
        }
        let content = frame.slice(MAC_BYTES..);
        let mac = authenticate(key, self.number, &content);
        self.number += 1;
        mac.verify_truncated_left(&frame[..MAC_BYTES]).map_err(|_| FrameError::Forged)?;
        Ok(content)
    }

    /// The message in the next frame.
    pub(crate) async fn message<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T, FrameError> {
        let bytes = self.next().await?;
        Ok(codec::from_bytes(&bytes, what)?)
    }
}

pub(crate) struct FrameWriter<W> {
    frames: FramedWrite<W, LengthDelimitedCodec>,
    key: Option<[u8; 32]>,
    number: u64,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(crate) fn new(writer: W, limit: usize) -> FrameWriter<W> {
        FrameWriter { frames: FramedWrite::new(writer, length_codec(limit)), key: None, number: 0 }
    }

    pub(crate) fn proven(&mut self, key: Option<[u8; 32]>) {
        self.frames.encoder_mut().set_max_frame_length(MAX_PEER_FRAME);
        self.key = key;
    }

    /// Queues a frame; [`FrameWriter::flush`] sends what is queued.
    pub(crate) async fn feed(&mut self, content: Bytes) -> Result<(), FrameError> {
        let frame = match &self.key {
            None => content,
            Some(key) => {
                let mac = authenticate(key, self.number, &content).finalize().into_bytes();
                self.number += 1;
                let mut frame = BytesMut::with_capacity(MAC_BYTES + content.len());
                frame.extend_from_slice(&mac[..MAC_BYTES]);
                frame.extend_from_slice(&content);
                frame.freeze()
            }
        };
        let (bytes, limit) = (frame.len(), self.frames.encoder().max_frame_length());
        if bytes > limit {
            return Err(FrameError::Unsendable { bytes, limit });
        }
        Ok(self.frames.feed(frame).await?)
    }

    /// Writes the length of a frame that does not follow: what only a hostile peer does.
    #[cfg(feature = "testing")]
    pub(crate) async fn announce(&mut self, length: u32) -> Result<(), FrameError> {
        use tokio::io::AsyncWriteExt;
        let stream = self.frames.get_mut();
        stream.write_all(&length.to_be_bytes()).await?;
        Ok(stream.flush().await?)
    }

    pub(crate) async fn flush(&mut self) -> Result<(), FrameError> {
        SinkExt::<Bytes>::flush(&mut self.frames).await.map_err(FrameError::Io)
    }

    pub(crate) async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        self.feed(Bytes::from(codec::to_bytes(message))).await?;
        self.flush().await
    }
}

pub(crate) type HmacSha256 = Hmac<Sha256>;

pub(crate) fn hmac(key: &[u8; 32]) -> HmacSha256 {
    // HMAC pads a short key with zeros to one block of its hash (RFC 2104).
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    HmacSha256::new(&block.into())
}

fn authenticate(key: &[u8; 32], number: u64, content: &[u8]) -> HmacSha256 {
    let mut mac = hmac(key);
    mac.update(&number.to_be_bytes());
    mac.update(content);
    mac
}
