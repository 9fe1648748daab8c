//! Quotes: the tape as market data show it, with the day's figures.

use std::ops::Range;

use jiff::Timestamp;

use super::{Computation, Instrument, Kind, Second, Summary};

/// A quote that moves with the tape.
#[derive(Clone, Debug)]
pub(crate) struct Quotes {
    instrument: Instrument,
    /// Seconds between the market and who watches it.
    delay: i64,
    day: Option<Day>,
}

/// One change of a quote, with IBKR's tick type for live data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tick {
    Price { tick_type: i32, price: f64, size: i64 },
    Size { tick_type: i32, size: i64 },
    Text { tick_type: i32, value: String },
    Generic { tick_type: i32, value: f64 },
    Computation { tick_type: i32, computation: Computation },
}

/// The day so far.
#[derive(Clone, Debug)]
struct Day {
    /// Up to and without its newest second.
    range: Range<i64>,
    summary: Summary,
    /// The last trade of the day before.
    close: i64,
}

const BID: i32 = 1;
const ASK: i32 = 2;
const LAST: i32 = 4;
const HIGH: i32 = 6;
const LOW: i32 = 7;
const VOLUME: i32 = 8;
const CLOSE: i32 = 9;
const OPEN: i32 = 14;
const LAST_TIMESTAMP: i32 = 45;
const SHORTABLE: i32 = 46;
const RT_VOLUME: i32 = 48;
const HALTED: i32 = 49;
const TRADE_COUNT: i32 = 54;
const SHORTABLE_SHARES: i32 = 89;

impl Quotes {
    pub(crate) fn new(instrument: &Instrument, delay: i64) -> Self {
        Self { instrument: instrument.clone(), delay, day: None }
    }

    /// The whole quote, as a subscription or a snapshot starts.
    pub(crate) fn opening(&mut self, now: Timestamp) -> Vec<Tick> {
        let second = now.as_second() - self.delay;
        self.day = self.day_at(second);
        let newest = self.instrument.tape.second(second);
        let mut ticks = self.book(&newest);
        let Some(day) = self.day.clone() else { return ticks };
        if self.has_trades() {
            ticks.extend(self.trade(second, &newest));
            ticks.push(self.level(OPEN, day.summary.trades.open));
        }
        let range = if self.has_trades() { day.summary.trades } else { day.summary.middle };
        ticks.push(self.level(HIGH, range.high));
        ticks.push(self.level(LOW, range.low));
        ticks.push(self.level(CLOSE, day.close));
        ticks.push(Tick::Generic { tick_type: HALTED, value: 0.0 });
        ticks
    }

    /// The quote of this moment, and the day's figures that changed.
    pub(crate) fn next_change(&mut self, now: Timestamp) -> Vec<Tick> {
        let second = now.as_second() - self.delay;
        let before = self.day.as_ref().map(|day| (day.range.start, day.summary));
        self.advance(second);
        let day = self.day.as_ref().map(|day| (day.range.start, day.summary));
        let (Some((then, before)), Some((today, summary))) = (before, day) else { return self.opening(now) };
        if then != today {
            return self.opening(now);
        }
        let newest = self.instrument.tape.second(second);
        let mut ticks = self.book(&newest);
        if self.has_trades() {
            ticks.extend(self.trade(second, &newest));
            if summary.trades.high > before.trades.high {
                ticks.push(self.level(HIGH, summary.trades.high));
            }
            if summary.trades.low < before.trades.low {
                ticks.push(self.level(LOW, summary.trades.low));
            }
        }
        ticks
    }

    /// What generic tick ids add: 233, 236 and 293; the simulator has nothing to say for the rest.
    pub(crate) fn generic(&self, now: Timestamp, ids: &[i32]) -> Vec<Tick> {
        let second = now.as_second() - self.delay;
        let Some(day) = &self.day else { return Vec::new() };
        ids.iter()
            .flat_map(|id| match id {
                233 => vec![Tick::Text { tick_type: RT_VOLUME, value: self.rt_volume(second, day) }],
                236 => vec![
                    Tick::Generic { tick_type: SHORTABLE, value: 3.0 },
                    Tick::Size { tick_type: SHORTABLE_SHARES, size: 10_000_000 },
                ],
                293 => vec![Tick::Generic { tick_type: TRADE_COUNT, value: day.summary.count as f64 }],
                _ => Vec::new(),
            })
            .collect()
    }

    /// `price;size;time in ms;volume;vwap;by one market maker`
    fn rt_volume(&self, second: i64, day: &Day) -> String {
        let listing = self.instrument.listing;
        let (path, lot) = (&self.instrument.path, listing.lot());
        let newest = self.instrument.tape.second(second);
        let (price, size) = newest.trades.last().map_or((0, 0), |trade| (trade.price, trade.lots * lot));
        let average = path.price(day.summary.value as f64 / day.summary.lots as f64);
        let volume = day.summary.lots * lot;
        format!("{};{size};{};{volume};{average:.8};true", path.price(price as f64), second * 1000)
    }

