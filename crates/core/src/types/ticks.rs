//! Single ticks, past and present. TWS gives their time to the second.

use derive_setters::Setters;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Contract;
use super::names::tws_names;

/// Which ticks [`historical_ticks`](crate::Session::historical_ticks) asks for.
///
/// TWS wants one of `start` and `end`: the first ticks from the start on, or the last before the end; with neither, the
/// last before now. It completes the last second, and may so send more ticks than asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct HistoricalTicksParams {
    /// Of which contract.
    pub contract: Contract,
    /// Which ticks.
    pub what_to_show: HistoricalTickKind,
    /// From when on; `None` where `end` is given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub start: Option<Timestamp>,
    /// Up to when; `None` where `start` is given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub end: Option<Timestamp>,
    /// How many, 1 to 1000.
    pub number_of_ticks: u32,
    /// Only regular trading hours.
    pub use_rth: bool,
    /// Of quotes, leave out those where only a size changed.
    pub ignore_size: bool,
}

impl Default for HistoricalTicksParams {
    fn default() -> Self {
        Self {
            contract: Contract::default(),
            what_to_show: HistoricalTickKind::default(),
            start: None,
            end: None,
            number_of_ticks: 1000,
            use_rth: false,
            ignore_size: false,
        }
    }
}

tws_names! {
    /// The kinds of historical ticks.
    HistoricalTickKind, "kind of ticks" {
        #[default] Trades = "TRADES", BidAsk = "BID_ASK", Midpoint = "MIDPOINT",
    }
}

/// Historical ticks of the kind asked for, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HistoricalTicks {
    /// Trades.
    Trades(Vec<TradeTick>),
    /// Quotes.
    BidAsk(Vec<BidAskTick>),
    /// Midpoints of quotes.
    Midpoint(Vec<MidpointTick>),
}

/// A trade.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct TradeTick {
    /// When, to the second; `None` where TWS gives no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
    /// The price, in the contract's currency.
    pub price: Option<f64>,
    /// The size, in shares or contracts.
    pub size: Option<f64>,
    /// Where.
    pub exchange: String,
    /// The exchange's conditions, as TWS writes them.
    pub special_conditions: String,
    /// Outside of the day's price limits.
    pub past_limit: bool,
    /// Not reported to the tape: part of no bar, and of no `LAST` stream.
    pub unreported: bool,
}

/// A quote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct BidAskTick {
    /// When, to the second; `None` where TWS gives no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
    /// The highest bid, in the contract's currency.
    pub bid_price: Option<f64>,
    /// The lowest ask, in the contract's currency.
    pub ask_price: Option<f64>,
    /// Shares or contracts at the bid.
    pub bid_size: Option<f64>,
    /// Shares or contracts at the ask.
    pub ask_size: Option<f64>,
    /// The bid is below the day's low.
    pub bid_past_low: bool,
    /// The ask is above the day's high.
    pub ask_past_high: bool,
}

/// The middle between bid and ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MidpointTick {
    /// When, to the second; `None` where TWS gives no time.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
    /// The price, in the contract's currency.
    pub price: Option<f64>,
}

/// What [`tick_by_tick`](crate::Session::tick_by_tick) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct TickByTickParams {
    /// Of which contract.
    pub contract: Contract,
    /// Which ticks.
    pub tick_type: TickByTickType,
    /// How many ticks of the past come first, 0 to 1000. The newest of them may come again as the first of the stream.
    pub number_of_ticks: u32,
    /// Of quotes, leave out those where only a size changed.
    pub ignore_size: bool,
}

tws_names! {
    /// The kinds of ticks that stream one by one.
    TickByTickType, "tick-by-tick type" {
        #[default] Last = "LAST", AllLast = "ALL_LAST", BidAsk = "BID_ASK", Midpoint = "MIDPOINT",
    }
}

/// One event of a tick-by-tick stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TickByTickEvent {
    /// A trade, of a `LAST` or `ALL_LAST` stream; the latter has unreported ones too.
    Trade(TradeTick),
    /// A quote.
    BidAsk(BidAskTick),
    /// A midpoint.
    Midpoint(MidpointTick),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code; 91 where the contract has no data itself and those of the contract follow that the text names.
        code: i32,
        /// TWS's text.
        message: String,
    },
}
