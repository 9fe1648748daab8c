//! Live quotes: a seeded random walk around the reference price, tick by tick.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Instrument, Kind, PricePath, Topic, random};

/// A quote that moves. The walk depends on the seed and the instrument alone, not on the clock.
#[derive(Clone, Debug)]
pub(crate) struct Quotes {
    rng: ChaCha8Rng,
    path: PricePath,
    kind: Kind,
    last: i64,
    high: i64,
    low: i64,
    volume: u64,
}

/// One change of a quote, with IBKR's tick type for live data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tick {
    Price { tick_type: i32, price: f64, size: u64 },
    Size { tick_type: i32, size: u64 },
}

const BID: i32 = 1;
const ASK: i32 = 2;
const LAST: i32 = 4;
const HIGH: i32 = 6;
const LOW: i32 = 7;
const VOLUME: i32 = 8;
const CLOSE: i32 = 9;
const OPEN: i32 = 14;

/// How far the walk may leave the reference price, in ticks.
const LEASH: i64 = 40;

impl Quotes {
    pub(crate) fn new(seed: u64, instrument: &Instrument) -> Self {
        let mut rng = random(seed, Topic::Quotes(instrument.listing.con_id));
        let last = instrument.path.reference_ticks();
        let (high, low) = (last + rng.random_range(5..20), last - rng.random_range(5..20));
        let volume = rng.random_range(10_000..1_000_000);
        Self { rng, path: instrument.path.clone(), kind: instrument.listing.kind, last, high, low, volume }
    }

    /// The whole quote, as a subscription or a snapshot starts.
    pub(crate) fn opening(&mut self) -> Vec<Tick> {
        let reference = self.path.reference_ticks();
        let mut ticks = self.book();
        if self.kind != Kind::Cash {
            ticks.extend(self.trade());
        }
        ticks.push(self.level(HIGH, self.high));
        ticks.push(self.level(LOW, self.low));
        ticks.push(self.level(CLOSE, reference - 2));
        if self.kind != Kind::Cash {
            ticks.push(self.level(OPEN, reference + 1));
        }
        ticks
    }

    /// The next change: a step of the walk, with a trade if the instrument has trades.
    pub(crate) fn next_change(&mut self) -> Vec<Tick> {
        let reference = self.path.reference_ticks();
        let step = self.rng.random_range(-2..=2);
        self.last = (self.last + step).clamp(reference - LEASH, reference + LEASH);
        let mut ticks = self.book();
        if self.kind != Kind::Cash {
            ticks.extend(self.trade());
        }
        if self.last > self.high {
            self.high = self.last;
            ticks.push(self.level(HIGH, self.high));
        }
        if self.last < self.low {
            self.low = self.last;
            ticks.push(self.level(LOW, self.low));
        }
        ticks
    }

    fn book(&mut self) -> Vec<Tick> {
        let (bid, ask) = (self.rng.random_range(1..=20), self.rng.random_range(1..=20));
        vec![
            Tick::Price { tick_type: BID, price: self.price(self.last - 1), size: bid * 100 },
            Tick::Price { tick_type: ASK, price: self.price(self.last + 1), size: ask * 100 },
        ]
    }

    fn trade(&mut self) -> [Tick; 2] {
        let size = self.rng.random_range(1..=5) * 100;
        self.volume += size;
        [
            Tick::Price { tick_type: LAST, price: self.price(self.last), size },
            Tick::Size { tick_type: VOLUME, size: self.volume },
        ]
    }

    fn level(&self, tick_type: i32, ticks: i64) -> Tick {
        Tick::Price { tick_type, price: self.price(ticks), size: 0 }
    }

    fn price(&self, ticks: i64) -> f64 {
        self.path.price(ticks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    #[test]
    fn bid_is_below_ask_and_last_between_high_and_low() {
        let world = World::new(3, &[]);
        for instrument in &world.instruments {
            let mut quotes = Quotes::new(world.seed, instrument);
            for ticks in std::iter::repeat_with(|| quotes.next_change()).take(500) {
                let price = |wanted| {
                    ticks.iter().find_map(|tick| match tick {
                        Tick::Price { tick_type, price, .. } if *tick_type == wanted => Some(*price),
                        _ => None,
                    })
                };
                assert!(price(BID) < price(ASK), "{ticks:?}");
                assert!(price(LAST).is_none_or(|last| Some(last) > price(BID) && Some(last) < price(ASK)));
            }
            assert!(quotes.low <= quotes.last && quotes.last <= quotes.high);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_ticks() {
        let walk = |seed| {
            let world = World::new(seed, &[]);
            let mut quotes = Quotes::new(seed, &world.instruments[0]);
            let opening = quotes.opening();
            (opening, std::iter::repeat_with(|| quotes.next_change()).take(20).collect::<Vec<_>>())
        };
        assert_eq!(walk(5), walk(5));
        assert_ne!(walk(5), walk(6));
    }
}
