//! What proves that a Gateway answers.

use serde::{Deserialize, Serialize};

/// The question that the Gateway has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProofOfLife {
    /// That for the managed accounts, which it answers every time.
    ManagedAccounts,
    /// That for its time, which is asked when the other one stays unanswered for a second.
    ServerTime,
}
