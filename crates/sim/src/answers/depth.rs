//! Order books, and which exchanges are behind books and quotes.

use jiff::Timestamp;

use super::error_frame;
use super::history::invalid;
use crate::framing::Frame;
use crate::market::{Book, Kind, Listing, Row, RowChange, Side, World};
use crate::messages::{
    DepthMarketDataDescription, MarketDepth, MarketDepthData, MarketDepthExchanges, MarketDepthL2,
    MarketDepthRequest, RerouteMarketDepth, Response, SmartComponent, SmartComponents,
    SmartComponentsRequest,
};
use crate::session::{Feed, Opening, Refusal};

const MARKET_MAKERS: [&str; 4] = ["ARCX", "BATS", "EDGX", "NSDQ"];

/// The key of all quotes here, with their exchanges and the exchanges' letters.
const BBO_EXCHANGE: &str = "9c0001";
const COMPONENTS: [(&str, &str); 5] =
    [("AMEX", "A"), ("ARCA", "P"), ("IEX", "V"), ("ISLAND", "Q"), ("NYSE", "N")];

/// A book: first whole, then its changes.
pub(crate) fn subscribe(
    world: &World,
    wanted: &MarketDepthRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    if let Some(stock) = world.underlying_of_cfd(&contract) {
        let (con_id, exchange) = (Some(stock.listing.con_id), Some("SMART".to_owned()));
        let frames = vec![RerouteMarketDepth { req_id: Some(req_id), con_id, exchange }.frame()];
        return Ok(Opening { frames, feed: None });
    }
    let instrument = world.instrument(req_id, &contract)?;
    let exchange = contract.exchange.unwrap_or_default();
    let smart = wanted.is_smart_depth == Some(true);
    let routed = instrument.listing.kind == Kind::Stock && (exchange.is_empty() || exchange == "SMART");
    if smart != routed {
        let message = "Deep market data is not supported for this combination of security type/exchange";
        return Err(Refusal::new(req_id, 10092, message));
    }
    if !world.is_entitled(instrument) {
        return Err(Refusal::new(req_id, 354, "Requested market data is not subscribed."));
    }
    let rows = wanted.num_rows.unwrap_or_default();
    let depth = usize::try_from(rows).ok().filter(|rows| (1..=60).contains(rows));
    let depth = depth.ok_or_else(|| invalid(req_id, "Number of rows", &rows.to_string(), "1 to 60"))?;
    let mut feed = BookFeed {
        req_id,
        listing: instrument.listing,
        smart,
        book: Book::new(world.seed, instrument, depth),
        reset_after: world.settings.depth_reset_after,
        changes: 0,
        second: 0,
    };
    let frames = feed.next_change(now);
    Ok(Opening { frames, feed: Some(Box::new(feed)) })
}

/// The exchanges with depth, each security type once.
pub(crate) fn exchanges(world: &World) -> Frame {
    let mut known: Vec<_> = world
        .instruments
        .iter()
        .flat_map(|instrument| {
            let listing = instrument.listing;
            listing.venues().into_iter().map(move |exchange| (exchange, listing.sec_type()))
        })
        .collect();
    known.sort_unstable();
    known.dedup();
    let description = |(exchange, sec_type): (&str, &str)| DepthMarketDataDescription {
        exchange: Some(exchange.into()),
        sec_type: Some(sec_type.into()),
        listing_exch: Some(String::new()),
        service_data_type: Some(if sec_type == "STK" { "Deep2" } else { "Deep" }.into()),
        agg_group: Some(if sec_type == "STK" { 1 } else { i32::MAX }),
    };
    let depth_market_data_descriptions = known.into_iter().map(description).collect();
    MarketDepthExchanges { depth_market_data_descriptions }.frame()
}

pub(crate) fn smart_components(wanted: &SmartComponentsRequest) -> Result<Frame, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let key = wanted.bbo_exchange.as_deref().unwrap_or_default();
    if key != BBO_EXCHANGE {
        return Err(invalid(req_id, "BBO exchange", key, BBO_EXCHANGE));
    }
    let component = |(bit_number, (exchange, letter)): (i32, (&str, &str))| SmartComponent {
        bit_number: Some(bit_number),
        exchange: Some(exchange.into()),
        exchange_letter: Some(letter.into()),
    };
    let smart_components = (0..).zip(COMPONENTS).map(component).collect();
    Ok(SmartComponents { req_id: Some(req_id), smart_components }.frame())
}

#[derive(Debug)]
struct BookFeed {
    req_id: i32,
    listing: &'static Listing,
    smart: bool,
    book: Book,
    reset_after: Option<u32>,
    /// Since the last reset.
    changes: u32,
    /// The one that the book shows.
    second: i64,
}

impl Feed for BookFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        if now.as_second() == self.second {
            return Vec::new();
        }
        self.second = now.as_second();
        let mut frames = Vec::new();
        if self.reset_after.is_some_and(|limit| self.changes > limit) {
            let message = "Market depth data has been RESET. Please empty deep book contents before applying any new entries.";
            frames.push(error_frame(&Refusal::new(self.req_id, 317, message), now));
            self.book.clear();
            self.changes = 0;
        }
        self.changes += 1;
        frames.extend(self.book.advance(self.second).into_iter().map(|change| self.frame(&change)));
        frames
    }
}

impl BookFeed {
    /// Books of stocks say who stands behind a row (level 2), the others only the price.
    fn frame(&self, change: &RowChange) -> Frame {
        let nothing = Row { price: 0.0, size: 0, venue: 0 };
        let (operation, side, position, row) = match *change {
            RowChange::Insert(side, position, row) => (0, side, position, row),
            RowChange::Update(side, position, row) => (1, side, position, row),
            RowChange::Delete(side, position) => (2, side, position, nothing),
        };
        let level_2 = self.listing.kind == Kind::Stock;
        let data = MarketDepthData {
            position: i32::try_from(position).ok(),
            operation: Some(operation),
            side: Some(i32::from(side == Side::Bid)),
            price: Some(row.price),
            size: Some(row.size.to_string()),
            market_maker: level_2.then(|| self.who(row.venue).into()),
            is_smart_depth: level_2.then_some(self.smart),
        };
        let (req_id, market_depth_data) = (Some(self.req_id), Some(data));
        if level_2 {
            MarketDepthL2 { req_id, market_depth_data }.frame()
        } else {
            MarketDepth { req_id, market_depth_data }.frame()
        }
    }

    fn who(&self, venue: usize) -> &'static str {
        let names = if self.smart { self.listing.venues() } else { MARKET_MAKERS.to_vec() };
        names[venue % names.len()]
    }
}
