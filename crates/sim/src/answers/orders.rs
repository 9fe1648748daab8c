//! Orders and executions.

use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::framing::Frame;
use crate::market::{Fill, Filled, Working, WorkingKind, World};
use crate::messages::{
    CommissionAndFeesReport, CompletedOrder, CompletedOrdersRequest, Execution, ExecutionDetails,
    ExecutionFilter, ExecutionRequest, NextValidId, OpenOrder, Order, OrderState, OrderStatus, Response, end,
    end_frame,
};
use crate::session::{Feed, Refusal};

pub(crate) fn next_valid_id(world: &World, client_id: i32) -> Frame {
    NextValidId { order_id: Some(world.next_order_id(client_id)) }.frame()
}

/// The working orders of one client, or of all.
pub(crate) fn open(world: &World, client_id: Option<i32>, now: Timestamp) -> Vec<Frame> {
    let wanted = world.working_orders().filter(|order| client_id.is_none_or(|id| id == order.client_id));
    let orders = wanted.flat_map(|order| [open_order(order, now), status(order)]);
    orders.chain([end_frame(end::OPEN_ORDERS, None)]).collect()
}

/// What becomes of the orders of a client, as the market moves; `None` if it has none that moves.
pub(crate) fn updates(world: &Arc<World>, client_id: i32, now: Timestamp) -> Option<Box<dyn Feed>> {
    let limit = relative(world, client_id)?.limit(now.as_second());
    Some(Box::new(Updates { world: Arc::clone(world), client_id, limit }))
}

/// A client's order whose limit follows the market: each change of it is told.
#[derive(Debug)]
struct Updates {
    world: Arc<World>,
    client_id: i32,
    limit: i64,
}

impl Feed for Updates {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let Some(order) = relative(&self.world, self.client_id) else { return Vec::new() };
        let limit = order.limit(now.as_second());
        if limit == self.limit {
            return Vec::new();
        }
        self.limit = limit;
        vec![open_order(order, now), status(order)]
    }
}

fn relative(world: &World, client_id: i32) -> Option<Working<'_>> {
    world.working_orders().find(|order| order.client_id == client_id && order.kind == WorkingKind::Relative)
}

fn open_order(order: Working<'_>, now: Timestamp) -> Frame {
    let (action, order_type) = match order.kind {
        WorkingKind::TakeProfit => ("SELL", "LMT"),
        WorkingKind::Relative => ("BUY", "REL"),
    };
    let message = OpenOrder {
        order_id: Some(order.order_id),
        contract: Some(order.instrument.listing.contract()),
        order: Some(Order {
            client_id: Some(order.client_id),
            order_id: Some(order.order_id),
            perm_id: Some(order.perm_id()),
            parent_id: Some(0),
            action: Some(action.into()),
            total_quantity: Some(order.quantity.to_string()),
            order_type: Some(order_type.into()),
            lmt_price: Some(order.limit(now.as_second()) as f64 / 100.0),
            tif: Some("GTC".into()),
            account: Some(order.account.name.clone()),
            transmit: Some(true),
            filled_quantity: Some("0".into()),
        }),
        order_state: Some(OrderState { status: Some("Submitted".into()), ..Default::default() }),
    };
    message.frame()
}

fn status(order: Working<'_>) -> Frame {
    let message = OrderStatus {
        order_id: Some(order.order_id),
        status: Some("Submitted".into()),
        filled: Some("0".into()),
        remaining: Some(order.quantity.to_string()),
        avg_fill_price: Some(0.0),
        perm_id: Some(order.perm_id()),
        parent_id: Some(0),
        last_fill_price: Some(0.0),
        client_id: Some(order.client_id),
    };
    message.frame()
}

/// The orders that were filled; with `api_only`, those not made in TWS.
pub(crate) fn completed(world: &World, wanted: &CompletedOrdersRequest, now: Timestamp) -> Vec<Frame> {
    let api_only = wanted.api_only == Some(true);
    let orders = world.filled_orders().filter(|order| !api_only || order.client_id() != 0);
    let frames = orders.map(|order| {
        let (held, time) = (order.holding, bought_at(order, now));
        let message = CompletedOrder {
            contract: Some(held.instrument.listing.contract()),
            order: Some(Order {
                client_id: Some(order.client_id()),
                order_id: Some(order.order_id()),
                perm_id: Some(order.perm_id()),
                parent_id: Some(0),
                action: Some("BUY".into()),
                total_quantity: Some(held.quantity.to_string()),
                order_type: Some("MKT".into()),
                lmt_price: None,
                tif: Some("DAY".into()),
                account: Some(order.account.name.clone()),
                transmit: Some(true),
                filled_quantity: Some(held.quantity.to_string()),
            }),
            order_state: Some(OrderState {
                status: Some("Filled".into()),
                completed_time: Some(time.strftime("%Y%m%d %H:%M:%S UTC").to_string()),
                completed_status: Some(format!("Filled Size: {}", held.quantity)),
            }),
        };
        message.frame()
    });
    frames.chain([end_frame(end::COMPLETED_ORDERS, None)]).collect()
}

