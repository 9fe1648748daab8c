//! Wall Street Horizon: a calendar of corporate events.

use derive_setters::Setters;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Which events [`wsh_events`](crate::Session::wsh_events) asks for: those of one contract, or those that a filter names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct WshEventsParams {
    /// The contract's id; `None` where there is a filter.
    pub con_id: Option<i32>,
    /// A filter as Wall Street Horizon's JSON, with the tags of [`wsh_metadata`](crate::Session::wsh_metadata); `None` where there
    /// is a contract.
    pub filter: Option<String>,
    /// The first day; `None` for any. A filter has days of its own.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Day>"))]
    pub start_date: Option<Date>,
    /// The last day; `None` for any. A filter has days of its own.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Day>"))]
    pub end_date: Option<Date>,
    /// How many events at most; `None` for TWS's limit, 100.
    pub total_limit: Option<u8>,
    /// Also events of the contracts on the watchlists.
    pub fill_watchlist: bool,
    /// Also events of the contracts held.
    pub fill_portfolio: bool,
    /// Also events of competitors.
    pub fill_competitors: bool,
}
