//! What this crate tells and counts in more than one way: each happening once, as an event and as metrics.

use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::telemetry::{
    BREAKER_STATE, BREAKER_TRANSITIONS, CONNECTS, PHASE_SECONDS, RECOVERY_SECONDS, RETRIES, SESSION_UPTIME,
    WORKER_RESTARTS, outcome,
};
use ibkr_connect_core::{CloseReason, ConnectionMode, Error, PhaseTiming, Result, Target, millis};

use crate::breaker::BreakerState;
use crate::connect::Opened;
use crate::gateway::Gateway;
use crate::supervisor::Reading;

/// Counts a connect when it ends, in whatever way.
pub(crate) struct Connect {
    mode: ConnectionMode,
    outcome: &'static str,
}

impl Connect {
    pub(crate) fn begun(mode: ConnectionMode) -> Self {
        Self { mode, outcome: "abandoned" }
    }

    pub(crate) fn ended<T>(mut self, result: &Result<T>, opened: impl FnOnce(&T) -> Opened<'_>) {
        self.outcome = outcome(result);
        if let Ok(connection) = result {
            self.mode = opened(connection).mode;
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
    for PhaseTiming { phase, ms, .. } in phases {
        tracing::debug!(phase = phase.as_str(), ms, "connect_phase");
        PHASE_SECONDS.record([&mode, phase], Duration::from_secs_f64(ms.max(0.0) / 1_000.0));
    }
}

/// The next attempt follows after `wait`.
pub(crate) fn retries(mode: ConnectionMode, error: &Error, wait: Duration) {
    tracing::info!(kind = error.kind().as_str(), wait_ms = millis(wait), "connect_retry");
    RETRIES.add([&mode, &error.kind()], 1);
}

/// A request would wait longer than it may. Told here and not where waits are told, which the command shows: its error says it.
pub(crate) fn request_not_sent(command: &str, wait_ms: u64, limit_ms: u64) {
    tracing::warn!(command, wait_ms, limit_ms, "request_not_sent");
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
        BreakerState::Unreadable { .. } => 4.0,
    };
    BREAKER_STATE.set([gateway], value);
}

/// Why a session was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Disconnected,
    WorkerExited,
    /// By this program.
    Closed,
    /// It has not ended; the Gateway no longer answers.
    Silence,
}

impl Cause {
    fn of(end: Option<&CloseReason>) -> Self {
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

fn session_lost(generation: u64, cause: Cause, reason: &str) {
    tracing::warn!(reason, generation, cause = cause.as_str(), "session_lost");
}

/// How a lost session was replaced.
struct Recovery {
    mode: ConnectionMode,
    cause: Cause,
    took: Duration,
}

fn session_recovered(generation: u64, gateway: &Gateway, recovery: &Recovery) {
    let Recovery { mode, cause, took } = recovery;
    let cause = cause.as_str();
    tracing::info!(generation, cause, ms = millis(*took), "session_recovered");
    RECOVERY_SECONDS.record([mode, &cause], *took);
    if recovery.cause == Cause::WorkerExited {
        WORKER_RESTARTS.add([gateway], 1);
    }
}

/// How old the session is; `None` while there is none.
fn session_is(mode: ConnectionMode, gateway: &Gateway, age: Option<Duration>) {
    SESSION_UPTIME.set([&mode, gateway], age.unwrap_or_default().as_secs_f64());
}

/// How a session is lost that has not ended.
const SILENCE: &str = "the Gateway no longer answers";

/// What a supervisor tells and counts of its sessions: how old they are, how they are lost, and how soon there is another.
#[derive(Debug)]
pub(crate) struct SessionTelemetry {
    mode: ConnectionMode,
    gateway: Gateway,
    log_accounts: LogAccounts,
    /// Since when there is the session.
    connected: Option<Reading>,
    /// How it has ended, until it is taken for lost.
    end: Option<CloseReason>,
    /// The loss that is being recovered from.
    loss: Option<(Reading, Cause)>,
}

impl SessionTelemetry {
    pub(crate) fn new(mode: ConnectionMode, target: &Target) -> Self {
        let (gateway, log_accounts) = (Gateway::from(target), target.log_accounts);
        Self { mode, gateway, log_accounts, connected: None, end: None, loss: None }
    }

    pub(crate) fn connected(&mut self, now: Reading) {
        self.connected = Some(now);
    }

    pub(crate) fn ended(&mut self, reason: CloseReason) {
        self.end = Some(reason);
    }

    /// The session is taken for lost.
    pub(crate) fn lost(&mut self, now: Reading, generation: u64) {
        let end = self.end.take();
        let cause = Cause::of(end.as_ref());
        let reason = end.map_or_else(|| SILENCE.to_owned(), |reason| reason.to_string());
        session_lost(generation, cause, &self.log_accounts.text(reason).to_string());
        self.loss = Some((now, cause));
    }

    /// There is no session any more, or not yet.
    pub(crate) fn gone(&mut self) {
        self.connected = None;
    }

    /// What is to be told and counted now.
    pub(crate) fn at(&mut self, now: Reading, generation: u64, is_usable: bool) {
        let age = self.connected.map(|connected| now.since(connected));
        session_is(self.mode, &self.gateway, age);
        if is_usable && let Some((lost, cause)) = self.loss.take() {
            let recovery = Recovery { mode: self.mode, cause, took: now.since(lost) };
            session_recovered(generation, &self.gateway, &recovery);
        }
    }
}
