//! Messages made of the table of the wire's fields.

use std::fmt;

use ibkr_connect_wire::messages::{Field, Kind, Layout};
use prost::encoding::{WireType, double, encode_key, encode_varint, int64};
use serde_json::{Value, json};

/// The row in which something is odd, and the one in which nothing is.
pub(crate) const ODD: u32 = 10_000_000;
pub(crate) const CONTROL: u32 = 50_000_000;

/// How many numbers a row has.
const SPAN: u32 = 10_000_000;

/// How a field can be odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    Absent,
    /// TWS's "unset".
    Sentinel,
    Negative,
    Zero,
    Empty,
    /// A text or number that nobody expects.
    Word,
    /// What is no text in UTF-8.
    Bytes,
    /// Another type than the field's.
    Type,
}

impl Odd {
    pub(crate) const ALL: [Self; 8] = [
        Self::Absent,
        Self::Sentinel,
        Self::Negative,
        Self::Zero,
        Self::Empty,
        Self::Word,
        Self::Bytes,
        Self::Type,
    ];

    /// Whether it says that there is nothing.
    pub(crate) fn is_nothing(self) -> bool {
        matches!(self, Self::Absent | Self::Sentinel | Self::Type)
    }
}

/// A field of a message, or of one in it.
#[derive(Debug, Clone)]
pub(crate) struct Path(Vec<&'static Field>);

impl Path {
    pub(crate) fn name(&self) -> &'static str {
        self.0.last().map_or("", |field| field.name)
    }

    fn kind(&self) -> Option<Kind> {
        self.0.last().map(|field| field.kind)
    }

    fn is_of(&self, trail: &[&'static Field]) -> bool {
        self.0.len() == trail.len() && self.0.iter().zip(trail).all(|(one, other)| std::ptr::eq(*one, *other))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|field| field.name).collect();
        f.write_str(&names.join("."))
    }
}

/// What the matrix leaves out: the request's id, the two kinds of single ticks beside trades, of which a message has one and which are in
/// the historical ticks too, and what says how the message is to be read at all.
fn is_left_out(field: &Field) -> bool {
    matches!(field.name, "req_id" | "historical_tick_bid_ask" | "historical_tick_mid_point")
}

/// What says how a message is read, and is always as TWS sends it.
fn is_structure(layout: &Layout, field: &Field) -> bool {
    matches!(
        (layout.name, field.name),
        (_, "is_done")
            | ("TickByTickData", "tick_type")
            | ("Order", "order_id")
            | ("MarketRule", "market_rule_id")
            | ("MarketDepthData", "position" | "operation" | "side")
    )
}

/// All fields that can be odd.
pub(crate) fn paths(layout: &'static Layout) -> Vec<Path> {
    fn all(layout: &'static Layout, trail: &mut Vec<&'static Field>, found: &mut Vec<Path>) {
        for field in layout.fields.iter().filter(|field| !is_left_out(field)) {
            trail.push(field);
            match field.kind {
                Kind::Message(inner) => all(inner, trail, found),
                Kind::Map => {}
                _ if is_structure(layout, field) => {}
                _ => found.push(Path(trail.clone())),
            }
            trail.pop();
        }
    }
    let mut found = Vec::new();
    all(layout, &mut Vec::new(), &mut found);
    found
}

/// A message with every field, in which one is odd.
pub(crate) fn message(layout: &'static Layout, row: u32, odd: Option<(&Path, Odd)>) -> Vec<u8> {
    let mut out = Vec::new();
    put_fields(layout, row, odd, &mut Vec::new(), &mut out);
    out
}

fn put_fields(
    layout: &'static Layout,
    row: u32,
    odd: Option<(&Path, Odd)>,
    trail: &mut Vec<&'static Field>,
    out: &mut Vec<u8>,
) {
    for field in layout.fields.iter().filter(|field| !is_left_out(field)) {
        trail.push(field);
        match field.kind {
            Kind::Message(inner) => {
                let mut body = Vec::new();
                put_fields(inner, row, odd, trail, &mut body);
                put_bytes(field.tag, &body, out);
                if field.repeated && row == ODD {
                    let mut body = Vec::new();
                    put_fields(inner, CONTROL, None, trail, &mut body);
                    put_bytes(field.tag, &body, out);
                }
            }
            Kind::Map => {}
            _ => match odd.filter(|(path, _)| path.is_of(trail)) {
                Some((_, odd)) => put_odd(field, odd, out),
                None => put_usual(trail, row, out),
            },
        }
        trail.pop();
    }
}

/// The number of a row's field: each has another one.
fn number(trail: &[&Field], row: u32) -> u32 {
    row + trail.iter().fold(0, |number, field| number * 150 + field.tag)
}

fn put_usual(trail: &[&Field], row: u32, out: &mut Vec<u8>) {
    let Some(field) = trail.last() else { return };
    let number = number(trail, row);
    match field.kind {
        Kind::Double => double::encode(field.tag, &(f64::from(number) + 0.25), out),
        Kind::Bool => int64::encode(field.tag, &1, out),
        Kind::Int32 | Kind::Int64 => int64::encode(field.tag, &integer(field, number), out),
        Kind::Text => put_bytes(field.tag, word(field, number).as_bytes(), out),
        Kind::Message(_) | Kind::Map => {}
    }
}

