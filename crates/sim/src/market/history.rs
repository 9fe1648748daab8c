//! Historical bars, for any instrument, bar size, span and end, computed from the price path.
//!
//! The simulated market keeps UTC: its days are UTC days, stocks trade 13:30 to 20:00 in regular hours.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rand::RngExt;

use super::catalogue::Hours;
use super::{Instrument, Topic, random};

/// More bars than this are refused rather than sent.
const BAR_LIMIT: usize = 20_000;

/// A question for bars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BarQuery<'a> {
    pub(crate) instrument: &'a Instrument,
    pub(crate) seed: u64,
    pub(crate) end: Timestamp,
    pub(crate) bar_size: BarSize,
    pub(crate) span: Span,
    pub(crate) show: Show,
    pub(crate) hours: Hours,
}

/// A bar: prices in dollars, `date` set for bars of a day or more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) start: i64,
    pub(crate) date: Option<Date>,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    /// `None` where nothing trades: quotes and midpoints.
    pub(crate) trades: Option<Trades>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trades {
    pub(crate) volume: u64,
    pub(crate) average: f64,
    pub(crate) count: i32,
}

/// Why there are no bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HistoryError {
    TooMany,
}

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarSize {
    Seconds(i64),
    Day,
    Week,
    Month,
}

impl BarSize {
    /// IBKR's spellings, in IBKR's order.
    pub(crate) const LEGAL: &[(&'static str, BarSize)] = &[
        ("1 secs", Self::Seconds(1)),
        ("5 secs", Self::Seconds(5)),
        ("10 secs", Self::Seconds(10)),
        ("15 secs", Self::Seconds(15)),
        ("30 secs", Self::Seconds(30)),
        ("1 min", Self::Seconds(60)),
        ("2 mins", Self::Seconds(120)),
        ("3 mins", Self::Seconds(180)),
        ("4 mins", Self::Seconds(240)),
        ("5 mins", Self::Seconds(300)),
        ("10 mins", Self::Seconds(600)),
        ("15 mins", Self::Seconds(900)),
        ("20 mins", Self::Seconds(1200)),
        ("30 mins", Self::Seconds(1800)),
        ("1 hour", Self::Seconds(3600)),
        ("2 hours", Self::Seconds(7200)),
        ("3 hours", Self::Seconds(10_800)),
        ("4 hours", Self::Seconds(14_400)),
        ("8 hours", Self::Seconds(28_800)),
        ("1 day", Self::Day),
        ("1 week", Self::Week),
        ("1W", Self::Week),
        ("1 month", Self::Month),
        ("1M", Self::Month),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::LEGAL.iter().find(|(label, _)| *label == text).map(|(_, size)| *size)
    }
}

/// How far back bars go, in IBKR's terms `duration`: seconds and days count trading time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Seconds(i64),
    Days(i64),
    Weeks(i64),
    Months(i64),
    Years(i64),
}

impl Span {
    /// Reads `1 D`, `3600 S` and their like.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ')?;
        let number = number.parse().ok().filter(|number| (1..=1_000_000).contains(number))?;
        Some(match unit {
            "S" => Self::Seconds(number),
            "D" => Self::Days(number),
            "W" => Self::Weeks(number),
            "M" => Self::Months(number),
            "Y" => Self::Years(number),
            _ => return None,
        })
    }
}

/// What the bars show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Trades,
    Midpoint,
    Bid,
    Ask,
    BidAsk,
}

impl Show {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "TRADES" | "ADJUSTED_LAST" => Self::Trades,
            "MIDPOINT" => Self::Midpoint,
            "BID" => Self::Bid,
            "ASK" => Self::Ask,
            "BID_ASK" => Self::BidAsk,
            _ => return None,
        })
    }
}

