//! Messages to frames and back: the bytes that clients and servers both put on a client connection.
//!
//! A frame is its length (four bytes, big-endian) and that many bytes of [`licensing_core::codec`]. A frame longer
//! than [`MAX_FRAME_BYTES`] is refused when its length has been read, before anything is allocated for it. After
//! an error the place in the stream is lost, so whoever gets a [`FrameError`] closes the connection.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use licensing_core::codec::{self, CodecError};
use licensing_core::mutant::{Mutant, planted};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use crate::protocol::{MAX_FRAME_BYTES, PREAMBLE};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// What a reader sets aside at first: a dozen requests at once. It grows with what comes; a server with ten thousand
/// connections that say little would give most of its memory to larger ones.
const READ_BYTES: usize = 1024;

/// Bytes that are no frame of this protocol, or a stream that failed while one was moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The far end announced a longer frame than either side may send.
    #[error("a frame of more than {limit} bytes was announced: the far end does not speak this protocol")]
    TooLong {
        /// [`MAX_FRAME_BYTES`].
        limit: usize,
    },
    /// A message does not fit into a frame and was not sent.
    #[error("a message of {bytes} bytes does not fit into a frame of {limit}")]
    Unsendable {
        /// How long it is.
        bytes: usize,
        /// [`MAX_FRAME_BYTES`].
        limit: usize,
    },
    /// The frame does not hold the message it should.
    #[error(transparent)]
    Malformed(#[from] CodecError),
    /// The connection began with other bytes than [`PREAMBLE`].
    #[error("the connection began with {found:02x?} where a client sends {PREAMBLE:02x?}")]
    Preamble {
        /// What came.
        found: [u8; 4],
    },
    /// The stream failed or ended inside a frame.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// The frame format: four bytes of length, big-endian, never more than [`MAX_FRAME_BYTES`].
pub fn frame_codec() -> LengthDelimitedCodec {
    let limit = if planted(Mutant::FrameWithoutLimit) { usize::MAX } else { MAX_FRAME_BYTES };
    LengthDelimitedCodec::builder()
        .length_field_type::<u32>()
        .big_endian()
        .max_frame_length(limit)
        .new_codec()
}

/// A message as one complete frame, its length first.
///
/// Errors: [`FrameError::Unsendable`] when it is longer than [`MAX_FRAME_BYTES`].
pub fn encode_frame<T: Serialize>(message: &T) -> Result<Bytes, FrameError> {
    let mut frame = BytesMut::new();
    append_frame(&mut frame, message)?;
    Ok(frame.freeze())
}

/// Appends a message as one complete frame, so that many go out with one write. Appends nothing on an error.
///
/// Errors: [`FrameError::Unsendable`] when it is longer than [`MAX_FRAME_BYTES`].
pub fn append_frame<T: Serialize>(buffer: &mut BytesMut, message: &T) -> Result<(), FrameError> {
    let payload = codec::to_bytes(message);
    let bytes = payload.len();
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME_BYTES => {
            buffer.reserve(LENGTH_BYTES + bytes);
            buffer.put_u32(length);
            buffer.put_slice(&payload);
            Ok(())
        }
        _ => Err(FrameError::Unsendable { bytes, limit: MAX_FRAME_BYTES }),
    }
}

/// The message in a frame's payload, without the length. `what` names it in errors.
///
/// Errors: [`FrameError::Malformed`] when it does not decode or something is left over.
pub fn decode_frame<T: DeserializeOwned>(payload: &[u8], what: &'static str) -> Result<T, FrameError> {
    Ok(codec::from_bytes(payload, what)?)
}

/// Writes the first bytes of a client's connection.
///
/// Errors: what the stream says.
pub async fn write_preamble<W: AsyncWrite + Unpin>(stream: &mut W) -> io::Result<()> {
    stream.write_all(&PREAMBLE).await
}

/// Reads the first bytes of a client's connection.
///
/// Errors: [`FrameError::Preamble`] when they are others, [`FrameError::Io`] when the stream fails or ends.
pub async fn read_preamble<R: AsyncRead + Unpin>(stream: &mut R) -> Result<(), FrameError> {
    let mut found = [0; PREAMBLE.len()];
    stream.read_exact(&mut found).await?;
    if found == PREAMBLE { Ok(()) } else { Err(FrameError::Preamble { found }) }
}

