//! The orders a master client is flooded with.

use crate::framing::Frame;
use crate::market::World;
use crate::messages::{OpenOrder, Order, OrderState, OrderStatus, Response, end, end_frame};

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
        ..Default::default()
    };
    let open_order = OpenOrder {
        order_id: Some(number),
        contract: Some(instrument.listing.contract()),
        order: Some(order),
        order_state: Some(OrderState { status: Some("Submitted".into()), ..Default::default() }),
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
