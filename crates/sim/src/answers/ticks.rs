//! Single ticks, past and present.

use jiff::Timestamp;

use super::history::{hours, invalid, moment};
use crate::framing::Frame;
use crate::market::{Hours, Instrument, Kind, PastTicks, Sizes, TickKind, Ticks, World};
use crate::messages::{
    HistoricalTick, HistoricalTickBidAsk, HistoricalTickLast, HistoricalTicks, HistoricalTicksBidAsk,
    HistoricalTicksLast, HistoricalTicksRequest, Response, TickAttribLast, TickByTick, TickByTickData,
    TickByTickRequest,
};
use crate::session::{Feed, Opening, Refusal};

/// IBKR's limit for one request.
const MOST_TICKS: i32 = 1000;

/// How many ticks come in one frame.
const BATCH: usize = 400;

/// Historical ticks, in as many frames as they need; the last says that it is.
pub(crate) fn historical(
    world: &World,
    wanted: &HistoricalTicksRequest,
    now: Timestamp,
) -> Result<Vec<Frame>, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let instrument = world.instrument(req_id, &contract)?;
    let show = wanted.what_to_show.as_deref().unwrap_or_default();
    let kind = match show {
        "TRADES" => TickKind::AllLast,
        "BID_ASK" => TickKind::BidAsk,
        "MIDPOINT" => TickKind::Midpoint,
        _ => return Err(invalid(req_id, "Historical tick type", show, "TRADES, BID_ASK, MIDPOINT")),
    };
    check_data(world, instrument, kind).map_err(|cause| {
        Refusal::new(req_id, 162, format!("Historical Market Data Service error message:{cause}"))
    })?;
    let number = wanted.number_of_ticks.unwrap_or_default();
    if !(1..=MOST_TICKS).contains(&number) {
        return Err(invalid(req_id, "Number of ticks", &number.to_string(), "1 to 1000"));
    }
    let past = PastTicks {
        instrument,
        kind,
        sizes: sizes(wanted.ignore_size),
        hours: hours(wanted.use_rth),
        number: number as usize,
    };
    let [start, end] =
        [&wanted.start_date_time, &wanted.end_date_time].map(|text| text.as_deref().unwrap_or_default());
    let after_now = now.as_second() + 1;
    let ticks = match (start, end) {
        ("", "") => Err(invalid(req_id, "Start and end time", "", "one of them")),
        ("", end) => Ok(past.before(moment(req_id, end)?.min(after_now))),
        (start, "") => Ok(past.from(moment(req_id, start)?, after_now)),
        _ => Err(invalid(req_id, "Start and end time", &format!("{start}, {end}"), "one of them")),
    }?;
    Ok(past_frames(req_id, kind, &ticks))
}

/// A stream of single ticks; those of the past come first where they are asked for.
pub(crate) fn subscribe(
    world: &World,
    wanted: &TickByTickRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let instrument = world.instrument(req_id, &contract)?;
    let text = wanted.tick_type.as_deref().unwrap_or_default();
    let kind = match text {
        "Last" => TickKind::Last,
        "AllLast" => TickKind::AllLast,
        "BidAsk" => TickKind::BidAsk,
        "MidPoint" => TickKind::Midpoint,
        _ => return Err(invalid(req_id, "Tick-by-tick type", text, "Last, AllLast, BidAsk, MidPoint")),
    };
    check_data(world, instrument, kind).map_err(|cause| {
        Refusal::new(req_id, 10189, format!("Failed to request tick-by-tick data.{cause}"))
    })?;
    let sizes = sizes(wanted.ignore_size);
    let frames = match usize::try_from(wanted.number_of_ticks.unwrap_or_default()) {
        Ok(number @ 1..) => {
            let past = PastTicks { instrument, kind, sizes, hours: Hours::All, number };
            past_frames(req_id, kind, &past.before(now.as_second() + 1))
        }
        _ => Vec::new(),
    };
    let feed = TickFeed { req_id, instrument: instrument.clone(), kind, sizes, next: now.as_second() + 1 };
    Ok(Opening { frames, feed: Some(Box::new(feed)) })
}

