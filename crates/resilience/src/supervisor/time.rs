//! Time as a supervisor sees it: the machine's uptime decides, the wall clock is what its users are shown.

use std::ops::Add;
use std::time::Duration;

use ibkr_connect_state::{Moment, Stamp};
use jiff::{SignedDuration, Timestamp};

/// A wall clock that disagrees with the uptime by more than this was set.
const DRIFT: SignedDuration = SignedDuration::from_secs(2);

/// What both clocks showed at one moment. The uptime orders readings and measures between them: it neither jumps nor stops
/// while the machine sleeps. The wall clock of a reading stays as it was taken, also if somebody sets that clock afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    at: Moment,
    wall: Timestamp,
}

impl Reading {
    /// How long after `earlier` this is; zero if it is not after it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.at.since(earlier.at)
    }

    /// Whether it is `due` by now.
    pub(crate) fn has_reached(self, due: Self) -> bool {
        self.at >= due.at
    }

    pub(crate) fn later_of(self, other: Self) -> Self {
        if other.has_reached(self) { other } else { self }
    }

    pub(crate) fn earlier_of(self, other: Self) -> Self {
        if self.has_reached(other) { other } else { self }
    }

    /// The wall clock as it was taken.
    pub(crate) fn wall(self) -> Timestamp {
        self.wall
    }

    /// The wall-clock time of a moment that is still to come, by the wall clock of now if that was set in the meantime.
    pub(crate) fn wall_of(self, due: Self) -> Timestamp {
        let by_now = (self + due.since(self)).wall;
        if by_now.duration_since(due.wall).abs() < DRIFT { due.wall } else { by_now }
    }
}

impl From<Stamp> for Reading {
    fn from(Stamp { at, wall, .. }: Stamp) -> Self {
        Self { at, wall }
    }
}

impl Add<Duration> for Reading {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self { at: self.at + duration, wall: self.wall.saturating_add(duration).unwrap_or(self.wall) }
    }
}

/// The first of these moments.
pub(crate) fn earliest(moments: impl IntoIterator<Item = Option<Reading>>) -> Option<Reading> {
    moments.into_iter().flatten().reduce(Reading::earlier_of)
}

#[cfg(test)]
impl Reading {
    /// The beginning of a test's time.
    pub(crate) const START: Self = Self { at: Moment::from_millis(0), wall: Timestamp::UNIX_EPOCH };

    /// This moment by another wall clock.
    pub(crate) fn with_wall(self, wall: Timestamp) -> Self {
        Self { wall, ..self }
    }

    pub(crate) fn moment(self) -> Moment {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn at(seconds: u64) -> Reading {
        Reading::START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_uptime_orders_and_measures_whatever_the_wall_clock_says() {
        for wall in [at(7).wall() + DAY, at(7).wall() - DAY] {
            let set = at(7).with_wall(wall);
            assert!(set.has_reached(at(7)) && at(7).has_reached(set) && !at(6).has_reached(set));
            assert_eq!((set.since(at(2)), at(2).since(set)), (Duration::from_secs(5), Duration::ZERO));
            assert_eq!((set.earlier_of(at(2)), set.later_of(at(2))), (at(2), set));
        }
        assert_eq!(earliest([None, Some(at(3)), Some(at(2)), Some(at(4))]), Some(at(2)));
        assert_eq!(earliest([None, None]), None);
    }

    #[test]
    fn what_is_to_come_is_shown_by_a_wall_clock_that_was_set_and_stays_otherwise() {
        let due = at(7_200);
        let slow = at(3_600).with_wall(at(3_600).wall() + SignedDuration::from_secs(1));
        assert_eq!(slow.wall_of(due), due.wall());
        for jump in [DAY, -DAY] {
            let set = at(3_600).with_wall(at(3_600).wall() + jump);
            assert_eq!(set.wall_of(due), set.wall() + HOUR);
        }
    }
}
