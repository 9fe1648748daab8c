//! What the Gateway says about itself.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A message of the Gateway about itself and its servers, not about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Notice {
    /// TWS's code, e.g. 1100 for lost servers, 2103 for a lost data farm.
    pub code: i32,
    /// TWS's text.
    pub message: String,
    /// When the Gateway said it, where it says when.
    #[cfg_attr(test, proptest(strategy = "super::arbitrary::maybe_timestamp()"))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub time: Option<Timestamp>,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
