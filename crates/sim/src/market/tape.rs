//! The tape: every quote and every trade of an instrument, in every second of every day.
//!
//! All market data are made of it, so that they agree: a bar is the summary of its seconds, a stream is its seconds as
//! they pass. It is pure in seed and time. To give a year of daily bars quickly, it is made of half hours in a limited
//! number of shapes, each shifted to the price of its time, so that the summary of a half hour is known beforehand.
//!
//! The tape never rests, so that streams can be tried on a Sunday; trading hours are kept by what reads it.

use std::ops::Range;
use std::sync::Arc;

use super::PricePath;
use super::shapes::{BLOCK, Shape, Shapes, VARIANTS, scramble};

/// The quotes and trades of one instrument. Prices are in ticks, sizes in lots.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    con_id: i32,
    path: PricePath,
    shapes: Shapes,
}

/// One second: its quote, and the trades that follow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Second {
    pub(crate) bid: i64,
    pub(crate) ask: i64,
    pub(crate) bid_lots: i64,
    pub(crate) ask_lots: i64,
    /// At least one.
    pub(crate) trades: Vec<Trade>,
    /// A trade of less than a lot, in shares, that is on no tape.
    pub(crate) odd_lot: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) price: i64,
    pub(crate) lots: i64,
    /// A number that stands for an exchange.
    pub(crate) venue: usize,
}

/// What happened in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) seconds: i64,
    /// The middle between bid and ask, which are one tick away from it.
    pub(crate) middle: Prices,
    pub(crate) middle_sum: i64,
    pub(crate) trades: Prices,
    pub(crate) lots: i64,
    /// The sum of price times lots.
    pub(crate) value: i64,
    pub(crate) count: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prices {
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
}

impl Tape {
    pub(crate) fn new(con_id: i32, path: PricePath, shapes: Shapes) -> Self {
        Self { con_id, path, shapes }
    }

    /// One second, by its unix time.
    pub(crate) fn second(&self, second: i64) -> Second {
        let (base, shape) = self.block(second.div_euclid(BLOCK));
        shape.second(second.rem_euclid(BLOCK) as usize, base)
    }

    /// The seconds of a stretch of time, with their unix times.
    pub(crate) fn seconds(&self, range: Range<i64>) -> impl Iterator<Item = (i64, Second)> {
        range.map(|second| (second, self.second(second)))
    }

    /// The summary of a stretch of time; `None` if it is empty.
    pub(crate) fn summary(&self, range: Range<i64>) -> Option<Summary> {
        let blocks = range.start.div_euclid(BLOCK)..=(range.end - 1).div_euclid(BLOCK);
        if range.is_empty() {
            return None;
        }
        let of_block = |block: i64| {
            let begin = block * BLOCK;
            let (from, to) = (range.start.max(begin) - begin, range.end.min(begin + BLOCK) - begin);
            let (base, shape) = self.block(block);
            shape.summary(from as usize..to as usize).map(|summary| summary.shifted(base))
        };
        blocks.filter_map(of_block).reduce(Summary::then)
    }

    /// The price at the beginning of a half hour, and its shape.
    fn block(&self, block: i64) -> (i64, Arc<Shape>) {
        let price = |block: i64| self.path.ticks_at(block * BLOCK) as i64;
        let base = price(block);
        let variant =
            scramble(block.cast_unsigned() ^ u64::from(self.con_id.cast_unsigned()) << 40) % VARIANTS;
        (base, self.shapes.get(price(block + 1) - base, variant))
    }
}

impl Summary {
    /// This, and what came after it.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            seconds: self.seconds + later.seconds,
            middle: self.middle.then(later.middle),
            middle_sum: self.middle_sum + later.middle_sum,
            trades: self.trades.then(later.trades),
            lots: self.lots + later.lots,
            value: self.value + later.value,
            count: self.count + later.count,
        }
    }

    pub(super) fn shifted(self, by: i64) -> Self {
        Self {
            middle: self.middle.shifted(by),
            middle_sum: self.middle_sum + by * self.seconds,
            trades: self.trades.shifted(by),
            value: self.value + by * self.lots,
            ..self
        }
    }
}

impl Prices {
    pub(super) fn one(price: i64) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    pub(super) fn then(self, later: Self) -> Self {
        Self {
            open: self.open,
            high: self.high.max(later.high),
            low: self.low.min(later.low),
            close: later.close,
        }
    }

    fn shifted(self, by: i64) -> Self {
        Self { open: self.open + by, high: self.high + by, low: self.low + by, close: self.close + by }
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    /// 2026-08-21 13:30 UTC.
    const OPEN: i64 = 1_787_319_000;

    fn tape(seed: u64) -> Tape {
        World::new(seed, &[]).instruments[0].tape.clone()
    }

    #[test]
    fn a_summary_is_that_of_its_seconds() {
        let tape = tape(3);
        let range = OPEN - 700..OPEN + 2 * BLOCK + 11;
        let trades: Vec<_> = tape.seconds(range.clone()).flat_map(|(_, second)| second.trades).collect();
        let summary = tape.summary(range.clone()).unwrap();
        assert_eq!(summary.seconds, range.end - range.start);
        assert_eq!(summary.count, trades.len() as i64);
        assert_eq!(summary.lots, trades.iter().map(|trade| trade.lots).sum::<i64>());
        assert_eq!(summary.value, trades.iter().map(|trade| trade.lots * trade.price).sum::<i64>());
        let prices = Prices {
            open: trades[0].price,
            high: trades.iter().map(|trade| trade.price).max().unwrap(),
            low: trades.iter().map(|trade| trade.price).min().unwrap(),
            close: trades.last().unwrap().price,
        };
        assert_eq!(summary.trades, prices);
        let bids: i64 = tape.seconds(range).map(|(_, second)| second.bid).sum();
        assert_eq!(summary.middle_sum, bids + summary.seconds);
    }

    #[test]
    fn half_hours_join_without_a_jump() {
        for instrument in &World::new(5, &[]).instruments {
            for block in 0..200 {
                let end = OPEN + block * BLOCK;
                let (before, after) = (instrument.tape.second(end - 1), instrument.tape.second(end));
                assert!((before.bid - after.bid).abs() <= 3, "{} at {end}", instrument.listing.symbol);
                assert!(before.bid > 0);
            }
        }
    }

    #[test]
    fn nothing_happens_in_no_time() {
        assert_eq!(tape(1).summary(OPEN..OPEN), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_tape() {
        let hour = |seed| tape(seed).seconds(OPEN..OPEN + 3600).collect::<Vec<_>>();
        assert_eq!(hour(5), hour(5));
        assert_ne!(hour(5), hour(6));
    }
}
