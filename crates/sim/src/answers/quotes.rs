//! Market data: ticks as live or delayed messages.

use std::fmt::{self, Debug, Formatter};

use jiff::Timestamp;

use super::error_frame;
use super::options::computation_frame;
use crate::framing::Frame;
use crate::market::{Combo, OptionListing, Quotes, Tick, World};
use crate::messages::{
    Contract, MarketDataRequest, MarketDataType, RerouteMarketData, Response, TickGeneric, TickPrice,
    TickReqParams, TickSize, TickString, end, end_frame,
};
use crate::session::{Feed, Opening, Refusal};

/// Live and frozen data; 3 and 4 are delayed.
const REAL_TIME: [i32; 2] = [1, 2];

/// How old delayed data are, in seconds.
const DELAY: i64 = 900;

/// The generic ticks that exist, as error 321 lists them.
const GENERIC_TICKS: [i32; 29] = [
    100, 101, 104, 105, 106, 162, 165, 225, 232, 233, 236, 258, 292, 293, 294, 295, 318, 375, 411, 456, 460,
    577, 586, 588, 595, 614, 619, 623, 787,
];

/// A subscription to quotes.
#[derive(Debug)]
pub(crate) struct QuoteFeed {
    req_id: i32,
    market_data_type: i32,
    quotes: Box<dyn Quoted>,
    generic: Vec<i32>,
}

impl Feed for QuoteFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let ticks = self.quotes.next_change(now).into_iter().chain(self.quotes.generic(now, &self.generic));
        ticks.flat_map(|tick| tick_frames(self.req_id, self.market_data_type, &tick)).collect()
    }
}

/// What has a quote.
trait Quoted: Debug + Send + Sync {
    /// The whole quote.
    fn opening(&mut self, now: Timestamp) -> Vec<Tick>;

    /// What has changed.
    fn next_change(&mut self, now: Timestamp) -> Vec<Tick>;

    /// What generic tick ids add.
    fn generic(&self, now: Timestamp, ids: &[i32]) -> Vec<Tick>;
}

impl Quoted for Quotes {
    fn opening(&mut self, now: Timestamp) -> Vec<Tick> {
        Self::opening(self, now)
    }

    fn next_change(&mut self, now: Timestamp) -> Vec<Tick> {
        Self::next_change(self, now)
    }

    fn generic(&self, now: Timestamp, ids: &[i32]) -> Vec<Tick> {
        Self::generic(self, now, ids)
    }
}

/// A quote that is recomputed from those of others.
struct Derived<T> {
    of: T,
    delay: i64,
    ticks: fn(&T, Timestamp, i64) -> Vec<Tick>,
    last: Vec<Tick>,
}

impl<T: Debug> Debug for Derived<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").field("of", &self.of).field("delay", &self.delay).finish_non_exhaustive()
    }
}

impl<T: Debug + Send + Sync> Quoted for Derived<T> {
    fn opening(&mut self, now: Timestamp) -> Vec<Tick> {
        self.last = (self.ticks)(&self.of, now, self.delay);
        self.last.clone()
    }

    fn next_change(&mut self, now: Timestamp) -> Vec<Tick> {
        let ticks = (self.ticks)(&self.of, now, self.delay);
        let changed = ticks.iter().filter(|tick| !self.last.contains(tick)).cloned().collect();
        self.last = ticks;
        changed
    }

    fn generic(&self, _: Timestamp, _: &[i32]) -> Vec<Tick> {
        Vec::new()
    }
}

/// What a subscription is about.
struct Subject {
    symbol: String,
    exchange: &'static str,
    min_tick: String,
    quotes: Box<dyn Quoted>,
}

/// What a contract describes: an instrument, else an option, or a combination.
fn subject(world: &World, req_id: i32, wanted: &Contract, delay: i64) -> Result<Subject, Refusal> {
    if wanted.sec_type.as_deref() == Some("BAG") {
        let of = world.combo(req_id, wanted)?;
        return Ok(Subject {
            symbol: wanted.symbol.clone().unwrap_or_default(),
            exchange: "SMART",
            min_tick: "0.01".to_owned(),
            quotes: Box::new(Derived { of, delay, ticks: Combo::ticks, last: Vec::new() }),
        });
    }
    if let Some(option) = world.find_options(wanted).next() {
        return Ok(Subject {
            symbol: option.symbol().to_owned(),
            exchange: "SMART",
            min_tick: "0.01".to_owned(),
            quotes: Box::new(Derived {
                of: option.clone(),
                delay,
                ticks: OptionListing::ticks,
                last: Vec::new(),
            }),
        });
    }
    let instrument = world.instrument(req_id, wanted)?;
    Ok(Subject {
        symbol: instrument.listing.symbol.to_owned(),
        exchange: instrument.listing.exchange,
        min_tick: instrument.listing.min_tick(),
        quotes: Box::new(Quotes::new(instrument, delay)),
    })
}

