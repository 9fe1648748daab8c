//! As much of the TWS wire as the relay needs: frames, and the ids that matter in a handshake.
//! Source of the numbers: IBKR's TWS API 10.x protobuf dialect.

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The oldest server version that speaks the protobuf dialect for every message.
pub(crate) const MIN_SERVER_VERSION: i32 = 213;

/// Added to a message's id when its body is protobuf.
const PROTOBUF: u32 = 200;

/// The largest frame that TWS's own client accepts.
pub(crate) const MAX_FRAME: u32 = 0x00FF_FFFF;

/// The message that begins a session, the first with an id.
pub(crate) const START_API: u32 = 71;

pub(crate) mod incoming {
    pub(crate) const ERROR: u32 = 4;
    pub(crate) const NEXT_VALID_ID: u32 = 9;
    pub(crate) const MANAGED_ACCOUNTS: u32 = 15;
}

/// ManagedAccounts: a comma-separated list.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ManagedAccounts {
    #[prost(string, optional, tag = "1")]
    pub(crate) accounts: Option<String>,
}

/// NextValidId.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NextValidId {
    #[prost(int32, optional, tag = "1")]
    pub(crate) order_id: Option<i32>,
}

/// A frame as it came, length prefix included, so that it can be passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// A message of ours.
    pub(crate) fn protobuf(id: u32, message: &impl Message) -> Self {
        Self::raw(id + PROTOBUF, &message.encode_to_vec())
    }

    /// A frame of an id as it stands on the wire, and a body.
    pub(crate) fn raw(id: u32, body: &[u8]) -> Self {
        // No body of ours is near the limit of a frame.
        let length = u32::try_from(body.len() + 4).unwrap_or(MAX_FRAME);
        Self { bytes: [&length.to_be_bytes(), &id.to_be_bytes(), body].concat() }
    }

    /// The frame as it came.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the length prefix.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[4..]
    }

    /// The message's id, with or without the protobuf mark.
    pub(crate) fn id(&self) -> u32 {
        base_id(self.marked_id())
    }

    /// Whether it has the protobuf mark.
    pub(crate) fn is_protobuf(&self) -> bool {
        self.marked_id() > PROTOBUF
    }

    fn marked_id(&self) -> u32 {
        u32::from_be_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]])
    }

    /// What follows the id.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[8..]
    }

    /// Decodes the protobuf body.
    pub(crate) fn decode<M: Message + Default>(&self) -> Result<M, prost::DecodeError> {
        M::decode(self.body())
    }
}

/// Why a frame could not be read.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The connection ended or broke; the text says how.
    Lost(String),
    /// The length prefix can't be one.
    BadLength { length: u32, head: [u8; 4] },
    /// It is longer than it may be here. Nothing of its body was read.
    TooLong { length: u32 },
}

/// Reads a frame of a message, at most `most` bytes of it: length, id, body.
pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> Result<Frame, FrameError> {
    read_prefixed(stream, 4..=MAX_FRAME, most).await
}

/// Reads a frame of the handshake, at most `most` bytes of it: length and text, no id.
pub(crate) async fn read_text(
    stream: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> Result<Frame, FrameError> {
    read_prefixed(stream, 1..=MAX_FRAME, most).await
}

async fn read_prefixed(
    stream: &mut (impl AsyncRead + Unpin),
    valid: std::ops::RangeInclusive<u32>,
    most: usize,
) -> Result<Frame, FrameError> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(lost)?;
    let length = u32::from_be_bytes(head);
    if !valid.contains(&length) {
        return Err(FrameError::BadLength { length, head });
    }
    if 4 + length as usize > most {
        return Err(FrameError::TooLong { length });
    }
    let mut bytes = vec![0; 4 + length as usize];
    bytes[..4].copy_from_slice(&head);
    stream.read_exact(&mut bytes[4..]).await.map_err(lost)?;
    Ok(Frame { bytes })
}

fn lost(error: std::io::Error) -> FrameError {
    FrameError::Lost(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "closed the connection".to_owned(),
        std::io::ErrorKind::ConnectionReset => "reset the connection".to_owned(),
        _ => format!("broke the connection ({error})"),
    })
}

/// An id without the protobuf mark.
pub(crate) fn base_id(id: u32) -> u32 {
    if id > PROTOBUF { id - PROTOBUF } else { id }
}
