//! Times that TWS writes as texts.

use ibkr_connect_core::types::TwsTime;
use ibkr_connect_wire::times;

/// A time, if the text says which; else the text. An hour that a zone has twice does not say which.
pub(crate) fn tws_time(text: String) -> TwsTime {
    let time = times::ambiguous_instant(&text).and_then(|time| time.unambiguous().ok());
    time.map_or(TwsTime::Text(text), TwsTime::Time)
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
            ("20260713 17:53:51 Central European Standard Time", "2026-07-13T15:53:51Z"),
            ("20260713 09:30:00 EST", "2026-07-13T13:30:00Z"),
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
            "20261101 01:30:00 US/Eastern",
            "20260308 02:30:00 US/Eastern",
            "20261325-14:30:00",
            "yesterday at noon",
        ] {
            assert_eq!(told(text), TwsTime::Text(text.to_owned()));
        }
    }
}
