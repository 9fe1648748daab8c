//! How long to wait before trying again: exponential, capped, with full jitter.
//!
//! Full jitter (a uniform choice between nothing and the bound) is what spreads processes that failed at the same moment.

use std::time::Duration;

use derive_setters::Setters;
use rand::{Rng, RngExt};

/// How widely attempts are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A failure is a surprise.
    Normal,
    /// IBKR may be resetting its servers: it takes minutes anyway.
    Maintenance,
}

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Backoff {
    /// The bound of the first wait; each further one is twice as long.
    pub base: Duration,
    /// No bound is longer.
    pub cap: Duration,
    /// During maintenance every bound, the cap included, is this many times longer.
    pub maintenance_factor: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(30), maintenance_factor: 8 }
    }
}

impl Backoff {
    /// The longest wait before retry number `retry`, counted from 0.
    pub fn bound(&self, retry: u32, pace: Pace) -> Duration {
        let bound = self.base.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX)).min(self.cap);
        match pace {
            Pace::Normal => bound,
            Pace::Maintenance => bound.saturating_mul(self.maintenance_factor),
        }
    }

    /// The wait before retry number `retry`: between zero and its bound.
    pub fn delay(&self, retry: u32, pace: Pace, rng: &mut impl Rng) -> Duration {
        rng.random_range(Duration::ZERO..=self.bound(retry, pace))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn bounds_double_up_to_the_cap_and_widen_in_maintenance() {
        let backoff = Backoff::default();
        let bounds =
            |pace| [0, 1, 2, 4, 5, 31, 32, u32::MAX].map(|retry| backoff.bound(retry, pace).as_secs());
        assert_eq!(bounds(Pace::Normal), [1, 2, 4, 16, 30, 30, 30, 30]);
        assert_eq!(bounds(Pace::Maintenance), [8, 16, 32, 128, 240, 240, 240, 240]);
    }

    #[test]
    fn delays_spread_over_the_whole_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let backoff = Backoff::default();
        let mut delays: Vec<_> = (0..1_000).map(|_| backoff.delay(3, Pace::Normal, &mut rng)).collect();
        delays.sort();
        let bound = backoff.bound(3, Pace::Normal);
        assert!(delays[0] < bound / 20 && delays[999] > bound / 20 * 19);
        assert!((bound / 5 * 2..bound / 5 * 3).contains(&delays[500]), "{:?}", delays[500]);
    }

    proptest! {
        #[test]
        fn no_delay_exceeds_its_bound(retry: u32, seed: u64) {
            let backoff = Backoff::default();
            let delay = backoff.delay(retry, Pace::Normal, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert!(delay <= backoff.bound(retry, Pace::Normal) && delay <= backoff.cap);
        }
    }
}
