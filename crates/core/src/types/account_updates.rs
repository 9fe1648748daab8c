//! Accounts as they change: values and positions that keep coming.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{AccountSummaryValue, Contract};

/// One event of a stream of account summaries: the values asked for, then `end`, then each value that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountSummaryUpdatesEvent {
    /// A value of an account. TWS sends changed ones every three minutes, and may repeat others.
    Value(AccountSummaryValue),
    /// All values have been sent once.
    End {},
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// Whose values [`account_updates_multi`](crate::Session::account_updates_multi) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountUpdatesMultiParams {
    /// The account, e.g. `DU1234567`; empty for all.
    #[setters(into)]
    pub account: String,
    /// The code of a model in it; empty for the whole account.
    #[setters(into)]
    pub model_code: String,
}

/// One event of a stream of values of several accounts: the values, then `end`, then each value that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountUpdatesMultiEvent {
    /// A value of an account.
    Value(AccountMultiValue),
    /// All values have been sent once.
    End {},
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// One value of one account, or of a model in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountMultiValue {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// The model's code; `None` for the whole account.
    pub model_code: Option<String>,
    /// TWS's key, e.g. `CashBalance`, without the prefix `$LEDGER-` of newer Gateways.
    pub key: String,
    /// The value as TWS writes it; most are decimal numbers, some are words.
    pub value: String,
    /// Its currency; `None` where it has none.
    pub currency: Option<String>,
}

/// Whose positions [`positions_multi`](crate::Session::positions_multi) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PositionsMultiParams {
    /// The account, e.g. `DU1234567`; empty for all.
    #[setters(into)]
    pub account: String,
    /// The code of a model in it; empty for the whole account.
    #[setters(into)]
    pub model_code: String,
}

/// One event of a stream of positions of one account: the positions, then `end`, then each position that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PositionsMultiEvent {
    /// A position; one that was closed has a size of 0. Boxed: it is many times the size of a tick.
    Position(Box<PositionMulti>),
    /// All positions have been sent once.
    End {},
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// A position of one account, or of a model in it, in one contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PositionMulti {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// The model's code; `None` for the whole account.
    pub model_code: Option<String>,
    /// What is held.
    pub contract: Contract,
    /// How many shares or contracts, negative when short; `None` where TWS gives no number.
    pub position: Option<f64>,
    /// The average cost of one, multiplier included, in the contract's currency.
    pub average_cost: Option<f64>,
}
