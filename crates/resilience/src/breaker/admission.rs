//! What the breaker answers to somebody who wants to connect: an admission or a refusal.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ibkr_connect_core::Error;
use serde::{Deserialize, Serialize};

use super::BreakerStore;

/// The leave to make an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The breaker is closed.
    Free,
    /// The breaker is half open, and this attempt finds out for all.
    Trial(TrialId),
}

/// Tells trials that run at the same time apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TrialId(pub(crate) u32);

/// Why no attempt may be made: the [`source`](StdError::source) of a `circuit_open` error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Open: the next trial may run in this time.
    Open {
        /// Until the next trial.
        retry_in: Duration,
        /// What opened it.
        last_failure: Option<String>,
    },
    /// Closed, but an attempt has just failed, and IBKR may be resetting its servers.
    Maintenance {
        /// Until the next attempt.
        retry_in: Duration,
    },
    /// Half open, and others are finding out.
    TrialsRunning {
        /// How many.
        running: usize,
    },
    /// Somebody forced it open.
    Forced(Note),
    /// It can't be read, and so nobody knows whether it was forced open.
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Refusal {
    /// The refusal that the error tells of, if it does.
    pub fn of_error(error: &Error) -> Option<&Self> {
        let source = error.source()?;
        source.downcast_ref().or_else(|| source.downcast_ref::<Refused>().map(|refused| &refused.refusal))
    }

    /// In what time an attempt is admitted, where that is known.
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::Open { retry_in, .. } | Self::Maintenance { retry_in } => Some(*retry_in),
            Self::TrialsRunning { .. } | Self::Forced(_) | Self::Unreadable { .. } => None,
        }
    }
}

impl StdError for Refusal {}

/// A refusal with the breaker that it comes from, so that who waits can see it change: the source of its errors.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) breaker: BreakerStore,
}

impl Refused {
    /// The breaker that has refused, if the error tells of one.
    pub(crate) fn breaker_of(error: &Error) -> Option<&BreakerStore> {
        error.source()?.downcast_ref::<Self>().map(|refused| &refused.breaker)
    }
}

impl StdError for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_in, last_failure } => {
                write!(f, "open for another {} s", retry_in.as_secs_f64().ceil())?;
                last_failure.as_ref().map_or(Ok(()), |how| write!(f, " (last failure: {how})"))
            }
            Self::Maintenance { retry_in } => {
                let seconds = retry_in.as_secs_f64().ceil();
                write!(f, "pausing for another {seconds} s: IBKR may be resetting its servers")
            }
            Self::TrialsRunning { .. } => f.write_str("half open, and another attempt is finding out"),
            Self::Forced(Note { actor, reason }) => write!(f, "forced open by {actor}: {reason}"),
            Self::Unreadable { path, why } => write!(f, "unreadable: {}: {why}", path.display()),
        }
    }
}

/// Why somebody forced the breaker, and who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who and why")]
pub struct Note {
    /// Who did it, e.g. a user or a program.
    pub actor: String,
    /// Why.
    pub reason: String,
}
