//! What there is to trade: symbols, price steps and option chains.

use derive_setters::Setters;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contract, SecType};

/// What [`matching_symbols`](crate::Session::matching_symbols) looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MatchingSymbolsParams {
    /// The beginning of a symbol, or a word of a company's name.
    #[setters(into)]
    pub pattern: String,
}

/// A contract that fits a pattern, without all its details.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct SymbolMatch {
    /// The contract: id, symbol, security type, primary exchange, currency and description.
    pub contract: Contract,
    /// The security types of what derives from it, e.g. `OPT`.
    pub derivative_sec_types: Vec<SecType>,
}

/// What [`market_rule`](crate::Session::market_rule) asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MarketRuleParams {
    /// One of the `market_rule_ids` of a contract's details.
    pub market_rule_id: i32,
}

/// The steps in which prices of a contract move.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct MarketRule {
    /// The rule's number.
    pub market_rule_id: i32,
    /// The steps, lowest prices first.
    pub price_increments: Vec<PriceIncrement>,
}

/// The step of prices in a range, which reaches up to the next one's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PriceIncrement {
    /// The lowest price it is for, itself included.
    pub low_edge: Option<f64>,
    /// The step.
    pub increment: Option<f64>,
}

/// What [`option_chain`](crate::Session::option_chain) asks for.
///
/// ```
/// # use ibkr_connect_core::types::OptionChainParams;
/// let params = OptionChainParams::of_stock("AAPL", 265_598);
/// # assert_eq!(params.underlying_sec_type, "STK");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OptionChainParams {
    /// The underlying's symbol.
    #[setters(into)]
    pub underlying_symbol: String,
    /// The exchange of options on futures; empty for every exchange, and for options on anything else.
    #[setters(into)]
    pub fut_fop_exchange: String,
    /// The underlying's security type: `STK`, `IND` or `FUT`.
    #[setters(into)]
    pub underlying_sec_type: SecType,
    /// The underlying's contract id; TWS wants it.
    pub underlying_con_id: i32,
}

impl OptionChainParams {
    /// The options on a stock, on every exchange.
    pub fn of_stock(symbol: impl Into<String>, con_id: i32) -> Self {
        Self {
            underlying_symbol: symbol.into(),
            underlying_sec_type: SecType::Stock,
            underlying_con_id: con_id,
            ..Self::default()
        }
    }
}

/// The options of one trading class on one exchange. Not every strike exists for every expiration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OptionChain {
    /// The exchange.
    pub exchange: String,
    /// The underlying's contract id.
    pub underlying_con_id: i32,
    /// The trading class, e.g. `SPXW`.
    pub trading_class: String,
    /// Of how many of the underlying one option is, e.g. `100`.
    pub multiplier: String,
    /// The days on which they expire, as TWS orders them.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::types::schema::Day>"))]
    pub expirations: Vec<Date>,
    /// What TWS names among them that is no day, as it writes it; not in JSON when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_expirations: Vec<String>,
    /// The strikes, as TWS orders them.
    pub strikes: Vec<f64>,
}
