//! The domain in TWS terms: stable JSON, `Option` where TWS says "unset", never NaN, times in UTC (RFC 3339).

mod account;
mod bars;
mod contract;
mod market_data;
mod notice;
mod tick_type;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

pub use account::{AccountSummaryParams, AccountSummaryValue, Position};
pub use bars::{
    Bar, BarSize, BarTime, HistoricalBars, HistoricalBarsParams, HistoricalDuration, UnknownName, WhatToShow,
};
pub use contract::{Contract, ContractDetails};
pub use market_data::{MarketDataEvent, MarketDataParams};
pub use notice::Notice;
pub use tick_type::TickType;

/// `value`, unless it is one of TWS's ways to say "unset": NaN, an infinity or the largest double.
pub fn set(value: f64) -> Option<f64> {
    (value.is_finite() && value.abs() < f64::MAX).then_some(value)
}