/// The executions that fit a filter, each followed by its commission.
pub(crate) fn executions(
    world: &World,
    wanted: &ExecutionRequest,
    now: Timestamp,
) -> Result<Vec<Frame>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let filter = wanted.execution_filter.clone().unwrap_or_default();
    let since = since(req_id, &filter)?;
    let mut frames = Vec::new();
    for order in world.filled_orders() {
        let time = bought_at(order, now);
        if !fits(order, time, &filter, now) || since.is_some_and(|since| time < since) {
            continue;
        }
        for (number, fill) in (1..).zip(order.fills()) {
            frames.extend(execution(req_id, order, number, fill, time));
        }
    }
    frames.push(end_frame(end::EXECUTIONS, Some(req_id)));
    Ok(frames)
}

/// The time of a filter, if it has one.
fn since(req_id: i32, filter: &ExecutionFilter) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = filter.time.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = jiff::civil::DateTime::strptime("%Y%m%d-%H:%M:%S", text).ok();
    match time.and_then(|time| TimeZone::UTC.to_timestamp(time).ok()) {
        Some(time) => Ok(Some(time)),
        None => {
            let message = format!("Error validating request.-'b' : cause - Invalid time {text:?}");
            Err(Refusal::new(req_id, 321, message))
        }
    }
}

fn fits(order: Filled<'_>, time: Timestamp, filter: &ExecutionFilter, now: Timestamp) -> bool {
    let is = |wanted: &Option<String>, ours: &[&str]| match wanted.as_deref() {
        None | Some("") => true,
        Some(text) => ours.iter().any(|our| our.eq_ignore_ascii_case(text)),
    };
    let listing = order.holding.instrument.listing;
    let (bought, today) = (utc_date(time), utc_date(now));
    let days_ago = bought.until(today).map_or(i32::MAX, |span| span.get_days());
    is(&filter.acct_code, &[&order.account.name])
        && is(&filter.symbol, &[listing.symbol])
        && is(&filter.sec_type, &[listing.sec_type()])
        && is(&filter.exchange, &[listing.exchange, "SMART"])
        && is(&filter.side, &["BUY", "BOT"])
        && filter.client_id.is_none_or(|id| id == order.client_id())
        && filter.last_n_days.is_none_or(|days| days == 0 || days_ago < days)
        && (filter.specific_dates.is_empty() || filter.specific_dates.contains(&number_of(bought)))
}

/// The execution and its commission.
fn execution(req_id: i32, order: Filled<'_>, number: i32, fill: Fill, time: Timestamp) -> [Frame; 2] {
    let exec_id = format!("0000e0d5.{:08x}.{number:02}.01", order.perm_id());
    let cents = |cents: i64| cents as f64 / 100.0;
    let details = ExecutionDetails {
        req_id: Some(req_id),
        contract: Some(order.holding.instrument.listing.contract()),
        execution: Some(Execution {
            order_id: Some(order.order_id()),
            exec_id: Some(exec_id.clone()),
            time: Some(time.strftime("%Y%m%d %H:%M:%S UTC").to_string()),
            acct_number: Some(order.account.name.clone()),
            exchange: Some(order.holding.instrument.listing.exchange.into()),
            side: Some("BOT".into()),
            shares: Some(fill.shares.to_string()),
            price: Some(cents(fill.price)),
            perm_id: Some(order.perm_id()),
            client_id: Some(order.client_id()),
            cum_qty: Some(fill.cumulated.to_string()),
            avg_price: Some(cents(fill.value) / fill.cumulated as f64),
            last_liquidity: Some(2),
        }),
    };
    let commission = CommissionAndFeesReport {
        exec_id: Some(exec_id),
        commission_and_fees: Some(cents(fill.commission)),
        currency: Some("USD".into()),
    };
    [details.frame(), commission.frame()]
}

/// In the morning of the last weekday before today, one order a minute.
fn bought_at(order: Filled<'_>, now: Timestamp) -> Timestamp {
    let weekend = [Weekday::Saturday, Weekday::Sunday];
    let mut day = utc_date(now).saturating_sub(1.day());
    while weekend.contains(&day.weekday()) {
        day = day.saturating_sub(1.day());
    }
    let opening = TimeZone::UTC.to_timestamp(day.at(14, 31, 0, 0)).unwrap_or(Timestamp::MIN);
    opening.saturating_add(i64::from(order.number).minutes()).unwrap_or(opening)
}

fn utc_date(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

fn number_of(date: Date) -> i32 {
    i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day())
}
