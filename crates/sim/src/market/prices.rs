//! Where a price is on the whole: pure in seed and time. What happens in between is on the [tape](super::Tape).

use rand::{Rng, RngExt};

/// The price of one instrument through time: waves of several lengths around a reference price.
#[derive(Clone, Debug)]
pub(crate) struct PricePath {
    reference_ticks: f64,
    ticks_per_unit: f64,
    waves: [Wave; 3],
}

#[derive(Clone, Debug)]
struct Wave {
    period: f64,
    amplitude: f64,
    phase: f64,
}

/// Periods in seconds with the share of the price each moves: half a year down to a few days.
const SCALES: [(f64, f64); 3] = [(15_800_000.0, 0.06), (2_100_000.0, 0.02), (290_000.0, 0.006)];

impl PricePath {
    pub(crate) fn new(reference_ticks: f64, ticks_per_unit: f64, rng: &mut impl Rng) -> Self {
        let waves = SCALES.map(|(period, amplitude)| Wave {
            period: period * rng.random_range(0.8..1.25),
            amplitude,
            phase: rng.random_range(0.0..1.0),
        });
        Self { reference_ticks, ticks_per_unit, waves }
    }

    /// The price around which it moves.
    pub(crate) fn reference(&self) -> f64 {
        self.price(self.reference_ticks)
    }

    pub(crate) fn reference_ticks(&self) -> i64 {
        self.reference_ticks as i64
    }

    /// The price at a unix time, in whole ticks.
    pub(crate) fn ticks_at(&self, second: i64) -> f64 {
        let swing: f64 = self
            .waves
            .iter()
            .map(|wave| {
                wave.amplitude * (std::f64::consts::TAU * (second as f64 / wave.period + wave.phase)).sin()
            })
            .sum();
        (self.reference_ticks * (1.0 + swing)).round()
    }

    /// Ticks as a price: the nearest double to the exact decimal.
    pub(crate) fn price(&self, ticks: f64) -> f64 {
        ticks / self.ticks_per_unit
    }
}
