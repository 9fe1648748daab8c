//! Time that state machines take as a parameter and files can carry.
//!
//! The uptime of the machine is the time that counts: it neither jumps when somebody sets the clock nor stops while the
//! machine sleeps. It starts again at every boot, so what goes to a file is a [`Stamp`]: the uptime, the boot it belongs to,
//! and the wall clock to bridge a reboot with.

use std::fmt::Debug;
use std::ops::Add;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::place::namespace;

/// No clock is farther from another one, in milliseconds: some 30,000 years. What a file says beyond it is nonsense.
pub(crate) const FARTHEST_MS: i64 = 1_000_000_000_000_000;

/// A point on the machine's uptime, in milliseconds. Points before the boot are negative. One that is read is cut to what clocks
/// can have to do with, so that shifting it to another clock and back leads to the same point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct Moment(i64);

impl From<i64> for Moment {
    fn from(millis: i64) -> Self {
        Self(millis.clamp(-2 * FARTHEST_MS, 2 * FARTHEST_MS))
    }
}

impl From<Moment> for i64 {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl Moment {
    /// The point `millis` after the boot.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How many milliseconds after `other` this is; negative if it is before.
    pub(crate) fn millis_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    pub(crate) fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.shifted(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A point in time that means the same to another process, and after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Which boot `at` belongs to; empty where the system does not tell.
    pub boot: String,
    /// The uptime.
    pub at: Moment,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Stamp {
    /// Where a moment recorded together with `then` lies on the uptime of this stamp.
    ///
    /// Never in the future: a moment from before a reboot is placed by the wall clock, and a wall clock that was set back
    /// makes it now.
    pub fn translate(&self, recorded: Moment, then: &Self) -> Moment {
        let moved = match self.boot == then.boot {
            true => 0,
            false => self.at.millis_since(then.at).saturating_sub(self.bridge(then)),
        };
        recorded.shifted(moved).min(self.at)
    }

    /// How long ago `then` was; zero if the clocks contradict that it was before.
    pub fn since(&self, then: &Self) -> Duration {
        self.at.since(self.translate(then.at, then))
    }

    /// The milliseconds between two stamps of different boots.
    fn bridge(&self, then: &Self) -> i64 {
        self.wall.as_millisecond().saturating_sub(then.wall.as_millisecond()).max(0)
    }
}

/// Where the time comes from: the [`KernelClock`], or a test.
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Stamp;
}

/// The clocks of this machine.
#[derive(Debug, Clone)]
pub struct KernelClock {
    boot: String,
}

impl Default for KernelClock {
    /// Asks once which boot this is.
    fn default() -> Self {
        Self { boot: boot() }
    }
}

/// Which boot this is; empty where the system does not tell.
pub fn boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // A time namespace has an uptime of its own.
    let time = Some(namespace("/proc/self/ns/time")).filter(|time| !time.is_empty());
    let time = time.filter(|time| time != FIRST_TIME_NAMESPACE).map(|time| format!(" time {time}"));
    format!("{}{}", boot.trim(), time.unwrap_or_default())
}

impl Clock for KernelClock {
    fn now(&self) -> Stamp {
        let uptime = rustix::time::clock_gettime(UPTIME);
        let millis = uptime.tv_sec.saturating_mul(1_000).saturating_add(uptime.tv_nsec / 1_000_000);
        Stamp { boot: self.boot.clone(), at: Moment(millis), wall: Timestamp::now() }
    }
}

const FIRST_TIME_NAMESPACE: &str = "4026531834";

/// The clock that also counts the time in which the machine sleeps.
#[cfg(target_os = "linux")]
const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UPTIME: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

#[cfg(any(test, feature = "manual"))]
pub(crate) mod manual {
    //! A clock that a test moves.

    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::*;

    /// A clock that a test moves. Clones are the same clock.
    #[derive(Debug, Clone)]
    pub struct ManualClock(Arc<Mutex<Stamp>>);

    impl ManualClock {
        /// A thousand seconds after "boot 1", on the afternoon of 4 March 2026.
        pub fn new() -> Self {
            let wall = Timestamp::constant(1_772_636_400, 0);
            let now = Stamp { boot: "boot 1".to_owned(), at: Moment::from_millis(1_000_000), wall };
            Self(Arc::new(Mutex::new(now)))
        }

        /// The clock of another machine or boot.
        pub fn starting(now: Stamp) -> Self {
            Self(Arc::new(Mutex::new(now)))
        }

        /// Lets time pass, whether the machine sleeps or not.
        pub fn advance(&self, by: Duration) {
            let mut now = self.stamp();
            now.at = now.at + by;
            now.wall = now.wall.saturating_add(by).unwrap_or(Timestamp::MAX);
        }

        /// The wall clock is set.
        pub fn set_wall(&self, wall: Timestamp) {
            self.stamp().wall = wall;
        }

        /// The machine has booted again, five seconds ago; its wall clock says `wall`.
        pub fn reboot(&self, wall: Timestamp) {
            let mut now = self.stamp();
            *now = Stamp { boot: format!("{}+", now.boot), at: Moment::from_millis(5_000), wall };
        }

        fn stamp(&self) -> MutexGuard<'_, Stamp> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Default for ManualClock {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Stamp {
            self.stamp().clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(boot: &str, at: i64, wall: i64) -> Stamp {
        Stamp { boot: boot.to_owned(), at: Moment(at), wall: Timestamp::from_millisecond(wall).unwrap() }
    }

    #[test]
    fn within_a_boot_the_wall_clock_does_not_matter() {
        let then = stamp("a", 1_000, 9_000_000);
        assert_eq!(stamp("a", 4_000, 0).since(&then), Duration::from_secs(3));
    }

    #[test]
    fn a_reboot_is_bridged_by_the_wall_clock() {
        let then = stamp("a", 500_000, 1_000_000);
        let now = stamp("b", 10_000, 1_060_000);
        assert_eq!(now.since(&then), Duration::from_secs(60));
        assert_eq!(now.translate(Moment(490_000), &then), Moment(-60_000));
    }

    #[test]
    fn nothing_lies_in_the_future() {
        let then = stamp("a", 500_000, 1_000_000);
        assert_eq!(stamp("b", 10_000, 5).since(&then), Duration::ZERO, "the wall clock was set back");
        assert_eq!(stamp("a", 10_000, 5).translate(Moment(i64::MAX), &then), Moment(10_000));
    }

    #[test]
    fn the_kernel_clock_advances() {
        let first = KernelClock::default().now();
        let second = KernelClock::default().now();
        assert_eq!(first.boot, second.boot);
        assert!(second.at >= first.at);
    }
}
