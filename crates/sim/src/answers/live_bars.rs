//! Bars that keep coming: of five seconds, and histories that are kept up to date.

use jiff::Timestamp;

use super::history::{bar_message, hours, invalid};
use crate::framing::Frame;
use crate::market::{Bar, BarQuery, BarSize, Hours, Instrument, Kind, Show, Span, World};
use crate::messages::{HistoricalDataUpdate, RealTimeBarTick, RealTimeBarsRequest, Response};
use crate::session::{Feed, Opening, Refusal};

/// The length of a real-time bar, and the time between the updates of a historical one, in seconds.
const FIVE: i64 = 5;

/// Bars of five seconds from now on, each when it is over.
pub(crate) fn real_time(
    world: &World,
    wanted: &RealTimeBarsRequest,
    now: Timestamp,
) -> Result<Opening, Refusal> {
    let req_id = wanted.req_id.unwrap_or(-1);
    let contract = wanted.contract.clone().unwrap_or_default();
    let instrument = world.instrument(req_id, &contract)?;
    let listing = instrument.listing;
    let text = wanted.what_to_show.as_deref().unwrap_or_default();
    let show = match text {
        "TRADES" | "AGGTRADES" => Show::Trades,
        "MIDPOINT" => Show::Midpoint,
        "BID" => Show::Bid,
        "ASK" => Show::Ask,
        _ => return Err(invalid(req_id, "Real-time bar type", text, "TRADES, MIDPOINT, BID, ASK")),
    };
    let no_data = !world.is_entitled(instrument) || show == Show::Trades && listing.kind == Kind::Cash;
    if no_data {
        let message = format!(
            "Invalid Real-time Query:No market data permissions for {} {}",
            listing.exchange,
            listing.sec_type()
        );
        return Err(Refusal::new(req_id, 420, message));
    }
    let feed = RealTimeFeed {
        req_id,
        instrument: instrument.clone(),
        show,
        hours: hours(wanted.use_rth),
        start: now.as_second().div_euclid(FIVE) * FIVE,
    };
    Ok(Opening { frames: Vec::new(), feed: Some(Box::new(feed)) })
}

#[derive(Debug)]
struct RealTimeFeed {
    req_id: i32,
    instrument: Instrument,
    show: Show,
    hours: Hours,
    /// Where the bar begins that is not over.
    start: i64,
}

impl Feed for RealTimeFeed {
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let mut frames = Vec::new();
        while self.start + FIVE <= now.as_second() {
            let open = self.hours == Hours::All || self.instrument.is_open(self.start, self.hours);
            if open && let Some(bar) = self.show.bar(&self.instrument, self.start..self.start + FIVE) {
                frames.push(self.frame(&bar));
            }
            self.start += FIVE;
        }
        frames
    }
}

impl RealTimeFeed {
    fn frame(&self, bar: &Bar) -> Frame {
        let bar_message = bar_message(bar, true);
        let message = RealTimeBarTick {
            req_id: Some(self.req_id),
            time: Some(bar.start),
            open: Some(bar.open),
            high: Some(bar.high),
            low: Some(bar.low),
            close: Some(bar.close),
            volume: bar_message.volume,
            wap: bar_message.wap,
            count: bar_message.bar_count,
        };
        message.frame()
    }
}

/// Keeps the bars of a historical query up to date.
#[derive(Debug)]
pub(crate) struct UpdateFeed {
    req_id: i32,
    instrument: Instrument,
    bar_size: BarSize,
    show: Show,
    hours: Hours,
    epoch: bool,
    /// The newest bar as it was sent.
    sent: Option<Bar>,
    /// When it was sent.
    at: i64,
}

impl UpdateFeed {
    /// After `query` was answered with `sent` as its newest bar.
    pub(crate) fn new(req_id: i32, query: &BarQuery<'_>, epoch: bool, sent: Option<Bar>) -> Self {
        Self {
            req_id,
            instrument: query.instrument.clone(),
            bar_size: query.bar_size,
            show: query.show,
            hours: query.hours,
            epoch,
            sent,
            at: query.end - 1,
        }
    }

    /// The newest two bars.
    fn newest(&self, now: i64) -> Vec<Bar> {
        let span = match self.bar_size {
            BarSize::Seconds(size) => Span::Seconds(2 * size),
            BarSize::Day => Span::Days(2),
            BarSize::Week => Span::Weeks(2),
            BarSize::Month => Span::Months(2),
        };
        let query = BarQuery {
            instrument: &self.instrument,
            end: now + 1,
            bar_size: self.bar_size,
            span,
            show: self.show,
            hours: self.hours,
        };
        query.bars().unwrap_or_default()
    }
}

impl Feed for UpdateFeed {
    /// An update every five seconds; a bar that is over is sent once more, complete, before the next begins.
    fn next_change(&mut self, now: Timestamp) -> Vec<Frame> {
        let second = now.as_second();
        if second == self.at {
            return Vec::new();
        }
        let bars = self.newest(second);
        let sent = self.sent.as_ref().map(|bar| bar.start);
        let begun = bars.last().map(|bar| bar.start) != sent;
        if !begun && second - self.at < FIVE {
            return Vec::new();
        }
        self.at = second;
        let due = bars.iter().filter(|bar| sent.is_none_or(|sent| bar.start >= sent));
        let due: Vec<_> = due.filter(|bar| Some(*bar) != self.sent.as_ref()).cloned().collect();
        self.sent = bars.last().cloned();
        let update = |bar: &Bar| HistoricalDataUpdate {
            req_id: Some(self.req_id),
            historical_data_bar: Some(bar_message(bar, self.epoch)),
        };
        due.iter().map(|bar| update(bar).frame()).collect()
    }
}
