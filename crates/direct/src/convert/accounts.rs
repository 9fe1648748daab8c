//! Accounts and what they hold.

use ibapi::accounts as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{AccountSummaryValue, FamilyCode, Position, UserInfo, set};
use ibkr_connect_wire::messages as wire;

use super::{contract, decimal, entries, said, text, whole};

/// The accounts without the empty name that a trailing comma makes.
pub(crate) fn accounts(accounts: Vec<String>) -> Vec<String> {
    entries(accounts)
}

pub(crate) fn account_summary_value(row: ib::AccountSummary) -> AccountSummaryValue {
    literal!(AccountSummaryValue {
        account: row.account,
        tag: account_key(row.tag),
        value: row.value,
        currency: said(row.currency),
    })
}

pub(crate) fn position(row: ib::Position) -> Position {
    let of: wire::Position = whole(&row.contract.description);
    literal!(Position {
        account: text(of.account),
        contract: contract(of.contract.unwrap_or_default()),
        position: decimal(of.position),
        average_cost: of.avg_cost.and_then(set),
    })
}

pub(crate) fn family_codes(codes: Vec<ib::FamilyCode>) -> Vec<FamilyCode> {
    let code = |code: ib::FamilyCode| {
        literal!(FamilyCode { account: code.account_id, family_code: said(code.family_code) })
    };
    codes.into_iter().map(code).collect()
}

pub(crate) fn user_info(info: ib::UserInfo) -> UserInfo {
    literal!(UserInfo { white_branding_id: said(info.white_branding_id) })
}

/// The name of an account value. Gateways from 10.47 on put a prefix before those that they have per currency, as a setting that
/// is on for new users; a program means the same value with and without it.
pub(super) fn account_key(key: String) -> String {
    match key.strip_prefix("$LEDGER-") {
        Some(name) => name.to_owned(),
        None => key,
    }
}
