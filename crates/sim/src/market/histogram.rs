//! How much traded at which price.

use std::ops::Range;

use super::Instrument;

/// The size that traded at each price in stretches of time, lowest price first; prices where nothing traded are left out.
pub(crate) fn histogram(instrument: &Instrument, times: &[Range<i64>]) -> Vec<(f64, i64)> {
    let summaries = times.iter().filter_map(|time| instrument.tape.summary(time.clone()));
    let Some(prices) = summaries.reduce(|a, b| a.then(b)).map(|summary| summary.trades) else {
        return Vec::new();
    };
    let mut lots = vec![0; (prices.high - prices.low + 1) as usize];
    for time in times {
        for (_, second) in instrument.tape.seconds(time.clone()) {
            for trade in second.trades {
                lots[(trade.price - prices.low) as usize] += trade.lots;
            }
        }
    }
    (prices.low..)
        .zip(lots)
        .filter(|(_, lots)| *lots > 0)
        .map(|(price, lots)| (instrument.path.price(price as f64), lots * instrument.listing.lot()))
        .collect()
}
