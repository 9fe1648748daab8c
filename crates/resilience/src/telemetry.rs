//! What this crate tells and counts in more than one way: each happening once, as an event and as metrics.

use std::time::Duration;

use ibkr_connect_core::telemetry::{
    BREAKER_STATE, BREAKER_TRANSITIONS, CONNECTS, PHASE_SECONDS, RECOVERY_SECONDS, RETRIES, SESSION_UPTIME,
    WORKER_RESTARTS, outcome,
};
use ibkr_connect_core::{CloseReason, Connection, ConnectionMode, Error, PhaseTiming, Result, millis};

use crate::breaker::BreakerState;
use crate::gateway::Gateway;

/// Counts a connect when it ends, in whatever way.
pub(crate) struct Connect {
    mode: ConnectionMode,
    outcome: &'static str,
}

impl Connect {
    pub(crate) fn begun(mode: ConnectionMode) -> Self {
        Self { mode, outcome: "abandoned" }
    }

    pub(crate) fn ended(mut self, result: &Result<Box<dyn Connection>>) {
        self.outcome = outcome(result);
        // The fallback's connection says which mode it really has.
        if let Ok(connection) = result {
            self.mode = connection.info().mode;
        }
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        CONNECTS.add([&self.mode, &self.outcome], 1);
    }
}

/// The phases of an attempt that has ended.
pub(crate) fn phases(mode: ConnectionMode, phases: &[PhaseTiming]) {
    for PhaseTiming { phase, ms } in phases {
        tracing::debug!(phase = phase.as_str(), ms, "connect_phase");
        PHASE_SECONDS.record([&mode, phase], Duration::from_secs_f64(ms.max(0.0) / 1_000.0));
    }
}

/// The next attempt follows after `wait`.
pub(crate) fn retries(mode: ConnectionMode, error: &Error, wait: Duration) {
    tracing::info!(kind = error.kind().as_str(), wait_ms = millis(wait), "connect_retry");
    RETRIES.add([&mode, &error.kind()], 1);
}

/// The breaker was in one state and is in another; in the same one, nothing is told.
pub(crate) fn breaker_changed(gateway: &Gateway, old: &BreakerState, new: &BreakerState) {
    let (from, to) = (old.as_str(), new.as_str());
    if from != to {
        tracing::info!(%gateway, from, to, details = ?new, "breaker_transition");
        BREAKER_TRANSITIONS.add([gateway, &from, &to], 1);
    }
}

/// The breaker is in this state.
pub(crate) fn breaker_is(gateway: &Gateway, state: &BreakerState) {
    let value = match state {
        BreakerState::Closed { .. } => 0.0,
        BreakerState::HalfOpen { .. } => 1.0,
        BreakerState::Open { .. } => 2.0,
        BreakerState::ForcedOpen { .. } => 3.0,
    };
    BREAKER_STATE.set([gateway], value);
}

/// Why a session was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Disconnected,
    WorkerExited,
    /// By this program.
    Closed,
    /// It has not ended; the Gateway no longer answers.
    Silence,
}

impl Cause {
    pub(crate) fn of(end: Option<&CloseReason>) -> Self {
        match end {
            Some(CloseReason::WorkerExited(_)) => Self::WorkerExited,
            Some(CloseReason::Requested) => Self::Closed,
            Some(_) => Self::Disconnected,
            None => Self::Silence,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::WorkerExited => "worker_exited",
            Self::Closed => "closed",
            Self::Silence => "silence",
        }
    }
}

pub(crate) fn session_lost(generation: u64, cause: Cause, reason: &str) {
    tracing::warn!(reason, generation, cause = cause.as_str(), "session_lost");
}

/// How a lost session was replaced.
pub(crate) struct Recovery {
    pub(crate) mode: ConnectionMode,
    pub(crate) cause: Cause,
    pub(crate) took: Duration,
}

pub(crate) fn session_recovered(generation: u64, gateway: &Gateway, recovery: &Recovery) {
    let Recovery { mode, cause, took } = recovery;
    let cause = cause.as_str();
    tracing::info!(generation, cause, ms = millis(*took), "session_recovered");
    RECOVERY_SECONDS.record([mode, &cause], *took);
    if recovery.cause == Cause::WorkerExited {
        WORKER_RESTARTS.add([gateway], 1);
    }
}

/// How old the session is; `None` while there is none.
pub(crate) fn session_is(mode: ConnectionMode, gateway: &Gateway, age: Option<Duration>) {
    SESSION_UPTIME.set([&mode, gateway], age.unwrap_or_default().as_secs_f64());
}
