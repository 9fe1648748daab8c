//! Wakes the one thread that keeps the time of a link.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bell for a thread that sleeps until its next deadline. A ring before the sleep ends that sleep at once, so nothing that is
/// looked at after the last sleep is missed.
#[derive(Debug, Default)]
pub struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rung: bool,
    /// When the thread wakes by itself, while it sleeps.
    wakes_at: Option<Instant>,
}

impl Alarm {
    /// Wakes the thread.
    pub fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    /// Wakes the thread if it would sleep longer than until `moment`.
    pub(crate) fn wake_by(&self, moment: Instant) {
        let mut state = self.lock();
        // Deadlines mostly lie behind the next wake-up, so that most requests wake nobody here.
        if state.wakes_at.is_none_or(|wakes_at| moment < wakes_at) {
            state.rung = true;
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Sleeps until the next ring, or until `deadline`; whether it has rung.
    pub fn sleep(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if std::mem::take(&mut state.rung) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state.wakes_at = Some(deadline);
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.wakes_at = None;
        }
    }

    /// Waits until `ready`, which is asked after each ring, gives something; at most until `deadline`.
    pub fn wait_for<T>(&self, deadline: Instant, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(value) = ready() {
                return Some(value);
            }
            if !self.sleep(deadline) {
                return ready();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `start` plus `duration`, which the user may have set to forever.
pub fn after(start: Instant, duration: Duration) -> Instant {
    const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
    start + duration.min(FOREVER)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_ring_before_the_sleep_is_not_missed_and_counts_once() {
        let alarm = Alarm::default();
        alarm.ring();
        alarm.ring();
        assert!(alarm.sleep(Instant::now() + LONG));
        assert!(!alarm.sleep(Instant::now()));
    }

    #[test]
    fn only_an_earlier_deadline_wakes_a_sleeper() {
        let alarm = Alarm::default();
        let wakes_at = Instant::now() + LONG;
        alarm.lock().wakes_at = Some(wakes_at);
        alarm.wake_by(wakes_at + LONG);
        assert!(!alarm.lock().rung);
        alarm.wake_by(wakes_at - Duration::from_secs(1));
        assert!(alarm.lock().rung);
        alarm.lock().rung = false;
        alarm.lock().wakes_at = None;
        alarm.wake_by(wakes_at + LONG);
        assert!(alarm.lock().rung, "whoever is awake has not looked at it yet");
    }

    #[test]
    fn a_sleeper_is_woken_by_a_ring_on_another_thread() {
        let alarm = Alarm::default();
        thread::scope(|scope| {
            scope.spawn(|| alarm.ring());
            assert!(alarm.sleep(Instant::now() + LONG));
        });
    }

    #[test]
    fn for_ever_is_a_moment_too() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now + LONG);
        assert_eq!(after(now, LONG), now + LONG);
    }
}
