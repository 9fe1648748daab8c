//! Times that TWS writes as texts.

use ibkr_connect_core::types::TwsTime;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time, if the text says which; else the text.
pub(crate) fn tws_time(text: String) -> TwsTime {
    match utc(&text).or_else(|| zoned(&text)) {
        Some(time) => TwsTime::Time(time),
        None => TwsTime::Text(text),
    }
}

/// "20261125-14:30:00", from server version 214 on with a Z.
fn utc(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    text.split_once('-').filter(|(date, _)| is_day(date))?;
    let time = DateTime::strptime("%Y%m%d-%H:%M:%S", text).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// "20261125 09:30:00 US/Eastern".
fn zoned(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(' ').filter(|(date, _)| is_day(date))?;
    let (time, zone) = rest.trim_start().split_once(' ')?;
    let time = DateTime::strptime("%Y%m%d %H:%M:%S", format!("{date} {time}")).ok()?;
    let zone = TimeZone::get(zone.trim()).ok()?;
    zone.to_ambiguous_timestamp(time).unambiguous().ok()
}

/// Eight digits. A format of jiff's takes a sign too, and fewer digits: years before Christ are none of TWS's.
pub(super) fn is_day(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> TwsTime {
        tws_time(text.to_owned())
    }

    #[test]
    fn a_zone_or_utc_makes_a_time() {
        for (text, time) in [
            ("20261125 09:30:00 US/Eastern", "2026-11-25T14:30:00Z"),
            ("20260824 22:27:46 CET", "2026-08-24T20:27:46Z"),
            ("20261125  09:30:00 America/New_York", "2026-11-25T14:30:00Z"),
            ("20261125-14:30:00", "2026-11-25T14:30:00Z"),
            ("20261125-14:30:00Z", "2026-11-25T14:30:00Z"),
            ("20261125 14:30:00 Etc/GMT-5", "2026-11-25T09:30:00Z"),
        ] {
            assert_eq!(told(text), TwsTime::Time(time.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_could_be_another_time_stays_a_text() {
        for text in [
            "",
            "20261125",
            "20261125 09:30:00",
            "20260713 17:53:51 Central European Standard Time",
            "20261101 01:30:00 US/Eastern",
            "20260308 02:30:00 US/Eastern",
            "20261325-14:30:00",
            "yesterday at noon",
        ] {
            assert_eq!(told(text), TwsTime::Text(text.to_owned()));
        }
    }
}
