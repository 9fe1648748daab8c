//! What the breaker remembers, as it is kept on disk.

use ibkr_connect_state::{Mergeable, Moment, Shareable};
use serde::{Deserialize, Serialize};

use super::{Note, TrialId};

/// More samples than this say nothing new.
pub(super) const LONGEST_WINDOW: usize = 256;
/// So many attempts may stumble together; more than clients of a Gateway.
pub(super) const MOST_STUMBLING: usize = 64;
/// More trials don't run at once.
const MOST_TRIALS: usize = 16;
/// Doubling more often makes no wait longer.
const MOST_FAILED_TRIALS: u32 = 32;
/// In bytes; ours are shorter.
const LONGEST_TEXT: usize = 200;

/// What the breaker remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(super) state: State,
    /// The attempts of the window, oldest first.
    pub(super) samples: Vec<Sample>,
    /// How often in a row a trial has failed.
    pub(super) failed_trials: u32,
    pub(super) last_failure: Option<String>,
    /// The last failure of a maintenance window, while the breaker was closed.
    #[serde(default)]
    pub(super) maintenance: Option<Moment>,
    /// The last failure that counted, for those that are the same one.
    #[serde(default)]
    pub(super) stumble: Option<SharedFailure>,
    /// When somebody closed it: what was before is forgotten, also by who could not write it down.
    #[serde(default)]
    pub(super) reset: Option<Moment>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(super) enum State {
    #[default]
    Closed,
    Open {
        since: Moment,
    },
    HalfOpen {
        running: Vec<Trial>,
        succeeded: u32,
    },
    ForcedOpen {
        since: Moment,
        by: Note,
        /// Until it is reset, if not for so long.
        #[serde(default)]
        limit_ms: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) at: Moment,
    pub(super) good: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    pub(super) id: TrialId,
    pub(super) since: Moment,
}

/// A failure, and all who failed in the same moment for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharedFailure {
    /// When the first of them failed.
    pub(super) at: Moment,
    pub(super) how: String,
    pub(super) parties: Vec<u64>,
}

impl Memory {
    /// Nothing, because somebody has closed the breaker at `now`.
    pub(crate) fn reset_at(now: Moment) -> Self {
        Self { reset: Some(now), ..Self::default() }
    }

    /// When it last learnt of something but successes.
    fn last_event(&self) -> Option<Moment> {
        let state = match &self.state {
            State::Closed => None,
            State::Open { since } | State::ForcedOpen { since, .. } => Some(*since),
            State::HalfOpen { running, .. } => running.iter().map(|trial| trial.since).max(),
        };
        let samples = self.samples.iter().map(|sample| sample.at);
        samples.chain(state).chain(self.maintenance).max()
    }
}

impl Shareable for Memory {
    const VERSION: u32 = 2;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.samples.iter_mut().for_each(|sample| change(&mut sample.at));
        self.maintenance.iter_mut().chain(&mut self.reset).for_each(&mut *change);
        self.stumble.iter_mut().for_each(|stumble| change(&mut stumble.at));
        match &mut self.state {
            State::Closed => {}
            State::Open { since } | State::ForcedOpen { since, .. } => change(since),
            State::HalfOpen { running, .. } => {
                running.iter_mut().for_each(|trial| change(&mut trial.since));
            }
        }
    }

    fn clamp(&mut self, _: Moment) {
        let surplus = self.samples.len().saturating_sub(LONGEST_WINDOW);
        self.samples.drain(..surplus);
        self.failed_trials = self.failed_trials.min(MOST_FAILED_TRIALS);
        self.last_failure.iter_mut().for_each(shorten);
        if let Some(stumble) = &mut self.stumble {
            stumble.parties.truncate(MOST_STUMBLING);
            shorten(&mut stumble.how);
        }
        if let State::HalfOpen { running, .. } = &mut self.state {
            running.truncate(MOST_TRIALS);
        }
    }
}

impl Mergeable for Memory {
    /// The state that lets fewer attempts through, and all failures. A reset that came later is a reset of these too.
    fn merge(&mut self, unwritten: Self) {
        if self.reset.is_some_and(|reset| unwritten.last_event().is_none_or(|event| event <= reset)) {
            return;
        }
        if strictness(&unwritten.state) > strictness(&self.state) {
            self.state = unwritten.state;
            self.last_failure = unwritten.last_failure.or(self.last_failure.take());
        }
        self.samples.extend(unwritten.samples);
        self.samples.sort_unstable();
        self.samples.dedup();
        self.failed_trials = self.failed_trials.max(unwritten.failed_trials);
        self.maintenance = self.maintenance.max(unwritten.maintenance);
    }
}

