//! A time that TWS writes as a text.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A time of an order or execution. TWS writes it with a time zone, in UTC, or in its own zone without naming it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TwsTime {
    /// The time, RFC 3339 in UTC.
    #[cfg_attr(feature = "schema", schemars(with = "crate::types::schema::Time"))]
    Time(Timestamp),
    /// TWS's text, where it can't be told which time it means: a zone that is missing or unknown, or an hour that the clock
    /// passes twice.
    Text(String),
}

impl Default for TwsTime {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl TwsTime {
    /// The time; `None` where only TWS's text is known.
    pub fn timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for TwsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.pad(&time.to_string()),
            Self::Text(text) => f.pad(text),
        }
    }
}
