//! The phases of a handshake, so that an error says how far it got.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// How far a connect has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Before a byte is sent: checks and name resolution.
    Preflight,
    /// The worker process starts, until its hello.
    Spawn,
    /// From SYN to an established connection.
    Tcp,
    /// From our hello until the Gateway's version.
    Version,
    /// From startApi until the first of managed accounts and next valid id.
    StartApi,
    /// Until both managed accounts and next valid id are there.
    Accounts,
    /// A round trip that proves the Gateway answers: see [`Request::ProofOfLife`](crate::Request::ProofOfLife).
    Verify,
}

impl Phase {
    /// Every phase in its order.
    pub const ALL: &'static [Self] = &[
        Self::Preflight,
        Self::Spawn,
        Self::Tcp,
        Self::Version,
        Self::StartApi,
        Self::Accounts,
        Self::Verify,
    ];

    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Spawn => "spawn",
            Self::Tcp => "tcp",
            Self::Version => "version",
            Self::StartApi => "start_api",
            Self::Accounts => "accounts",
            Self::Verify => "verify",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How long one phase took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhaseTiming {
    /// Which phase.
    pub phase: Phase,
    /// Its length in milliseconds.
    pub ms: f64,
}

impl PhaseTiming {
    /// The timing of `phase`, kept to the microsecond.
    pub fn new(phase: Phase, took: Duration) -> Self {
        Self { phase, ms: millis(took) }
    }
}

/// A name of another program's, which may be of a newer version.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Lenient<T> {
    Known(T),
    Unknown(String),
}

impl<T> Lenient<T> {
    /// What it names, or what `otherwise` makes of a name that this version does not know.
    pub(crate) fn or_else(self, otherwise: impl FnOnce(String) -> Option<T>) -> Option<T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown(name) => otherwise(name),
        }
    }
}

/// Reads the timings of those phases that this version knows.
///
/// # Errors
/// When they are no timings.
pub fn known_timings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PhaseTiming>, D::Error> {
    #[derive(Deserialize)]
    struct Received {
        phase: Lenient<Phase>,
        ms: f64,
    }
    let timings = Vec::<Received>::deserialize(deserializer)?;
    let known = |Received { phase, ms }| Some(PhaseTiming { phase: phase.or_else(|_| None)?, ms });
    Ok(timings.into_iter().filter_map(known).collect())
}

/// `duration` in milliseconds, rounded to the microsecond, as all our JSON shows durations.
pub fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialized_phase_is_its_name() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
    }
}
