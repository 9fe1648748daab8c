//! Accounts and what they hold.

use ibapi::accounts as ib;
use ibkr_connect_core::types::{AccountSummaryValue, Position, set};

use super::contract;

/// The accounts without the empty name that a trailing comma makes.
pub(crate) fn accounts(accounts: Vec<String>) -> Vec<String> {
    accounts.into_iter().filter(|account| !account.is_empty()).collect()
}

pub(crate) fn account_summary_value(row: ib::AccountSummary) -> AccountSummaryValue {
    AccountSummaryValue {
        account: row.account,
        tag: row.tag,
        value: row.value,
        currency: Some(row.currency).filter(|currency| !currency.is_empty()),
    }
}

pub(crate) fn position(row: ib::Position) -> Position {
    Position {
        account: row.account,
        contract: contract(row.contract),
        position: set(row.position).unwrap_or_default(),
        average_cost: set(row.average_cost),
    }
}