/// The later of two that are open lets fewer attempts through.
fn strictness(state: &State) -> (u8, Option<Moment>) {
    match state {
        State::Closed => (0, None),
        State::HalfOpen { .. } => (1, None),
        State::Open { since } => (2, Some(*since)),
        State::ForcedOpen { since, .. } => (3, Some(*since)),
    }
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    fn open(seconds: i64) -> Memory {
        Memory { state: State::Open { since: at(seconds) }, ..Memory::default() }
    }

    fn failed(seconds: &[i64]) -> Memory {
        let samples = seconds.iter().map(|second| Sample { at: at(*second), good: false }).collect();
        Memory { samples, ..Memory::default() }
    }

    fn forced(seconds: i64) -> Memory {
        let by = Note { actor: "ops".to_owned(), reason: "update".to_owned() };
        let state = State::ForcedOpen { since: at(seconds), by, limit_ms: None };
        Memory { state, ..Memory::default() }
    }

    fn merged(mut written: Memory, unwritten: Memory) -> Memory {
        written.merge(unwritten);
        written
    }

    #[test]
    fn of_two_memories_the_one_that_lets_fewer_through_counts() {
        for (written, unwritten, merged_into) in [
            (Memory::default(), open(7), open(7)),
            (open(7), Memory::default(), open(7)),
            (open(7), open(8), open(8)),
            (open(8), open(7), open(8)),
            (forced(1), open(8), forced(1)),
            (open(8), forced(1), forced(1)),
        ] {
            assert_eq!(merged(written, unwritten), merged_into);
        }
    }

    #[test]
    fn every_failure_counts_once() {
        assert_eq!(merged(failed(&[1, 3]), failed(&[2, 3])), failed(&[1, 2, 3]));
        assert_eq!(merged(failed(&[1]), failed(&[1])), failed(&[1]));
    }

    #[test]
    fn a_reset_counts_also_for_what_could_not_be_written() {
        let reset = || Memory::reset_at(at(10));
        for before in [open(9), failed(&[1, 10]), Memory { maintenance: Some(at(9)), ..Memory::default() }] {
            assert_eq!(merged(reset(), before), reset());
        }
        assert_eq!(merged(reset(), open(11)).state, open(11).state);
    }

    #[test]
    fn nonsense_is_cut_to_what_we_would_write() {
        let samples = (0..1_000).map(|at| Sample { at: Moment::from_millis(at), good: true }).collect();
        let trial = |id| Trial { id: TrialId(id), since: at(0) };
        let mut memory = Memory {
            state: State::HalfOpen { running: (0..1_000).map(trial).collect(), succeeded: 0 },
            samples,
            failed_trials: u32::MAX,
            last_failure: Some("ü".repeat(1_000)),
            stumble: Some(SharedFailure { at: at(0), how: "x".repeat(1_000), parties: vec![7; 1_000] }),
            ..Memory::default()
        };
        memory.clamp(at(0));
        assert_eq!(memory.samples.len(), LONGEST_WINDOW);
        assert_eq!(memory.samples[0].at, Moment::from_millis(744), "the newest stay");
        assert_eq!(memory.failed_trials, MOST_FAILED_TRIALS);
        assert!(memory.last_failure.as_ref().is_some_and(|text| text.len() == LONGEST_TEXT));
        assert!(memory.stumble.as_ref().is_some_and(|stumble| stumble.parties.len() == MOST_STUMBLING));
        assert!(matches!(&memory.state, State::HalfOpen { running, .. } if running.len() == MOST_TRIALS));
    }

    #[test]
    fn every_moment_is_found() {
        let mut memory = Memory {
            samples: failed(&[1, 2]).samples,
            maintenance: Some(at(3)),
            stumble: Some(SharedFailure { at: at(4), how: String::new(), parties: Vec::new() }),
            reset: Some(at(5)),
            ..open(6)
        };
        let mut found = Vec::new();
        memory.moments(&mut |moment| {
            found.push(*moment);
            *moment = at(0);
        });
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 4, 5, 6].map(at));
        // No number is left anywhere but those.
        let json = serde_json::to_string(&memory).unwrap();
        assert!(!json.contains("000"), "{json}");
    }
}
