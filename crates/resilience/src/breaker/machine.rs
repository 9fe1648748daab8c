//! The circuit breaker: after enough failures nobody asks the Gateway for a while, then one asks for all.
//!
//! A pure state machine. [`BreakerStore`](crate::BreakerStore) keeps its memory on disk and shares it between processes.

use std::time::Duration;

use ibkr_connect_state::Moment;

use super::memory::{LONGEST_WINDOW, MOST_STUMBLING, Memory, Sample, SharedFailure, State, Trial};
use super::{Admission, BreakerSettings, BreakerState, Note, Outcome, Refusal, TrialId};

/// So soon after the first of them, attempts that fail in the same way fail for the same reason. A Gateway that restarts
/// listens before it is ready, and all who wait for it stumble over that together: within a second they see that it listens.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// Who makes an attempt, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The same for all attempts of one connector, and for no other.
    pub(crate) party: u64,
    /// Since when that has been connecting to the Gateway.
    pub(crate) since: Moment,
    /// Since when it has waited for its turn.
    pub(crate) asked: Moment,
    /// When it was admitted.
    pub(crate) begun: Moment,
}

/// The state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    memory: Memory,
}

impl Breaker {
    /// A closed breaker.
    #[cfg(test)]
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self::resume(settings, Memory::default())
    }

    /// A breaker that goes on from what another one remembered.
    pub(crate) fn resume(settings: BreakerSettings, memory: Memory) -> Self {
        Self { settings, memory }
    }

    /// What it remembers.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    /// What it is at `now`.
    pub(crate) fn state(&self, now: Moment) -> BreakerState {
        let memory = &self.memory;
        match &memory.state {
            State::ForcedOpen { since, by, limit_ms } if !self.is_force_over(now) => {
                let for_ms = millis(now.since(*since));
                let left_ms = limit_ms.map(|limit| limit.saturating_sub(for_ms));
                BreakerState::ForcedOpen { for_ms, left_ms, by: by.clone() }
            }
            State::Closed | State::ForcedOpen { .. } => {
                let recent = memory.samples.iter().filter(|sample| self.is_recent(sample, now));
                let (attempts, failures) =
                    recent.fold((0, 0), |(all, bad), sample| (all + 1, bad + usize::from(!sample.good)));
                BreakerState::Closed { failures, attempts }
            }
            State::Open { since } => BreakerState::Open {
                retry_in_ms: millis(self.retry_in(*since, now)),
                last_failure: memory.last_failure.clone(),
            },
            State::HalfOpen { running, .. } => BreakerState::HalfOpen { running: running.len() },
        }
    }

    /// Whether an attempt would be admitted; changes nothing.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn check(&self, now: Moment) -> Result<(), Refusal> {
        // Any id would do: this copy is thrown away.
        self.clone().admit(now, TrialId(u32::MAX)).map(drop)
    }

    /// Whether an attempt that is made now would find out for all.
    pub(crate) fn would_try(&self, now: Moment) -> bool {
        matches!(self.clone().admit(now, TrialId(u32::MAX)), Ok(Admission::Trial(_)))
    }

    /// Admits an attempt or refuses it. A trial gets the id `next`, which must not be in use.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn admit(&mut self, now: Moment, next: TrialId) -> Result<Admission, Refusal> {
        self.end_force(now);
        if let State::Open { since } = self.memory.state {
            let retry_in = self.retry_in(since, now);
            if retry_in > Duration::ZERO {
                return Err(Refusal::Open { retry_in, last_failure: self.memory.last_failure.clone() });
            }
            self.memory.state = State::HalfOpen { running: Vec::new(), succeeded: 0 };
        }
        let BreakerSettings { trials, trial_limit, .. } = self.settings;
        match &mut self.memory.state {
            State::HalfOpen { running, succeeded } => {
                running.retain(|trial| now.since(trial.since) < trial_limit);
                if running.is_empty() {
                    // With as many successes it would be closed by now, here. That is nonsense, or of a program with other
                    // settings: the next trial finds out.
                    *succeeded = (*succeeded).min(trials.max(1) - 1);
                }
                if running.len() + *succeeded as usize >= trials.max(1) as usize {
                    return Err(Refusal::TrialsRunning { running: running.len() });
                }
                running.push(Trial { id: next, since: now });
                Ok(Admission::Trial(next))
            }
            State::ForcedOpen { by, .. } => Err(Refusal::Forced(by.clone())),
            State::Closed | State::Open { .. } => match self.pause(now) {
                Duration::ZERO => Ok(Admission::Free),
                retry_in => Err(Refusal::Maintenance { retry_in }),
            },
        }
    }

    /// Takes note of how an admitted attempt ended.
    ///
    /// What comes too late (another attempt has changed the state, the trial was given up) changes nothing. Nor does a
    /// failure that is another one's over again: that of a party which waited for the Gateway like this one, and failed at
    /// the same moment in the same way. A program that is started again and again was not there yet, and counts every time.
    pub(crate) fn settle(&mut self, now: Moment, by: &Attempt, admission: Admission, outcome: Outcome) {
        match (admission, &mut self.memory.state) {
            (Admission::Free, State::Closed) => self.settle_free(now, by, outcome),
            (Admission::Trial(id), State::HalfOpen { running, .. }) => {
                let before = running.len();
                running.retain(|trial| trial.id != id);
                if running.len() < before {
                    self.settle_trial(now, outcome);
                }
            }
            _ => {}
        }
    }

    /// Gives up the trials for which `is_alive` says no: their process is gone, which says nothing about the Gateway.
    pub(crate) fn retain_trials(&mut self, is_alive: impl Fn(TrialId) -> bool) {
        if let State::HalfOpen { running, .. } = &mut self.memory.state {
            running.retain(|trial| is_alive(trial.id));
        }
    }

    /// Closes it if it was forced open for a time that is over.
    pub(crate) fn end_force(&mut self, now: Moment) {
        if self.is_force_over(now) {
            self.reset();
        }
    }

    /// Opens it until it is reset.
    pub(crate) fn force_open(&mut self, now: Moment, by: Note) {
        self.memory.state = State::ForcedOpen { since: now, by, limit_ms: None };
    }

    /// Opens it for `limit`, or until it is reset; after that it is as after a reset.
    pub(crate) fn force_open_for(&mut self, now: Moment, by: Note, limit: Duration) {
        self.memory.state = State::ForcedOpen { since: now, by, limit_ms: Some(millis(limit)) };
    }

    /// Closes it and forgets everything.
    pub(crate) fn reset(&mut self) {
        self.memory = Memory::default();
    }

    fn settle_free(&mut self, now: Moment, by: &Attempt, outcome: Outcome) {
        match outcome {
            Outcome::Success(took) if self.is_slow(took) => {
                self.memory.last_failure = Some(format!("slow: {:.1} s", took.as_secs_f64()));
                self.sample(now, false);
            }
            Outcome::Success(_) => self.sample(now, true),
            Outcome::Failure(how) => {
                let is_new = !self.is_same_stumble(now, by, &how);
                self.memory.last_failure = Some(how);
                if is_new {
                    self.sample(now, false);
                }
            }
            Outcome::Maintenance(how) => {
                self.memory.last_failure = Some(how);
                self.memory.maintenance = Some(now);
            }
            Outcome::Neutral => {}
        }
    }

    /// Whether this failure has been counted already, as that of another party. If not, others may join it.
    fn is_same_stumble(&mut self, now: Moment, by: &Attempt, how: &str) -> bool {
        let failed_at_once = now.since(by.begun) < SAME_MOMENT;
        match &mut self.memory.stumble {
            Some(SharedFailure { at, how: same, parties })
                if same == how
                    && failed_at_once
                    && by.since <= *at
                    && by.asked <= *at + SAME_MOMENT
                    && !parties.contains(&by.party)
                    && parties.len() < MOST_STUMBLING =>
            {
                parties.push(by.party);
                true
            }
            stumble => {
                *stumble = Some(SharedFailure { at: now, how: how.to_owned(), parties: vec![by.party] });
                false
            }
        }
    }

    fn sample(&mut self, now: Moment, good: bool) {
        self.memory.maintenance = None;
        let settings = &self.settings;
        let samples = &mut self.memory.samples;
        samples.retain(|sample| now.since(sample.at) < settings.window);
        // A success only outweighs failures before it: a Gateway that dies now may have many successes behind it.
        if good && samples.is_empty() {
            return;
        }
        samples.push(Sample { at: now, good });
        let surplus = samples.len().saturating_sub(LONGEST_WINDOW);
        samples.drain(..surplus);
        let bad = samples.iter().filter(|sample| !sample.good).count();
        if !good && bad >= settings.failures.max(1) as usize && bad * 2 >= samples.len() {
            self.open(now);
        }
    }

    fn settle_trial(&mut self, now: Moment, outcome: Outcome) {
        let State::HalfOpen { succeeded, .. } = &mut self.memory.state else { return };
        match outcome {
            Outcome::Success(_) => {
                *succeeded = succeeded.saturating_add(1);
                if *succeeded >= self.settings.trials.max(1) {
                    self.reset();
                }
            }
            Outcome::Failure(how) => {
                self.memory.failed_trials = self.memory.failed_trials.saturating_add(1);
                self.memory.last_failure = Some(how);
                self.open(now);
            }
            Outcome::Maintenance(how) => {
                self.memory.last_failure = Some(how);
                self.open(now);
            }
            Outcome::Neutral => {}
        }
    }

    fn open(&mut self, now: Moment) {
        self.memory.samples.clear();
        self.memory.stumble = None;
        self.memory.state = State::Open { since: now };
    }

    /// How long nobody tries after a failure during maintenance.
    fn pause(&self, now: Moment) -> Duration {
        let since = self.memory.maintenance.map_or(Duration::MAX, |failed| now.since(failed));
        self.settings.maintenance_pause.saturating_sub(since)
    }

    fn is_force_over(&self, now: Moment) -> bool {
        match self.memory.state {
            State::ForcedOpen { since, limit_ms: Some(limit), .. } => millis(now.since(since)) >= limit,
            _ => false,
        }
    }

    fn is_slow(&self, took: Duration) -> bool {
        self.settings.slow_connect.is_some_and(|limit| took > limit)
    }

    fn is_recent(&self, sample: &Sample, now: Moment) -> bool {
        now.since(sample.at) < self.settings.window
    }

    fn retry_in(&self, since: Moment, now: Moment) -> Duration {
        let doubled = 1_u32.checked_shl(self.memory.failed_trials).unwrap_or(u32::MAX);
        let BreakerSettings { recovery, max_recovery, .. } = self.settings;
        let wait = recovery.saturating_mul(doubled).min(max_recovery.max(recovery));
        wait.saturating_sub(now.since(since))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
