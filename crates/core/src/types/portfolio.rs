//! An account with its portfolio, and all positions, as they change.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{Contract, Position};

/// One event of a stream of positions: the positions, then `end`, then each position that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PositionUpdatesEvent {
    /// A position; one that was closed has a size of 0. Boxed: it is many times the size of a tick.
    Position(Box<Position>),
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

/// Whose updates [`account_updates`](crate::Session::account_updates) and
/// [`account_updates_snapshot`](crate::Session::account_updates_snapshot) ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountUpdatesParams {
    /// The account, e.g. `DU1234567`; empty for that of a login which has but one. The master account of an advisor with an
    /// `A` behind it stands for all of the advisor's accounts.
    #[setters(into)]
    pub account: String,
}

/// An account with its portfolio at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountUpdatesSnapshot {
    /// Its values.
    pub values: Vec<AccountValue>,
    /// Its positions, with what they are worth.
    pub portfolio: Vec<PortfolioValue>,
    /// When TWS last changed something in it, as TWS writes it: `hh:mm` in the Gateway's time zone.
    pub time: Option<String>,
}

/// One event of a stream of account updates: values, portfolio and time, then `end`, then each of them that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountUpdatesEvent {
    /// A value of the account. TWS sends changed ones at most every three minutes, unless a position changes.
    Value(AccountValue),
    /// A position with what it is worth; one that was closed has a size of 0. Boxed: it is many times the size of a tick.
    Portfolio(Box<PortfolioValue>),
    /// When TWS last changed something in it.
    Time {
        /// As TWS writes it: `hh:mm` in the Gateway's time zone.
        time: String,
    },
    /// All of it has been sent once.
    End {},
    /// A warning about this subscription that does not end it.
    Notice {
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

/// One value of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct AccountValue {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// TWS's key, e.g. `NetLiquidation`, without the prefix `$LEDGER-` of newer Gateways.
    pub key: String,
    /// The value as TWS writes it; most are decimal numbers, some are words.
    pub value: String,
    /// Its currency, or `BASE`; `None` where it has none.
    pub currency: Option<String>,
}

/// A position of an account with what it is worth. Money is in the contract's currency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct PortfolioValue {
    /// The account, e.g. `DU1234567`.
    pub account: String,
    /// What is held.
    pub contract: Contract,
    /// How many shares or contracts, negative when short; `None` where TWS gives no number.
    pub position: Option<f64>,
    /// The price of one, in the contract's currency.
    pub market_price: Option<f64>,
    /// What all of them are worth, in the contract's currency, multiplier included; negative when short.
    pub market_value: Option<f64>,
    /// The average cost of one, in the contract's currency, multiplier included.
    pub average_cost: Option<f64>,
    /// The profit on what is held, against what it cost, in the contract's currency.
    pub unrealized_pnl: Option<f64>,
    /// The profit on what was sold, in the contract's currency.
    pub realized_pnl: Option<f64>,
}
