//! Errors on the wire: everything TWS has to say, from "farm is OK" to "client id in use".

use std::borrow::Cow;

use prost::Message;

use crate::convert::LONGEST_TEXT as MAX_TEXT;
use crate::wire::{Frame, incoming};

/// An Error message. Its texts are bytes, for a Gateway may write them in the encoding of its machine (GBK, Latin-1).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorMessage {
    #[prost(int32, optional, tag = "1")]
    id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    time: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) code: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    text: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    advanced_order_reject: Option<Vec<u8>>,
}

impl ErrorMessage {
    /// The message in `frame`, if it is one.
    pub(crate) fn read(frame: &Frame) -> Option<Self> {
        frame.is_protobuf().then(|| frame.decode().ok()).flatten()
    }

    /// What it says; what is no UTF-8 is replaced.
    pub(crate) fn readable_text(&self) -> String {
        readable(self.text.as_deref().unwrap_or_default())
    }

    /// `frame`, or, where ibapi could not read its texts or they are out of proportion, one that says the same.
    pub(crate) fn repaired<'a>(&self, frame: &'a Frame) -> Cow<'a, Frame> {
        let texts = [&self.text, &self.advanced_order_reject];
        if texts.into_iter().flatten().all(|text| text.len() <= MAX_TEXT && str::from_utf8(text).is_ok()) {
            return Cow::Borrowed(frame);
        }
        let repaired = |text: &Option<Vec<u8>>| text.as_deref().map(|text| readable(text).into_bytes());
        let text = repaired(&self.text);
        let advanced_order_reject = repaired(&self.advanced_order_reject);
        Cow::Owned(Frame::protobuf(incoming::ERROR, &Self { text, advanced_order_reject, ..self.clone() }))
    }
}

fn readable(text: &[u8]) -> String {
    match text.get(..MAX_TEXT) {
        Some(beginning) if text.len() > MAX_TEXT => String::from_utf8_lossy(beginning).into_owned() + "…",
        _ => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &[u8]) -> Frame {
        let error = ErrorMessage {
            id: Some(-1),
            time: Some(7),
            code: Some(1_100),
            text: Some(text.into()),
            ..ErrorMessage::default()
        };
        Frame::protobuf(incoming::ERROR, &error)
    }

    #[test]
    fn a_readable_text_stays_as_it_came() {
        let frame = frame("não há – 拒否".as_bytes());
        let error = ErrorMessage::read(&frame).unwrap();
        assert_eq!((error.code, error.readable_text()), (Some(1_100), "não há – 拒否".to_owned()));
        assert!(matches!(error.repaired(&frame), Cow::Borrowed(_)));
    }

    #[test]
    fn what_ibapi_could_not_read_is_repaired_and_nothing_else_is_changed() {
        let gbk = b"\xd6\xd0\xb9\xfa";
        let frame = frame(gbk);
        let repaired = ErrorMessage::read(&frame).unwrap().repaired(&frame).into_owned();
        let error = ErrorMessage::read(&repaired).unwrap();
        assert_eq!((error.id, error.time, error.code), (Some(-1), Some(7), Some(1_100)));
        assert_eq!(error.text.as_deref(), Some(String::from_utf8_lossy(gbk).as_bytes()));
    }

    #[test]
    fn a_text_out_of_proportion_is_cut() {
        for (length, expected) in [(MAX_TEXT, MAX_TEXT), (MAX_TEXT + 1, MAX_TEXT + "…".len())] {
            let frame = frame(&vec![b'x'; length]);
            let error = ErrorMessage::read(&frame).unwrap();
            assert_eq!(error.readable_text().len(), expected);
            assert_eq!(
                error.repaired(&frame).as_bytes().len() < frame.as_bytes().len(),
                length > MAX_TEXT + 3
            );
        }
        let frame = frame(&vec![b'x'; 1 << 20]);
        assert!(ErrorMessage::read(&frame).unwrap().repaired(&frame).as_bytes().len() < 2 * MAX_TEXT);
    }

    #[test]
    fn what_is_no_protobuf_is_no_error_message() {
        assert!(ErrorMessage::read(&Frame::raw(incoming::ERROR, b"-1\x00321\0text\0")).is_none());
        assert!(ErrorMessage::read(&Frame::raw(200 + incoming::ERROR, b"\x22\x7f")).is_none());
    }
}
