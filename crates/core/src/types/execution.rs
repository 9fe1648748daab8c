//! Executions: fills of orders, and what they cost.

use derive_setters::Setters;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::names::tws_names;
use super::words::tws_words;
use super::{Contract, SecType, TwsTime};

/// Which executions [`executions`](crate::Session::executions) asks for: those that fit every field that is given. Without
/// `last_n_days` and `specific_dates`, TWS has those of today, since midnight in its time zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ExecutionsParams {
    /// Of orders that this client placed; `None` for any.
    pub client_id: Option<i32>,
    /// Of this account; empty for any.
    #[setters(into)]
    pub account: String,
    /// At or after this time, asked for to the second.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::types::schema::Time>"))]
    pub time: Option<Timestamp>,
    /// In contracts of this symbol; empty for any.
    #[setters(into)]
    pub symbol: String,
    /// In contracts of this security type, e.g. `STK`; empty for any.
    #[setters(into)]
    pub sec_type: SecType,
    /// On this exchange; empty for any.
    #[setters(into)]
    pub exchange: String,
    /// Only buys or only sells; `None` for both.
    pub side: Option<ExecutionsSide>,
    /// Of today and the days before it, so many in all. TWS has at most 7.
    pub last_n_days: Option<u32>,
    /// Of these days. TWS has the last 7.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::types::schema::Day>"))]
    pub specific_dates: Vec<Date>,
}

tws_names! {
    /// Which side of the market to ask for.
    ExecutionsSide, "side to ask for" { #[default] Buy = "BUY", Sell = "SELL", }
}

tws_words! {
    /// Bought or sold.
    ExecutionSide {
        /// TWS says neither.
        Unset,
        /// `BOT`
        Bought = "BOT",
        /// `SLD`
        Sold = "SLD",
    }
}

/// An execution with what it cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ExecutionDetails {
    /// Of which contract.
    pub contract: Contract,
    /// The fill.
    pub execution: Execution,
    /// What it cost; `None` if TWS has not said so within half a second after the last execution. TWS sends it a moment
    /// after the fill, and never for a combination as a whole, only for its legs.
    pub commission_report: Option<CommissionReport>,
}

/// A fill of an order, in part or whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Execution {
    /// Its id. A correction has the id of what it corrects, but for the digits after the last dot.
    pub exec_id: String,
    /// When.
    pub time: TwsTime,
    /// The account.
    pub account: String,
    /// Where.
    pub exchange: String,
    /// Bought or sold.
    pub side: ExecutionSide,
    /// How many, in shares or contracts.
    pub shares: Option<f64>,
    /// The price of one, in the contract's currency, without commission.
    pub price: Option<f64>,
    /// How many of the order are filled by now, in shares or contracts.
    pub cum_qty: Option<f64>,
    /// The average price of those, in the contract's currency.
    pub avg_price: Option<f64>,
    /// The id that the client gave the order; 0 for an order made in TWS.
    pub order_id: i32,
    /// The client that placed the order; 0 for TWS itself.
    pub client_id: i32,
    /// TWS's own id of the order; 0 for a trade from outside of IBKR.
    pub perm_id: i64,
    /// The client's own remark on the order.
    pub order_ref: String,
    /// The portfolio model.
    pub model_code: String,
    /// Whether IBKR has liquidated.
    pub is_liquidation: bool,
    /// What it did to the market's liquidity: 1 added, 2 removed, 3 routed out; `None` where TWS says nothing, or 0.
    pub last_liquidity: Option<i32>,
    /// The economic value rule, and its argument after a colon.
    pub ev_rule: String,
    /// About how much the market value changes with the price by 1.
    pub ev_multiplier: Option<f64>,
    /// Whether its price is still to be revised.
    pub is_price_revision_pending: bool,
    /// Who submitted the order, where TWS says.
    pub submitter: String,
    /// What of an option's end it is: 1 exercise, 2 lapse, 3 nothing done, 100 assigned, 101 and 103 exercised by itself, 102
    /// expired; `None` for all other fills, of which TWS says -1.
    pub opt_exercise_or_lapse_type: Option<i32>,
}

/// What an execution cost, and what it earned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct CommissionReport {
    /// Of which execution.
    pub exec_id: String,
    /// Commission and fees.
    pub commission: Option<f64>,
    /// Their currency.
    pub currency: String,
    /// The profit or loss that it realized, commission included; `None` where it opened a position.
    pub realized_pnl: Option<f64>,
    /// A bond's yield.
    pub bond_yield: Option<f64>,
    /// To which date that yield is, `yyyymmdd`; empty for none.
    pub yield_redemption_date: String,
}