#[derive(Debug)]
struct TickFeed {
    req_id: i32,
    instrument: Instrument,
    kind: TickKind,
    sizes: Sizes,
    /// The first second that has not been sent.
    next: i64,
}

impl Feed for TickFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let seconds = self.next..now.as_second() + 1;
        self.next = seconds.end.max(self.next);
        let ticks = seconds.flat_map(|second| self.instrument.ticks_of(second, self.kind, self.sizes));
        ticks.map(|tick| live_frame(self.req_id, self.kind, tick)).collect()
    }
}

/// Why there are no such ticks.
fn check_data(world: &World, instrument: &Instrument, kind: TickKind) -> Result<(), String> {
    let listing = instrument.listing;
    let trades = matches!(kind, TickKind::Last | TickKind::AllLast);
    if !world.is_entitled(instrument) {
        return Err(format!("No market data permissions for {} {}", listing.exchange, listing.sec_type()));
    }
    if trades && listing.kind == Kind::Cash {
        return Err(format!(
            "No historical data query found for {}@{} Last",
            listing.local_symbol, listing.exchange
        ));
    }
    Ok(())
}

fn sizes(ignore: Option<bool>) -> Sizes {
    if ignore == Some(true) { Sizes::Ignored } else { Sizes::Count }
}

fn past_frames(req_id: i32, kind: TickKind, ticks: &[Ticks]) -> Vec<Frame> {
    let batches: Vec<_> = if ticks.is_empty() { vec![ticks] } else { ticks.chunks(BATCH).collect() };
    let last = batches.len() - 1;
    let req_id = Some(req_id);
    let batch = |(index, batch): (usize, &&[Ticks])| {
        let ticks = batch.iter().cloned().map(message);
        let is_done = Some(index == last);
        match kind {
            TickKind::Last | TickKind::AllLast => {
                let trades = ticks
                    .filter_map(|tick| if let TickByTick::Last(tick) = tick { Some(tick) } else { None });
                HistoricalTicksLast { req_id, historical_ticks: trades.collect(), is_done }.frame()
            }
            TickKind::BidAsk => {
                let quotes = ticks
                    .filter_map(|tick| if let TickByTick::BidAsk(tick) = tick { Some(tick) } else { None });
                HistoricalTicksBidAsk { req_id, historical_ticks: quotes.collect(), is_done }.frame()
            }
            TickKind::Midpoint => {
                let middles = ticks
                    .filter_map(|tick| if let TickByTick::MidPoint(tick) = tick { Some(tick) } else { None });
                HistoricalTicks { req_id, historical_ticks: middles.collect(), is_done }.frame()
            }
        }
    };
    batches.iter().enumerate().map(batch).collect()
}

fn live_frame(req_id: i32, kind: TickKind, tick: Ticks) -> Frame {
    let tick_type = match kind {
        TickKind::Last => 1,
        TickKind::AllLast => 2,
        TickKind::BidAsk => 3,
        TickKind::Midpoint => 4,
    };
    TickByTickData { req_id: Some(req_id), tick_type: Some(tick_type), tick: Some(message(tick)) }.frame()
}

fn message(tick: Ticks) -> TickByTick {
    let time = Some(tick.time());
    match tick {
        Ticks::Trade { price, size, exchange, unreported, .. } => TickByTick::Last(HistoricalTickLast {
            time,
            tick_attrib_last: Some(TickAttribLast { past_limit: Some(false), unreported: Some(unreported) }),
            price: Some(price),
            size: Some(size.to_string()),
            exchange: Some(exchange.into()),
            special_conditions: Some(if unreported { " I" } else { "" }.into()),
        }),
        Ticks::BidAsk { bid, ask, bid_size, ask_size, .. } => TickByTick::BidAsk(HistoricalTickBidAsk {
            time,
            price_bid: Some(bid),
            price_ask: Some(ask),
            size_bid: Some(bid_size.to_string()),
            size_ask: Some(ask_size.to_string()),
        }),
        Ticks::Midpoint { price, .. } => {
            TickByTick::MidPoint(HistoricalTick { time, price: Some(price), size: Some("0".into()) })
        }
    }
}
