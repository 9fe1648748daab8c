//! Times as TWS writes them, in all renderings that are known, with one table of zones for all messages.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousTimestamp, TimeZone};

use crate::zones;

/// Unix seconds below this are seconds; numbers from it on are milliseconds. It is the year 5138.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// The years that TWS writes about, in whatever zone.
const YEARS: std::ops::Range<i16> = 1900..9999;

/// A time, if the text says which. Of an hour that a zone has twice it is the first, and of one that a zone leaves out the one behind:
/// that is how TWS means the windows that it computes.
pub fn instant(text: &str) -> Option<Timestamp> {
    ambiguous_instant(text)?.compatible().ok()
}

/// The same, for those who want to know whether it could be another one.
pub fn ambiguous_instant(text: &str) -> Option<AmbiguousTimestamp> {
    let clock = Clock::read(text)?;
    let zone = match clock.zone {
        // With a dash before the hour, and in no other rendering, TWS means UTC.
        "" if clock.is_dashed => TimeZone::UTC,
        "" => return None,
        name => zones::by_name(name)?,
    };
    Some(zone.to_ambiguous_timestamp(clock.time))
}

/// The time of a headline: without a zone it is in UTC if its day has dashes.
pub fn headline(text: &str) -> Option<Timestamp> {
    unix(text).or_else(|| instant(text)).or_else(|| {
        let clock = Clock::read(text).filter(|clock| clock.zone.is_empty() && clock.day_has_dashes)?;
        TimeZone::UTC.to_timestamp(clock.time).ok()
    })
}

/// Unix seconds or milliseconds, if the text is a positive number of them; 0 is TWS's "none".
pub fn unix(text: &str) -> Option<Timestamp> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|number| is_number && *number > 0)? {
        milliseconds @ FIRST_MILLISECONDS.. => Timestamp::from_millisecond(milliseconds),
        seconds => Timestamp::from_second(seconds),
    }
    .ok()
}

/// A day and nothing else: `yyyymmdd` or `yyyy-mm-dd`.
pub fn day(text: &str) -> Option<Date> {
    take_day(text).and_then(|(day, rest)| rest.is_empty().then_some(day))
}

/// What a wall clock shows, and where it hangs.
pub(crate) struct Clock<'a> {
    pub(crate) time: DateTime,
    /// Empty if it says none.
    pub(crate) zone: &'a str,
    /// `yyyymmdd-HH:MM:SS`.
    is_dashed: bool,
    day_has_dashes: bool,
}

impl<'a> Clock<'a> {
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (day, rest) = take_day(text).filter(|(day, _)| YEARS.contains(&day.year()))?;
        let time = rest.trim_start_matches([' ', '-', 'T']);
        if time.len() == rest.len() {
            return None;
        }
        let end = time.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.')).unwrap_or(time.len());
        let (time, zone) = time.split_at(end);
        let day_has_dashes = text.as_bytes().get(4) == Some(&b'-');
        let is_dashed = rest.starts_with('-') && !day_has_dashes;
        Some(Self { time: day.to_datetime(take_time(time)?), zone: zone.trim(), is_dashed, day_has_dashes })
    }
}

/// The day at the beginning. jiff's formats take a sign too, and fewer digits: years before Christ are none of TWS's.
fn take_day(text: &str) -> Option<(Date, &str)> {
    for (shape, format) in [("dddd-dd-dd", "%Y-%m-%d"), ("dddddddd", "%Y%m%d")] {
        let Some((day, rest)) = text.split_at_checked(shape.len()) else { continue };
        let fits =
            |(letter, wanted)| if wanted == b'd' { u8::is_ascii_digit(letter) } else { *letter == wanted };
        if day.as_bytes().iter().zip(shape.bytes()).all(fits)
            && !rest.starts_with(|letter: char| letter.is_ascii_digit())
        {
            return Date::strptime(format, day).ok().map(|day| (day, rest));
        }
    }
    None
}