impl BarQuery<'_> {
    /// The bars, oldest first.
    pub(crate) fn bars(&self) -> Result<Vec<Bar>, HistoryError> {
        let mut slots = self.slots()?;
        slots.reverse();
        Ok(self.grouped(&slots).into_iter().map(|slot| self.bar(&slot)).collect())
    }

    /// The stretches of trading time that become bars, newest first, before weeks and months are joined.
    fn slots(&self) -> Result<Vec<Slot>, HistoryError> {
        let limit = self.limit();
        let (mut slots, mut days) = (Vec::new(), 0);
        for day in days_back(TimeZone::UTC.to_datetime(self.end).date()) {
            if limit.reached(day, days, slots.len()) {
                break;
            }
            let before = slots.len();
            slots.extend(self.slots_of(day));
            if slots.len() > BAR_LIMIT {
                return limit.cut(slots).ok_or(HistoryError::TooMany);
            }
            days += i64::from(slots.len() > before);
        }
        limit.cut(slots).ok_or(HistoryError::TooMany)
    }

    fn limit(&self) -> Limit {
        let end = TimeZone::UTC.to_datetime(self.end).date();
        match (self.span, self.bar_size) {
            (Span::Seconds(seconds), BarSize::Seconds(size)) => {
                Limit::Slots(seconds.div_euclid(size).max(1) as usize)
            }
            (Span::Seconds(seconds), _) => Limit::Days(seconds.div_euclid(86_400).max(1)),
            (Span::Days(days), BarSize::Seconds(_) | BarSize::Day) => Limit::Days(days),
            (Span::Days(days), _) => Limit::After(end.saturating_sub(days.days())),
            (Span::Weeks(weeks), _) => Limit::After(end.saturating_sub(weeks.min(2_000).weeks())),
            (Span::Months(months), _) => Limit::After(end.saturating_sub(months.min(600).months())),
            (Span::Years(years), _) => Limit::After(end.saturating_sub(years.min(50).years())),
        }
    }

    /// The slots of one day, newest first: one per bar, or one for the whole day.
    fn slots_of(&self, day: Date) -> Vec<Slot> {
        let session = self.instrument.listing.session(day, self.hours);
        let midnight =
            TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(i64::MIN / 2, Timestamp::as_second);
        let open = midnight + session.start;
        let close = (midnight + session.end).min(self.end.as_second());
        match self.bar_size {
            _ if session.is_empty() || close <= open => Vec::new(),
            BarSize::Seconds(size) => {
                let count = (close - open + size - 1) / size;
                let slot = |k| Slot { time: open + k * size..open + (k + 1) * size, date: None };
                (0..count).rev().map(slot).collect()
            }
            _ => vec![Slot { time: open..midnight + session.end, date: Some(day) }],
        }
    }

    /// Joins days into weeks or months; the date of such a bar is its last trading day.
    fn grouped(&self, slots: &[Slot]) -> Vec<Slot> {
        let same_bar = |a: &Slot, b: &Slot| match (self.bar_size, a.date, b.date) {
            (BarSize::Week, Some(a), Some(b)) => {
                let (a, b) = (a.iso_week_date(), b.iso_week_date());
                (a.year(), a.week()) == (b.year(), b.week())
            }
            (BarSize::Month, Some(a), Some(b)) => a.first_of_month() == b.first_of_month(),
            _ => false,
        };
        let joined = slots.chunk_by(same_bar).filter_map(|days| {
            let (first, last) = (days.first()?, days.last()?);
            Some(Slot { time: first.time.start..last.time.end, date: last.date })
        });
        joined.collect()
    }

    fn bar(&self, slot: &Slot) -> Bar {
        let (path, length) = (&self.instrument.path, slot.time.end - slot.time.start);
        let samples = [0, 1, 2, 3, 4].map(|k| path.ticks_at(slot.time.start + length * k / 4));
        let [open, .., close] = samples;
        let mut rng = random(self.seed, Topic::Bar(self.instrument.listing.con_id, slot.time.start));
        let high = samples.into_iter().fold(open, f64::max) + f64::from(rng.random_range(0..3));
        let low = samples.into_iter().fold(open, f64::min) - f64::from(rng.random_range(0..3));
        let shift = |ticks: f64, bid: f64, ask: f64| match self.show {
            Show::Trades | Show::Midpoint => path.price(ticks),
            Show::Bid => path.price(ticks - 1.0),
            Show::Ask => path.price(ticks + 1.0),
            Show::BidAsk => path.price(ticks + bid + ask),
        };
        Bar {
            start: slot.time.start,
            date: slot.date,
            // A BID_ASK bar has the average bid, the highest ask, the lowest bid and the average ask.
            open: shift(open, -1.0, 0.0),
            high: shift(high, 0.0, 1.0),
            low: shift(low, -1.0, 0.0),
            close: shift(close, 0.0, 1.0),
            trades: (self.show == Show::Trades).then(|| Trades {
                volume: rng.random_range(1..=50) * length.unsigned_abs(),
                average: path.price((low + high + open + close) / 4.0),
                count: (rng.random_range(1..=5) * length).clamp(1, i64::from(i32::MAX)) as i32,
            }),
        }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    time: Range<i64>,
    date: Option<Date>,
}

enum Limit {
    Slots(usize),
    Days(i64),
    After(Date),
}

impl Limit {
    fn reached(&self, day: Date, days: i64, slots: usize) -> bool {
        match *self {
            Self::Slots(limit) => slots >= limit,
            Self::Days(limit) => days >= limit,
            Self::After(date) => day <= date,
        }
    }

    /// The slots within the limit; `None` if they are too many.
    fn cut(&self, mut slots: Vec<Slot>) -> Option<Vec<Slot>> {
        if let Self::Slots(limit) = *self {
            slots.truncate(limit);
        }
        (slots.len() <= BAR_LIMIT).then_some(slots)
    }
}

fn days_back(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |day| day.yesterday().ok())
}
