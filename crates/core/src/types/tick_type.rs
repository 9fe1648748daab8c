//! TWS's tick types: what a price, size or value in market data is.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnknownName;

/// What a tick carries, by TWS's number; JSON and text have its name, e.g. `bid` or `delayed_last`.
///
/// Numbers newer than this table stay usable: their name is `tick_` and the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", extend("examples" = &NAMES[..])))]
#[expect(clippy::exhaustive_structs, reason = "a number of TWS's")]
pub struct TickType(pub i32);

impl TickType {
    /// Shares or contracts offered at the bid.
    pub const BID_SIZE: Self = Self(0);
    /// The highest bid.
    pub const BID: Self = Self(1);
    /// The lowest ask.
    pub const ASK: Self = Self(2);
    /// Shares or contracts offered at the ask.
    pub const ASK_SIZE: Self = Self(3);
    /// The last trade's price.
    pub const LAST: Self = Self(4);
    /// The last trade's size.
    pub const LAST_SIZE: Self = Self(5);
    /// The day's high.
    pub const HIGH: Self = Self(6);
    /// The day's low.
    pub const LOW: Self = Self(7);
    /// The day's volume.
    pub const VOLUME: Self = Self(8);
    /// The previous day's close.
    pub const CLOSE: Self = Self(9);
    /// What an option's bid says, by the option model.
    pub const BID_OPTION: Self = Self(10);
    /// What an option's ask says.
    pub const ASK_OPTION: Self = Self(11);
    /// What an option's last trade says.
    pub const LAST_OPTION: Self = Self(12);
    /// What the option model says itself.
    pub const MODEL_OPTION: Self = Self(13);
    /// The day's open.
    pub const OPEN: Self = Self(14);

    /// The name, or `None` for a number newer than this table.
    pub fn name(self) -> Option<&'static str> {
        usize::try_from(self.0).ok().and_then(|index| NAMES.get(index)).copied()
    }
}

impl fmt::Display for TickType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("tick_{}", self.0)),
        }
    }
}

impl FromStr for TickType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(index) = NAMES.iter().position(|name| *name == text) {
            return Ok(Self(index as i32));
        }
        text.strip_prefix("tick_")
            .and_then(|number| number.parse().ok())
            .map(Self)
            .ok_or_else(|| UnknownName::new("tick type", text, NAMES.iter().copied()))
    }
}

impl Serialize for TickType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for TickType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The names by number, as TWS numbers them.
#[rustfmt::skip]
const NAMES: [&str; 111] = [
    "bid_size", "bid", "ask", "ask_size", "last", "last_size", "high", "low", "volume", "close",
    "bid_option", "ask_option", "last_option", "model_option", "open", "low_13_week", "high_13_week",
    "low_26_week", "high_26_week", "low_52_week", "high_52_week", "avg_volume", "open_interest",
    "option_historical_vol", "option_implied_vol", "option_bid_exch", "option_ask_exch",
    "option_call_open_interest", "option_put_open_interest", "option_call_volume", "option_put_volume",
    "index_future_premium", "bid_exch", "ask_exch", "auction_volume", "auction_price", "auction_imbalance",
    "mark_price", "bid_efp_computation", "ask_efp_computation", "last_efp_computation",
    "open_efp_computation", "high_efp_computation", "low_efp_computation", "close_efp_computation",
    "last_timestamp", "shortable", "fundamental_ratios", "rt_volume", "halted", "bid_yield", "ask_yield",
    "last_yield", "cust_option_computation", "trade_count", "trade_rate", "volume_rate", "last_rth_trade",
    "rt_historical_vol", "ib_dividends", "bond_factor_multiplier", "regulatory_imbalance", "news_tick",
    "short_term_volume_3_min", "short_term_volume_5_min", "short_term_volume_10_min", "delayed_bid",
    "delayed_ask", "delayed_last", "delayed_bid_size", "delayed_ask_size", "delayed_last_size",
    "delayed_high", "delayed_low", "delayed_volume", "delayed_close", "delayed_open", "rt_trd_volume",
    "creditman_mark_price", "creditman_slow_mark_price", "delayed_bid_option", "delayed_ask_option",
    "delayed_last_option", "delayed_model_option", "last_exch", "last_reg_time", "futures_open_interest",
    "avg_opt_volume", "delayed_last_timestamp", "shortable_shares", "delayed_halted",
    "reuters_2_mutual_funds", "etf_nav_close", "etf_nav_prior_close", "etf_nav_bid", "etf_nav_ask",
    "etf_nav_last", "etf_frozen_nav_last", "etf_nav_high", "etf_nav_low", "social_market_analytics",
    "estimated_ipo_midpoint", "final_ipo_last", "delayed_yield_bid", "delayed_yield_ask", "odd_lot_bid",
    "odd_lot_ask", "odd_lot_bid_size", "odd_lot_ask_size", "odd_lot_bid_exch", "odd_lot_ask_exch",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sit_at_their_numbers() {
        for (number, name) in
            [(1, "bid"), (9, "close"), (45, "last_timestamp"), (66, "delayed_bid"), (89, "shortable_shares")]
        {
            assert_eq!(TickType(number).to_string(), name);
            assert_eq!(name.parse(), Ok(TickType(number)));
        }
    }

    #[test]
    fn a_number_newer_than_the_table_round_trips() {
        let json = serde_json::to_string(&TickType(777)).unwrap();
        assert_eq!(json, "\"tick_777\"");
        assert_eq!(serde_json::from_str::<TickType>(&json).unwrap(), TickType(777));
        assert!("nonsense".parse::<TickType>().is_err());
    }
}
