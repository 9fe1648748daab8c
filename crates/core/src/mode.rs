//! The backends by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The values of `IBKR_CONNECTION_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionMode {
    /// ibapi in a worker process of its own.
    #[default]
    Subprocess,
    /// ibapi in this process, on a thread of its own.
    Direct,
    /// A mock, in tests; it can't be chosen by configuration.
    Mock,
}

impl ConnectionMode {
    /// The modes a user can choose.
    pub const CHOICES: &'static [Self] = &[Self::Subprocess, Self::Direct];

    /// The name in configuration and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subprocess => "subprocess",
            Self::Direct => "direct",
            Self::Mock => "mock",
        }
    }
}

impl fmt::Display for ConnectionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ConnectionMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::CHOICES
            .iter()
            .copied()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| "expected one of: subprocess, direct".to_owned())
    }
}
