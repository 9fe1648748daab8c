//! The tape tick by tick.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Hours, Instrument, Kind, Second};

/// Which ticks of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TickKind {
    /// Those on the tape of the exchange.
    Last,
    /// Unreported ones too.
    AllLast,
    BidAsk,
    Midpoint,
}

/// Ticks in prices and sizes, with their unix time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ticks {
    Trade { time: i64, price: f64, size: i64, exchange: &'static str, unreported: bool },
    BidAsk { time: i64, bid: f64, ask: f64, bid_size: i64, ask_size: i64 },
    Midpoint { time: i64, price: f64 },
}

/// How sizes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    Count,
    /// A quote with the prices of the one before is not a tick.
    Ignored,
}

/// A question for ticks of the past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastTicks<'a> {
    pub(crate) instrument: &'a Instrument,
    pub(crate) kind: TickKind,
    pub(crate) sizes: Sizes,
    pub(crate) hours: Hours,
    pub(crate) number: usize,
}

/// Whoever asks for ticks of a closed market gets those of the days around it, so many.
const PATIENCE: i64 = 7 * 86_400;

impl PastTicks<'_> {
    /// The first ticks from `start` on and before `now`; the last second is whole.
    pub(crate) fn from(&self, start: i64, now: i64) -> Vec<Ticks> {
        let mut ticks = Vec::new();
        for second in start..now.min(start.saturating_add(PATIENCE)) {
            if ticks.len() >= self.number {
                break;
            }
            ticks.extend(self.of_second(second));
        }
        ticks
    }

    /// The last ticks before `end`; the first second is whole.
    pub(crate) fn before(&self, end: i64) -> Vec<Ticks> {
        let mut start = end;
        let mut found = 0;
        while found < self.number && end - start < PATIENCE {
            start -= 1;
            found += self.of_second(start).len();
        }
        (start..end).flat_map(|second| self.of_second(second)).collect()
    }

    fn of_second(&self, second: i64) -> Vec<Ticks> {
        let open = self.hours == Hours::All || self.instrument.is_open(second, self.hours);
        if open { self.instrument.ticks_of(second, self.kind, self.sizes) } else { Vec::new() }
    }
}

impl Instrument {
    /// Whether it trades in that second.
    pub(crate) fn is_open(&self, second: i64, hours: Hours) -> bool {
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let session: Range<i64> = self.listing.session(TimeZone::UTC.to_datetime(time).date(), hours);
        session.contains(&second.rem_euclid(86_400))
    }

    /// The ticks of one second.
    pub(crate) fn ticks_of(&self, second: i64, kind: TickKind, sizes: Sizes) -> Vec<Ticks> {
        let now = self.tape.second(second);
        let before = self.tape.second(second - 1);
        let moved = now.bid != before.bid;
        match kind {
            TickKind::Last => self.trades(second, &now).collect(),
            TickKind::AllLast => self.trades(second, &now).chain(self.odd_lot(second, &now)).collect(),
            TickKind::BidAsk if moved || sizes == Sizes::Count && now != before => {
                vec![self.bid_ask(second, &now)]
            }
            TickKind::Midpoint if moved => {
                vec![Ticks::Midpoint { time: second, price: self.path.price(now.bid as f64 + 1.0) }]
            }
            TickKind::BidAsk | TickKind::Midpoint => Vec::new(),
        }
    }

    fn trades(&self, time: i64, second: &Second) -> impl Iterator<Item = Ticks> {
        let venues = self.listing.venues();
        second.trades.iter().map(move |trade| Ticks::Trade {
            time,
            price: self.path.price(trade.price as f64),
            size: trade.lots * self.listing.lot(),
            exchange: venues[trade.venue % venues.len()],
            unreported: false,
        })
    }

    /// Stocks have them: less than a lot, in the middle between bid and ask.
    fn odd_lot(&self, time: i64, second: &Second) -> Option<Ticks> {
        let size = second.odd_lot.filter(|_| self.listing.kind == Kind::Stock)?;
        let price = self.path.price(second.bid as f64 + 1.0);
        Some(Ticks::Trade { time, price, size, exchange: "FINRA", unreported: true })
    }

    fn bid_ask(&self, time: i64, second: &Second) -> Ticks {
        let lot = self.listing.lot();
        Ticks::BidAsk {
            time,
            bid: self.path.price(second.bid as f64),
            ask: self.path.price(second.ask as f64),
            bid_size: second.bid_lots * lot,
            ask_size: second.ask_lots * lot,
        }
    }
}

impl Ticks {
    pub(crate) fn time(&self) -> i64 {
        match *self {
            Self::Trade { time, .. } | Self::BidAsk { time, .. } | Self::Midpoint { time, .. } => time,
        }
    }
}
