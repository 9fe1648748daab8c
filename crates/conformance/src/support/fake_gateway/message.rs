//! Protobuf by hand: messages as a test writes them, field by field, and a look at those of a client.

use std::collections::HashMap;

/// A message by the numbers of its fields, in the order in which they are written: `message! { 1: ID, 2: { 2: "AAPL" } }`.
/// Braces nest, brackets pack, and the type of a literal is that of the field: `5.0` is a double, `5` a varint.
macro_rules! message {
    (@to $message:expr;) => { $message };
    (@to $message:expr; $field:literal: { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::support::fake_gateway::message::message!(
            @to $message.with($field, $crate::support::fake_gateway::message::message! { $($inner)* }); $($($rest)*)?
        )
    };
    (@to $message:expr; $field:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::support::fake_gateway::message::message!(@to $message.with($field, $value); $($($rest)*)?)
    };
    ($($fields:tt)*) => {
        $crate::support::fake_gateway::message::message!(
            @to $crate::support::fake_gateway::message::Message::default(); $($fields)*
        )
    };
}

pub(crate) use message;

/// The id of the request in question, which is the client's to choose.
pub(crate) const ID: Value = Value::Id;

/// The fields of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Message(Vec<(u32, Value)>);

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Id,
    Number(i64),
    Real(f64),
    Text(String),
    Message(Message),
    Numbers(Vec<i64>),
    Reals(Vec<f64>),
}

impl Message {
    pub(crate) fn with(mut self, field: u32, value: impl Into<Value>) -> Self {
        self.0.push((field, value.into()));
        self
    }

    /// Its bytes, with `id` where [`ID`] stands.
    pub(crate) fn bytes(&self, id: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (field, value) in &self.0 {
            let mut put = |wire_type: u64, content: &[u8]| {
                varint(&mut bytes, u64::from(*field) << 3 | wire_type);
                if wire_type == BYTES {
                    varint(&mut bytes, content.len() as u64);
                }
                bytes.extend(content);
            };
            match value {
                Value::Id => put(VARINT, &number(id)),
                Value::Number(value) => put(VARINT, &number(*value)),
                Value::Real(value) => put(FIXED64, &value.to_le_bytes()),
                Value::Text(text) => put(BYTES, text.as_bytes()),
                Value::Message(message) => put(BYTES, &message.bytes(id)),
                Value::Numbers(values) => {
                    put(BYTES, &values.iter().flat_map(|value| number(*value)).collect::<Vec<_>>());
                }
                Value::Reals(values) => {
                    put(BYTES, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
                }
            }
        }
        bytes
    }

    /// The request id in bytes that ought to be this message; `None` if it has none.
    pub(crate) fn id_in(&self, bytes: &[u8]) -> Option<i64> {
        let (field, _) = self.0.iter().find(|(_, value)| *value == ID)?;
        let id = fields(bytes).ok()?.into_iter().find(|(number, _)| number == field)?.1;
        if let Content::Varint(id) = id { Some(id.cast_signed()) } else { None }
    }

    /// Itself as a text, with `id` where [`ID`] stands.
    pub(crate) fn describe(&self, id: i64) -> String {
        let bytes = self.bytes(id);
        self.describe_like(&bytes).unwrap_or_else(|error| panic!("{self:?} is not a message: {error}"))
    }

    /// `bytes` as a text, read as a message whose fields have the types of this one's.
    pub(crate) fn describe_like(&self, bytes: &[u8]) -> Result<String, String> {
        let mut seen = HashMap::<u32, usize>::new();
        let mut described = Vec::new();
        for (field, content) in fields(bytes)? {
            let like = self.0.iter().filter(|(number, _)| *number == field);
            let like = like.map(|(_, value)| value).nth(*seen.entry(field).or_default());
            *seen.entry(field).or_default() += 1;
            described.push(format!("{field}: {}", content.describe_like(like)?));
        }
        // The order of fields means nothing.
        described.sort_by_key(|field| field.split(':').next().and_then(|number| number.parse::<u32>().ok()));
        Ok(format!("{{ {} }}", described.join(", ")))
    }
}

macro_rules! values {
    ($( $Type:ty => $convert:expr; )+) => {
        $( impl From<$Type> for Value {
            fn from(value: $Type) -> Self {
                $convert(value)
            }
        } )+
    };
}

values! {
    bool => |value| Value::Number(i64::from(value));
    i32 => |value| Value::Number(i64::from(value));
    i64 => Value::Number;
    f64 => Value::Real;
    &str => |text: &str| Value::Text(text.to_owned());
    Message => Value::Message;
}

impl<const N: usize> From<[i64; N]> for Value {
    fn from(values: [i64; N]) -> Self {
        Self::Numbers(values.into())
    }
}

impl<const N: usize> From<[f64; N]> for Value {
    fn from(values: [f64; N]) -> Self {
        Self::Reals(values.into())
    }
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

fn number(value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, value.cast_unsigned());
    bytes
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// What a field of a client's message holds, as far as the wire says.
enum Content<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

impl Content<'_> {
    fn describe_like(&self, like: Option<&Value>) -> Result<String, String> {
        Ok(match (self, like) {
            (Self::Varint(value), _) => value.cast_signed().to_string(),
            (Self::Fixed64(bytes), _) => format!("{:?}", f64::from_le_bytes(*bytes)),
            (Self::Bytes(bytes), Some(Value::Message(like))) => like.describe_like(bytes)?,
            (Self::Bytes(bytes), Some(Value::Numbers(_) | Value::Reals(_))) => format!("{bytes:x?}"),
            (Self::Bytes(bytes), _) => match str::from_utf8(bytes) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("{bytes:x?}"),
            },
        })
    }
}

fn fields(mut bytes: &[u8]) -> Result<Vec<(u32, Content<'_>)>, String> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let content = match key & 7 {
            VARINT => Content::Varint(take_varint(&mut bytes)?),
            FIXED64 => {
                let fixed = take(&mut bytes, 8)?;
                Content::Fixed64(fixed.try_into().map_err(|_| "a torn double")?)
            }
            BYTES => {
                let length = take_varint(&mut bytes)?;
                Content::Bytes(take(&mut bytes, usize::try_from(length).map_err(|_| "an endless field")?)?)
            }
            other => return Err(format!("TWS's messages have no fields of the wire type {other}")),
        };
        fields.push((u32::try_from(key >> 3).map_err(|_| "a field number out of bounds")?, content));
    }
    Ok(fields)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    bytes.split_off(..count).ok_or_else(|| format!("{count} bytes announced, {} left", bytes.len()))
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a varint without an end".to_owned())
}
