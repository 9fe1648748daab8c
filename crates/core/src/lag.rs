//! How long the events of a stream wait for its consumer: one at a time is timed.

use std::time::{Duration, Instant};

use crate::ConnectionMode;
use crate::telemetry::STREAM_LAG;

/// From one sample to the next, at least: a fast stream has no use for more, and each costs.
const PAUSE: Duration = Duration::from_millis(100);

/// The stop-watch of one stream.
#[derive(Debug)]
pub(crate) struct Lag {
    mode: ConnectionMode,
    command: &'static str,
    /// The event that is timed, by its number, and since when.
    timed: Option<(u64, Instant)>,
    /// When the next one may be.
    ready_at: Instant,
}

impl Lag {
    pub(crate) fn new(mode: ConnectionMode, command: &'static str) -> Self {
        Self { mode, command, timed: None, ready_at: Instant::now() }
    }

    /// Event `number` has come.
    pub(crate) fn came(&mut self, number: u64) {
        if self.timed.is_none() {
            let now = Instant::now();
            if now >= self.ready_at {
                self.timed = Some((number, now));
                self.ready_at = now + PAUSE;
            }
        }
    }

    /// All events before number `unread` are read.
    pub(crate) fn read(&mut self, unread: u64) {
        if let Some((_, came)) = self.timed.take_if(|(number, _)| *number < unread) {
            STREAM_LAG.record([&self.mode, &self.command], came.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_at_a_time_is_timed() {
        let mut lag = Lag::new(ConnectionMode::Mock, "market_data");
        let timed = |lag: &Lag| lag.timed.map(|(number, _)| number);
        lag.came(7);
        lag.came(8);
        assert_eq!(timed(&lag), Some(7));
        lag.read(7);
        assert_eq!(timed(&lag), Some(7), "the first unread one");
        lag.read(8);
        lag.came(9);
        assert_eq!(timed(&lag), None, "not so soon");
        lag.ready_at = Instant::now();
        lag.came(10);
        assert_eq!(timed(&lag), Some(10));
    }
}
