//! Accounts and what they hold.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::Contract;

/// Which values [`account_summary`](crate::Session::account_summary) asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountSummaryParams {
    /// `All`, or the name of an account group.
    #[setters(into)]
    pub group: String,
    /// TWS's tags, e.g. `NetLiquidation`.
    pub tags: Vec<String>,
}

impl Default for AccountSummaryParams {
    /// The values most people look at, for all accounts.
    fn default() -> Self {
        let tags = [
            "NetLiquidation",
            "TotalCashValue",
            "BuyingPower",
            "AvailableFunds",
            "ExcessLiquidity",
            "GrossPositionValue",
            "InitMarginReq",
            "MaintMarginReq",
        ];
        Self { group: "All".to_owned(), tags: tags.map(str::to_owned).to_vec() }
    }
}

/// One value of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountSummaryValue {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// TWS's tag, e.g. `NetLiquidation`, without the prefix `$LEDGER-` of newer Gateways.
    pub tag: String,
    /// The value as TWS writes it; most are decimal numbers, some are words.
    pub value: String,
    /// Its currency; `None` where it has none.
    pub currency: Option<String>,
}

/// A position of one account in one contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Position {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// What is held.
    pub contract: Contract,
    /// How many shares or contracts, negative when short; `None` where TWS gives no number.
    pub position: Option<f64>,
    /// The average cost of one, multiplier included, in the contract's currency.
    pub average_cost: Option<f64>,
}

/// Which family an account belongs to: accounts that count together, e.g. for the limits on day trades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct FamilyCode {
    /// The account, e.g. `DU1234567`; TWS says `*` for all of a login.
    pub account: String,
    /// The family's code; `None` where there is no family.
    pub family_code: Option<String>,
}

/// What TWS says about the user of a login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct UserInfo {
    /// The id of the broker under whose name the user has IBKR's services; `None` for a user of IBKR itself.
    pub white_branding_id: Option<String>,
}
