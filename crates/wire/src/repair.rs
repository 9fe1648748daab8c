//! What ibapi can't read, or reads wrongly, is put into words that it reads before it gets there.
//!
//! Three ways. [`table`] is for the messages that come in crowds: field by field, what ibapi is given instead. [`schedule`] is the one
//! message whose fields can only be read together. [`carried`] is for those of which ibapi drops something whatever it is given: they
//! travel whole, as a text of a stand-in that ibapi passes on. Besides, a text that is not UTF-8 is made readable in every message, and
//! a field of another type than TWS's is left out.
//!
//! What needs no repair is not touched: it is looked at where it lies, and not copied.

mod carried;
pub(crate) mod histories;
mod scan;
mod schedule;
mod table;

use std::borrow::Cow;
use std::sync::LazyLock;

pub use carried::{carried, carried_tick, packed};
pub use table::{NO_DECIMAL, REPAIRS, Repair, Rule, decimal};

use crate::error_frame::ErrorMessage;
use crate::frame::{Frame, MAX_LENGTH};
use crate::ids::PROTOBUF;
use crate::messages::{Field, INCOMING, Kind, Layout};
use scan::{Piece, Value, put_bytes};
use table::Given;

/// What becomes of a frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Repaired {
    /// It passes as it is.
    Untouched,
    /// This passes in its place.
    Instead(Frame),
}

/// Whether the frames with this id are looked into, without the protobuf mark.
pub(crate) fn is_looked_into(id: u32) -> bool {
    plan(id).is_some()
}

/// What ibapi is given in place of the message with this id, without the protobuf mark, and this body.
pub(crate) fn repaired(id: u32, body: &[u8]) -> Repaired {
    let Some(plan) = plan(id) else { return Repaired::Untouched };
    let readable = match plan.look(body) {
        Look::Fine => Cow::Borrowed(body),
        Look::Repair => match plan.rewrite(body) {
            Some(body) => Cow::Owned(body),
            None => return Repaired::Untouched,
        },
        Look::Unreadable => return Repaired::Untouched,
    };
    let instead =
        if id == schedule::ID { schedule::repaired(&readable) } else { carried::stand_in(id, &readable) };
    match (instead, readable) {
        (Some(instead), _) => Repaired::Instead(instead),
        (None, Cow::Owned(body)) if body.len() < MAX_LENGTH as usize => {
            Repaired::Instead(Frame::raw(PROTOBUF + id, &body))
        }
        (None, Cow::Owned(_)) => Repaired::Instead(too_long(body)),
        (None, Cow::Borrowed(_)) => Repaired::Untouched,
    }
}

/// What the request is told whose answer is too long for a frame once it says what is missing in it.
fn too_long(body: &[u8]) -> Frame {
    /// TWS's "bad message length".
    const BAD_LENGTH: i32 = 507;
    let request = scan::take(&mut &*body).and_then(|piece| match (piece.tag, piece.value) {
        (1, Value::Varint(number)) => Some(number as i32),
        _ => None,
    });
    let text = format!(
        "the answer has {} bytes and lacks fields in many rows: with these marked it is longer than a frame may be; ask for less at a \
         time",
        body.len()
    );
    ErrorMessage::new(request.unwrap_or(-1), BAD_LENGTH, &text).frame()
}

fn plan(id: u32) -> Option<&'static Plan> {
    /// By their ids.
    static PLANS: LazyLock<Vec<Option<Plan>>> = LazyLock::new(|| {
        let last = INCOMING.iter().map(|(id, _)| *id).max().unwrap_or_default();
        let layout = |id| INCOMING.iter().find(|(known, _)| *known == id).map(|(_, layout)| *layout);
        (0..=last).map(|id| layout(id).map(Plan::of)).collect()
    });
    PLANS.get(id as usize)?.as_ref()
}

/// What to look for in a message.
#[derive(Debug)]
struct Plan {
    /// By their tags.
    parts: Vec<Option<Part>>,
    /// The tags that must be there, as bits.
    wanted: u64,
}

#[derive(Debug)]
struct Part {
    kind: Within,
    repeated: bool,
    rule: Option<Rule>,
}

#[derive(Debug)]
enum Within {
    Text,
    Double,
    Integer,
    Message(Plan),
}

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Fine,
    Repair,
    /// It is not protobuf.
    Unreadable,
}

impl Plan {
    fn of(layout: &Layout) -> Self {
        let rule = |field: &Field| {
            let about = |repair: &&Repair| repair.message == layout.name && repair.field == field.name;
            REPAIRS.iter().find(about).map(|repair| repair.rule)
        };
        let mut plan = Self { parts: Vec::new(), wanted: 0 };
        for field in layout.fields {
            let part = Part { kind: Within::of(field.kind), repeated: field.repeated, rule: rule(field) };
            if part.rule.is_some_and(|rule| rule.if_absent() != Given::AsItIs) {
                plan.wanted |= bit(field.tag);
            }
            plan.put(field.tag, part);
        }
        plan
    }

