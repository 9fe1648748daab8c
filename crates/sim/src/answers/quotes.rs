//! Market data: ticks as live or delayed messages.

use jiff::Timestamp;

use crate::market::{Listing, Quotes, Tick};
use crate::messages::{MarketDataType, Response, TickPrice, TickReqParams, TickSize};
use crate::session::Feed;
use crate::wire::Frame;

/// Live and frozen data; 3 and 4 are delayed.
const REAL_TIME: [i32; 2] = [1, 2];

/// A subscription to quotes.
#[derive(Debug)]
pub(crate) struct QuoteFeed {
    pub(crate) req_id: i32,
    pub(crate) market_data_type: i32,
    pub(crate) quotes: Quotes,
}

impl Feed for QuoteFeed {
    fn next_change(&mut self, _now: Timestamp) -> Vec<Frame> {
        let ticks = self.quotes.next_change();
        ticks.iter().flat_map(|tick| tick_frames(self.req_id, self.market_data_type, tick)).collect()
    }
}

/// What a subscription starts with: parameters, the type of data unless live, the whole quote.
pub(crate) fn opening(
    req_id: i32,
    listing: &Listing,
    market_data_type: i32,
    quotes: &mut Quotes,
) -> Vec<Frame> {
    let parameters = TickReqParams {
        req_id: Some(req_id),
        min_tick: Some(listing.min_tick()),
        bbo_exchange: Some("9c0001".into()),
        snapshot_permissions: Some(3),
    };
    let data_type = MarketDataType { req_id: Some(req_id), market_data_type: Some(market_data_type) };
    let announced = (market_data_type != 1).then(|| data_type.frame());
    let quote = quotes.opening();
    let ticks = quote.iter().flat_map(|tick| tick_frames(req_id, market_data_type, tick));
    std::iter::once(parameters.frame()).chain(announced).chain(ticks).collect()
}

/// A tick as frames; a price with a size is followed by that size, as on the real wire.
pub(crate) fn tick_frames(req_id: i32, market_data_type: i32, tick: &Tick) -> Vec<Frame> {
    let number = |tick_type: i32| {
        Some(if REAL_TIME.contains(&market_data_type) { tick_type } else { delayed(tick_type) })
    };
    let size_frame = |tick_type, size: u64| {
        let message =
            TickSize { req_id: Some(req_id), tick_type: number(tick_type), size: Some(size.to_string()) };
        message.frame()
    };
    match *tick {
        Tick::Price { tick_type, price, size } => {
            let message = TickPrice {
                req_id: Some(req_id),
                tick_type: number(tick_type),
                price: Some(price),
                size: Some(size.to_string()),
                attr_mask: Some(0),
            };
            let sized = size_type(tick_type).map(|size_type| size_frame(size_type, size));
            std::iter::once(message.frame()).chain(sized).collect()
        }
        Tick::Size { tick_type, size } => vec![size_frame(tick_type, size)],
    }
}

/// The size that belongs to a price: bid, ask and last have one.
fn size_type(price_type: i32) -> Option<i32> {
    match price_type {
        1 => Some(0),
        2 => Some(3),
        4 => Some(5),
        _ => None,
    }
}

/// IBKR's number for the delayed form of a live tick.
fn delayed(tick_type: i32) -> i32 {
    match tick_type {
        0 => 69,
        1 => 66,
        2 => 67,
        3 => 70,
        4 => 68,
        5 => 71,
        6 => 72,
        7 => 73,
        8 => 74,
        9 => 75,
        14 => 76,
        other => other,
    }
}
