//! The attempts of a connect, for its connection, its error and the log.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::literal;
use ibkr_connect_core::{Attempt, ConnectionMode, Error, Phase, PhaseTiming, millis};

use crate::connect::dialer::Opened;
use crate::telemetry;

/// The attempts of a connect that failed: the [`source`](StdError::source) of its error.
///
/// ```
/// # use ibkr_connect_core::Error;
/// # use ibkr_connect_resilience::Attempts;
/// # use std::error::Error as _;
/// fn attempts(error: &Error) -> Option<&Attempts> {
///     error.source()?.downcast_ref()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Attempts {
    attempts: Vec<Attempt>,
    last: Error,
}

impl Attempts {
    /// The attempts, in their order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attempts: ")?;
        for (index, attempt) in self.attempts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{attempt}")?;
        }
        Ok(())
    }
}

impl StdError for Attempts {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.last)
    }
}

/// Collects attempts while they are made.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    mode: ConnectionMode,
    log_accounts: LogAccounts,
    attempts: Vec<Attempt>,
}

/// The times of an attempt that is being made.
#[derive(Debug, Default)]
pub(crate) struct AttemptTimes {
    /// From 1; one with another client id is the same.
    pub(crate) attempt: u32,
    pub(crate) client_id: Option<i32>,
    pub(crate) waited: Duration,
    pub(crate) took: Duration,
}

impl AttemptTimes {
    fn attempt(&self, phases: Vec<PhaseTiming>) -> Attempt {
        literal!(Attempt {
            kind: None,
            phase: None,
            client_id: self.client_id,
            ms: millis(self.took),
            waited_ms: millis(self.waited),
            phases,
        })
    }
}

impl AttemptLog {
    pub(crate) fn new(mode: ConnectionMode, log_accounts: LogAccounts) -> Self {
        Self { mode, log_accounts, attempts: Vec::new() }
    }

    pub(crate) fn begun(&self, course: &AttemptTimes) {
        tracing::debug!(
            attempt = self.attempts.len() + 1,
            client_id = course.client_id,
            waited_ms = millis(course.waited),
            "connect_attempt_begun"
        );
    }

    pub(crate) fn failed(&mut self, course: &AttemptTimes, error: &Error) {
        let attempt = literal!(Attempt {
            kind: Some(error.kind()),
            phase: error.phase(),
            ..course.attempt(error.phases().to_vec())
        });
        tracing::warn!(
            attempt = self.attempts.len() + 1,
            kind = error.kind().as_str(),
            phase = error.phase().map(Phase::as_str),
            client_id = attempt.client_id,
            ms = attempt.ms,
            waited_ms = attempt.waited_ms,
            error = %self.log_accounts.text(error),
            "connect_attempt_failed"
        );
        telemetry::phases(self.mode, &attempt.phases);
        self.attempts.push(attempt);
    }

    /// All attempts, the one that succeeded the last of them.
    pub(crate) fn succeeded(&mut self, course: &AttemptTimes, opened: Opened<'_>) -> Vec<Attempt> {
        let attempt = course.attempt(opened.phases.to_vec());
        tracing::info!(
            attempt = self.attempts.len() + 1,
            client_id = attempt.client_id,
            ms = attempt.ms,
            waited_ms = attempt.waited_ms,
            accounts = self.log_accounts.ids(opened.accounts),
            "connect_attempt_succeeded"
        );
        telemetry::phases(opened.mode, opened.phases);
        self.attempts.push(attempt);
        std::mem::take(&mut self.attempts)
    }

    /// The last attempt's error, with all attempts as its source. `outcome` says why there are no more of them.
    pub(crate) fn into_error(self, last: Error, outcome: &str) -> Error {
        let error = last.clone().map_message(|message| match self.attempts.len() {
            0 | 1 => format!("{message}{outcome}"),
            count => {
                let before: Vec<String> = self.attempts[..count - 1].iter().map(Attempt::to_string).collect();
                format!("{message}; attempt {count}, after {}{outcome}", before.join(", "))
            }
        });
        error.with_source(Attempts { attempts: self.attempts, last })
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::ErrorKind;

    use super::*;

    #[test]
    fn the_error_tells_the_whole_story() {
        let mut log = AttemptLog::new(ConnectionMode::Mock, LogAccounts::Masked);
        let course = |millis| AttemptTimes {
            attempt: 1,
            client_id: Some(7),
            waited: Duration::from_millis(50),
            took: Duration::from_millis(millis),
        };
        log.failed(&course(10_000), &Error::new(ErrorKind::HandshakeTimeout, "a").in_phase(Phase::Version));
        let last =
            Error::new(ErrorKind::Rejected, "closed").in_phase(Phase::StartApi).with_code(1).permanent();
        log.failed(&course(100), &last);
        let error = log.into_error(last, "");
        assert_eq!(
            error.to_string(),
            "closed; attempt 2, after handshake_timeout in version after 10.0 s (rejected in start_api, TWS code 1)"
        );
        assert!(!error.is_retryable());
        let attempts: &Attempts = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!(attempts.attempts()[0].waited_ms, 50.0);
        assert_eq!(
            attempts.to_string(),
            "attempts: handshake_timeout in version after 10.0 s, rejected in start_api after 0.1 s"
        );
        assert_eq!(attempts.source().unwrap().to_string(), "closed (rejected in start_api, TWS code 1)");
    }
}
