//! A change in the life of a supervised session, and what has caused it.

use std::fmt;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{CloseReason, Error};
use jiff::Timestamp;

use super::state::{Damage, NextAttempt, SupervisorState};

/// A change of a supervised session: of its state, or of the attempt that runs or is next. [`Supervisor::transitions`] gives them.
///
/// [`Supervisor::transitions`]: super::Supervisor::transitions
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Transition {
    /// Its number: the first of a supervisor is 1, and each following one is one more.
    pub number: u64,
    /// When it happened, by the wall clock of that moment.
    pub at: Timestamp,
    /// The number of the current session, or of the last one; 0 before the first.
    pub generation: u64,
    /// The new state. It is the old one if only the attempt has changed, as while the Gateway is wedged.
    pub state: SupervisorState,
    /// What has caused it.
    pub cause: TransitionCause,
    /// The attempt that runs or is next, counted from 1 since the last session; `None` while there is a session, and after the end.
    pub attempt: Option<u32>,
    /// When that attempt is made; `None` as `attempt` is.
    pub next: Option<NextAttempt>,
}

/// What has caused a [`Transition`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TransitionCause {
    /// The supervisor has started.
    Started,
    /// The time of the next attempt has come, or what it waited for has happened: something listens on the port, or the circuit
    /// breaker lets it pass.
    AttemptDue,
    /// Nothing listens on the port.
    NotListening,
    /// The attempt has failed.
    AttemptFailed(Error),
    /// The attempt has made a session.
    Connected,
    /// The session has ended.
    SessionEnded(CloseReason),
    /// The session is taken for lost: its Gateway has not answered a ping for [`misses`](super::SupervisorOptions::misses)
    /// intervals.
    SessionSilent,
    /// An interval has passed without an answer to a ping.
    PingUnanswered,
    /// The Gateway has answered a ping.
    PingAnswered,
    /// So many requests in a row got no answer in time; 0 when one was answered.
    RequestsUnanswered(u32),
    /// The Gateway has said something, such as 1100.
    Notice(Notice),
    /// The program has closed the supervisor.
    Closed,
    /// The supervisor's thread has panicked, which is a fault of ibkr-connect's.
    Panicked,
}

impl TransitionCause {
    /// The cause of a change between these states when it was noticed with `self`: a ping that is overdue may be noticed with
    /// anything.
    pub(super) fn of_change<At>(self, old: &SupervisorState<At>, new: &SupervisorState<At>) -> Self {
        let unanswered = |state: &SupervisorState<At>| match state {
            SupervisorState::Degraded(Damage { unanswered, .. }) => *unanswered,
            _ => 0,
        };
        if unanswered(new) > unanswered(old) { Self::PingUnanswered } else { self }
    }
}

/// As a part of a sentence. It may contain account ids, in the Gateway's own words: see
/// [`mask_accounts`](ibkr_connect_core::mask_accounts).
impl fmt::Display for TransitionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("the supervisor has started"),
            Self::AttemptDue => f.write_str("the next attempt is due"),
            Self::NotListening => f.write_str("nothing listens on the port"),
            Self::AttemptFailed(error) => error.fmt(f),
            Self::Connected => f.write_str("the attempt has succeeded"),
            Self::SessionEnded(reason) => reason.fmt(f),
            Self::SessionSilent => f.write_str("the Gateway no longer answers"),
            Self::PingUnanswered => f.write_str("the Gateway has not answered a ping in time"),
            Self::PingAnswered => f.write_str("the Gateway has answered a ping"),
            Self::RequestsUnanswered(0) => f.write_str("the Gateway has answered a request"),
            Self::RequestsUnanswered(count) => write!(f, "the last {count} requests got no answer"),
            Self::Notice(Notice { code, message, .. }) => write!(f, "{code}: {message}"),
            Self::Closed => f.write_str("the program has closed the supervisor"),
            Self::Panicked => f.write_str("the supervisor has panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overdue_ping_is_the_cause_with_whatever_it_is_noticed() {
        let degraded = |unanswered| -> SupervisorState {
            SupervisorState::Degraded(Damage { unanswered, ..Damage::default() })
        };
        let cause =
            |old: &SupervisorState, new: &SupervisorState| TransitionCause::Connected.of_change(old, new);
        for (old, new) in [(SupervisorState::Ready, degraded(1)), (degraded(1), degraded(2))] {
            assert!(matches!(cause(&old, &new), TransitionCause::PingUnanswered), "{old} to {new}");
        }
        for (old, new) in [
            (degraded(1), SupervisorState::Ready),
            (SupervisorState::Ready, degraded(0)),
            (degraded(1), degraded(1)),
            (degraded(2), SupervisorState::GatewayWedged),
        ] {
            assert!(matches!(cause(&old, &new), TransitionCause::Connected), "{old} to {new}");
        }
    }
}
