//! Level-1 market data.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{Contract, MarketDataType, TickType};

/// What [`market_data`](crate::Session::market_data) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MarketDataParams {
    /// Of which contract.
    pub contract: Contract,
    /// Send the current values once and end, instead of streaming.
    pub snapshot: bool,
    /// A regulatory snapshot over all US exchanges, for which IBKR takes a fee; it ends like a snapshot.
    pub regulatory_snapshot: bool,
    /// TWS's generic tick ids to add, e.g. `233` for RT volume; not possible in a snapshot.
    pub generic_ticks: Vec<String>,
    /// Which kind of data.
    pub market_data_type: MarketDataType,
}

impl MarketDataParams {
    /// A stream of `contract`'s quotes.
    pub fn streaming(contract: Contract) -> Self {
        Self { contract, ..Self::default() }
    }

    /// `contract`'s current quote, once.
    pub fn snapshot(contract: Contract) -> Self {
        Self { contract, snapshot: true, ..Self::default() }
    }
}

/// What TWS says about a price, by the bits of its mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PriceAttributes {
    /// Bit 0: an order at it can be executed by itself.
    pub can_auto_execute: bool,
    /// Bit 1: a bid below the day's lowest price, or an ask above the highest one, outside of the limits of the day.
    pub past_limit: bool,
    /// Bit 2: it is of the time before the open.
    pub pre_open: bool,
}

impl PriceAttributes {
    /// Whether no bit is set.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One event of market data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MarketDataEvent {
    /// A price, with the size that TWS sent along.
    Price {
        /// Which price.
        tick_type: TickType,
        /// In the contract's currency; `None` when TWS says there is none (it sends -1 for bids and asks).
        price: Option<f64>,
        /// The size at that price, in shares or contracts, where TWS gives one.
        size: Option<f64>,
        /// What TWS says about the price; not in JSON when it says nothing.
        #[serde(default, skip_serializing_if = "PriceAttributes::is_none")]
        attributes: PriceAttributes,
    },
    /// A size.
    Size {
        /// Which size.
        tick_type: TickType,
        /// In shares or contracts.
        size: Option<f64>,
    },
    /// A value that is text, e.g. the time of the last trade.
    Text {
        /// Which value.
        tick_type: TickType,
        /// As TWS writes it.
        value: String,
    },
    /// A number that is neither price nor size, e.g. halted.
    Generic {
        /// Which value.
        tick_type: TickType,
        /// Its value.
        value: Option<f64>,
    },
    /// An option's greeks as TWS computes them.
    OptionComputation {
        /// Which computation: bid, ask, last or model.
        tick_type: TickType,
        /// Implied volatility, per year, 0.2 for 20 %.
        implied_volatility: Option<f64>,
        /// What it was computed on: 0 returns, 1 prices.
        tick_attrib: Option<i32>,
        /// Delta: the change of its price with the underlying's by 1.
        delta: Option<f64>,
        /// The option's price, in the contract's currency.
        option_price: Option<f64>,
        /// The present value of expected dividends, in the contract's currency.
        present_value_dividend: Option<f64>,
        /// Gamma: the change of delta with the underlying's price by 1.
        gamma: Option<f64>,
        /// Vega, in the contract's currency per percentage point of volatility.
        vega: Option<f64>,
        /// Theta, in the contract's currency per day.
        theta: Option<f64>,
        /// The underlying's price, in the contract's currency.
        underlying_price: Option<f64>,
    },
    /// What TWS says about the subscription before the first tick.
    RequestParameters {
        /// The smallest price increment, in the contract's currency.
        min_tick: Option<f64>,
        /// A key for `smart_components`.
        bbo_exchange: String,
        /// 0 none, 1 quotes, 2 also for a fee, 3 both.
        snapshot_permissions: Option<i32>,
        /// The step in which last prices are given, in the contract's currency; from server version 223 on.
        last_price_precision: Option<f64>,
        /// The step in which last sizes are given, in shares or contracts; from server version 223 on.
        last_size_precision: Option<f64>,
    },
    /// Which kind of data follows: 1 live, 2 frozen, 3 delayed, 4 delayed-frozen.
    MarketDataType {
        /// The kind.
        market_data_type: i32,
    },
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code, e.g. 10167; 91 where the contract has no data itself, as a CFD of a stock, and those of the contract follow
        /// that the text names.
        code: i32,
        /// TWS's text.
        message: String,
    },
    /// The snapshot is complete; the stream ends here.
    SnapshotEnd {},
}
