//! When options and futures expire.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// The day on which an option or future is last traded, or its contract month.
///
/// ```
/// use ibkr_connect_core::types::Expiry;
/// use jiff::civil::date;
///
/// assert_eq!(Expiry::from(date(2026, 12, 18)).to_string(), "20261218");
/// assert_eq!(Expiry::month(2026, 12)?.to_string(), "202612");
/// assert_eq!("2026-12".parse::<Expiry>()?, Expiry::month(2026, 12)?);
/// assert!("202613".parse::<Expiry>().is_err());
/// # Ok::<(), ibkr_connect_core::types::InvalidExpiry>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// Of a month its first day.
    date: Date,
    precision: Precision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Precision {
    Day,
    Month,
}

impl Expiry {
    /// A contract month.
    ///
    /// # Errors
    /// When there is no such month.
    pub fn month(year: i16, month: i8) -> Result<Self, InvalidExpiry> {
        let date = Date::new(year, month, 1).map_err(|_| InvalidExpiry(format!("{year:04}{month:02}")))?;
        Ok(Self { date, precision: Precision::Month })
    }
}

impl From<Date> for Expiry {
    fn from(date: Date) -> Self {
        Self { date, precision: Precision::Day }
    }
}

/// As TWS writes it: `yyyymmdd` or `yyyymm`.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}", self.date.year(), self.date.month())?;
        match self.precision {
            Precision::Day => write!(f, "{:02}", self.date.day()),
            Precision::Month => Ok(()),
        }
    }
}

/// As TWS writes it, or with hyphens.
impl FromStr for Expiry {
    type Err = InvalidExpiry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = match text.len() {
            6 => format!("{text}01"),
            7 => format!("{text}-01"),
            _ => text.to_owned(),
        };
        let form = if first.len() == 8 { "%Y%m%d" } else { "%Y-%m-%d" };
        let precision = if first == text { Precision::Day } else { Precision::Month };
        let has_year = text.bytes().take(4).all(|byte| byte.is_ascii_digit());
        match Date::strptime(form, &first) {
            Ok(date) if has_year && matches!(first.len(), 8 | 10) => Ok(Self { date, precision }),
            _ => Err(InvalidExpiry(text.to_owned())),
        }
    }
}

/// A text that is neither a day nor a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidExpiry(String);

impl fmt::Display for InvalidExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an expiry; expected a day or a month, e.g. \"20261218\" or \"202612\"", self.0)
    }
}

impl std::error::Error for InvalidExpiry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_month_read_as_they_are_written() {
        for text in ["20261218", "202612", "00010101"] {
            assert_eq!(text.parse::<Expiry>().unwrap().to_string(), text);
        }
        assert_eq!("2026-12-18".parse::<Expiry>().unwrap().to_string(), "20261218");
    }

    #[test]
    fn what_is_no_day_and_no_month_says_so() {
        for wrong in [
            "",
            "2026",
            "20261301",
            "20260230",
            "202600",
            "2026121",
            "18-12-2026",
            "10-2012",
            "2026-121",
            "20261２18",
        ] {
            let error = wrong.parse::<Expiry>().unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?} is not an expiry")), "{error}");
        }
        assert_eq!(Expiry::month(2026, 0).unwrap_err(), InvalidExpiry("202600".into()));
    }
}
