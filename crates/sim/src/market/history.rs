//! Historical bars, for any instrument, bar size, span and end: summaries of the tape.
//!
//! The simulated market keeps UTC: its days are UTC days, stocks trade 13:30 to 20:00 in regular hours.

use std::ops::Range;

use super::{BarSize, Hours, Instrument, Prices, Show, Span, Summary};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// More bars than this are refused rather than sent.
const BAR_LIMIT: usize = 20_000;

/// A question for bars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BarQuery<'a> {
    pub(crate) instrument: &'a Instrument,
    /// The first second that is not part of it.
    pub(crate) end: i64,
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
    pub(crate) volume: i64,
    pub(crate) average: f64,
    pub(crate) count: i32,
}

/// Why there are no bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HistoryError {
    TooMany,
}

impl BarQuery<'_> {
    /// The bars, oldest first.
    pub(crate) fn bars(&self) -> Result<Vec<Bar>, HistoryError> {
        Ok(self.stretches()?.iter().filter_map(|stretch| self.bar(stretch)).collect())
    }

    /// The trading time of each bar, oldest first.
    pub(crate) fn stretches(&self) -> Result<Vec<Stretch>, HistoryError> {
        let mut slots = self.slots()?;
        slots.reverse();
        Ok(self.grouped(slots))
    }

    /// The stretches of trading time that become bars, newest first, before weeks and months are joined.
    fn slots(&self) -> Result<Vec<Stretch>, HistoryError> {
        let limit = self.limit();
        let first_day = self.instrument.listing.first_day();
        let (mut slots, mut days) = (Vec::new(), 0);
        for day in days_back(self.last_day()).take_while(|day| *day >= first_day) {
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

    fn last_day(&self) -> Date {
        let second = Timestamp::from_second(self.end - 1).unwrap_or(Timestamp::UNIX_EPOCH);
        TimeZone::UTC.to_datetime(second).date()
    }

    fn limit(&self) -> Limit {
        let end = self.last_day();
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
    fn slots_of(&self, day: Date) -> Vec<Stretch> {
        let session = self.instrument.listing.session(day, self.hours);
        let midnight =
            TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(i64::MIN / 2, Timestamp::as_second);
        let open = midnight + session.start;
        let close = (midnight + session.end).min(self.end);
        match self.bar_size {
            _ if session.is_empty() || close <= open => Vec::new(),
            BarSize::Seconds(size) => {
                let count = (close - open + size - 1) / size;
                let slot = |k: i64| Stretch::new(open + k * size..(open + (k + 1) * size).min(close), None);
                (0..count).rev().map(slot).collect()
            }
            _ => vec![Stretch::new(open..close, Some(day))],
        }
    }

    /// Joins days into weeks or months; the date of such a bar is its last trading day.
    fn grouped(&self, slots: Vec<Stretch>) -> Vec<Stretch> {
        let same_bar = |a: &Stretch, b: &Stretch| match (self.bar_size, a.date, b.date) {
            (BarSize::Week, Some(a), Some(b)) => {
                let (a, b) = (a.iso_week_date(), b.iso_week_date());
                (a.year(), a.week()) == (b.year(), b.week())
            }
            (BarSize::Month, Some(a), Some(b)) => a.first_of_month() == b.first_of_month(),
            _ => false,
        };
        let mut joined: Vec<Stretch> = Vec::new();
        for slot in slots {
            match joined.last_mut() {
                Some(last) if same_bar(last, &slot) => {
                    last.times.extend(slot.times);
                    last.date = slot.date;
                }
                _ => joined.push(slot),
            }
        }
        joined
    }

    fn bar(&self, stretch: &Stretch) -> Option<Bar> {
        let summaries = stretch.times.iter().filter_map(|time| self.instrument.tape.summary(time.clone()));
        let summary = summaries.reduce(Summary::then)?;
        let bar = self.show.bar_of(self.instrument, &summary);
        Some(Bar { start: stretch.start(), date: stretch.date, ..bar })
    }
}

impl Show {
    /// The bar of one stretch of time.
    pub(crate) fn bar(self, instrument: &Instrument, time: Range<i64>) -> Option<Bar> {
        let start = time.start;
        let summary = instrument.tape.summary(time)?;
        Some(Bar { start, ..self.bar_of(instrument, &summary) })
    }

    fn bar_of(self, instrument: &Instrument, summary: &Summary) -> Bar {
        let [open, high, low, close] = self.prices(instrument, summary);
        Bar {
            start: 0,
            date: None,
            open,
            high,
            low,
            close,
            trades: (self == Self::Trades).then(|| Trades {
                volume: summary.lots * instrument.listing.lot(),
                average: instrument.path.price(summary.value as f64 / summary.lots as f64),
                count: i32::try_from(summary.count).unwrap_or(i32::MAX),
            }),
        }
    }

    /// Open, high, low and close.
    fn prices(self, instrument: &Instrument, summary: &Summary) -> [f64; 4] {
        let path = &instrument.path;
        let away = |prices: Prices, ticks: i64| {
            let Prices { open, high, low, close } = prices;
            [open, high, low, close].map(|price| path.price((price + ticks) as f64))
        };
        match self {
            Self::Trades => away(summary.trades, 0),
            Self::Midpoint => away(summary.middle, 0),
            Self::Bid => away(summary.middle, -1),
            Self::Ask => away(summary.middle, 1),
            // The average bid, the highest ask, the lowest bid and the average ask.
            Self::BidAsk => {
                let average = summary.middle_sum as f64 / summary.seconds as f64;
                let [high, low] = [summary.middle.high + 1, summary.middle.low - 1].map(|price| price as f64);
                [average - 1.0, high, low, average + 1.0].map(|price| path.price(price))
            }
            Self::Rate(percent) => {
                let [open, high, low, close] = away(summary.middle, 0);
                [open, low, high, close].map(|price| f64::from(percent) / 100.0 * path.reference() / price)
            }
        }
    }
}

/// What a bar is made of, and its date if it is one of days.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) times: Vec<Range<i64>>,
    pub(crate) date: Option<Date>,
}

impl Stretch {
    fn new(time: Range<i64>, date: Option<Date>) -> Self {
        Self { times: std::iter::once(time).collect(), date }
    }

    pub(crate) fn start(&self) -> i64 {
        self.times.first().map_or(0, |time| time.start)
    }
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
    fn cut(&self, mut slots: Vec<Stretch>) -> Option<Vec<Stretch>> {
        if let Self::Slots(limit) = *self {
            slots.truncate(limit);
        }
        (slots.len() <= BAR_LIMIT).then_some(slots)
    }
}

fn days_back(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |day| day.yesterday().ok())
}
