//! Bars that keep coming.

use derive_setters::Setters;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::tws_names;
use super::{Bar, BarSize, Contract, HistoricalDuration, WhatToShow};

/// What [`real_time_bars`](crate::Session::real_time_bars) subscribes to: bars of five seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct RealTimeBarsParams {
    /// Of which contract.
    pub contract: Contract,
    /// What the bars are made of.
    pub what_to_show: RealTimeBarKind,
    /// Only regular trading hours.
    pub use_rth: bool,
}

tws_names! {
    /// What real-time bars are made of.
    RealTimeBarKind, "kind of real-time bars" {
        #[default] Trades = "TRADES", Midpoint = "MIDPOINT", Bid = "BID", Ask = "ASK",
    }
}

/// One event of a stream of real-time bars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RealTimeBarsEvent {
    /// A bar of five seconds that is over.
    Bar(Bar),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code; 91 where the contract has no data itself and those of the contract follow that the text names.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// What [`historical_bar_updates`](crate::Session::historical_bar_updates) subscribes to: bars up to now that are kept up
/// to date.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalBarUpdatesParams {
    /// Of which contract.
    pub contract: Contract,
    /// How far back from now.
    pub duration: HistoricalDuration,
    /// The length of a bar; TWS wants at least five seconds here.
    pub bar_size: BarSize,
    /// What the bars are made of; TWS takes `TRADES`, `MIDPOINT`, `BID` and `ASK` here.
    pub what_to_show: WhatToShow,
    /// Only regular trading hours.
    pub use_rth: bool,
}

/// One event of bars that are kept up to date: once `history`, once `end`, then any number of `update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HistoricalBarUpdatesEvent {
    /// The bars up to now, oldest first; the last one may not be over.
    History {
        /// The bars.
        bars: Vec<Bar>,
    },
    /// The history is complete.
    End {
        /// Where it begins, by the Gateway; `None` where its text says no time.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
        start: Option<Timestamp>,
        /// Where it ends, by the Gateway; `None` where its text says no time.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
        end: Option<Timestamp>,
    },
    /// The newest bar as it is by now: it replaces the one that begins at the same time, or is a new one.
    Update(Bar),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}
