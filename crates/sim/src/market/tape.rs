//! The tape: every quote and every trade of an instrument, in every second of every day.
//!
//! All market data are made of it, so that they agree: a bar is the summary of its seconds, a stream is its seconds as
//! they pass. It is pure in seed and time. To give a year of daily bars quickly, it is made of half hours in a limited
//! number of shapes, each shifted to the price of its time, so that the summary of a half hour is known beforehand.
//!
//! The tape never rests, so that streams can be tried on a Sunday; trading hours are kept by what reads it.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::PricePath;

/// The length of a shape in seconds. Every trading session begins and ends with one.
const BLOCK: i64 = 1800;

/// How many shapes there are for each way from the price at the beginning to that at the end.
const VARIANTS: u64 = 3;

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
        shape.steps[second.rem_euclid(BLOCK) as usize].second(base)
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

    fn shifted(self, by: i64) -> Self {
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
    fn one(price: i64) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    fn then(self, later: Self) -> Self {
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

/// The shapes of half hours, made when they are first needed and shared by all instruments of a world.
#[derive(Clone)]
pub(crate) struct Shapes {
    seed: u64,
    made: Arc<Mutex<Made>>,
}

/// By where they lead, and their variant.
type Made = HashMap<(i64, u64), Arc<Shape>>;

impl Shapes {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, made: Arc::default() }
    }

    /// A shape that begins at 0 and leads to `drift`.
    fn get(&self, drift: i64, variant: u64) -> Arc<Shape> {
        // A shape is whole when it is in the map, whatever happened to who put it there.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry((drift, variant))
            .or_insert_with(|| Arc::new(Shape::new(self.seed, drift, variant)))
            .clone()
    }
}

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shapes").field("seed", &self.seed).finish_non_exhaustive()
    }
}

struct Shape {
    steps: Vec<Step>,
    whole: Option<Summary>,
}

/// One second of a shape, small because there are many.
#[derive(Clone, Copy)]
struct Step {
    middle: i32,
    bid_lots: u8,
    ask_lots: u8,
    /// Those without lots are none.
    trades: [StepTrade; 3],
    odd_lot: u8,
}

#[derive(Clone, Copy, Default)]
struct StepTrade {
    offset: i8,
    lots: u8,
    venue: u8,
}

impl Shape {
    /// A random walk, bent so that it leads to `drift`.
    fn new(seed: u64, drift: i64, variant: u64) -> Self {
        let key =
            scramble(seed ^ scramble(drift.cast_unsigned().wrapping_mul(VARIANTS).wrapping_add(variant)));
        let mut walk = vec![0];
        for second in 0..BLOCK as usize {
            let step = Draw::new(key, second as u64).below(3) as i64 - 1;
            walk.push(walk[second] + step);
        }
        let excess = walk[BLOCK as usize] - drift;
        let step = |second: i64| {
            let mut draw = Draw::new(!key, second.cast_unsigned());
            let trades = 1 + draw.below(3) as usize;
            Step {
                middle: (walk[second as usize] - (excess * second).div_euclid(BLOCK)) as i32,
                bid_lots: 1 + draw.below(20) as u8,
                ask_lots: 1 + draw.below(20) as u8,
                trades: std::array::from_fn(|index| StepTrade {
                    offset: draw.below(3) as i8 - 1,
                    lots: if index < trades { 1 + draw.below(5) as u8 } else { 0 },
                    venue: draw.below(16) as u8,
                }),
                odd_lot: if draw.below(8) == 0 { 1 + draw.below(99) as u8 } else { 0 },
            }
        };
        let steps: Vec<_> = (0..BLOCK).map(step).collect();
        let whole = steps.iter().map(Step::summary).reduce(Summary::then);
        Self { steps, whole }
    }

    fn summary(&self, range: Range<usize>) -> Option<Summary> {
        if range.len() == self.steps.len() {
            return self.whole;
        }
        self.steps[range].iter().map(Step::summary).reduce(Summary::then)
    }
}

impl Step {
    fn second(&self, base: i64) -> Second {
        let middle = base + i64::from(self.middle);
        let trade = |trade: &StepTrade| Trade {
            price: middle + i64::from(trade.offset),
            lots: i64::from(trade.lots),
            venue: usize::from(trade.venue),
        };
        Second {
            bid: middle - 1,
            ask: middle + 1,
            bid_lots: i64::from(self.bid_lots),
            ask_lots: i64::from(self.ask_lots),
            trades: self.trades().map(trade).collect(),
            odd_lot: Some(i64::from(self.odd_lot)).filter(|shares| *shares > 0),
        }
    }

    fn summary(&self) -> Summary {
        let middle = i64::from(self.middle);
        let priced = || self.trades().map(|trade| (middle + i64::from(trade.offset), i64::from(trade.lots)));
        // Every second has a trade.
        let trades = priced().map(|(price, _)| Prices::one(price)).reduce(Prices::then);
        Summary {
            seconds: 1,
            middle: Prices::one(middle),
            middle_sum: middle,
            trades: trades.unwrap_or(Prices::one(middle)),
            lots: priced().map(|(_, lots)| lots).sum(),
            value: priced().map(|(price, lots)| price * lots).sum(),
            count: priced().count() as i64,
        }
    }

    fn trades(&self) -> impl Iterator<Item = &StepTrade> {
        self.trades.iter().filter(|trade| trade.lots > 0)
    }
}

/// A few small random numbers, quicker than a generator: one shape takes thousands.
struct Draw(u64);

impl Draw {
    fn new(key: u64, number: u64) -> Self {
        Self(scramble(key.wrapping_add(number)))
    }

    /// A number below `limit`. All limits of one draw multiplied stay far below 2 to the 64.
    fn below(&mut self, limit: u64) -> u64 {
        let number = self.0 % limit;
        self.0 /= limit;
        number
    }
}

/// Numbers that look random for numbers that don't (splitmix64).
pub(super) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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
