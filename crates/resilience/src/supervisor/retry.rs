//! When a lost session may be replaced: at once, unless sessions are lost too often; then as scheduled.

use std::collections::VecDeque;
use std::time::Duration;

use super::options::{RestartLimit, SupervisorOptions};
use super::time::Reading;

/// A schedule without an entry must not become a storm.
const EMPTY_SCHEDULE: Duration = Duration::from_secs(300);
/// The longest wait after an attempt that cost the Gateway nothing.
const LONGEST_FREE: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct Retry {
    schedule: Vec<Duration>,
    limit: RestartLimit,
    /// Failed attempts since the last session that the Gateway had work with, and those that cost it nothing.
    failures: usize,
    free_failures: usize,
    /// When sessions were lost within the period.
    losses: VecDeque<Reading>,
}

impl Retry {
    pub(crate) fn new(options: &SupervisorOptions) -> Self {
        Self {
            schedule: options.schedule.clone(),
            limit: options.restarts,
            failures: 0,
            free_failures: 0,
            losses: VecDeque::new(),
        }
    }

    /// There is a session.
    pub(crate) fn connected(&mut self) {
        (self.failures, self.free_failures) = (0, 0);
    }

    /// The wait after the loss of a session; `None` is no wait at all.
    ///
    /// Losses within a sliding period count, as Erlang's supervisors count restarts. How long the last session has lived does not:
    /// a Gateway that throws everybody out every minute must not be logged into every minute. Each loss more than the limit waits
    /// one entry of the schedule longer.
    pub(crate) fn after_loss(&mut self, now: Reading) -> Option<Duration> {
        while self.losses.front().is_some_and(|lost| now.since(*lost) >= self.limit.window) {
            self.losses.pop_front();
        }
        self.losses.push_back(now);
        let allowed = usize::try_from(self.limit.count).unwrap_or(usize::MAX);
        let surplus = self.losses.len().checked_sub(allowed)?;
        surplus.checked_sub(1).map(|entry| self.entry(entry))
    }

    /// The wait after an attempt that cost the Gateway something.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let wait = self.after_refusal();
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The wait after an attempt that cost the Gateway nothing: its machine refuses, or a forwarder or the Gateway closes without a
    /// byte. Such attempts may be frequent.
    pub(crate) fn after_free_failure(&mut self) -> Duration {
        let wait = self.entry(self.free_failures).min(LONGEST_FREE);
        self.free_failures = self.free_failures.saturating_add(1);
        wait
    }

    /// The wait after an attempt that was refused on this machine.
    pub(crate) fn after_refusal(&self) -> Duration {
        self.entry(self.failures)
    }

    fn entry(&self, number: usize) -> Duration {
        self.schedule.get(number).or(self.schedule.last()).copied().unwrap_or(EMPTY_SCHEDULE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry::new(&SupervisorOptions::default())
    }

    fn at(seconds: u64) -> Reading {
        Reading::START + Duration::from_secs(seconds)
    }

    fn seconds(wait: Option<Duration>) -> u64 {
        wait.map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn failures_follow_the_schedule_and_stay_at_its_last_entry_until_there_is_a_session() {
        let mut retry = retry();
        let waits: Vec<_> = (0..7).map(|_| retry.after_failure().as_secs()).collect();
        assert_eq!(waits, [15, 30, 60, 120, 300, 300, 300]);
        retry.connected();
        assert_eq!(retry.after_failure(), Duration::from_secs(15));
    }

    #[test]
    fn a_refusal_does_not_lengthen_the_waits() {
        let retry = retry();
        assert_eq!([retry.after_refusal(), retry.after_refusal()], [Duration::from_secs(15); 2]);
    }

    #[test]
    fn what_costs_the_gateway_nothing_is_tried_every_half_minute_and_lengthens_no_other_wait() {
        let mut retry = retry();
        let waits: Vec<_> = (0..5).map(|_| retry.after_free_failure().as_secs()).collect();
        assert_eq!(waits, [15, 30, 30, 30, 30]);
        assert_eq!(retry.after_failure(), Duration::from_secs(15));
        retry.connected();
        assert_eq!(retry.after_free_failure(), Duration::from_secs(15));
    }

    #[test]
    fn five_losses_an_hour_are_repaired_at_once_and_each_further_one_waits_longer() {
        // Logins every 12 s, 7,200 a day, got an account throttled.
        let mut retry = retry();
        let waits: Vec<_> = (0..11).map(|loss| seconds(retry.after_loss(at(loss * 12)))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 15, 30, 60, 120, 300, 300]);
    }

    #[test]
    fn how_long_the_last_session_lived_does_not_matter() {
        let mut retry = retry();
        let waits: Vec<_> = (0..7).map(|loss| seconds(retry.after_loss(at(loss * 61)))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 15, 30], "a session of a minute is not proof");
        let mut daily = self::retry();
        assert!((0..1_000).all(|day| daily.after_loss(at(day * 86_400)).is_none()));
        let mut hourly = self::retry();
        assert!((0..100).all(|loss| hourly.after_loss(at(loss * 720)).is_none()), "five within any hour");
    }

    #[test]
    fn the_period_slides() {
        let mut retry = retry();
        for loss in 0..10 {
            let _ = retry.after_loss(at(loss * 60));
        }
        assert_eq!(seconds(retry.after_loss(at(3_599))), 300);
        // The first six of them have left the period.
        assert_eq!(seconds(retry.after_loss(at(3_600 + 301))), 15);
        assert_eq!(retry.after_loss(at(3 * 3_600)), None);
    }

    #[test]
    fn an_empty_schedule_is_no_storm() {
        let mut retry = Retry::new(&SupervisorOptions { schedule: Vec::new(), ..Default::default() });
        assert_eq!(retry.after_failure(), EMPTY_SCHEDULE);
    }
}
