//! When a lost session may be replaced: at once, unless sessions die young; then as scheduled.

use std::time::Duration;

use super::options::{RestartLimit, SupervisorOptions};

/// A schedule without an entry must not become a storm.
const EMPTY_SCHEDULE: Duration = Duration::from_secs(300);

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct Retry {
    schedule: Vec<Duration>,
    limit: RestartLimit,
    step: usize,
    died_young: u32,
}

impl Retry {
    pub(crate) fn new(options: &SupervisorOptions) -> Self {
        Self { schedule: options.schedule.clone(), limit: options.restarts, step: 0, died_young: 0 }
    }

    /// The wait after the loss of a session that lived for `lived`; `None` is no wait at all.
    ///
    /// The schedule starts again only after a session that has lived: connecting alone proves little.
    pub(crate) fn after_loss(&mut self, lived: Duration) -> Option<Duration> {
        if lived >= self.limit.window {
            self.step = 0;
            self.died_young = 0;
        }
        self.died_young = self.died_young.saturating_add(1);
        (self.died_young > self.limit.count).then(|| self.after_failure())
    }

    /// The wait after an attempt that cost the Gateway something.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let wait = self.after_refusal();
        self.step = self.step.saturating_add(1);
        wait
    }

    /// The wait after an attempt that never reached the Gateway.
    pub(crate) fn after_refusal(&self) -> Duration {
        self.schedule.get(self.step).or(self.schedule.last()).copied().unwrap_or(EMPTY_SCHEDULE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry::new(&SupervisorOptions::default())
    }

    #[test]
    fn failures_follow_the_schedule_and_stay_at_its_last_entry() {
        let mut retry = retry();
        assert_eq!(retry.after_loss(Duration::from_secs(3600)), None);
        let waits: Vec<_> = (0..7).map(|_| retry.after_failure().as_secs()).collect();
        assert_eq!(waits, [15, 30, 60, 120, 300, 300, 300]);
        assert_eq!(retry.after_loss(Duration::from_secs(60)), None);
        assert_eq!(retry.after_failure(), Duration::from_secs(15));
    }

    #[test]
    fn a_refusal_does_not_lengthen_the_waits() {
        let retry = retry();
        assert_eq!([retry.after_refusal(), retry.after_refusal()], [Duration::from_secs(15); 2]);
    }

    #[test]
    fn five_sessions_may_die_young_and_then_the_schedule_rules() {
        let mut retry = retry();
        let young = Duration::from_secs(12);
        let waits: Vec<_> =
            (0..8).map(|_| retry.after_loss(young).map_or(0, |wait| wait.as_secs())).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 15, 30, 60]);
    }

    #[test]
    fn an_empty_schedule_is_no_storm() {
        let mut retry = Retry::new(&SupervisorOptions { schedule: Vec::new(), ..Default::default() });
        assert_eq!(retry.after_failure(), EMPTY_SCHEDULE);
    }
}
