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
