//! Maintenance windows: when the Gateway's servers are being reset and failures are no surprise. Data, because they change.

use std::path::Path;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::Dir;
use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::error::unusable_state;

/// The file in the state directory that replaces the built-in windows.
pub const MAINTENANCE_FILE: &str = "maintenance.toml";

const BUILT_IN: &str = include_str!("maintenance.toml");
const NAMED_DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// A set of maintenance windows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows(Vec<Window>);

/// A time of day at which the servers are reset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    /// What it is called, for events.
    pub(crate) name: String,
    zone: TimeZone,
    days: Vec<Weekday>,
    start: Time,
    end: Time,
}

impl Windows {
    /// The built-in windows.
    pub(crate) fn built_in() -> Self {
        // Can't fail: the built-in file is read by a test.
        Self::parse(BUILT_IN).unwrap_or_else(|_| Self::none())
    }

    /// No windows: every failure is a surprise.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The windows of `maintenance.toml` in the state directory, or the built-in ones without such a file.
    ///
    /// # Errors
    /// `config`, when the file can't be read or makes no sense.
    pub(crate) fn load(state_dir: &Path) -> Result<Self> {
        let dir = Dir::private(state_dir).map_err(unusable_state)?;
        let Some(bytes) = dir.read_loosely(MAINTENANCE_FILE).map_err(unusable_state)? else {
            return Ok(Self::built_in());
        };
        Self::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
            let path = dir.path(MAINTENANCE_FILE);
            Error::new(ErrorKind::Config, format!("{}: {error}", path.display()))
                .in_phase(Phase::Preflight)
                .with_advice("correct it, or remove it to use the built-in windows")
        })
    }

    /// Reads windows from TOML.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        file.window.into_iter().map(Window::checked).collect::<Result<_, _>>().map(Self)
    }

    /// The window that `now` lies in.
    pub(crate) fn at(&self, now: Timestamp) -> Option<&Window> {
        self.0.iter().find(|window| window.contains(now))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    window: Vec<RawWindow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    name: String,
    zone: String,
    #[serde(default)]
    days: Vec<String>,
    start: String,
    end: String,
}

impl Window {
    fn checked(raw: RawWindow) -> Result<Self, String> {
        let RawWindow { name, zone, days, start, end } = raw;
        let time = |key: &str, text: &str| {
            text.parse::<Time>()
                .map_err(|_| format!("window {name:?}: {key} = {text:?}: expected a time like \"00:15\""))
        };
        let day = |text: &String| {
            let found = NAMED_DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            found.map(|&(_, day)| day).ok_or_else(|| {
                format!("window {name:?}: days: {text:?}: expected monday, tuesday, ... or sunday")
            })
        };
        let (start, end) = (time("start", &start)?, time("end", &end)?);
        let days = days.iter().map(day).collect::<Result<_, _>>()?;
        let zone = TimeZone::get(&zone).map_err(|error| {
            format!("window {name:?}: zone = {zone:?}: {error}; expected one like \"America/New_York\"")
        })?;
        Ok(Self { name, zone, days, start, end })
    }

    fn contains(&self, now: Timestamp) -> bool {
        let now = self.zone.to_datetime(now);
        let (today, time) = (now.date(), now.time());
        if self.start <= self.end {
            self.is_on(today) && (self.start..self.end).contains(&time)
        } else {
            let evening = time >= self.start && self.is_on(today);
            let morning = time < self.end && today.yesterday().is_ok_and(|started| self.is_on(started));
            evening || morning
        }
    }

    fn is_on(&self, day: Date) -> bool {
        self.days.is_empty() || self.days.contains(&day.weekday())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn name_at<'a>(windows: &'a Windows, time: &str) -> Option<&'a str> {
        windows.at(time.parse().unwrap()).map(|window| window.name.as_str())
    }

    #[test]
    fn the_built_in_windows_are_those_of_ibkr() {
        let windows = Windows::parse(BUILT_IN).unwrap();
        assert_eq!(windows.0.len(), 5);
        assert_eq!(windows, Windows::built_in());
        for (time, name) in [
            ("2026-01-14T05:14:59Z", None),
            ("2026-01-14T05:15:00Z", Some("North America")),
            ("2026-01-14T06:44:59Z", Some("North America")),
            ("2026-01-14T06:45:00Z", None),
            ("2026-03-18T05:30:00Z", Some("North America")),
            ("2026-03-18T06:30:00Z", Some("Europe")),
            ("2026-01-14T20:45:00Z", Some("Asia-Pacific, morning")),
            ("2026-01-14T13:14:00Z", Some("Asia-Pacific, evening")),
            ("2026-01-14T15:00:00Z", None),
        ] {
            assert_eq!(name_at(&windows, time), name, "{time}");
        }
    }

    #[test]
    fn windows_follow_daylight_saving_time() {
        let windows = Windows::built_in();
        assert_eq!(name_at(&windows, "2026-07-15T04:20:00Z"), Some("North America"));
        assert_eq!(name_at(&windows, "2026-01-14T04:20:00Z"), None);
    }

    #[test]
    fn the_weekend_window_goes_from_friday_night_to_saturday_morning() {
        let windows = Windows::built_in();
        for (time, name) in [
            ("2026-01-17T03:59:00Z", None),
            ("2026-01-17T04:00:00Z", Some("weekend")),
            ("2026-01-17T07:59:00Z", Some("weekend")),
            ("2026-01-17T08:00:00Z", None),
            ("2026-01-18T07:30:00Z", None),
        ] {
            assert_eq!(name_at(&windows, time), name, "{time}");
        }
    }

    #[test]
    fn a_users_file_replaces_the_built_in_windows() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(Windows::load(temp.path()).unwrap(), Windows::built_in());
        let path = temp.path().join(MAINTENANCE_FILE);
        std::fs::write(&path, "").unwrap();
        assert_eq!(Windows::load(temp.path()).unwrap(), Windows::none());
        let wrong = "[[window]]\nname = \"x\"\nzone = \"Mars/Olympus\"\nstart = \"01:00\"\nend = \"02:00\"";
        for (from, to, said) in [
            ("01:00", "25:00", "start = \"25:00\""),
            ("01:00", "01:00", "zone = \"Mars/Olympus\""),
            ("name", "days = [\"fri\"]\nname", "monday"),
            ("name", "color = 1\nname", "color"),
        ] {
            std::fs::write(&path, wrong.replace(from, to)).unwrap();
            let error = Windows::load(temp.path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.message().contains(said) && error.message().contains("maintenance.toml"),
                "{error}"
            );
        }
    }
}