    /// Takes the seconds up to `second` into the day.
    fn advance(&mut self, second: i64) {
        let start = self.instrument.day_start(second);
        match &mut self.day {
            Some(day) if day.range.start == start => {
                if let Some(later) = self.instrument.tape.summary(day.range.end..second + 1) {
                    day.summary = day.summary.then(later);
                    day.range.end = second + 1;
                }
            }
            _ => self.day = self.day_at(second),
        }
    }

    fn day_at(&self, second: i64) -> Option<Day> {
        let range = self.instrument.day_start(second)..second + 1;
        let summary = self.instrument.tape.summary(range.clone())?;
        Some(Day { summary, close: self.instrument.close_before(range.start), range })
    }

    fn book(&self, newest: &Second) -> Vec<Tick> {
        let (path, lot) = (&self.instrument.path, self.instrument.listing.lot());
        let side = |tick_type, price: i64, lots| Tick::Price {
            tick_type,
            price: path.price(price as f64),
            size: lots * lot,
        };
        vec![side(BID, newest.bid, newest.bid_lots), side(ASK, newest.ask, newest.ask_lots)]
    }

    fn trade(&self, second: i64, newest: &Second) -> Vec<Tick> {
        let (path, lot) = (&self.instrument.path, self.instrument.listing.lot());
        let last = newest.trades.last().map(|trade| Tick::Price {
            tick_type: LAST,
            price: path.price(trade.price as f64),
            size: trade.lots * lot,
        });
        let volume = self.day.as_ref().map_or(0, |day| day.summary.lots * lot);
        let time = Tick::Text { tick_type: LAST_TIMESTAMP, value: second.to_string() };
        last.into_iter().chain([time, Tick::Size { tick_type: VOLUME, size: volume }]).collect()
    }

    fn level(&self, tick_type: i32, ticks: i64) -> Tick {
        Tick::Price { tick_type, price: self.instrument.path.price(ticks as f64), size: 0 }
    }

    fn has_trades(&self) -> bool {
        self.instrument.listing.kind != Kind::Cash
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BarQuery, BarSize, Hours, Show, Span, World};
    use super::*;

    fn price(ticks: &[Tick], wanted: i32) -> Option<f64> {
        ticks.iter().find_map(|tick| match tick {
            Tick::Price { tick_type, price, .. } if *tick_type == wanted => Some(*price),
            _ => None,
        })
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn bid_is_below_ask_and_last_between_high_and_low() {
        let world = World::new(3, &[]);
        for instrument in &world.instruments {
            let mut quotes = Quotes::new(instrument, 0);
            let mut now = time("2026-08-21T19:00:00Z");
            let opening = quotes.opening(now);
            let (mut high, mut low) = (price(&opening, HIGH).unwrap(), price(&opening, LOW).unwrap());
            for _ in 0..500 {
                now += jiff::SignedDuration::from_secs(1);
                let ticks = quotes.next_change(now);
                assert!(price(&ticks, BID) < price(&ticks, ASK), "{ticks:?}");
                (high, low) = (price(&ticks, HIGH).unwrap_or(high), price(&ticks, LOW).unwrap_or(low));
                assert!(price(&ticks, LAST).is_none_or(|last| low <= last && last <= high));
            }
        }
    }

    #[test]
    fn the_day_is_the_bar_of_the_day() {
        let world = World::new(4, &[]);
        let instrument = &world.instruments[0];
        let now = time("2026-08-21T19:00:00Z");
        let query = BarQuery {
            instrument,
            end: now.as_second() + 1,
            bar_size: BarSize::Day,
            span: Span::Days(2),
            show: Show::Trades,
            hours: Hours::All,
        };
        let bars = query.bars().unwrap();
        let mut quotes = Quotes::new(instrument, 0);
        quotes.opening(time("2026-08-21T18:59:00Z"));
        quotes.advance(now.as_second());
        for ticks in [quotes.opening(now), Quotes::new(instrument, 900).opening(time("2026-08-21T19:15:00Z"))]
        {
            let day = [OPEN, HIGH, LOW, LAST, CLOSE].map(|level| price(&ticks, level).unwrap());
            assert_eq!(day, [bars[1].open, bars[1].high, bars[1].low, bars[1].close, bars[0].close]);
            let volume = bars[1].trades.as_ref().unwrap().volume;
            assert!(ticks.contains(&Tick::Size { tick_type: VOLUME, size: volume }), "{ticks:?}");
        }
    }

    #[test]
    fn a_quote_goes_on_at_night_and_on_sundays() {
        let world = World::new(4, &[]);
        for now in ["2026-08-23T12:00:00Z", "2026-08-21T03:00:00Z", "2026-08-21T23:59:59Z"] {
            let mut quotes = Quotes::new(&world.instruments[0], 0);
            let opening = quotes.opening(time(now));
            let next = quotes.next_change(time(now) + jiff::SignedDuration::from_secs(1));
            for ticks in [opening, next] {
                assert!(price(&ticks, BID).is_some() && price(&ticks, LAST).is_some(), "{now}");
            }
        }
    }
}