fn put_odd(field: &Field, odd: Odd, out: &mut Vec<u8>) {
    let tag = field.tag;
    let is_text = matches!(field.kind, Kind::Text);
    match (odd, field.kind) {
        (Odd::Absent, _) => {}
        (Odd::Type, Kind::Text) => int64::encode(tag, &3, out),
        (Odd::Type, _) => put_bytes(tag, b"\xff\xff", out),
        (Odd::Sentinel, Kind::Double) => double::encode(tag, &f64::MAX, out),
        (Odd::Sentinel, Kind::Int32) => int64::encode(tag, &i64::from(i32::MAX), out),
        (Odd::Sentinel, Kind::Int64) => int64::encode(tag, &i64::MAX, out),
        (Odd::Sentinel, Kind::Text) => put_bytes(tag, b"2147483647", out),
        (Odd::Negative, Kind::Double) => double::encode(tag, &-37.63, out),
        (Odd::Negative, Kind::Text) => put_bytes(tag, b"-5", out),
        (Odd::Zero, Kind::Double) => double::encode(tag, &0.0, out),
        (Odd::Zero, Kind::Text) => put_bytes(tag, b"0", out),
        (Odd::Empty, Kind::Text) => put_bytes(tag, b"", out),
        (Odd::Word, Kind::Text) => put_bytes(tag, "没有 odd \u{1}".as_bytes(), out),
        (Odd::Word, Kind::Double) => double::encode(tag, &f64::NAN, out),
        (Odd::Bytes, Kind::Text) => put_bytes(tag, b"a\xe4\xff", out),
        (Odd::Negative, _) => int64::encode(tag, &-1, out),
        (Odd::Word, _) => int64::encode(tag, &77, out),
        _ if is_text => {}
        _ => int64::encode(tag, &0, out),
    }
}

fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// What has a number of its own in every row, so that it can be found.
fn integer(field: &Field, number: u32) -> i64 {
    match field.name {
        // A kind, of which there are a few.
        "condition_type" | "market_data_type" | "open_close" | "side" => 1,
        // Yes and no as a number.
        "route_marketable_to_bbo" | "seek_price_improvement" | "use_price_mgmt_algo" => 1,
        "operation" | "position" | "article_type" | "exempt_code" => 0,
        "tick_type" => 1,
        "time" => 1_795_617_000,
        "timestamp" => 1_795_617_000_000,
        "client_id" => 7,
        "market_rule_id" => 26,
        _ => number.into(),
    }
}

fn word(field: &Field, number: u32) -> String {
    if field.repeated {
        return "20261218".to_owned();
    }
    match field.name {
        "date" | "head_timestamp" => "1795617000".to_owned(),
        "start_date_str" | "end_date_str" | "start_date_time" | "end_date_time" => {
            "20261124-14:30:00".to_owned()
        }
        "completed_time" | "time" => "20261125-14:30:00".to_owned(),
        "ref_date" | "last_trade_date" | "last_trade_date_or_contract_month" => "20261124".to_owned(),
        "time_zone" => "US/Eastern".to_owned(),
        "right" => "C".to_owned(),
        "action" => "BUY".to_owned(),
        "side" => "BOT".to_owned(),
        "sec_type" => "STK".to_owned(),
        name if DECIMALS.contains(&name) => format!("{number}.5"),
        name => format!("{name}{number}"),
    }
}

/// The texts that are numbers.
const DECIMALS: &[&str] = &[
    "position",
    "size",
    "volume",
    "wap",
    "filled",
    "remaining",
    "total_quantity",
    "filled_quantity",
    "shares",
    "cum_qty",
    "min_tick",
    "min_size",
    "size_increment",
    "suggested_size_increment",
    "min_algo_size",
    "last_price_precision",
    "last_size_precision",
    "suggested_size",
    "position_desired",
    "position_after",
    "desired_alloc_qty",
    "allowed_alloc_qty",
    "size_bid",
    "size_ask",
];

/// The ids and codes that are 0 where TWS says nothing, and 1 where a number is magnified.
const NEVER_NULL: &[&str] = &[
    "con_id",
    "order_id",
    "client_id",
    "perm_id",
    "parent_id",
    "ratio",
    "short_sales_slot",
    "exempt_code",
    "under_con_id",
    "underlying_con_id",
    "rank",
    "bit_number",
    "market_data_type",
    "open_close",
    "position",
];

/// The value of this field in the odd row, as JSON has it.
pub(crate) fn usual(path: &Path) -> Option<Value> {
    let (field, number) = (path.0.last()?, number(&path.0, ODD));
    match field.kind {
        Kind::Double => Some(json!(f64::from(number) + 0.25)),
        Kind::Int32 | Kind::Int64 => Some(json!(integer(field, number))),
        Kind::Text => Some(json!(word(field, number))),
        _ => None,
    }
}

/// Whether its value in the odd row is like no other's, so that a reply without it does not offer it.
pub(crate) fn is_telling(path: &Path) -> bool {
    let number = number(&path.0, ODD).to_string();
    usual(path).is_some_and(|usual| usual.to_string().contains(&number))
}

pub(crate) fn is_same(value: &Value, wanted: &Value) -> bool {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    value == wanted || number(value).is_some_and(|found| number(wanted) == Some(found))
}

pub(crate) fn is_of_row(number: f64, row: u32) -> bool {
    (f64::from(row)..f64::from(row + SPAN)).contains(&number)
}

/// Whether a value says that TWS has given none.
pub(crate) fn says_nothing(path: &Path, value: &Value) -> bool {
    match value {
        Value::Null => true,
        // A text may well be a number that is "unset" for a decimal.
        Value::String(_) => true,
        Value::Bool(is_so) => !is_so,
        Value::Number(number) => match path.name() {
            "price_magnifier" => number.as_i64() == Some(1),
            name => {
                matches!(path.kind(), Some(Kind::Int32 | Kind::Int64))
                    && number.as_i64() == Some(0)
                    && NEVER_NULL.contains(&name)
            }
        },
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// The first field of a request.
pub(crate) fn request_id(body: &[u8]) -> Option<i64> {
    let mut rest = body.strip_prefix(&[8])?;
    prost::encoding::decode_varint(&mut rest).ok().map(u64::cast_signed)
}
