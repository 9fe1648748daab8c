//! Order books: the best prices are the quote, the rest lies behind it tick by tick.

use super::shapes::scramble;
use super::{Instrument, Second};

/// A book as one client has it.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    seed: u64,
    instrument: Instrument,
    depth: usize,
    bids: Vec<Row>,
    asks: Vec<Row>,
}

/// One price and what is offered at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) price: f64,
    pub(crate) size: i64,
    /// A number that stands for an exchange or a market maker.
    pub(crate) venue: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ask,
    Bid,
}

/// What has to be done to a book to keep it up to date.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowChange {
    Insert(Side, usize, Row),
    Update(Side, usize, Row),
    Delete(Side, usize),
}

impl Book {
    /// An empty book that will have `depth` rows a side, sometimes one less.
    pub(crate) fn new(seed: u64, instrument: &Instrument, depth: usize) -> Self {
        Self { seed, instrument: instrument.clone(), depth, bids: Vec::new(), asks: Vec::new() }
    }

    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Brings the book to a second, and tells what that takes.
    pub(crate) fn advance(&mut self, second: i64) -> Vec<RowChange> {
        let quote = self.instrument.tape.second(second);
        let (bids, asks) = (self.rows(second, Side::Bid, &quote), self.rows(second, Side::Ask, &quote));
        let mut changes = differences(Side::Ask, &self.asks, &asks);
        changes.extend(differences(Side::Bid, &self.bids, &bids));
        (self.bids, self.asks) = (bids, asks);
        changes
    }

    fn rows(&self, second: i64, side: Side, quote: &Second) -> Vec<Row> {
        let (best, lots, away) = match side {
            Side::Bid => (quote.bid, quote.bid_lots, -1),
            Side::Ask => (quote.ask, quote.ask_lots, 1),
        };
        let row = |position: i64| {
            let price = best + away * position;
            // What lies behind the quote changes every few seconds, each price at its own time.
            let mixed = scramble(self.seed ^ (price * 2 + i64::from(away > 0)).cast_unsigned() << 20);
            let era = (second + (mixed % 7) as i64).div_euclid(7);
            let behind = scramble(mixed ^ era.cast_unsigned());
            Row {
                price: self.instrument.path.price(price as f64),
                size: if position == 0 { lots } else { 1 + (behind % 40) as i64 }
                    * self.instrument.listing.lot(),
                venue: (mixed >> 8) as usize,
            }
        };
        let missing = usize::from(self.depth > 1 && second.rem_euclid(10) == 0);
        (0..(self.depth - missing) as i64).map(row).collect()
    }
}

/// Row by row: those that differ, those that are new, those that are gone, last first.
fn differences(side: Side, before: &[Row], after: &[Row]) -> Vec<RowChange> {
    let kept = before.iter().zip(after).enumerate();
    let updates = kept
        .filter(|(_, (old, new))| old != new)
        .map(|(position, (_, new))| RowChange::Update(side, position, *new));
    let inserts = after
        .iter()
        .enumerate()
        .skip(before.len())
        .map(|(position, new)| RowChange::Insert(side, position, *new));
    let deletes = (after.len()..before.len()).rev().map(|position| RowChange::Delete(side, position));
    updates.chain(inserts).chain(deletes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;

    /// What a client makes of the changes.
    fn apply(book: &mut [Vec<Row>; 2], changes: Vec<RowChange>) {
        for change in changes {
            match change {
                RowChange::Insert(side, position, row) => book[side as usize].insert(position, row),
                RowChange::Update(side, position, row) => book[side as usize][position] = row,
                RowChange::Delete(side, position) => drop(book[side as usize].remove(position)),
            }
        }
    }

    #[test]
    fn the_best_rows_are_the_quote_and_the_rest_lies_behind() {
        let world = World::new(2, &[]);
        let instrument = &world.instruments[0];
        let (mut book, mut held) = (Book::new(world.seed, instrument, 5), [Vec::new(), Vec::new()]);
        for second in 1_787_319_000..1_787_319_300 {
            apply(&mut held, book.advance(second));
            let quote = instrument.tape.second(second);
            let [asks, bids] = &held;
            assert_eq!(asks[0].price, instrument.path.price(quote.ask as f64));
            assert_eq!(
                (bids[0].price, bids[0].size),
                (instrument.path.price(quote.bid as f64), quote.bid_lots * 100)
            );
            assert!(
                asks.is_sorted_by(|a, b| a.price < b.price) && bids.is_sorted_by(|a, b| a.price > b.price)
            );
            assert!((4..=5).contains(&asks.len()) && asks.len() == bids.len());
            assert!(asks.iter().chain(bids).all(|row| row.size > 0));
        }
    }
}
