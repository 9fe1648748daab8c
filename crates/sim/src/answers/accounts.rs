//! Accounts, their values and positions.

use crate::market::{Account, World};
use crate::messages::{
    AccountSummary, AccountSummaryRequest, ManagedAccounts, Position, Response, end, end_frame,
};
use crate::session::Refusal;
use crate::wire::Frame;

pub(crate) fn managed_accounts(world: &World) -> Frame {
    ManagedAccounts { accounts_list: Some(world.account_list()) }.frame()
}

pub(crate) fn positions(world: &World) -> Vec<Frame> {
    let held =
        world.accounts.iter().flat_map(|account| account.holdings.iter().map(move |held| (account, held)));
    let mut frames: Vec<_> = held
        .map(|(account, held)| {
            let position = Position {
                account: Some(account.name.clone()),
                contract: Some(held.listing.contract()),
                position: Some(held.quantity.to_string()),
                avg_cost: Some(held.average_cost as f64 / 100.0),
            };
            position.frame()
        })
        .collect();
    frames.push(end_frame(end::POSITIONS, None));
    frames
}

/// The tags asked for, of the accounts in the group: `All`, or one account by name.
pub(crate) fn summary(world: &World, wanted: &AccountSummaryRequest) -> Result<Vec<Frame>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let group = wanted.group.as_deref().unwrap_or_default();
    let in_group = |account: &&Account| group == "All" || group == account.name;
    let accounts: Vec<_> = world.accounts.iter().filter(in_group).collect();
    if accounts.is_empty() && group != "All" {
        let message = format!("Error validating request.-'b' : cause - The group {group:?} is not known");
        return Err(Refusal::new(req_id, 321, message));
    }
    let tags: Vec<_> = wanted.tags.as_deref().unwrap_or_default().split(',').map(str::trim).collect();
    let rows = accounts.iter().flat_map(|account| tags.iter().filter_map(|tag| row(req_id, account, tag)));
    Ok(rows.chain([end_frame(end::ACCOUNT_SUMMARY, Some(req_id))]).collect())
}

fn row(req_id: i32, account: &Account, tag: &str) -> Option<Frame> {
    let (value, currency) = account.summary(tag)?;
    let row = AccountSummary {
        req_id: Some(req_id),
        account: Some(account.name.clone()),
        tag: Some(tag.to_owned()),
        value: Some(value),
        currency: Some(currency.to_owned()),
    };
    Some(row.frame())
}
