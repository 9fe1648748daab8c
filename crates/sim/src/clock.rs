//! Which time it is for one client.

use jiff::{SignedDuration, Timestamp};

/// The market's time: that of a replay, or the real one.
#[derive(Debug)]
pub(crate) struct Clock(Option<Timestamp>);

impl Clock {
    /// A replay from a moment on, or real time.
    pub(crate) fn new(replay: Option<Timestamp>) -> Self {
        Self(replay)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.unwrap_or_else(Timestamp::now)
    }

    /// Another second of a replay has passed.
    pub(crate) fn tick(&mut self) {
        if let Some(time) = &mut self.0 {
            *time += SignedDuration::from_secs(1);
        }
    }
}
