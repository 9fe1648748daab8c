//! What the end of an attempt says about the Gateway.

use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase};

/// How an admitted attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It connected, in this time.
    Success(Duration),
    /// The Gateway failed it; the text says how.
    Failure(String),
    /// The Gateway failed it, while IBKR may be resetting its servers.
    Maintenance(String),
    /// It says nothing about the Gateway: abandoned, or failed here.
    Neutral,
}

/// How a Gateway is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It listens on this machine itself.
    Directly,
    /// It is on another machine, or a forwarder listens for it.
    ThroughOthers,
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

    /// What a failed attempt says about a Gateway that is `reached` like this.
    ///
    /// A refused connection, and one that is closed without a byte, come from the machine or the forwarder in between while the
    /// Gateway is down. They cost it nothing, and an open breaker would only delay the return.
    pub(crate) fn of_attempt(error: &Error, reached: impl FnOnce() -> Reach) -> Self {
        let is_from_between = matches!(
            (error.kind(), error.phase()),
            (ErrorKind::NotListening, Some(Phase::Tcp)) | (ErrorKind::Rejected, Some(Phase::Version))
        );
        if is_from_between && reached() == Reach::ThroughOthers {
            Self::Neutral
        } else {
            Self::of_error(error)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_in_between_says_nothing_about_the_gateway() {
        let counts = |kind, phase, reach| {
            let error = Error::new(kind, "as planned").in_phase(phase);
            Outcome::of_attempt(&error, || reach) != Outcome::Neutral
        };
        for (kind, phase) in [(ErrorKind::NotListening, Phase::Tcp), (ErrorKind::Rejected, Phase::Version)] {
            assert!(!counts(kind, phase, Reach::ThroughOthers), "{kind}");
            assert!(counts(kind, phase, Reach::Directly), "{kind}");
        }
        for (kind, phase) in
            [(ErrorKind::Rejected, Phase::StartApi), (ErrorKind::HandshakeTimeout, Phase::Version)]
        {
            assert!(counts(kind, phase, Reach::ThroughOthers), "{kind} in {phase}");
        }
    }
}
