//! What goes into the breaker and what comes out of it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase};
use serde::{Deserialize, Serialize};

/// When the breaker opens and closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures within the window open it, if they are at least half of the attempts since the first of them.
    pub failures: u32,
    /// How far back attempts count.
    pub window: Duration,
    /// A connect that takes longer counts as a failure, although it succeeds.
    pub slow_connect: Option<Duration>,
    /// How long it stays open the first time; each failed trial doubles it.
    pub recovery: Duration,
    /// It never stays open longer without a trial.
    pub max_recovery: Duration,
    /// How many trials may run at once, and must succeed, before it closes.
    pub trials: u32,
    /// A trial without an outcome after this long is given up, and another may run.
    pub trial_limit: Duration,
    /// During maintenance failures don't open it, but attempts of all processes are at least this far apart.
    pub maintenance_pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(600),
            slow_connect: None,
            recovery: Duration::from_secs(60),
            max_recovery: Duration::from_secs(300),
            trials: 1,
            trial_limit: Duration::from_secs(60),
            maintenance_pause: Duration::from_secs(30),
        }
    }
}

/// Tells trials that run at the same time apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialId(pub u32);

/// Why somebody forced the breaker, and who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who did it, e.g. a user or a program.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// The leave to make an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The breaker is closed.
    Free,
    /// The breaker is half open, and this attempt finds out for all.
    Trial(TrialId),
}

/// How an admitted attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It connected, in this time.
    Success(Duration),
    /// The Gateway failed it; the text says how.
    Failure(String),
    /// The Gateway failed it, while its servers are being reset.
    Maintenance(String),
    /// It says nothing about the Gateway: abandoned, or failed here.
    Neutral,
}

impl Outcome {
    /// What a failed attempt says about the Gateway.
    ///
    /// Only the Gateway's own failures count. A wrong configuration, a worker that can't start, a client id in use, a local
    /// port on which nobody listens: neither do they harm the Gateway, nor would waiting help.
    pub fn of_error(error: &Error) -> Self {
        let phase = error.phase();
        let counts = match error.kind() {
            ErrorKind::NotListening | ErrorKind::Unreachable => phase == Some(Phase::Tcp),
            ErrorKind::WorkerCrashed => phase >= Some(Phase::Tcp),
            ErrorKind::HandshakeTimeout
            | ErrorKind::Rejected
            | ErrorKind::GatewayWedged
            | ErrorKind::Protocol
            | ErrorKind::ServerTooOld
            | ErrorKind::GatewayError
            | ErrorKind::Timeout
            | ErrorKind::Disconnected => phase.is_none_or(|phase| phase > Phase::Spawn),
            _ => false,
        };
        let place = phase.map(|phase| format!(" in {phase}")).unwrap_or_default();
        if counts { Self::Failure(format!("{}{place}", error.kind())) } else { Self::Neutral }
    }

    /// The same during a maintenance window, where failures are no surprise.
    #[must_use]
    pub fn in_maintenance(self) -> Self {
        match self {
            Self::Failure(how) => Self::Maintenance(how),
            other => other,
        }
    }
}

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
    /// Closed, but an attempt has just failed because the Gateway's servers are being reset.
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
}

impl Refusal {
    /// The refusal that the error tells of, if it does.
    pub fn of_error(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// In what time an attempt is admitted, where that is known.
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::Open { retry_in, .. } | Self::Maintenance { retry_in } => Some(*retry_in),
            Self::TrialsRunning { .. } | Self::Forced(_) => None,
        }
    }
}

impl StdError for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_in, last_failure } => {
                write!(f, "open for another {} s", retry_in.as_secs_f64().ceil())?;
                last_failure.as_ref().map_or(Ok(()), |how| write!(f, " (last failure: {how})"))
            }
            Self::Maintenance { retry_in } => {
                let seconds = retry_in.as_secs_f64().ceil();
                write!(f, "pausing for another {seconds} s: IBKR's servers are being reset")
            }
            Self::TrialsRunning { .. } => f.write_str("half open, and another attempt is finding out"),
            Self::Forced(Note { actor, reason }) => write!(f, "forced open by {actor}: {reason}"),
        }
    }
}

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
}

impl BreakerState {
    /// The name in JSON and events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::ForcedOpen { .. } => "forced_open",
        }
    }
}
