//! Orders: what has become of them.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::{CommissionReport, Contract, Execution, Order, TwsTime};

/// An order that is open, or was a moment ago.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OpenOrder {
    /// Of which contract.
    pub contract: Contract,
    /// What was asked for.
    pub order: Order,
    /// What TWS makes of it.
    pub order_state: OrderState,
    /// How far it is; `None` where TWS sent none with it.
    pub order_status: Option<OrderStatus>,
}

/// Which orders [`completed_orders`](crate::Session::completed_orders) asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct CompletedOrdersParams {
    /// Only those that were placed through the API, not in TWS.
    pub api_only: bool,
}

/// An order that was filled or cancelled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct CompletedOrder {
    /// Of which contract.
    pub contract: Contract,
    /// What was asked for; mind what its quantities mean.
    pub order: Order,
    /// How it ended, and when.
    pub order_state: OrderState,
}

/// What TWS makes of an order: its status, what it does to the account's margin, and what it costs. TWS computes the money
/// for orders that ask what-if, and sends little of it for others: what it leaves out is `None`, or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OrderState {
    /// TWS's word: see [`status`](OrderStatus::status) of an order.
    pub status: String,
    /// The account's initial margin without the order.
    pub init_margin_before: Option<f64>,
    /// The account's maintenance margin without the order.
    pub maint_margin_before: Option<f64>,
    /// The account's equity with loan without the order.
    pub equity_with_loan_before: Option<f64>,
    /// By how much the order changes the initial margin.
    pub init_margin_change: Option<f64>,
    /// By how much the order changes the maintenance margin.
    pub maint_margin_change: Option<f64>,
    /// By how much the order changes the equity with loan.
    pub equity_with_loan_change: Option<f64>,
    /// The account's initial margin with the order.
    pub init_margin_after: Option<f64>,
    /// The account's maintenance margin with the order.
    pub maint_margin_after: Option<f64>,
    /// The account's equity with loan with the order.
    pub equity_with_loan_after: Option<f64>,
    /// The account's initial margin without the order, outside of regular hours.
    pub init_margin_before_outside_rth: Option<f64>,
    /// The account's maintenance margin without the order, outside of regular hours.
    pub maint_margin_before_outside_rth: Option<f64>,
    /// The account's equity with loan without the order, outside of regular hours.
    pub equity_with_loan_before_outside_rth: Option<f64>,
    /// By how much the order changes the initial margin outside of regular hours.
    pub init_margin_change_outside_rth: Option<f64>,
    /// By how much the order changes the maintenance margin outside of regular hours.
    pub maint_margin_change_outside_rth: Option<f64>,
    /// By how much the order changes the equity with loan outside of regular hours.
    pub equity_with_loan_change_outside_rth: Option<f64>,
    /// The account's initial margin with the order, outside of regular hours.
    pub init_margin_after_outside_rth: Option<f64>,
    /// The account's maintenance margin with the order, outside of regular hours.
    pub maint_margin_after_outside_rth: Option<f64>,
    /// The account's equity with loan with the order, outside of regular hours.
    pub equity_with_loan_after_outside_rth: Option<f64>,
    /// The currency of the margins.
    pub margin_currency: String,
    /// Commission and fees.
    pub commission: Option<f64>,
    /// The least that commission and fees can be.
    pub min_commission: Option<f64>,
    /// The most that commission and fees can be.
    pub max_commission: Option<f64>,
    /// The currency of the commission.
    pub commission_currency: String,
    /// A size that TWS thinks better.
    pub suggested_size: Option<f64>,
    /// How an advisor's order is divided among the accounts, as TWS would do it.
    pub order_allocations: Vec<OrderAllocation>,
    /// TWS's warning.
    pub warning_text: String,
    /// Why it was rejected.
    pub reject_reason: String,
    /// When it ended; `None` while it is open.
    pub completed_time: Option<TwsTime>,
    /// How it ended, in TWS's words, e.g. `Filled Size: 100` or `Cancelled by Trader`.
    pub completed_status: String,
}

/// One account's part of an advisor's order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OrderAllocation {
    /// The account.
    pub account: String,
    /// How many shares or contracts it holds, negative when short.
    pub position: Option<f64>,
    /// How many it is meant to hold.
    pub position_desired: Option<f64>,
    /// How many it would hold after the order.
    pub position_after: Option<f64>,
    /// How many of the order it is meant to have.
    pub desired_alloc_qty: Option<f64>,
    /// How many of the order it may have.
    pub allowed_alloc_qty: Option<f64>,
    /// Whether these quantities are amounts of money.
    pub is_monetary: bool,
}

/// How far an order is. Numbers are `None`, texts empty and ids 0 where TWS says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct OrderStatus {
    /// The id that the client gave it; 0 for an order made in TWS.
    pub order_id: i32,
    /// The client that placed it; 0 for TWS itself.
    pub client_id: i32,
    /// TWS's own id.
    pub perm_id: i64,
    /// The order id of its parent; 0 for none.
    pub parent_id: i32,
    /// TWS's word: `ApiPending`, `PendingSubmit`, `PreSubmitted`, `Submitted`, `PendingCancel`, `ApiCancelled`, `Cancelled`,
    /// `Filled`, `Inactive`.
    pub status: String,
    /// How many are filled.
    pub filled: Option<f64>,
    /// How many are not.
    pub remaining: Option<f64>,
    /// The average price of what is filled.
    pub avg_fill_price: Option<f64>,
    /// The price of the last fill.
    pub last_fill_price: Option<f64>,
    /// Why it waits, e.g. `locate` while TWS looks for shares to sell short.
    pub why_held: String,
    /// The price to which TWS has capped it.
    pub mkt_cap_price: Option<f64>,
}

impl OrderStatus {
    /// Whether nothing more comes of it: it is filled, cancelled, or rejected.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "Filled" | "Cancelled" | "ApiCancelled" | "Inactive")
    }
}

/// One event of the orders of this client.
///
/// TWS repeats `open_order` and `order_status`: the newest counts. An execution and its commission report come once each, the
/// report after the execution, whichever TWS sends first; they belong together by `exec_id`. A report that says something else than
/// the one before comes too: the newest counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OrderUpdatesEvent {
    /// An order as it is now. Its status comes by itself, so it has no `order_status`.
    OpenOrder(Box<OpenOrder>),
    /// How far an order is now.
    OrderStatus(Box<OrderStatus>),
    /// An order made in TWS was bound to this client, and got an order id.
    OrderBound {
        /// TWS's own id.
        perm_id: i64,
        /// The client it is bound to.
        client_id: i32,
        /// Its new id.
        order_id: i32,
    },
    /// An order was filled, in part or whole.
    Execution {
        /// Of which contract.
        contract: Box<Contract>,
        /// The fill.
        execution: Box<Execution>,
    },
    /// What a fill cost.
    CommissionReport(Box<CommissionReport>),
    /// What TWS says about an order, such as why it was rejected (201) or that it was cancelled (202).
    Notice {
        /// The order; `None` where it is about none.
        order_id: Option<i32>,
        /// TWS's code.
        code: i32,
        /// TWS's text.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_over_when_twss_word_is_a_last_one() {
        let is_over =
            |status: &str| OrderStatus { status: status.to_owned(), ..OrderStatus::default() }.is_over();
        for last in ["Filled", "Cancelled", "ApiCancelled", "Inactive"] {
            assert!(is_over(last), "{last}");
        }
        for other in
            ["ApiPending", "PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel", "", "filled"]
        {
            assert!(!is_over(other), "{other}");
        }
    }
}