fn take_time(text: &str) -> Option<Time> {
    ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| Time::strptime(format, text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        instant(text).map(|time| time.to_string())
    }

    #[test]
    fn every_rendering_that_names_its_zone_is_a_time() {
        for (text, time) in [
            ("20261125 09:30:00 US/Eastern", "2026-11-25T14:30:00Z"),
            ("20261125  09:30:00  US/Eastern", "2026-11-25T14:30:00Z"),
            ("20260715 09:30:00 EST", "2026-07-15T13:30:00Z"),
            ("20260824 22:27:46 CET", "2026-08-24T20:27:46Z"),
            ("20260713 17:53:51 Central European Standard Time", "2026-07-13T15:53:51Z"),
            ("20260713 17:53:51 Central European Time", "2026-07-13T15:53:51Z"),
            ("20260713 17:53:51 CEST", "2026-07-13T15:53:51Z"),
            ("20260713 17:53:51 Mitteleuropäische Sommerzeit", "2026-07-13T15:53:51Z"),
            ("20260713 15:00:00 JST", "2026-07-13T06:00:00Z"),
            ("20260713 15:00:00 IST", "2026-07-13T09:30:00Z"),
            ("20260713 15:00:00 BST", "2026-07-13T14:00:00Z"),
            ("20260113 15:00:00 AEDT", "2026-01-13T04:00:00Z"),
            ("20260113 15:00:00 HKT", "2026-01-13T07:00:00Z"),
            ("20261125-14:30:00", "2026-11-25T14:30:00Z"),
            ("20261125-14:30:00Z", "2026-11-25T14:30:00Z"),
            ("20261125 14:30:00Z", "2026-11-25T14:30:00Z"),
            ("20261125 14:30:00 UTC", "2026-11-25T14:30:00Z"),
            ("2026-11-25T14:30:00Z", "2026-11-25T14:30:00Z"),
            ("2026-11-25T14:30:00+02:00", "2026-11-25T12:30:00Z"),
            ("2026-11-25 14:30:00.5 UTC", "2026-11-25T14:30:00.5Z"),
            ("20261125 14:30:00 Etc/GMT-5", "2026-11-25T09:30:00Z"),
            ("20261101 01:30:00 US/Eastern", "2026-11-01T05:30:00Z"),
            ("20260308 02:30:00 US/Eastern", "2026-03-08T07:30:00Z"),
        ] {
            assert_eq!(told(text).as_deref(), Some(time), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_say_which_time_is_none() {
        for text in [
            "",
            "20261125",
            "20261125 09:30:00",
            "2026-11-25T09:30:00",
            "20261125 09:30:00 Middle of Nowhere",
            "20261325-14:30:00",
            "-0261125-14:30:00",
            "20261125-25:30:00",
            "yesterday at noon",
            "0",
        ] {
            assert_eq!(told(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_hour_that_is_there_twice_is_told_apart() {
        assert!(ambiguous_instant("20261101 01:30:00 US/Eastern").unwrap().is_ambiguous());
        assert!(!ambiguous_instant("20261101 03:30:00 US/Eastern").unwrap().is_ambiguous());
    }

    #[test]
    fn headlines_without_a_zone_are_in_utc() {
        let time = |text| headline(text).map(|time| time.to_string());
        for text in ["2026-11-25 14:30:00.0", "2026-11-25 14:30:00", "1795617000", "1795617000000"] {
            assert_eq!(time(text).as_deref(), Some("2026-11-25T14:30:00Z"), "{text:?}");
        }
        assert_eq!((time("20261125 14:30:00"), time("0"), time("")), (None, None, None));
    }

    #[test]
    fn days_and_seconds_are_nothing_else() {
        assert_eq!(day("20261218"), Some(jiff::civil::date(2026, 12, 18)));
        assert_eq!(day("2026-12-18"), Some(jiff::civil::date(2026, 12, 18)));
        for text in ["202612", "20261332", "20261218 08:30:00", "1795617000", "-2026121", ""] {
            assert_eq!(day(text), None, "{text:?}");
        }
        for text in ["", "0", "-5", "+5", "5 ", "99999999999999999999"] {
            assert_eq!(unix(text), None, "{text:?}");
        }
    }
}
