//! What the Gateway says about itself.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// "The version of the application you are running, 1019.2, needs to be upgraded, as it will be desupported on 20250320. The
/// minimum supported version at that time will be 1030.1." (Lean.Brokerages.InteractiveBrokers#143). It lies in the band of
/// the warnings, 2100 to 2199, and is more than one: after that day the Gateway does not start.
const VERSION_RETIRED: i32 = 2172;

/// A message of the Gateway about itself and its servers, not about a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Notice {
    /// TWS's code, e.g. 1100 for lost servers, 2103 for a lost data farm.
    pub code: i32,
    /// TWS's text.
    pub message: String,
    /// When the Gateway said it, where it says when.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
}

impl Notice {
    /// That IBKR will soon refuse this version of TWS or the Gateway (2172); `None` for all other notices.
    pub fn version_retirement(&self) -> Option<VersionRetirement> {
        if self.code != VERSION_RETIRED {
            return None;
        }
        // Versions and the day are the only words that begin with a digit: what is running, the day, the minimum.
        let numbers: Vec<&str> = self
            .message
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(|word| word.trim_end_matches('.'))
            .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        let day_at = numbers.iter().position(|word| day(word).is_some());
        let (before, after) = numbers.split_at(day_at.unwrap_or(numbers.len()));
        let version = |word: &&str| (*word).to_owned();
        Some(VersionRetirement {
            running: before.first().map(version),
            date: after.first().and_then(|word| day(word)),
            minimum: after.get(1).map(version),
        })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// IBKR will refuse this version of TWS or the Gateway from a day on. What the notice does not name is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct VersionRetirement {
    /// The version that runs, as IBKR writes it: `1045.1` is 10.45.1.
    pub running: Option<String>,
    /// The first day on which it is refused.
    pub date: Option<Date>,
    /// The oldest version that is accepted from then on.
    pub minimum: Option<String>,
}

/// As a sentence about the Gateway.
impl fmt::Display for VersionRetirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        write!(f, "IBKR ends its support for this Gateway's version{running}")?;
        match &self.date {
            Some(date) => write!(f, " on {date}")?,
            None => f.write_str(" soon")?,
        }
        f.write_str(": upgrade it before that day")?;
        self.minimum.as_ref().map_or(Ok(()), |minimum| write!(f, ", to {minimum} or newer"))
    }
}

/// `20261215`.
fn day(word: &str) -> Option<Date> {
    let is_day = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = is_day.then(|| word.parse().ok())??;
    let part = |number: u32| i8::try_from(number).ok();
    Date::new(i16::try_from(number / 10_000).ok()?, part(number / 100 % 100)?, part(number % 100)?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn retirement(code: i32, message: &str) -> Option<VersionRetirement> {
        Notice { code, message: message.to_owned(), time: None }.version_retirement()
    }

    #[test]
    fn the_end_of_a_version_is_read_with_its_day_and_the_version_to_come() {
        let text = "The version of the application you are running, 1045.1, needs to be upgraded, as it will be desupported on \
                    20261215. The minimum supported version at that time will be 1050.1.";
        let told = retirement(2172, text).unwrap();
        assert_eq!(told.date, Some(date(2026, 12, 15)));
        assert_eq!((told.running.as_deref(), told.minimum.as_deref()), (Some("1045.1"), Some("1050.1")));
        assert_eq!(
            told.to_string(),
            "IBKR ends its support for this Gateway's version 1045.1 on 2026-12-15: upgrade it before that day, to 1050.1 or newer"
        );
        assert_eq!(retirement(2104, text), None, "only that notice says so");
    }

    #[test]
    fn the_end_of_a_version_is_told_also_in_words_that_nobody_has_seen_yet() {
        let told = |message| retirement(2172, message).unwrap();
        assert_eq!(
            told("").to_string(),
            "IBKR ends its support for this Gateway's version soon: upgrade it before that day"
        );
        assert_eq!(told("Bald ist 20261215").date, Some(date(2026, 12, 15)));
        let without_day = told("1045.1 is too old, 99999999 or 2026-12-15");
        assert_eq!((without_day.date, without_day.running.as_deref()), (None, Some("1045.1")));
    }
}
