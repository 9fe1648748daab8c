//! Errors on the wire: everything TWS has to say, from "farm is OK" to "client id in use".

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::frame::Frame;
use crate::ids::incoming;

/// The longest text that is passed on whole, in bytes. TWS's are a sentence.
pub const LONGEST_TEXT: usize = 4_096;

/// An Error message, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorMessage {
    fields: Fields,
    /// Whether there is no more of it than what was read.
    is_whole: bool,
}

/// The texts are bytes, for a Gateway may write them in the encoding of its machine (GBK, Latin-1).
#[derive(Clone, PartialEq, Message)]
struct Fields {
    #[prost(int32, optional, tag = "1")]
    id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    time: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    code: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    text: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    advanced_order_reject: Option<Vec<u8>>,
}

impl ErrorMessage {
    /// Reads the body of a frame, or its beginning.
    pub fn read(mut body: &[u8]) -> Option<Self> {
        let mut fields = Fields::default();
        let is_whole = loop {
            match fields.take(&mut body) {
                Some(Take::Field) => {}
                Some(Take::End) => break true,
                Some(Take::Torn) => break false,
                None => return None,
            }
        };
        (is_whole || fields != Fields::default()).then_some(Self { fields, is_whole })
    }

    /// The request that it is about, or -1.
    pub fn id(&self) -> i32 {
        self.fields.id.unwrap_or(-1)
    }

    /// 0 if it has none.
    pub fn code(&self) -> i32 {
        self.fields.code.unwrap_or_default()
    }

    /// What it says; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        readable(self.fields.text.as_deref().unwrap_or_default())
    }

    /// A message about a request or none (-1), with a code and a text.
    pub fn new(request_id: i32, code: i32, text: &str) -> Self {
        let fields = Fields {
            id: Some(request_id),
            code: Some(code),
            text: Some(text.as_bytes().to_vec()),
            ..Fields::default()
        };
        Self { fields, is_whole: true }
    }

    /// The same with details: where TWS has those of an order that it rejects.
    pub(crate) fn with_details(mut self, details: &str) -> Self {
        self.fields.advanced_order_reject = Some(details.as_bytes().to_vec());
        self
    }

    #[cfg(test)]
    pub(crate) fn details(&self) -> String {
        readable(self.fields.advanced_order_reject.as_deref().unwrap_or_default())
    }

    /// The message as a frame.
    pub fn frame(&self) -> Frame {
        Frame::protobuf(incoming::ERROR, &self.fields)
    }

    /// A frame that says the same, where a client could not read this one or its texts are out of proportion.
    pub fn repaired(&self) -> Option<Frame> {
        let Fields { text, advanced_order_reject, .. } = &self.fields;
        let is_fine = |text: &Vec<u8>| text.len() <= LONGEST_TEXT && str::from_utf8(text).is_ok();
        if self.is_whole && text.iter().chain(advanced_order_reject).all(is_fine) {
            return None;
        }
        let repaired = |text: &Option<Vec<u8>>| text.as_deref().map(|text| readable(text).into_bytes());
        let (text, advanced_order_reject) = (repaired(text), repaired(advanced_order_reject));
        let fields = Fields { text, advanced_order_reject, ..self.fields.clone() };
        Some(Frame::protobuf(incoming::ERROR, &fields))
    }
}

enum Take {
    Field,
    End,
    /// The field goes on where the body does not.
    Torn,
}

impl Fields {
    /// Takes the next field; `None` for what is not protobuf.
    fn take(&mut self, body: &mut &[u8]) -> Option<Take> {
        if body.is_empty() {
            return Some(Take::End);
        }
        let (field, wire_type) = decode_key(body).ok()?;
        let rest = body.len();
        match (wire_type, field) {
            (WireType::Varint, _) => {
                let Ok(value) = decode_varint(body) else { return Some(Take::Torn) };
                // As protobuf has it: of a number that is too long the lower bits count.
                match field {
                    1 => self.id = Some(value as i32),
                    2 => self.time = Some(value as i64),
                    3 => self.code = Some(value as i32),
                    _ => {}
                }
            }
            (WireType::LengthDelimited, _) => {
                let Ok(length) = decode_varint(body) else { return Some(Take::Torn) };
                let taken = usize::try_from(length).unwrap_or(usize::MAX).min(body.len());
                let text = || body[..taken].to_vec();
                match field {
                    4 => self.text = Some(text()),
                    5 => self.advanced_order_reject = Some(text()),
                    _ => {}
                }
                body.advance(taken);
                if (taken as u64) < length {
                    return Some(Take::Torn);
                }
            }
            (WireType::SixtyFourBit, _) if rest >= 8 => body.advance(8),
            (WireType::ThirtyTwoBit, _) if rest >= 4 => body.advance(4),
            (WireType::SixtyFourBit | WireType::ThirtyTwoBit, _) => return Some(Take::Torn),
            (WireType::StartGroup | WireType::EndGroup, _) => return None,
        }
        Some(Take::Field)
    }
}

