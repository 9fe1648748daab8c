//! Historical bars and how to ask for them.

use std::fmt;
use std::str::FromStr;

use derive_setters::Setters;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Contract;
use super::names::tws_names;

/// Which bars [`historical_bars`](crate::Session::historical_bars) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalBarsParams {
    /// Of which contract.
    pub contract: Contract,
    /// Where the last bar ends; `None` for now.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// How far back from the end.
    pub duration: HistoricalDuration,
    /// The length of a bar.
    pub bar_size: BarSize,
    /// What the bars are made of.
    pub what_to_show: WhatToShow,
    /// Only regular trading hours.
    pub use_rth: bool,
}

impl HistoricalBarsParams {
    /// The trades of the last day in one-minute bars.
    pub fn last_day(contract: Contract) -> Self {
        Self { contract, ..Self::default() }
    }
}

/// The answer to a request for bars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalBars {
    /// Where the data begins, by the Gateway; `None` where its text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub start: Option<Timestamp>,
    /// Where the data ends, by the Gateway; `None` where its text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// The bars, oldest first.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Bar {
    /// Where it begins; `None` where TWS's text says no time.
    pub time: Option<BarTime>,
    /// The first price, in the contract's currency.
    pub open: Option<f64>,
    /// The highest price, in the contract's currency.
    pub high: Option<f64>,
    /// The lowest price, in the contract's currency.
    pub low: Option<f64>,
    /// The last price, in the contract's currency.
    pub close: Option<f64>,
    /// The volume, in shares or contracts; `None` where TWS has none, as for midpoints.
    pub volume: Option<f64>,
    /// The volume-weighted average price, in the contract's currency; `None` where TWS has none.
    pub wap: Option<f64>,
    /// The number of trades; `None` where TWS has none.
    pub count: Option<i32>,
}

/// Where a bar begins: a day for daily and longer bars, a time for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum BarTime {
    /// A time, RFC 3339 in UTC.
    #[cfg_attr(feature = "schema", schemars(with = "crate::types::schema::Time"))]
    Time(Timestamp),
    /// A day of the exchange's calendar, `yyyy-mm-dd`.
    #[cfg_attr(feature = "schema", schemars(with = "crate::types::schema::Day"))]
    Date(Date),
}

impl Default for BarTime {
    fn default() -> Self {
        Self::Time(Timestamp::default())
    }
}

impl fmt::Display for BarTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.pad(&time.to_string()),
            Self::Date(date) => f.pad(&date.to_string()),
        }
    }
}

tws_names! {
    /// The lengths of a bar that TWS serves.
    BarSize, "bar size" {
        Secs1 = "1 secs", Secs5 = "5 secs", Secs10 = "10 secs", Secs15 = "15 secs", Secs30 = "30 secs",
        #[default] Min1 = "1 min", Mins2 = "2 mins", Mins3 = "3 mins", Mins4 = "4 mins", Mins5 = "5 mins", Mins10 = "10 mins",
        Mins15 = "15 mins", Mins20 = "20 mins", Mins30 = "30 mins", Hour1 = "1 hour", Hours2 = "2 hours",
        Hours3 = "3 hours", Hours4 = "4 hours", Hours8 = "8 hours", Day1 = "1 day", Week1 = "1 week",
        Month1 = "1 month",
    }
}

tws_names! {
    /// What bars are made of.
    WhatToShow, "data type" {
        #[default] Trades = "TRADES", Midpoint = "MIDPOINT", Bid = "BID", Ask = "ASK", BidAsk = "BID_ASK",
        HistoricalVolatility = "HISTORICAL_VOLATILITY", OptionImpliedVolatility = "OPTION_IMPLIED_VOLATILITY",
        FeeRate = "FEE_RATE", AdjustedLast = "ADJUSTED_LAST", AggTrades = "AGGTRADES",
    }
}

/// How far back: a number and `S`, `D`, `W`, `M` or `Y`, e.g. `2 D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", extend("examples" = ["3600 S", "2 D", "1 W", "6 M", "10 Y"])))]
#[expect(clippy::exhaustive_structs, reason = "an amount and a unit are all that TWS's text has")]
pub struct HistoricalDuration {
    /// How many units, at least 1.
    pub amount: u32,
    /// The unit: `S`, `D`, `W`, `M` or `Y`.
    pub unit: char,
}

impl Default for HistoricalDuration {
    fn default() -> Self {
        Self { amount: 1, unit: 'D' }
    }
}

impl fmt::Display for HistoricalDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.unit)
    }
}

/// A text that is no [`HistoricalDuration`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration(String);

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = "expected a number and S, D, W, M or Y, e.g. \"1 D\" or \"3600 S\"";
        write!(f, "{:?} is not a duration; {expected}", self.0)
    }
}

impl std::error::Error for InvalidDuration {}

impl FromStr for HistoricalDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = trimmed[digits.len()..].trim().to_ascii_uppercase();
        match (digits.parse(), unit.as_str()) {
            (Ok(amount @ 1..), "S" | "D" | "W" | "M" | "Y") => {
                Ok(Self { amount, unit: char::from(unit.as_bytes()[0]) })
            }
            _ => Err(InvalidDuration(text.to_owned())),
        }
    }
}

impl Serialize for HistoricalDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HistoricalDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_sizes_are_twss_names_and_unknown_ones_list_them() {
        for size in BarSize::ALL {
            assert_eq!(size.as_str().parse(), Ok(*size));
            assert_eq!(serde_json::to_value(size).unwrap(), size.as_str());
        }
        let error = "7 mins".parse::<BarSize>().unwrap_err().to_string();
        assert!(error.contains("\"7 mins\" is no bar size") && error.contains("5 mins"), "{error}");
    }

    #[test]
    fn durations_take_a_number_and_a_unit() {
        assert_eq!("2 D".parse(), Ok(HistoricalDuration { amount: 2, unit: 'D' }));
        assert_eq!("3600s".parse::<HistoricalDuration>().unwrap().to_string(), "3600 S");
        for wrong in ["", "D", "0 D", "-1 D", "1 H", "1 é", "99999999999 D"] {
            assert!(wrong.parse::<HistoricalDuration>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bar_time_is_a_day_or_a_time() {
        let day: BarTime = serde_json::from_str("\"2026-11-20\"").unwrap();
        assert!(matches!(day, BarTime::Date(_)));
        let time: BarTime = serde_json::from_str("\"2026-11-20T14:30:00Z\"").unwrap();
        assert!(matches!(time, BarTime::Time(_)));
    }
}
