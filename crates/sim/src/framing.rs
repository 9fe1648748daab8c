//! The framing: bytes in, frames out. Pure, so every split of the input can be tested without a socket.
//!
//! A client opens with a greeting (`API\0`, a length, `v213..226`), the Gateway answers with an
//! acknowledgement (a length and two text fields), and from then on both sides send frames:
//! a big-endian length, a big-endian message id plus [`PROTOBUF_OFFSET`], and a protobuf body.

use std::ops::RangeInclusive;

/// What the protobuf dialect adds to every message id on the wire.
pub const PROTOBUF_OFFSET: i32 = 200;

/// The lengths a frame may announce: the id alone, up to the Gateway's own limit.
pub const FRAME_LENGTHS: RangeInclusive<usize> = 4..=0x00FF_FFFF;

const PREFIX: &[u8; 4] = b"API\0";

/// A greeting longer than this is not a greeting; real ones have about ten bytes.
const GREETING_LIMIT: usize = 1024;

/// One message of the protobuf dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The message id without [`PROTOBUF_OFFSET`]; negative for a frame in the text dialect's numbering.
    pub id: i32,
    /// The protobuf body, possibly empty.
    pub body: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let wire_id = self.id + PROTOBUF_OFFSET;
        let mut bytes = length_prefix(self.body.len() + 4).to_vec();
        bytes.extend_from_slice(&wire_id.to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Why bytes are no part of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A length prefix outside [`FRAME_LENGTHS`].
    #[error("a frame announces {0} bytes, outside 4..=16777215")]
    Length(usize),
    /// The first bytes are not `API\0`: a legacy client, another protocol, or noise.
    #[error("the first bytes are {0:?} instead of \"API\\0\"")]
    Prefix(Vec<u8>),
    /// The greeting carries no version range.
    #[error("{0:?} is not a version range like \"v213..226\"")]
    Versions(String),
}

/// The server versions a client offers, from its greeting `v{min}..{max}[ options]` or `v{version}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The range offered.
    pub versions: RangeInclusive<i32>,
}