/// The reading half of a connection, as messages.
#[derive(Debug)]
pub struct FrameReader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads messages from a stream whose preamble has been read.
    pub fn new(stream: R) -> FrameReader<R> {
        FrameReader { frames: FramedRead::with_capacity(stream, frame_codec(), READ_BYTES) }
    }

    /// The stream; what was read of it beyond the last message is lost.
    pub fn into_inner(self) -> R {
        self.frames.into_inner()
    }

    /// The next message; `None` when the far end has closed the connection between two frames. `what` names the
    /// message in errors. Nothing is lost when the future is dropped before it is done.
    ///
    /// Errors: a frame that is too long or malformed, a stream that failed. The reader is of no use afterwards.
    pub async fn next<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<Option<T>, FrameError> {
        match self.frames.next().await {
            None => Ok(None),
            Some(Ok(payload)) => decode_frame(&payload, what).map(Some),
            // The length codec has one complaint of its own, and no way to ask for it but the kind.
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(FrameError::TooLong { limit: MAX_FRAME_BYTES })
            }
            Some(Err(error)) => Err(FrameError::Io(error)),
        }
    }
}

/// The writing half of a connection: queues messages and writes what is queued at once.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    queued: BytesMut,
    /// Something was written and not flushed, for streams that buffer.
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes messages to a stream.
    pub fn new(stream: W) -> FrameWriter<W> {
        FrameWriter { stream, queued: BytesMut::new(), unflushed: false }
    }

    /// The stream; what is queued is lost.
    pub fn into_inner(self) -> W {
        self.stream
    }

    /// Adds a message to what [`FrameWriter::flush`] writes. The caller keeps the number of queued messages limited.
    ///
    /// Errors: [`FrameError::Unsendable`] when it is too long; the queue is as before.
    pub fn queue<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        append_frame(&mut self.queued, message)
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.queued.len()
    }

    /// Whether [`FrameWriter::flush`] has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.queued.is_empty() && !self.unflushed
    }

    /// Writes everything queued, with as few writes as the stream takes. May be dropped and called again: what was
    /// written is not written twice.
    ///
    /// Errors: what the stream says; the writer is of no use afterwards.
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.queued.is_empty() {
            self.unflushed = true;
            if self.stream.write_buf(&mut self.queued).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if self.unflushed {
            self.stream.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Tells the far end that nothing more will come.
    ///
    /// Errors: what the stream says.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Hello;

    fn hello() -> Hello {
        Hello::new("test")
    }

    #[tokio::test]
    async fn messages_written_together_are_read_one_by_one() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let mut writer = FrameWriter::new(near);
        writer.queue(&hello()).unwrap();
        writer.queue(&hello()).unwrap();
        assert!(!writer.is_idle());
        writer.shutdown().await.unwrap();
        assert!(writer.is_idle());

        let mut reader = FrameReader::new(far);
        assert_eq!(reader.next::<Hello>("hello").await.unwrap(), Some(hello()));
        assert_eq!(reader.next::<Hello>("hello").await.unwrap(), Some(hello()));
        assert_eq!(reader.next::<Hello>("hello").await.unwrap(), None);
    }

    #[tokio::test]
    async fn four_gigabytes_announced_are_refused_unread() {
        let mut reader = FrameReader::new(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3][..]);
        let error = reader.next::<Hello>("hello").await.unwrap_err();
        assert!(matches!(error, FrameError::TooLong { limit: MAX_FRAME_BYTES }), "{error}");
        assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_frame_that_is_no_message_is_malformed() {
        let mut reader = FrameReader::new(&[0, 0, 0, 2, 0xff, 0xff][..]);
        let error = reader.next::<Hello>("hello").await.unwrap_err();
        assert!(matches!(error, FrameError::Malformed(_)), "{error}");
        assert!(error.to_string().contains("malformed hello"), "{error}");
    }

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_failed() {
        let mut reader = FrameReader::new(&[0, 0, 0, 9, 1][..]);
        assert!(matches!(reader.next::<Hello>("hello").await, Err(FrameError::Io(_))));
    }

    #[test]
    fn the_longest_message_just_fits() {
        // A byte vector is its length (one to five bytes) and its bytes.
        let fits = vec![0_u8; MAX_FRAME_BYTES - 5];
        assert_eq!(encode_frame(&fits).unwrap().len(), MAX_FRAME_BYTES + LENGTH_BYTES);
        let mut buffer = BytesMut::new();
        let error = append_frame(&mut buffer, &vec![0_u8; MAX_FRAME_BYTES - 4]).unwrap_err();
        assert_eq!(error.to_string(), "a message of 1048577 bytes does not fit into a frame of 1048576");
        assert!(buffer.is_empty());
    }

    #[tokio::test]
    async fn other_first_bytes_are_named() {
        read_preamble(&mut &PREAMBLE[..]).await.unwrap();
        let error = read_preamble(&mut &b"GET / HTTP"[..]).await.unwrap_err();
        assert!(matches!(&error, FrameError::Preamble { found } if found == b"GET "), "{error}");
    }
}
