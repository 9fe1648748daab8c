//! The shapes of half hours that the [tape](super::Tape) is made of.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::tape::{Prices, Second, Summary, Trade};

/// The length of a shape in seconds. Every trading session begins and ends with one.
pub(super) const BLOCK: i64 = 1800;

/// How many shapes there are for each way from the price at the beginning to that at the end.
pub(super) const VARIANTS: u64 = 3;

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
    pub(super) fn get(&self, drift: i64, variant: u64) -> Arc<Shape> {
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

/// The seconds of half an hour, from a price of 0 on.
pub(super) struct Shape {
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

    /// One second, with the price at the beginning.
    pub(super) fn second(&self, second: usize, base: i64) -> Second {
        self.steps[second].second(base)
    }

    pub(super) fn summary(&self, range: Range<usize>) -> Option<Summary> {
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
