//! The supervisor's time: points on it for the machine, the wall clock for its users.

use std::future::pending;

use ibkr_connect_state::Moment;
use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that starts with the supervisor and is never set. It stands still while the machine sleeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uptime(Instant);

impl Uptime {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Moment {
        Moment::default() + self.0.elapsed()
    }

    pub(crate) fn instant(self, at: Moment) -> Instant {
        self.0 + at.since(Moment::default())
    }

    /// When `at` was or will be, by the wall clock of now.
    pub(crate) fn wall(self, at: Moment) -> Timestamp {
        let (now, wall) = (self.now(), Timestamp::now());
        let moved = if at > now { wall.checked_add(at.since(now)) } else { wall.checked_sub(now.since(at)) };
        moved.unwrap_or(wall)
    }
}

/// Sleeps, for ever if there is nothing to wait for.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moment_has_been_reached_when_the_sleep_until_it_ends() {
        let uptime = Uptime::start();
        for millis in [1, 7, 1_000, 3_600_000] {
            let at = uptime.now() + Duration::from_millis(millis);
            sleep_until(Some(uptime.instant(at))).await;
            assert!(uptime.now() >= at);
        }
    }

    #[test]
    fn the_wall_clock_follows_the_moments() {
        let uptime = Uptime::start();
        let (now, wall) = (uptime.now(), Timestamp::now());
        let hour = Duration::from_secs(3600);
        let later = uptime.wall(now + hour).duration_since(wall);
        assert!((3_599..=3_601).contains(&later.as_secs()), "{later:?}");
        let at_start = uptime.wall(Moment::default()).duration_since(wall);
        assert!(at_start.as_secs().abs() <= 1, "{at_start:?}");
    }
}
