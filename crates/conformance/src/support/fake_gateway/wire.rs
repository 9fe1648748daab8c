//! The bytes of the fake Gateway, by hand.

use super::message::Message;
use super::played::Received;

/// A frame of the protobuf dialect: TWS's number of the message, and its fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) message: u32,
    pub(crate) body: Message,
}

/// The frame `frame!(88 { 1: ID, 2: "1787000000" })`.
macro_rules! frame {
    ($message:literal { $($fields:tt)* }) => {
        $crate::support::fake_gateway::wire::Frame {
            message: $message,
            body: $crate::support::fake_gateway::message::message! { $($fields)* },
        }
    };
}

pub(crate) use frame;

impl Frame {
    /// Its bytes, with `id` where the id of a request stands.
    pub(crate) fn bytes(&self, id: i64) -> Vec<u8> {
        raw_frame(self.message, &self.body.bytes(id))
    }

    /// Itself as a text, with `id` where the id of a request stands.
    pub(crate) fn describe(&self, id: i64) -> String {
        format!("{} {}", self.message, self.body.describe(id))
    }

    /// What a client sent as a text, read as this frame.
    pub(crate) fn describe_like(&self, received: &Received) -> Result<String, String> {
        let like = if received.message == self.message { &self.body } else { &Message::default() };
        Ok(format!("{} {}", received.message, like.describe_like(&received.body)?))
    }
}

/// A frame with any body: length, id with the protobuf mark, body.
pub(super) fn raw_frame(id: u32, body: &[u8]) -> Vec<u8> {
    let mut payload = (id + 200).to_be_bytes().to_vec();
    payload.extend(body);
    prefixed(payload)
}

/// The acknowledgement, framed text as at every server version.
pub(super) fn ack(version: &str) -> Vec<u8> {
    ack_of(version, b"Central European Standard Time")
}

/// The same with any time zone.
pub(super) fn ack_of(version: &str, zone: &[u8]) -> Vec<u8> {
    prefixed([version.as_bytes(), b"\x0020260713 17:53:51 ", zone, b"\0"].concat())
}

/// A piece of news in the text dialect: five fields.
pub(super) fn news() -> Vec<u8> {
    prefixed(["14", "1", "7", "1", "An exchange is down", ""].join("\0").into_bytes())
}

/// An error of nobody's request with a text in any encoding, shorter than 128 bytes.
pub(super) fn raw_error(code: i32, text: &[u8]) -> Vec<u8> {
    let head = frame!(4 { 1: -1, 2: 1_787_000_000_123_i64, 3: code }).body.bytes(-1);
    raw_frame(4, &[&head, [0x22, u8::try_from(text.len()).unwrap()].as_slice(), text].concat())
}

/// An error of nobody's request: a notice, or the end of a handshake.
pub(super) fn error(code: i32, text: &str) -> Frame {
    frame!(4 { 1: -1, 2: 1_787_000_000_123_i64, 3: code, 4: text })
}

/// An open order and its status.
pub(crate) fn open_order(order_id: i64) -> [Frame; 2] {
    [
        frame!(5 {
            1: order_id,
            2: { 1: 265_598, 2: "AAPL", 3: "STK", 8: "SMART", 10: "USD" },
            3: { 2: order_id, 5: "BUY", 6: "100", 8: "LMT" },
            4: { 1: "Submitted" },
        }),
        frame!(3 { 1: order_id, 2: "Submitted", 3: "0", 4: "100" }),
    ]
}

/// A position of a hundred.
pub(super) fn position(con_id: i64) -> Frame {
    frame!(61 { 1: "DU7654321", 2: { 1: con_id, 2: "AAPL", 3: "STK" }, 3: "100" })
}

fn prefixed(payload: Vec<u8>) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend(payload);
    bytes
}
