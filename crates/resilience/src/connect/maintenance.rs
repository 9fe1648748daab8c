//! Maintenance windows: when IBKR may be resetting the servers of a login, so that a failure is not a surprise. Data, because
//! they change.

use std::fmt;
use std::path::Path;

use ibkr_connect_core::config::Region;
use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::Dir;
use ibkr_connect_state::names::MAINTENANCE;
use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::error::unusable_state;

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

/// A time of day at which the servers of some logins are reset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    name: String,
    concerned: Concerned,
    zone: TimeZone,
    days: Vec<Weekday>,
    start: Time,
    end: Time,
}

/// Whose logins a window concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerned {
    /// Those of this region.
    Region(Region),
    /// Those of every region, if it is known which one it is.
    Regions,
    /// All: somebody who knows the Gateway has said so.
    Everybody,
}

/// Whether a reset of IBKR's servers may be the cause of a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reset<'a> {
    /// It is not.
    No,
    /// It may be, if the login is of that region: worth a word.
    Possible(&'a Window),
    /// It may well be: a failure says nothing against the Gateway, and it takes its time.
    Expected(&'a Window),
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
        let Some(bytes) = dir.read_loosely(MAINTENANCE).map_err(unusable_state)? else {
            return Ok(Self::built_in());
        };
        Self::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
            let path = dir.path(MAINTENANCE);
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
        let file: File = toml::from_str(text).map_err(|error| format!("can't be read as TOML: {error}"))?;
        file.window.into_iter().map(Window::checked).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the servers of a login of this region may be in a reset at `now`. Where the region is not known, a window of any
    /// region is possible, and none is expected but those that concern everybody.
    pub(crate) fn at(&self, now: Timestamp, region: Option<Region>) -> Reset<'_> {
        if region == Some(Region::None) {
            return Reset::No;
        }
        let mut open = self.0.iter().filter(|window| window.contains(now));
        match (open.clone().find(|window| window.concerns(region)), region) {
            (Some(window), _) => Reset::Expected(window),
            (None, Some(_)) => Reset::No,
            (None, None) => open.next().map_or(Reset::No, Reset::Possible),
        }
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
    #[serde(default)]
    region: Option<String>,
    zone: String,
    #[serde(default)]
    days: Vec<String>,
    start: String,
    end: String,
}

impl Window {
    fn checked(raw: RawWindow) -> Result<Self, String> {
        let RawWindow { name, region, zone, days, start, end } = raw;
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
        let concerned = region.as_deref().map_or(Ok(Concerned::Everybody), |region| {
            Concerned::parse(region).ok_or_else(|| {
                format!("window {name:?}: region = {region:?}: expected one of: americas, europe, asia, all")
            })
        })?;
        let (start, end) = (time("start", &start)?, time("end", &end)?);
        let days = days.iter().map(day).collect::<Result<_, _>>()?;
        let zone = TimeZone::get(&zone).map_err(|error| {
            format!("window {name:?}: zone = {zone:?}: {error}; expected one like \"America/New_York\"")
        })?;
        Ok(Self { name, concerned, zone, days, start, end })
    }

    fn concerns(&self, region: Option<Region>) -> bool {
        match self.concerned {
            Concerned::Region(of) => region == Some(of),
            Concerned::Regions => region.is_some(),
            Concerned::Everybody => true,
        }
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

/// Its name, and when it is.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, zone, start, end, .. } = self;
        let zone = zone.iana_name().unwrap_or("UTC");
        write!(f, "{name}, {} to {} {zone}", start.strftime("%H:%M"), end.strftime("%H:%M"))
    }
}

impl Concerned {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("all") {
            return Some(Self::Regions);
        }
        text.parse().ok().filter(|region| *region != Region::None).map(Self::Region)
    }
}

