//! Protobuf field by field, where it lies.

use prost::encoding::{WireType, decode_varint, double, encode_key, encode_varint, int64};

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) tag: u32,
    /// All of it, with its key.
    pub(super) bytes: &'a [u8],
    pub(super) value: Value<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    SixtyFour,
    ThirtyTwo,
    Bytes(&'a [u8]),
}

/// Takes the next field off; `None` for what is not protobuf.
pub(super) fn take<'a>(body: &mut &'a [u8]) -> Option<Piece<'a>> {
    let begin = *body;
    let key = u32::try_from(varint(body)?).ok()?;
    let tag = key >> 3;
    if tag == 0 {
        return None;
    }
    let value = match key & 7 {
        0 => Value::Varint(varint(body)?),
        1 => cut(body, 8).map(|_| Value::SixtyFour)?,
        2 => {
            let length = usize::try_from(varint(body)?).ok()?;
            Value::Bytes(cut(body, length)?)
        }
        5 => cut(body, 4).map(|_| Value::ThirtyTwo)?,
        _ => return None,
    };
    Some(Piece { tag, bytes: &begin[..begin.len() - body.len()], value })
}

/// Keys and lengths mostly have one byte.
fn varint(body: &mut &[u8]) -> Option<u64> {
    match body.split_first() {
        Some((&byte, rest)) if byte < 0x80 => {
            *body = rest;
            Some(byte.into())
        }
        _ => decode_varint(body).ok(),
    }
}

fn cut<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (cut, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(cut)
}

pub(super) fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) fn put_double(tag: u32, value: f64, out: &mut Vec<u8>) {
    double::encode(tag, &value, out);
}

pub(super) fn put_integer(tag: u32, value: i64, out: &mut Vec<u8>) {
    int64::encode(tag, &value, out);
}