    fn put(&mut self, tag: u32, part: Part) {
        let at = tag as usize;
        if self.parts.len() <= at {
            self.parts.resize_with(at + 1, || None);
        }
        self.parts[at] = Some(part);
    }

    fn part(&self, tag: u32) -> Option<&Part> {
        self.parts.get(tag as usize)?.as_ref()
    }

    fn look(&self, mut body: &[u8]) -> Look {
        let mut seen = 0;
        while !body.is_empty() {
            let Some(piece) = scan::take(&mut body) else { return Look::Unreadable };
            seen |= bit(piece.tag);
            let look = self.part(piece.tag).map_or(Look::Fine, |part| part.look(&piece.value));
            if look != Look::Fine {
                return look;
            }
        }
        if seen & self.wanted == self.wanted { Look::Fine } else { Look::Repair }
    }

    /// `None` for what is not protobuf.
    fn rewrite(&self, mut body: &[u8]) -> Option<Vec<u8>> {
        let (mut seen, mut out) = (0, Vec::with_capacity(body.len() + 64));
        while !body.is_empty() {
            let piece = scan::take(&mut body)?;
            let was = out.len();
            match self.part(piece.tag) {
                None => out.extend_from_slice(piece.bytes),
                Some(part) => part.rewrite(&piece, &mut out)?,
            }
            // A field that was left out is absent.
            if out.len() > was {
                seen |= bit(piece.tag);
            }
        }
        let missing = self.wanted & !seen;
        for (tag, part) in (0..).zip(&self.parts).filter(|(tag, _)| missing & bit(*tag) != 0) {
            let rule = part.as_ref().and_then(|part| part.rule);
            rule.map_or(Given::AsItIs, Rule::if_absent).put(tag, &mut out);
        }
        Some(out)
    }
}

impl Part {
    /// Whether these are several numbers in a row.
    fn is_packed(&self, bytes: &[u8]) -> bool {
        /// What a double takes.
        const DOUBLE: usize = 8;
        self.repeated && (!matches!(self.kind, Within::Double) || bytes.len().is_multiple_of(DOUBLE))
    }

    fn look(&self, value: &Value<'_>) -> Look {
        let is_fine = match (&self.kind, value) {
            (Within::Text, Value::Bytes(bytes)) => str::from_utf8(bytes).is_ok_and(|text| match self.rule {
                Some(rule) => rule.of_text(text) == Given::AsItIs,
                None => true,
            }),
            (Within::Integer, Value::Varint(number)) => {
                self.rule.is_none_or(|rule| rule.of_integer(number.cast_signed()) == Given::AsItIs)
            }
            (Within::Double, Value::SixtyFour) => true,
            (Within::Message(plan), Value::Bytes(body)) => return plan.look(body),
            (Within::Double | Within::Integer, Value::Bytes(bytes)) => self.is_packed(bytes),
            _ => false,
        };
        if is_fine { Look::Fine } else { Look::Repair }
    }

    /// `None` for what is not protobuf.
    fn rewrite(&self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Option<()> {
        let given = match (&self.kind, &piece.value) {
            (Within::Message(plan), Value::Bytes(body)) => {
                put_bytes(piece.tag, &plan.rewrite(body)?, out);
                return Some(());
            }
            (Within::Text, Value::Bytes(bytes)) => {
                let text = String::from_utf8_lossy(bytes);
                match self.rule.map_or(Given::AsItIs, |rule| rule.of_text(&text)) {
                    Given::AsItIs if matches!(text, Cow::Owned(_)) => Given::Text(text.into_owned().into()),
                    given => given,
                }
            }
            (Within::Integer, Value::Varint(number)) => {
                self.rule.map_or(Given::AsItIs, |rule| rule.of_integer(number.cast_signed()))
            }
            (Within::Double, Value::SixtyFour) => Given::AsItIs,
            (Within::Double | Within::Integer, Value::Bytes(bytes)) if self.is_packed(bytes) => Given::AsItIs,
            // Of another type than TWS's.
            _ => Given::Nothing,
        };
        match given {
            Given::AsItIs => out.extend_from_slice(piece.bytes),
            given => given.put(piece.tag, out),
        }
        Some(())
    }
}

impl Within {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Double => Self::Double,
            Kind::Int32 | Kind::Int64 | Kind::Bool => Self::Integer,
            Kind::Message(layout) => Self::Message(Plan::of(layout)),
            Kind::Map => Self::Message(Plan::of_map()),
        }
    }
}

impl Plan {
    /// An entry of a map: its key and its value.
    fn of_map() -> Self {
        let mut plan = Self { parts: Vec::new(), wanted: 0 };
        for tag in [1, 2] {
            plan.put(tag, Part { kind: Within::Text, repeated: false, rule: None });
        }
        plan
    }
}

/// A tag among the first 64, which have all that is wanted.
fn bit(tag: u32) -> u64 {
    1_u64.checked_shl(tag).unwrap_or_default()
}

#[cfg(test)]
mod tests;
