//! ibapi's types and ours. What TWS leaves unset becomes `None` here, and NaN ends here.

mod account_updates;
mod accounts;
mod contracts;
mod depth;
mod expiry;
mod gateway;
mod history;
mod market_data;
mod news;
mod orders;
mod reference;
mod scanner;
mod ticks;
mod tws_time;
mod unset;

use ibkr_connect_core::types::{Notice, set};
use ibkr_connect_core::{Error, ErrorKind, Result};
use ibkr_connect_wire::{LONGEST_TEXT, carried};
use jiff::Timestamp;
use jiff::civil::Date;
use prost::Message;
use time::OffsetDateTime;

pub(crate) use account_updates::*;
pub(crate) use accounts::*;
pub(crate) use contracts::*;
pub(crate) use depth::*;
pub(crate) use gateway::*;
pub(crate) use history::*;
pub(crate) use market_data::*;
pub(crate) use news::*;
pub(crate) use orders::*;
pub(crate) use reference::*;
pub(crate) use scanner::*;
pub(crate) use ticks::*;
pub(crate) use tws_time::*;
pub(crate) use unset::*;

/// The message that a stand-in carries. The relay gives ibapi no other: without one there was no message.
fn whole<M: Message + Default>(packed: &str) -> M {
    carried(packed).unwrap_or_default()
}

fn text(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// An id, or another number whose 0 says nothing.
fn integer(value: Option<i32>) -> i32 {
    value.map_or(0, or_zero)
}

/// A size that TWS writes as a text: below zero there is none.
fn amount(text: Option<String>) -> Option<f64> {
    decimal(text).and_then(size)
}

/// A number that TWS writes as a text; `None` where it stands for none.
fn decimal(text: Option<String>) -> Option<f64> {
    text.as_deref().and_then(ibkr_connect_wire::decimal).and_then(set)
}

pub(crate) fn timestamp(time: OffsetDateTime) -> Result<Timestamp> {
    Timestamp::from_nanosecond(time.unix_timestamp_nanos()).map_err(|error| {
        Error::new(ErrorKind::Protocol, format!("the Gateway sent the time {time}: {error}"))
    })
}

/// A time that TWS gives: ibapi makes the beginning of 1970 of one that is missing or that it can't read.
pub(crate) fn said_time(time: OffsetDateTime) -> Option<Timestamp> {
    timestamp(time).ok().filter(|time| *time != Timestamp::UNIX_EPOCH)
}

pub(crate) fn offset_date_time(time: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanosecond()).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the time {time} can't be asked for: {error}"))
    })
}

pub(crate) fn day_to_ibapi(day: Date) -> Result<time::Date> {
    let ordinal = day.day_of_year().cast_unsigned();
    time::Date::from_ordinal_date(day.year().into(), ordinal).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the day {day} can't be asked for: {error}"))
    })
}

pub(crate) fn notice(notice: ibapi::Notice) -> Notice {
    ibkr_connect_core::literal!(Notice {
        code: notice.code,
        message: proportionate(notice.message),
        time: notice.error_time.and_then(|time| timestamp(time).ok()),
    })
}

fn proportionate(text: String) -> String {
    if text.len() <= LONGEST_TEXT {
        text
    } else {
        text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned() + "…"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_text_out_of_proportion_the_beginning_is_kept() {
        for (text, kept) in [
            ("x".repeat(LONGEST_TEXT), "x".repeat(LONGEST_TEXT)),
            ("x".repeat(8 << 20), "x".repeat(LONGEST_TEXT) + "…"),
            ("拒".repeat(LONGEST_TEXT), "拒".repeat(LONGEST_TEXT / 3) + "…"),
        ] {
            assert_eq!(proportionate(text), kept);
        }
    }
}
