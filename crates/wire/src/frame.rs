//! Frames, which every message of TWS's protocol is in: a length of four bytes, and as many bytes of payload. In a session the payload
//! begins with the message's id, in four bytes as well.

use std::ops::RangeInclusive;

use prost::Message;

use crate::ids::PROTOBUF;

/// The largest length that TWS's own client accepts.
pub const MAX_LENGTH: u32 = 0x00FF_FFFF;

/// A frame as it came, length included, so that it can be passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// A message in protobuf.
    pub fn protobuf(id: u32, message: &impl Message) -> Self {
        Self::raw(id + PROTOBUF, &message.encode_to_vec())
    }

    /// A frame of an id as it stands on the wire, and a body.
    pub fn raw(id: u32, body: &[u8]) -> Self {
        // No body of ours is near the limit of a frame.
        let length = u32::try_from(body.len() + 4).unwrap_or(MAX_LENGTH);
        Self { bytes: [&length.to_be_bytes(), &id.to_be_bytes(), body].concat() }
    }

    /// The frame as it came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What follows the length.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[4..]
    }

    /// The message's id, with or without the protobuf mark; `None` in a frame of the handshake that is too short for one.
    pub fn id(&self) -> Option<u32> {
        self.marked_id().map(base_id)
    }

    /// Whether its id has the protobuf mark.
    pub fn is_protobuf(&self) -> bool {
        self.marked_id().is_some_and(|id| id > PROTOBUF)
    }

    /// What follows the id.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(8..).unwrap_or_default()
    }

    /// Decodes the protobuf body.
    ///
    /// # Errors
    /// When it is none of `M`.
    pub fn decode<M: Message + Default>(&self) -> Result<M, prost::DecodeError> {
        M::decode(self.body())
    }

    fn marked_id(&self) -> Option<u32> {
        self.payload().first_chunk().copied().map(u32::from_be_bytes)
    }
}

/// An id without the protobuf mark.
pub fn base_id(id: u32) -> u32 {
    if id > PROTOBUF { id - PROTOBUF } else { id }
}

/// Why no more frames can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// The length can't be one.
    BadLength {
        /// What it would be.
        length: u32,
        /// The bytes in its place.
        head: [u8; 4],
    },
    /// The frame is longer than it may be here.
    TooLong {
        /// How long it is.
        length: u32,
    },
}

/// Makes frames of bytes that come in whatever pieces. What it keeps is bounded by its budget.
#[derive(Debug)]
pub struct FrameReader {
    bytes: Vec<u8>,
    /// How many bytes of frames may still be read.
    budget: usize,
}

impl FrameReader {
    /// A reader of at most `budget` bytes of frames.
    pub fn new(budget: usize) -> Self {
        Self { bytes: Vec::new(), budget }
    }

    /// From here on at most `budget` bytes are read.
    pub fn allow(&mut self, budget: usize) {
        self.budget = budget;
    }

    /// Takes in the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame of a message: its payload has an id.
    ///
    /// # Errors
    /// When no more frames can be read.
    pub fn message(&mut self) -> Result<Option<Frame>, FrameError> {
        self.frame(4..=MAX_LENGTH)
    }

    /// The next frame of the handshake: its payload is a text.
    ///
    /// # Errors
    /// When no more frames can be read.
    pub fn text(&mut self) -> Result<Option<Frame>, FrameError> {
        self.frame(1..=MAX_LENGTH)
    }

    /// Takes the first `count` bytes, which are in no frame, when they are there.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        (self.bytes.len() >= count).then(|| self.bytes.drain(..count).collect())
    }

    /// What was taken in and not read.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }

    fn frame(&mut self, valid: RangeInclusive<u32>) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.bytes.first_chunk().copied() else { return Ok(None) };
        let length = u32::from_be_bytes(head);
        if !valid.contains(&length) {
            return Err(FrameError::BadLength { length, head });
        }
        let whole = 4 + length as usize;
        let Some(budget) = self.budget.checked_sub(whole) else {
            return Err(FrameError::TooLong { length });
        };
        let frame = self.take(whole).map(|bytes| Frame { bytes });
        if frame.is_some() {
            self.budget = budget;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_read_with_and_without_its_mark() {
        for (id, base, is_protobuf) in [(49, 49, false), (249, 49, true), (200, 200, false), (201, 1, true)] {
            let frame = Frame::raw(id, b"body");
            assert_eq!(
                (frame.id(), frame.is_protobuf(), frame.body()),
                (Some(base), is_protobuf, &b"body"[..])
            );
        }
        let mut reader = FrameReader::new(100);
        reader.push(b"\0\0\0\x01x");
        let short = reader.text().unwrap().unwrap();
        assert_eq!((short.id(), short.body(), short.payload()), (None, &b""[..], &b"x"[..]));
    }

    #[test]
    fn a_length_that_can_be_none_is_told_before_its_payload_comes() {
        for length in [0, 3, MAX_LENGTH + 1, u32::MAX] {
            let mut reader = FrameReader::new(usize::MAX);
            reader.push(&length.to_be_bytes());
            assert_eq!(reader.message(), Err(FrameError::BadLength { length, head: length.to_be_bytes() }));
        }
        let mut reader = FrameReader::new(usize::MAX);
        reader.push(&1_u32.to_be_bytes());
        assert_eq!(reader.text(), Ok(None), "a text may be as short");
    }

    #[test]
    fn the_budget_is_for_all_frames_together() {
        let frame = Frame::raw(249, b"body");
        let mut reader = FrameReader::new(2 * frame.as_bytes().len());
        for _ in 0..2 {
            reader.push(frame.as_bytes());
            assert_eq!(reader.message(), Ok(Some(frame.clone())));
        }
        reader.push(&frame.as_bytes()[..4]);
        assert_eq!(reader.message(), Err(FrameError::TooLong { length: 8 }));
        reader.allow(12);
        assert_eq!(reader.message(), Ok(None));
        reader.push(&frame.as_bytes()[4..]);
        assert_eq!(reader.message(), Ok(Some(frame)));
        reader.push(b"more");
        assert_eq!(reader.into_rest(), b"more");
    }

    proptest! {
        #[test]
        fn the_same_frames_come_however_the_bytes_are_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            size in 1_usize..30,
        ) {
            let frames: Vec<_> = bodies.iter().map(|body| Frame::raw(249, body)).collect();
            let bytes = frames.iter().flat_map(|frame| frame.as_bytes()).copied().collect::<Vec<_>>();
            let mut reader = FrameReader::new(bytes.len());
            let mut read = Vec::new();
            for piece in bytes.chunks(size) {
                reader.push(piece);
                while let Some(frame) = reader.message().unwrap() {
                    read.push(frame);
                }
            }
            prop_assert_eq!(read, frames);
        }
    }
}
