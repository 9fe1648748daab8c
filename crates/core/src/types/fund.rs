//! What TWS knows about a fund, and about a contract on an event.

use serde::{Deserialize, Serialize};

/// What only a fund has; amounts and days as TWS writes them, texts empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct FundDetails {
    /// Its name.
    pub fund_name: String,
    /// The family that it belongs to.
    pub fund_family: String,
    /// Its type.
    pub fund_type: String,
    /// What buying costs.
    pub fund_front_load: String,
    /// What selling costs.
    pub fund_back_load: String,
    /// For how long selling costs that.
    pub fund_back_load_time_interval: String,
    /// What its management costs.
    pub fund_management_fee: String,
    /// Whether it is closed.
    pub fund_closed: bool,
    /// Whether it is closed for those who hold none of it.
    pub fund_closed_for_new_investors: bool,
    /// Whether it is closed for more money.
    pub fund_closed_for_new_money: bool,
    /// The amount from which on the fund is told.
    pub fund_notify_amount: String,
    /// The least to buy first.
    pub fund_minimum_initial_purchase: String,
    /// The least to buy later.
    pub fund_minimum_subsequent_purchase: String,
    /// The states of the US in which it may be sold.
    pub fund_blue_sky_states: String,
    /// The territories of the US in which it may be sold.
    pub fund_blue_sky_territories: String,
    /// What it does with its earnings: `N` keeps them, `Y` pays them out.
    pub fund_distribution_policy_indicator: String,
    /// What it is made of, by TWS's number: `000` others, `001` money market, `002` fixed income, `003` multi-asset, `004`
    /// equity, `005` sector, `006` guaranteed, `007` alternative.
    pub fund_asset_type: String,
}

/// What only a contract on an event has: what is bet on, in TWS's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct EventContractDetails {
    /// The event.
    pub event_contract_1: String,
    /// Its description.
    pub event_contract_description_1: String,
    /// More of its description.
    pub event_contract_description_2: String,
}
