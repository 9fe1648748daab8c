//! How long something took, many times over.

use std::time::Duration;

use ibkr_connect::millis;

/// Durations of the same thing, shortest first.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The shortest duration that at least `percent` of all don't exceed, in milliseconds: 0 is the shortest, 100 the
    /// longest. `None` if there are none.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (percent * self.0.len()).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().map(millis)
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut durations: Vec<_> = durations.into_iter().collect();
        durations.sort_unstable();
        Self(durations)
    }
}

/// Latencies as a cell of a table.
pub(crate) fn cell(ms: &[Option<f64>]) -> String {
    let texts: Vec<_> =
        ms.iter().map(|ms| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"))).collect();
    texts.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let latencies: Latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let found = [0, 50, 99, 100].map(|percent| latencies.percentile(percent));
        assert_eq!(found, [Some(1.0), Some(100.0), Some(198.0), Some(200.0)]);
        let one = Latencies::from_iter([Duration::from_millis(7)]);
        assert_eq!([0, 50, 100].map(|percent| one.percentile(percent)), [Some(7.0); 3]);
        assert_eq!(Latencies::from_iter([]).percentile(99), None);
    }
}
