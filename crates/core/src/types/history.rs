//! What is known of the past apart from bars and ticks: how far back it goes, when it traded, and at which prices.

use derive_setters::Setters;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::names::tws_names;
use super::{Contract, HistoricalDuration, WhatToShow};

/// What [`head_timestamp`](crate::Session::head_timestamp) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HeadTimestampParams {
    /// Of which contract.
    pub contract: Contract,
    /// Of which data.
    pub what_to_show: WhatToShow,
    /// Only regular trading hours.
    pub use_rth: bool,
}

/// What [`historical_schedule`](crate::Session::historical_schedule) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalScheduleParams {
    /// Of which contract.
    pub contract: Contract,
    /// Where the last session ends; `None` for now.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// How far back from the end.
    pub duration: HistoricalDuration,
}

/// When a contract traded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalSchedule {
    /// Where the first session begins; `None` where TWS's text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub start: Option<Timestamp>,
    /// Where the last session ends; `None` where TWS's text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// The exchange's time zone, e.g. `US/Eastern`. The times here are in UTC all the same.
    pub time_zone: String,
    /// The sessions, oldest first.
    pub sessions: Vec<ScheduleSession>,
}

/// One trading session, in regular trading hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ScheduleSession {
    /// The trading day it counts for; `None` where TWS's text says no day.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Day>"))]
    pub reference_date: Option<Date>,
    /// Where it begins; `None` where TWS's text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub start: Option<Timestamp>,
    /// Where it ends; `None` where TWS's text says no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
}

/// What [`histogram`](crate::Session::histogram) asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistogramParams {
    /// Of which contract.
    pub contract: Contract,
    /// How far back from now.
    pub period: HistogramPeriod,
    /// Only regular trading hours.
    pub use_rth: bool,
}

tws_names! {
    /// How far back a histogram goes.
    HistogramPeriod, "histogram period" {
        #[default] Day1 = "1 day", Week1 = "1 week", Month1 = "1 month",
    }
}

/// How much traded at one price.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistogramEntry {
    /// The price, in the contract's currency.
    pub price: Option<f64>,
    /// The size traded at it, in shares or contracts.
    pub size: Option<f64>,
}
