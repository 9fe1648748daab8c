//! The bytes of the fake Gateway: just enough protobuf, by hand.

/// The acknowledgement, framed text as at every server version.
pub(super) fn ack(version: &str) -> Vec<u8> {
    prefixed(format!("{version}\020260713 17:53:51 Central European Standard Time\0").into_bytes())
}

/// A frame: length, id with the protobuf mark, body.
pub(super) fn frame(id: u32, body: &[u8]) -> Vec<u8> {
    let mut payload = (id + 200).to_be_bytes().to_vec();
    payload.extend(body);
    prefixed(payload)
}

/// An error frame; the id -1 is nobody's.
pub(super) fn error(id: i64, code: i32, text: &str) -> Vec<u8> {
    let time = 1_787_000_000_123;
    frame(4, &message().number(1, id).number(2, time).number(3, code.into()).text(4, text))
}

/// An open order and its status.
pub(super) fn open_order(order_id: i64) -> Vec<u8> {
    let contract =
        message().number(1, 265_598).text(2, "AAPL").text(3, "STK").text(8, "SMART").text(10, "USD");
    let order = message().number(2, order_id).text(5, "BUY").text(6, "100").text(8, "LMT");
    let state = message().text(1, "Submitted");
    let open = message().number(1, order_id).text(2, &contract).text(3, &order).text(4, &state);
    let status = message().number(1, order_id).text(2, "Submitted").text(3, "0").text(4, "100");
    [frame(5, &open), frame(3, &status)].concat()
}

/// A position of a hundred.
pub(super) fn position(con_id: i64) -> Vec<u8> {
    let contract = message().number(1, con_id).text(2, "AAPL").text(3, "STK");
    frame(61, &message().text(1, "DU7654321").text(2, &contract).text(3, "100"))
}

/// A market data tick that is a text.
pub(super) fn tick_string(request_id: i64, tick_type: i64, value: &str) -> Vec<u8> {
    frame(46, &message().number(1, request_id).number(2, tick_type).text(3, value))
}

/// The first field of a request's body, a number.
pub(super) fn request_id(body: &[u8]) -> i64 {
    assert_eq!(body[0], 1 << 3, "the first field is the request id: {body:?}");
    let mut bytes = body[1..].iter();
    let mut id = 0;
    for shift in (0..).step_by(7) {
        let byte = *bytes.next().unwrap();
        id |= i64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    id
}

/// An empty protobuf message, to be filled field by field.
pub(super) fn message() -> Message {
    Message(Vec::new())
}

pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn number(mut self, field: u8, value: i64) -> Self {
        self.0.push(field << 3);
        self.varint(value as u64);
        self
    }

    /// A string, or the bytes of another message: the same on the wire.
    pub(super) fn text(mut self, field: u8, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.push(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl std::ops::Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn prefixed(payload: Vec<u8>) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend(payload);
    bytes
}
