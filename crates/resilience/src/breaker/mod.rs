//! The circuit breaker: after enough failures nobody asks the Gateway for a while, then one asks for all.
//!
//! Reading order: `machine` with its `settings`, the `admission` that it gives, the `outcome` that it is told and the `state`
//! that it shows; its `memory`, which is kept on disk; then [`BreakerStore`], which shares it between processes.

mod admission;
mod machine;
mod memory;
mod outcome;
mod settings;
mod state;
mod store;

pub(crate) use admission::{Admission, Refused, TrialId};
pub use admission::{Note, Refusal};
#[cfg(test)]
pub(crate) use machine::{Attempt, Breaker};
pub use outcome::Outcome;
pub(crate) use outcome::Reach;
pub use settings::BreakerSettings;
pub use state::BreakerState;
pub use store::{BreakerStore, Permit};
