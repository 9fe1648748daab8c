//! Profit and loss as it changes.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

/// Whose profit [`pnl`](crate::Session::pnl) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PnlParams {
    /// The account, e.g. `DU1234567`. TWS wants one.
    #[setters(into)]
    pub account: String,
    /// The code of a model in it; empty for the whole account.
    #[setters(into)]
    pub model_code: String,
}

/// One event of a stream of an account's profit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PnlEvent {
    /// The profit now, about once a second.
    Pnl(Pnl),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// The profit of an account, in its base currency. Losses are negative.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Pnl {
    /// Money made since the close of the day before.
    pub daily_pnl: Option<f64>,
    /// Of what is held, against what it cost.
    pub unrealized_pnl: Option<f64>,
    /// Of what was sold.
    pub realized_pnl: Option<f64>,
}

/// The profit of which position [`pnl_single`](crate::Session::pnl_single) subscribes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PnlSingleParams {
    /// The account, e.g. `DU1234567`. TWS wants one.
    #[setters(into)]
    pub account: String,
    /// The code of a model in it; empty for the whole account.
    #[setters(into)]
    pub model_code: String,
    /// The id of the contract that is held.
    pub con_id: i32,
}

/// One event of a stream of a position's profit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PnlSingleEvent {
    /// The profit now, about once a second.
    Pnl(PnlSingle),
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// The profit of a position, in the contract's currency. Losses are negative.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PnlSingle {
    /// How many shares or contracts are held, negative when short; `None` where TWS gives no number.
    pub position: Option<f64>,
    /// Money made since the close of the day before.
    pub daily_pnl: Option<f64>,
    /// Of what is held, against what it cost.
    pub unrealized_pnl: Option<f64>,
    /// Of what was sold.
    pub realized_pnl: Option<f64>,
    /// What the position is worth.
    pub value: Option<f64>,
}