/// What a subscription starts with: parameters, the type of data unless live, the whole quote. A snapshot ends there.
pub(crate) fn subscribe(
    world: &World,
    market_data_type: i32,
    wanted: &MarketDataRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    if let Some(stock) = world.underlying_of_cfd(&contract) {
        let (con_id, exchange) = (Some(stock.listing.con_id), Some("SMART".to_owned()));
        let frames = vec![RerouteMarketData { req_id: Some(req_id), con_id, exchange }.frame()];
        return Ok(Opening { frames, feed: None });
    }
    let delayed = !REAL_TIME.contains(&market_data_type);
    let mut subject = subject(world, req_id, &contract, if delayed { DELAY } else { 0 })?;
    let once = wanted.snapshot == Some(true) || wanted.regulatory_snapshot == Some(true);
    let generic = generic_ticks(req_id, wanted, once)?;
    let entitled = world.has_live_data(&subject.symbol);
    let mut frames = Vec::new();
    if !entitled && delayed {
        let message = "Requested market data is not subscribed. Displaying delayed market data.";
        frames.push(error_frame(&Refusal::new(req_id, 10167, message), now));
    }
    frames.push(parameters(req_id, &subject));
    if !entitled && !delayed {
        frames.push(error_frame(&not_subscribed(req_id, &subject), now));
        return Ok(Opening { frames, feed: None });
    }
    if market_data_type != 1 {
        let kind = MarketDataType { req_id: Some(req_id), market_data_type: Some(market_data_type) };
        frames.push(kind.frame());
    }
    let ticks = subject.quotes.opening(now).into_iter().chain(subject.quotes.generic(now, &generic));
    frames.extend(ticks.flat_map(|tick| tick_frames(req_id, market_data_type, &tick)));
    if once {
        frames.push(end_frame(end::TICK_SNAPSHOT, Some(req_id)));
        return Ok(Opening { frames, feed: None });
    }
    let feed = QuoteFeed { req_id, market_data_type, quotes: subject.quotes, generic };
    Ok(Opening { frames, feed: Some(Box::new(feed)) })
}

fn parameters(req_id: i32, subject: &Subject) -> Frame {
    let parameters = TickReqParams {
        req_id: Some(req_id),
        min_tick: Some(subject.min_tick.clone()),
        bbo_exchange: Some("9c0001".into()),
        snapshot_permissions: Some(3),
    };
    parameters.frame()
}

fn not_subscribed(req_id: i32, subject: &Subject) -> Refusal {
    let message = format!(
        "Requested market data requires additional subscription for API. See link in 'Market Data Connections' \
         dialog for more details.Delayed market data is available.{} {}/TOP/ALL",
        subject.symbol, subject.exchange
    );
    Refusal::new(req_id, 10089, message)
}

fn generic_ticks(req_id: i32, wanted: &MarketDataRequest, once: bool) -> Result<Vec<i32>, Refusal> {
    let list = wanted.generic_tick_list.as_deref().unwrap_or_default();
    let invalid = |cause: String| {
        Refusal::new(req_id, 321, format!("Error validating request.-'bO' : cause - {cause}"))
    };
    if list.is_empty() {
        return Ok(Vec::new());
    }
    if once {
        let cause = "Snapshot market data subscription is not applicable to generic ticks";
        return Err(invalid(cause.into()));
    }
    let number = |id: &str| {
        let id = id.split_once(':').map_or(id, |(id, _)| id).parse().ok();
        id.filter(|id| GENERIC_TICKS.contains(id))
    };
    let ids = list.split(',').filter(|id| *id != "mdoff");
    ids.map(number).collect::<Option<_>>().ok_or_else(|| {
        let legal = GENERIC_TICKS.map(|id| id.to_string()).join(",");
        invalid(format!("Incorrect generic tick list of {list}.  Legal ones are: {legal}"))
    })
}

/// A tick as frames; a price with a size is followed by that size, as on the real wire.
fn tick_frames(req_id: i32, market_data_type: i32, tick: &Tick) -> Vec<Frame> {
    let number =
        |tick_type: i32| if REAL_TIME.contains(&market_data_type) { tick_type } else { delayed(tick_type) };
    let size_frame = |tick_type, size: i64| {
        TickSize { req_id: Some(req_id), tick_type: Some(number(tick_type)), size: Some(size.to_string()) }
            .frame()
    };
    match tick {
        Tick::Price { tick_type, price, size } => {
            let message = TickPrice {
                req_id: Some(req_id),
                tick_type: Some(number(*tick_type)),
                price: Some(*price),
                size: Some(size.to_string()),
                attr_mask: Some(0),
            };
            let sized = size_type(*tick_type).map(|size_type| size_frame(size_type, *size));
            std::iter::once(message.frame()).chain(sized).collect()
        }
        Tick::Size { tick_type, size } => vec![size_frame(*tick_type, *size)],
        Tick::Text { tick_type, value } => {
            vec![
                TickString {
                    req_id: Some(req_id),
                    tick_type: Some(number(*tick_type)),
                    value: Some(value.clone()),
                }
                .frame(),
            ]
        }
        Tick::Generic { tick_type, value } => {
            vec![
                TickGeneric {
                    req_id: Some(req_id),
                    tick_type: Some(number(*tick_type)),
                    value: Some(*value),
                }
                .frame(),
            ]
        }
        Tick::Computation { tick_type, computation } => {
            vec![computation_frame(req_id, number(*tick_type), computation)]
        }
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
        10 => 80,
        11 => 81,
        13 => 83,
        14 => 76,
        45 => 88,
        49 => 90,
        other => other,
    }
}
