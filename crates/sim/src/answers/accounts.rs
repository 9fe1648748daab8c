//! Accounts, their values and positions, and the orders a master client is flooded with.

use crate::market::{Account, World};
use crate::messages::{
    AccountSummary, AccountSummaryRequest, ManagedAccounts, NextValidId, OpenOrder, Order, OrderState,
    OrderStatus, Position, Response, end, end_frame,
};
use crate::session::Refusal;
use crate::wire::Frame;

pub(crate) fn managed_accounts(world: &World) -> Frame {
    ManagedAccounts { accounts_list: Some(world.account_list()) }.frame()
}

pub(crate) fn next_valid_id(world: &World) -> Frame {
    NextValidId { order_id: Some(world.next_order_id) }.frame()
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

/// `count` frames of other clients' working orders, as open order and order status in turn.
pub(crate) fn working_orders(world: &World, count: usize) -> Vec<Frame> {
    let pairs = (1..).flat_map(|number| [open_order(world, number), order_status(number)]);
    pairs.take(count).chain((count > 0).then(|| end_frame(end::OPEN_ORDERS, None))).collect()
}

const OTHER_CLIENT: i32 = 99;

fn open_order(world: &World, number: i32) -> Frame {
    let index = number.unsigned_abs() as usize % world.instruments.len();
    let instrument = &world.instruments[index];
    let order = Order {
        client_id: Some(OTHER_CLIENT),
        order_id: Some(number),
        perm_id: Some(perm_id(number)),
        parent_id: Some(0),
        action: Some("BUY".into()),
        total_quantity: Some("100".into()),
        order_type: Some("LMT".into()),
        lmt_price: Some(instrument.path.reference()),
        tif: Some("GTC".into()),
        account: world.accounts.first().map(|account| account.name.clone()),
    };
    let open_order = OpenOrder {
        order_id: Some(number),
        contract: Some(instrument.listing.contract()),
        order: Some(order),
        order_state: Some(OrderState { status: Some("Submitted".into()) }),
    };
    open_order.frame()
}

fn order_status(number: i32) -> Frame {
    let status = OrderStatus {
        order_id: Some(number),
        status: Some("Submitted".into()),
        filled: Some("0".into()),
        remaining: Some("100".into()),
        avg_fill_price: Some(0.0),
        perm_id: Some(perm_id(number)),
        parent_id: Some(0),
        last_fill_price: Some(0.0),
        client_id: Some(OTHER_CLIENT),
    };
    status.frame()
}

fn perm_id(number: i32) -> i64 {
    1_800_000_000 + i64::from(number)
}
