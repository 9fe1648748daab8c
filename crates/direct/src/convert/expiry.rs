//! When contracts expire, as TWS writes it.

use std::borrow::Cow;

use ibkr_connect_core::types::Expiry;
use jiff::civil::Date;

use super::tws_time::is_day;

/// The last day of a contract, and what TWS writes behind it at times: "20260918 08:30:00 US/Central".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LastTrade<'a> {
    /// `yyyymmdd`; what is not read as a day is here as it came.
    pub(super) day: Cow<'a, str>,
    pub(super) time: &'a str,
    pub(super) zone: &'a str,
}

impl<'a> LastTrade<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.trim();
        let Some((day, rest)) = split_day(text) else { return Self { day: text.into(), time: "", zone: "" } };
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
        let (time, zone) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let (time, zone) =
            if time.starts_with(|c: char| c.is_ascii_digit()) { (time, zone) } else { ("", rest) };
        Self { day, time, zone: zone.trim() }
    }

    pub(super) fn date(&self) -> Option<Date> {
        Some(&*self.day).filter(|day| is_day(day)).and_then(|day| Date::strptime("%Y%m%d", day).ok())
    }
}

/// A day that a program writes, as TWS takes it: `2026-12-18` is `20261218`, `2026-12` is `202612`. What is neither a day nor a
/// month goes as it is, for TWS to say what is wrong with it.
pub(super) fn expiry_to_tws(text: &str) -> String {
    let day = LastTrade::new(text).day;
    day.parse::<Expiry>().map_or_else(|_| day.into_owned(), |expiry| expiry.to_string())
}

/// The day at the beginning of a text, and the rest.
fn split_day(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    if let Some((day, rest)) = text.split_at_checked(8).filter(|(day, rest)| is_day(day) && ends(rest)) {
        return Some((day.into(), rest));
    }
    let (day, rest) = text.split_at_checked(10).filter(|(_, rest)| ends(rest))?;
    let digits = day.replace('-', "");
    (day.parse::<Expiry>().is_ok() && is_day(&digits)).then(|| (digits.into(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_and_its_zone_are_apart_from_the_day() {
        for (text, day, time, zone) in [
            ("20260918 08:30:00 US/Central", "20260918", "08:30:00", "US/Central"),
            ("20260918  08:30  Central European Time", "20260918", "08:30", "Central European Time"),
            ("20260918-08:30:00", "20260918", "08:30:00", ""),
            ("20260918 US/Central", "20260918", "", "US/Central"),
            ("2026-09-18 08:30:00 US/Central", "20260918", "08:30:00", "US/Central"),
            ("2026-09-18", "20260918", "", ""),
            (" 20260918 ", "20260918", "", ""),
            ("202609", "202609", "", ""),
            ("2026-09", "2026-09", "", ""),
            ("", "", "", ""),
            ("202609181", "202609181", "", ""),
            ("someday soon", "someday soon", "", ""),
            ("2026-99-18 x", "2026-99-18 x", "", ""),
            ("२०२६०९१८", "२०२६०९१८", "", ""),
        ] {
            assert_eq!(LastTrade::new(text), LastTrade { day: day.into(), time, zone }, "{text:?}");
        }
    }

    #[test]
    fn every_way_to_write_a_day_or_month_is_sent_as_tws_writes_it() {
        for (written, sent) in [
            ("20261218", "20261218"),
            ("2026-12-18", "20261218"),
            ("202612", "202612"),
            ("2026-12", "202612"),
            ("20260918 08:30:00 US/Central", "20260918"),
            ("", ""),
            ("DEC26", "DEC26"),
        ] {
            assert_eq!(expiry_to_tws(written), sent);
        }
    }

    proptest! {
        /// The days of an option chain are `yyyy-mm-dd` in JSON.
        #[test]
        fn a_day_is_the_same_day_whatever_is_behind_it(
            days in 0..60_000_i32,
            rest in "( |  |-)?([0-2][0-9]:[0-5][0-9](:00)?)?( [A-Z][a-zA-Z/]{0,12})?",
        ) {
            let date = jiff::civil::date(1990, 1, 1) + jiff::Span::new().days(days);
            let text = date.strftime("%Y%m%d").to_string();
            prop_assume!(!rest.starts_with(|c: char| c.is_ascii_digit()));
            let (whole, iso) = (format!("{text}{rest}"), format!("{date}{rest}"));
            for written in [&whole, &iso] {
                prop_assert_eq!(LastTrade::new(written).date(), Some(date));
                prop_assert_eq!(expiry_to_tws(written), text.clone());
            }
        }

        #[test]
        fn nothing_of_a_text_is_lost(text in "\\PC{0,40}") {
            let split = LastTrade::new(&text);
            let signs = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>();
            let parts = [&*split.day, split.time, split.zone].concat();
            prop_assert_eq!(signs(&parts), signs(&text));
        }
    }
}
