//! What the breaker is, for people and programs.

use serde::Serialize;

use super::admission::Note;

/// What the breaker is, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// Attempts are made.
    Closed {
        /// Failures in the window.
        failures: usize,
        /// Attempts in the window.
        attempts: usize,
    },
    /// No attempt is made.
    Open {
        /// Milliseconds until the next trial.
        retry_in_ms: u64,
        /// What opened it.
        last_failure: Option<String>,
    },
    /// Trials find out.
    HalfOpen {
        /// How many run.
        running: usize,
    },
    /// No attempt is made until somebody resets it, or its time is over.
    ForcedOpen {
        /// For how many milliseconds.
        for_ms: u64,
        /// For how many more, if not until it is reset.
        left_ms: Option<u64>,
        /// Who, and why.
        by: Note,
    },
    /// No attempt is made until somebody resets it: it can't be read.
    Unreadable {
        /// Its file, and what is wrong with it.
        reason: String,
    },
}

impl BreakerState {
    /// The name in JSON and events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::ForcedOpen { .. } => "forced_open",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}