/// At most [`LONGEST_TEXT`] bytes, also where a byte that is not a letter becomes one of three.
fn readable(text: &[u8]) -> String {
    const CUT: &str = "…";
    let readable = String::from_utf8_lossy(&text[..text.len().min(LONGEST_TEXT)]);
    if text.len().max(readable.len()) <= LONGEST_TEXT {
        return readable.into_owned();
    }
    let kept = readable.floor_char_boundary(LONGEST_TEXT - CUT.len());
    readable[..kept].to_owned() + CUT
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(text: &[u8]) -> Vec<u8> {
        let fields = Fields {
            id: Some(-1),
            time: Some(7),
            code: Some(1_100),
            text: Some(text.into()),
            ..Fields::default()
        };
        fields.encode_to_vec()
    }

    fn read(body: &[u8]) -> ErrorMessage {
        ErrorMessage::read(body).unwrap()
    }

    #[test]
    fn a_readable_text_stays_as_it_came() {
        let error = read(&body("não há – 拒否".as_bytes()));
        assert_eq!((error.id(), error.code(), error.text()), (-1, 1_100, "não há – 拒否".to_owned()));
        assert_eq!(error.repaired(), None);
    }

    #[test]
    fn what_a_client_could_not_read_is_repaired_and_nothing_else_is_changed() {
        let gbk = b"\xd6\xd0\xb9\xfa";
        let error = read(&body(gbk));
        let repaired = read(&error.repaired().unwrap().as_bytes()[8..]);
        let fields =
            Fields { text: Some(String::from_utf8_lossy(gbk).into_owned().into_bytes()), ..error.fields };
        assert_eq!(repaired, ErrorMessage { fields, is_whole: true });
    }

    #[test]
    fn a_text_out_of_proportion_is_cut() {
        for (byte, length) in [(b'x', LONGEST_TEXT), (b'x', LONGEST_TEXT + 1), (0xd6, LONGEST_TEXT)] {
            let error = read(&body(&vec![byte; length]));
            let is_fine = (byte, length) == (b'x', LONGEST_TEXT);
            let text = error.text();
            assert_eq!((text.ends_with('…'), error.repaired().is_none()), (!is_fine, is_fine));
            assert!((LONGEST_TEXT - 3..=LONGEST_TEXT).contains(&text.len()), "{}", text.len());
        }
        let repaired = read(&body(&vec![b'x'; 1 << 20])).repaired().unwrap();
        assert!(repaired.as_bytes().len() < 2 * LONGEST_TEXT);
    }

    #[test]
    fn of_a_torn_message_the_beginning_is_read() {
        let whole = body(b"Connectivity has been lost");
        let error = read(&whole[..whole.len() - 5]);
        assert_eq!((error.code(), error.text()), (1_100, "Connectivity has been".to_owned()));
        assert_eq!(read(&error.repaired().unwrap().as_bytes()[8..]).text(), "Connectivity has been");
    }

    #[test]
    fn what_is_no_protobuf_is_no_error_message() {
        for body in [b"-1\x00321\0text\0".as_slice(), b"\x22", b"\0", &[0; 70]] {
            assert_eq!(ErrorMessage::read(body), None, "{body:?}");
        }
        assert_eq!(read(b"").code(), 0);
    }

    proptest! {
        #[test]
        fn it_reads_what_prost_reads(id: Option<i32>, time: Option<i64>, code: Option<i32>, text: Option<Vec<u8>>, more: Vec<u8>) {
            let fields = Fields { id, time, code, text, advanced_order_reject: Some(more) };
            prop_assert_eq!(read(&fields.encode_to_vec()), ErrorMessage { fields, is_whole: true });
        }

        #[test]
        fn any_bytes_are_read_or_not(body: Vec<u8>) {
            if let Some(error) = ErrorMessage::read(&body) {
                let repaired = error.repaired().map_or(body, |frame| frame.as_bytes()[8..].to_vec());
                prop_assert_eq!(read(&repaired).repaired(), None);
            }
        }
    }
}