impl Reset<'_> {
    /// What to say about a failure that it may have caused, after what else can be done about it.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::No => None,
            Self::Possible(window) => Some(format!(
                "it may be IBKR's reset of its servers ({window}), after which it works again; if your login is there, set \
                 IBKR_REGION, so that attempts wait longer meanwhile"
            )),
            Self::Expected(window) => {
                Some(format!("it may be IBKR's reset of its servers ({window}), after which it works again"))
            }
        }
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [Option<Region>; 5] =
        [None, Some(Region::None), Some(Region::Americas), Some(Region::Europe), Some(Region::Asia)];

    /// The name of the window that is expected, or may be, at a time.
    fn found(windows: &Windows, time: &str, region: Option<Region>) -> (Option<String>, Option<String>) {
        let name = |window: &Window| Some(window.name.clone());
        match windows.at(time.parse().unwrap(), region) {
            Reset::No => (None, None),
            Reset::Expected(window) => (name(window), None),
            Reset::Possible(window) => (None, name(window)),
        }
    }

    #[track_caller]
    fn expected(windows: &Windows, time: &str, region: Region, name: Option<&str>) {
        assert_eq!(found(windows, time, Some(region)), (name.map(str::to_owned), None), "{time}");
    }

    #[test]
    fn the_built_in_windows_are_those_of_ibkr() {
        let windows = Windows::parse(BUILT_IN).unwrap();
        assert_eq!(windows.0.len(), 5);
        assert_eq!(windows, Windows::built_in());
        for (time, region, name) in [
            ("2026-01-14T05:14:59Z", Region::Americas, None),
            ("2026-01-14T05:15:00Z", Region::Americas, Some("North America")),
            ("2026-01-14T06:44:59Z", Region::Americas, Some("North America")),
            ("2026-01-14T06:45:00Z", Region::Americas, None),
            ("2026-03-18T06:30:00Z", Region::Europe, Some("Europe")),
            ("2026-01-14T20:45:00Z", Region::Asia, Some("Asia-Pacific, morning")),
            ("2026-01-14T13:14:00Z", Region::Asia, Some("Asia-Pacific, evening")),
            ("2026-01-14T15:00:00Z", Region::Asia, None),
        ] {
            expected(&windows, time, region, name);
        }
    }

    #[test]
    fn only_the_windows_of_ones_own_region_are_expected() {
        let windows = Windows::built_in();
        for (time, of) in [
            ("2026-03-18T05:00:00Z", Region::Americas),
            ("2026-03-18T06:30:00Z", Region::Europe),
            ("2026-03-18T12:30:00Z", Region::Asia),
        ] {
            for region in REGIONS {
                let (expected, possible) = found(&windows, time, region);
                assert_eq!(expected.is_some(), region == Some(of), "{time} {region:?}");
                assert_eq!(possible.is_some(), region.is_none(), "{time} {region:?}");
            }
        }
    }

    #[test]
    fn windows_follow_daylight_saving_time() {
        let windows = Windows::built_in();
        expected(&windows, "2026-07-15T04:20:00Z", Region::Americas, Some("North America"));
        expected(&windows, "2026-01-14T04:20:00Z", Region::Americas, None);
    }

    #[test]
    fn the_weekend_window_goes_from_friday_night_to_saturday_morning_in_every_region() {
        let windows = Windows::built_in();
        for (time, is_open) in [
            ("2026-01-17T03:59:00Z", false),
            ("2026-01-17T04:00:00Z", true),
            ("2026-01-17T07:59:00Z", true),
            ("2026-01-17T08:00:00Z", false),
            ("2026-01-18T07:30:00Z", false),
        ] {
            for region in [Region::Americas, Region::Europe, Region::Asia] {
                let is_weekend = |name: Option<String>| name.as_deref() == Some("weekend");
                let name = found(&windows, time, Some(region)).0;
                assert_eq!(is_weekend(name), is_open && !is_open_otherwise(time, region), "{time}");
            }
            assert_eq!(found(&windows, time, None).0, None, "{time}");
        }
    }

    fn is_open_otherwise(time: &str, region: Region) -> bool {
        let windows = Windows::built_in();
        let daily = Windows(windows.0.into_iter().filter(|window| window.days.is_empty()).collect());
        found(&daily, time, Some(region)).0.is_some()
    }

    #[test]
    fn what_may_be_the_cause_is_not_said_to_be_it() {
        let windows = Windows::built_in();
        let advice = |region| windows.at("2026-03-18T06:30:00Z".parse().unwrap(), region).advice();
        let possible = advice(None).unwrap();
        assert!(
            possible
                .starts_with("it may be IBKR's reset of its servers (Europe, 06:25 to 07:45 Europe/Zurich)")
        );
        assert!(possible.contains("set IBKR_REGION"), "{possible}");
        assert!(!advice(Some(Region::Europe)).unwrap().contains("IBKR_REGION"));
        assert_eq!(advice(Some(Region::Asia)), None);
        assert_eq!(advice(Some(Region::None)), None);
    }

    #[test]
    fn a_users_file_replaces_the_built_in_windows() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(Windows::load(temp.path()).unwrap(), Windows::built_in());
        let path = temp.path().join(MAINTENANCE);
        std::fs::write(&path, "").unwrap();
        assert_eq!(Windows::load(temp.path()).unwrap(), Windows::none());
        let plain = "[[window]]\nname = \"x\"\nzone = \"UTC\"\nstart = \"01:00\"\nend = \"02:00\"";
        std::fs::write(&path, plain).unwrap();
        let windows = Windows::load(temp.path()).unwrap();
        for region in REGIONS {
            let (expected, possible) = found(&windows, "2026-03-18T01:30:00Z", region);
            assert_eq!((expected.is_some(), possible), (region != Some(Region::None), None), "{region:?}");
        }
    }

    #[test]
    fn a_users_mistake_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(MAINTENANCE);
        let wrong = "[[window]]\nname = \"x\"\nzone = \"Mars/Olympus\"\nstart = \"01:00\"\nend = \"02:00\"";
        for (from, to, said) in [
            ("01:00", "25:00", "start = \"25:00\""),
            ("01:00", "01:00", "zone = \"Mars/Olympus\""),
            ("name", "days = [\"fri\"]\nname", "monday"),
            ("name", "region = \"mars\"\nname", "americas, europe, asia, all"),
            ("name", "region = \"none\"\nname", "americas, europe, asia, all"),
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
