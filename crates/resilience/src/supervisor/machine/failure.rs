//! What the failure of an attempt means for the next one.

use ibkr_connect_core::{Error, ErrorKind, Phase};

/// What a failure says about the Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It is wedged.
    Wedged,
    /// It has taken the connection, and has not answered.
    Mute,
    /// It does something.
    Alive,
    /// The attempt never came to it.
    None,
}

pub(super) fn evidence(error: &Error) -> Evidence {
    match error.kind() {
        ErrorKind::GatewayWedged => Evidence::Wedged,
        ErrorKind::HandshakeTimeout => Evidence::Mute,
        _ if error.phase() <= Some(Phase::Spawn) && error.kind() != ErrorKind::NotListening => Evidence::None,
        _ => Evidence::Alive,
    }
}

/// What an attempt has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// It was refused on this machine, for now. Asking again costs the Gateway nothing, and waiting longer each time would only
    /// delay the return.
    NotAsked,
    /// The Gateway had no work with it: its machine has refused or was not reached, or somebody has closed the connection without a
    /// byte, as a forwarder does while the Gateway behind it is down.
    Nothing,
    /// The Gateway had work with it.
    Attempt,
}

pub(super) fn cost(error: &Error) -> Cost {
    let phase = error.phase();
    match error.kind() {
        _ if error.is_retryable() && phase == Some(Phase::Preflight) => Cost::NotAsked,
        ErrorKind::NotListening | ErrorKind::Unreachable if phase <= Some(Phase::Tcp) => Cost::Nothing,
        ErrorKind::Rejected if phase == Some(Phase::Version) => Cost::Nothing,
        _ => Cost::Attempt,
    }
}

/// Whether neither time nor somebody else cures it: a wedged Gateway is restarted, and a forced breaker reset, from outside.
pub(super) fn is_permanent(error: &Error) -> bool {
    let is_cured_outside = matches!(error.kind(), ErrorKind::GatewayWedged | ErrorKind::CircuitOpen);
    !error.is_retryable() && !is_cured_outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_says_and_costs() {
        for (kind, phase, said, costs) in [
            (ErrorKind::GatewayWedged, Some(Phase::Tcp), Evidence::Wedged, Cost::Attempt),
            (ErrorKind::HandshakeTimeout, Some(Phase::Version), Evidence::Mute, Cost::Attempt),
            (ErrorKind::NotListening, Some(Phase::Tcp), Evidence::Alive, Cost::Nothing),
            (ErrorKind::NotListening, Some(Phase::Preflight), Evidence::Alive, Cost::NotAsked),
            (ErrorKind::Unreachable, Some(Phase::Tcp), Evidence::Alive, Cost::Nothing),
            (ErrorKind::Rejected, Some(Phase::Version), Evidence::Alive, Cost::Nothing),
            (ErrorKind::Rejected, Some(Phase::StartApi), Evidence::Alive, Cost::Attempt),
            (ErrorKind::LockTimeout, Some(Phase::Preflight), Evidence::None, Cost::NotAsked),
            (ErrorKind::WorkerSpawn, Some(Phase::Spawn), Evidence::None, Cost::Attempt),
            (ErrorKind::Internal, None, Evidence::None, Cost::Attempt),
        ] {
            let error = Error::new(kind, "as planned");
            let error = phase.into_iter().fold(error, Error::in_phase);
            assert_eq!((evidence(&error), cost(&error)), (said, costs), "{kind} in {phase:?}");
        }
    }
}
