//! Contracts: what can be traded or quoted.

use serde::{Deserialize, Serialize};

/// A contract, or the description of one: empty fields match anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[serde(default, deny_unknown_fields)]
pub struct Contract {
    /// IBKR's unique contract id; 0 when unknown.
    pub con_id: i32,
    /// The (underlying's) symbol, e.g. `AAPL`.
    pub symbol: String,
    /// TWS's security type: `STK`, `OPT`, `FUT`, `CASH`, `IND`, `CRYPTO`, `BOND`, `BAG`, ...
    pub sec_type: String,
    /// `yyyymmdd` or `yyyymm`; empty for what does not expire.
    pub last_trade_date_or_contract_month: String,
    /// An option's strike.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::number()"))]
    pub strike: Option<f64>,
    /// An option's right: `C` or `P`; empty for the rest.
    pub right: String,
    /// The multiplier, e.g. `100`; empty for 1.
    pub multiplier: String,
    /// Where orders and data requests are routed, e.g. `SMART`.
    pub exchange: String,
    /// The primary listing exchange, to tell `SMART` contracts apart.
    pub primary_exchange: String,
    /// The currency it trades in.
    pub currency: String,
    /// The exchange's own symbol.
    pub local_symbol: String,
    /// The trading class.
    pub trading_class: String,
    /// `CUSIP`, `ISIN`, `FIGI` or empty: what `sec_id` is.
    pub sec_id_type: String,
    /// The id that `sec_id_type` names.
    pub sec_id: String,
    /// Whether expired futures match too.
    pub include_expired: bool,
}

impl Contract {
    /// A US stock or ETF, smart-routed, in USD.
    pub fn stock(symbol: impl Into<String>) -> Self {
        Self {
            symbol: symbol.into(),
            sec_type: "STK".to_owned(),
            exchange: "SMART".to_owned(),
            currency: "USD".to_owned(),
            ..Self::default()
        }
    }

    /// A currency pair on IDEALPRO, e.g. `forex("EUR", "USD")`.
    pub fn forex(base: impl Into<String>, quote: impl Into<String>) -> Self {
        Self {
            symbol: base.into(),
            sec_type: "CASH".to_owned(),
            exchange: "IDEALPRO".to_owned(),
            currency: quote.into(),
            ..Self::default()
        }
    }

    /// The contract with this id, smart-routed.
    pub fn with_con_id(con_id: i32) -> Self {
        Self { con_id, exchange: "SMART".to_owned(), ..Self::default() }
    }
}

/// What TWS knows about a contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[serde(default)]
pub struct ContractDetails {
    /// The contract, fully described.
    pub contract: Contract,
    /// The market name of the product.
    pub market_name: String,
    /// The smallest price increment.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::number()"))]
    pub min_tick: Option<f64>,
    /// By how much quoted prices are magnified, mostly 1.
    pub price_magnifier: i32,
    /// The order types it takes.
    pub order_types: Vec<String>,
    /// Where it trades.
    pub valid_exchanges: Vec<String>,
    /// The underlying's contract id; 0 for none.
    pub under_con_id: i32,
    /// The underlying's symbol.
    pub under_symbol: String,
    /// The underlying's security type.
    pub under_sec_type: String,
    /// The name, e.g. `APPLE INC`.
    pub long_name: String,
    /// The contract month, `yyyymm`, of a future or option.
    pub contract_month: String,
    /// The industry classification, coarse to fine.
    pub industry: String,
    /// See `industry`.
    pub category: String,
    /// See `industry`.
    pub subcategory: String,
    /// The time zone of the hours below.
    pub time_zone_id: String,
    /// Trading hours as TWS writes them, one entry per day.
    pub trading_hours: Vec<String>,
    /// Liquid (regular) hours as TWS writes them, one entry per day.
    pub liquid_hours: Vec<String>,
    /// The ids of the price-increment rules, one per valid exchange.
    pub market_rule_ids: Vec<String>,
    /// The kind of stock, e.g. `COMMON` or `ETF`.
    pub stock_type: String,
    /// The smallest order size.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::number()"))]
    pub min_size: Option<f64>,
    /// The smallest step between sizes.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::number()"))]
    pub size_increment: Option<f64>,
    /// The step that TWS suggests.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::number()"))]
    pub suggested_size_increment: Option<f64>,
}
