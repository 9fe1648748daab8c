//! Contracts: what can be traded or quoted.

use std::collections::BTreeMap;

use derive_setters::Setters;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{BondDetails, ComboLeg, DeltaNeutralContract, EventContractDetails, FundDetails, Right, SecType};

/// A contract, or the description of one: empty fields match anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Contract {
    /// IBKR's unique contract id; 0 when unknown.
    #[setters(skip)]
    pub con_id: i32,
    /// The (underlying's) symbol, e.g. `AAPL`.
    #[setters(into)]
    pub symbol: String,
    /// TWS's security type: `STK`, `OPT`, `FUT`, `CASH`, `IND`, `CRYPTO`, `BOND`, `BAG`, ...
    #[setters(into)]
    pub sec_type: SecType,
    /// `yyyymmdd` or `yyyymm`; empty for what does not expire. A day or month with hyphens is sent so too.
    #[setters(into)]
    pub last_trade_date_or_contract_month: String,
    /// An option's strike, in the currency of the contract.
    pub strike: Option<f64>,
    /// An option's right: `C` or `P`; empty for the rest.
    #[setters(into)]
    pub right: Right,
    /// The multiplier, e.g. `100`; empty for 1.
    #[setters(into)]
    pub multiplier: String,
    /// Where orders and data requests are routed, e.g. `SMART`.
    #[setters(into)]
    pub exchange: String,
    /// The primary listing exchange, to tell `SMART` contracts apart.
    #[setters(into)]
    pub primary_exchange: String,
    /// The currency it trades in.
    #[setters(into)]
    pub currency: String,
    /// The exchange's own symbol.
    #[setters(into)]
    pub local_symbol: String,
    /// The trading class.
    #[setters(into)]
    pub trading_class: String,
    /// `CUSIP`, `ISIN`, `FIGI` or empty: what `sec_id` is.
    #[setters(into)]
    pub sec_id_type: String,
    /// The id that `sec_id_type` names.
    #[setters(into)]
    pub sec_id: String,
    /// Whether expired futures match too.
    pub include_expired: bool,
    /// What TWS calls it, e.g. `APPLE INC`; it is in answers to `matching_symbols` and not in JSON when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[setters(into)]
    pub description: String,
    /// The issuer of a bond or structured product, e.g. `e1453318`; not in JSON when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[setters(into)]
    pub issuer_id: String,
    /// The last day it trades, as TWS says; TWS takes the day from `last_trade_date_or_contract_month` and not from
    /// here. Not in JSON when unset.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Day>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trade_date: Option<Date>,
    /// The time of that day that TWS writes behind it, e.g. `08:30:00`; not in JSON when empty, and TWS does not take it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[setters(skip)]
    pub last_trade_time: String,
    /// The zone of that time, e.g. `US/Central`; not in JSON when empty, and TWS does not take it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[setters(skip)]
    pub last_trade_time_zone: String,
    /// The legs as TWS describes them; not in JSON when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[setters(into)]
    pub combo_legs_description: String,
    /// The legs of a `BAG`; not in JSON when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub combo_legs: Vec<ComboLeg>,
    /// The underlying of a delta-neutral combination; not in JSON when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_neutral_contract: Option<DeltaNeutralContract>,
}

/// What TWS knows about a contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ContractDetails {
    /// The contract, fully described.
    pub contract: Contract,
    /// The market name of the product.
    pub market_name: String,
    /// The smallest price increment, in the contract's currency.
    pub min_tick: Option<f64>,
    /// By how much quoted prices are magnified, mostly 1, and 1 where TWS says nothing.
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
    pub under_sec_type: SecType,
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
    /// The smallest order size, in shares or contracts.
    pub min_size: Option<f64>,
    /// The smallest step between sizes, in shares or contracts.
    pub size_increment: Option<f64>,
    /// The step that TWS suggests, in shares or contracts.
    pub suggested_size_increment: Option<f64>,
    /// The day it really expires, `yyyymmdd`; not in JSON when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub real_expiration_date: String,
    /// Its ids elsewhere by their kind, e.g. `ISIN`; not in JSON when there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sec_id_list: BTreeMap<String, String>,
    /// The time of the day on which it last trades, e.g. `08:30:00`, where TWS says so.
    pub last_trade_time: String,
    /// How it is settled, e.g. `CASH` or `DELIVERY`; from server version 226 on.
    pub settlement_method: String,
    /// The economic value rule, and its argument after a colon.
    pub ev_rule: String,
    /// About how much the market value changes with the price by 1.
    pub ev_multiplier: Option<f64>,
    /// The group of exchanges it is shown with.
    pub agg_group: Option<i32>,
    /// The smallest order size of an algorithm, in shares or contracts.
    pub min_algo_size: Option<f64>,
    /// The step in which last prices are given, in the contract's currency; from server version 223 on.
    pub last_price_precision: Option<f64>,
    /// The step in which last sizes are given, in shares or contracts; from server version 223 on.
    pub last_size_precision: Option<f64>,
    /// Why the account can't trade it.
    pub ineligibility_reasons: Vec<IneligibilityReason>,
    /// What only a bond has; not in JSON for the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond: Option<BondDetails>,
    /// What only a fund has; not in JSON for the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fund: Option<FundDetails>,
    /// What only a contract on an event has; not in JSON for the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_contract: Option<EventContractDetails>,
}

/// A reason why an account can't trade a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct IneligibilityReason {
    /// TWS's id of it.
    pub id: String,
    /// In words.
    pub description: String,
}