/// Turns the bytes of one client into its greeting and its frames, however they are split.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The greeting, once all of it is there. Call it before [`next_frame`](Self::next_frame).
    ///
    /// # Errors
    /// As soon as the bytes can no longer become a greeting, even if more were to come.
    pub fn greeting(&mut self) -> Result<Option<Greeting>, WireError> {
        let seen = self.buffer.len().min(PREFIX.len());
        if self.buffer[..seen] != PREFIX[..seen] {
            return Err(WireError::Prefix(self.buffer[..seen].to_vec()));
        }
        let Some(length) = self.length_at(PREFIX.len()) else { return Ok(None) };
        if !(1..=GREETING_LIMIT).contains(&length) {
            return Err(WireError::Length(length));
        }
        let Some(text) = self.take(PREFIX.len() + 4, length) else { return Ok(None) };
        parse_versions(&String::from_utf8_lossy(&text)).map(Some)
    }

    /// The next frame, once all of it is there.
    ///
    /// # Errors
    /// [`WireError::Length`] as soon as an illegal length prefix is complete.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let Some(length) = self.length_at(0) else { return Ok(None) };
        if !FRAME_LENGTHS.contains(&length) {
            return Err(WireError::Length(length));
        }
        let Some(mut body) = self.take(4, length) else { return Ok(None) };
        let id = i32::from_be_bytes([body[0], body[1], body[2], body[3]]);
        body.drain(..4);
        Ok(Some(Frame { id: id.wrapping_sub(PROTOBUF_OFFSET), body }))
    }

    fn length_at(&self, offset: usize) -> Option<usize> {
        let bytes = self.buffer.get(offset..offset + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    /// Removes everything up to the end of `length` bytes at `offset` and returns those bytes.
    fn take(&mut self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let taken = self.buffer.get(offset..offset + length)?.to_vec();
        self.buffer.drain(..offset + length);
        Some(taken)
    }
}

/// The Gateway's acknowledgement: framed text in every dialect, without a message id.
///
/// `time` is the connection time with its zone, like `20260824 22:27:46 CET`.
pub fn acknowledgement(version: &str, time: &str) -> Vec<u8> {
    let text = format!("{version}\0{time}\0");
    let mut bytes = length_prefix(text.len()).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn length_prefix(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn parse_versions(text: &str) -> Result<Greeting, WireError> {
    let error = || WireError::Versions(text.to_owned());
    let range = text.split([' ', '\0']).next().and_then(|word| word.strip_prefix('v')).ok_or_else(error)?;
    let (min, max) = range.split_once("..").unwrap_or((range, range));
    let version = |digits: &str| digits.parse::<i32>().map_err(|_| error());
    let versions = version(min)?..=version(max)?;
    if versions.is_empty() {
        return Err(error());
    }
    Ok(Greeting { versions })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GREETING: &[u8] = b"API\0\x00\x00\x00\x09v213..226";

    fn decoder(bytes: &[u8]) -> Decoder {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder
    }

    #[test]
    fn the_acknowledgement_is_the_captured_one() {
        let bytes = acknowledgement("226", "20261123 19:45:45 US/Eastern");
        assert_eq!(bytes, b"\x00\x00\x00\x21226\x0020261123 19:45:45 US/Eastern\0");
    }

    #[test]
    fn start_api_reads_as_captured() {
        let frame = decoder(b"\x00\x00\x00\x06\x00\x00\x01\x0f\x08\x0b").next_frame();
        assert_eq!(frame, Ok(Some(Frame { id: 71, body: vec![8, 11] })));
    }

    #[test]
    fn an_empty_body_is_legal() {
        let bytes = Frame { id: 49, body: vec![] }.encode();
        assert_eq!(bytes, b"\x00\x00\x00\x04\x00\x00\x00\xf9");
    }

    #[test]
    fn greetings_offer_a_range_one_version_or_options() {
        for (text, versions) in
            [("v213..226", 213..=226), ("v100..200 +PACEAPI", 100..=200), ("v76", 76..=76)]
        {
            assert_eq!(parse_versions(text), Ok(Greeting { versions }), "{text}");
        }
        for text in ["", "213..226", "v", "v213..", "v226..213", "vx..y"] {
            assert_eq!(parse_versions(text), Err(WireError::Versions(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_legacy_client_is_recognised_by_its_first_byte() {
        assert_eq!(decoder(b"62\0").greeting(), Err(WireError::Prefix(b"62\0".to_vec())));
        assert_eq!(decoder(b"6").greeting(), Err(WireError::Prefix(b"6".to_vec())));
    }

    #[test]
    fn a_greeting_of_absurd_length_is_refused_at_once() {
        assert_eq!(decoder(b"API\0\x7f\xff\xff\xff").greeting(), Err(WireError::Length(0x7fff_ffff)));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            frames in prop::collection::vec((0..400i32, prop::collection::vec(any::<u8>(), 0..60)), 0..8),
            cuts in prop::collection::vec(1..20usize, 1..50),
        ) {
            let frames: Vec<_> = frames.into_iter().map(|(id, body)| Frame { id, body }).collect();
            let mut bytes = GREETING.to_vec();
            bytes.extend(frames.iter().flat_map(Frame::encode));

            let (mut decoder, mut greeting, mut decoded) = (Decoder::default(), None, Vec::new());
            let mut sizes = cuts.iter().cycle();
            while !bytes.is_empty() {
                let size = bytes.len().min(*sizes.next().unwrap());
                decoder.push(&bytes[..size]);
                bytes.drain(..size);
                if greeting.is_none() {
                    greeting = decoder.greeting().unwrap();
                }
                while let (Some(_), Some(frame)) = (&greeting, if greeting.is_some() { decoder.next_frame().unwrap() } else { None }) {
                    decoded.push(frame);
                }
            }
            prop_assert_eq!(greeting, Some(Greeting { versions: 213..=226 }));
            prop_assert_eq!(decoded, frames);
        }

        #[test]
        fn a_length_outside_the_limits_is_an_error(length in prop_oneof![0..4u32, 0x0100_0000..=u32::MAX]) {
            let result = decoder(&length.to_be_bytes()).next_frame();
            prop_assert_eq!(result, Err(WireError::Length(length as usize)));
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = decoder(&bytes);
            let _ = decoder.greeting();
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }
}
