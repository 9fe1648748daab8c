//! What happened in each attempt of a connect.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, Phase, PhaseTiming};

/// One attempt of a connect that may take several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Attempt {
    /// How it failed; `None` if it succeeded.
    pub kind: Option<ErrorKind>,
    /// Where.
    pub phase: Option<Phase>,
    /// The client id; `None` if it failed before it had one.
    pub client_id: Option<i32>,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// How long it waited before (backoff, handshake lock), in milliseconds.
    pub waited_ms: f64,
    /// How long each phase took, in order, the one in which it failed included; empty where nobody knows.
    pub phases: Vec<PhaseTiming>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}")?,
            None => f.write_str("connected")?,
        }
        if let Some(phase) = self.phase {
            write!(f, " in {phase}")?;
        }
        write!(f, " after {:.1} s", self.ms / 1_000.0)
    }
}
