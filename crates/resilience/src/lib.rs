//! Connecting that cannot storm, hang or lie: the one policy around every backend.
//!
//! [`RobustConnector`] wraps any [`Connector`](ibkr_connect_core::Connector). Everything it decides with is a state machine
//! that takes events and the time and knows neither files nor threads; thin shells share the machines between processes
//! through small files in the state directory, under the kernel's locks.
//!
//! Reading order:
//! - [`RobustConnector`] and its [`Policy`] (connect/): a connect from beginning to end, and what happened in it
//!   ([`Attempts`]); the pipeline, the same around whatever dials;
//! - [`BreakerStore`] (breaker/): when to ask the Gateway, and when not;
//! - ids/: a client id of its own for each client;
//! - [`PacingStatus`] (pacing/): IBKR's limits on messages and historical requests;
//! - [`Supervisor`] (supervisor/): a session that stays up, over any connector, and [`RestartHook`]: what may be done about a
//!   Gateway that is stuck;
//! - [`GatewayStatus`] (status.rs): how things stand with every Gateway, for people;
//! - [`Gateway`] (gateway.rs): which Gateway state belongs to. Time, locks and safe files underneath are
//!   [`ibkr_connect_state`]'s.
//!
//! # Events
//! What happens here is told by events and spans of `tracing` under the target `ibkr_connect_resilience`, and by metrics:
//! [`ibkr_connect_core::telemetry`] has the tables, docs/observability.md shows them.

#![forbid(unsafe_code)]
// What programs hold gets more fields.
#![warn(clippy::exhaustive_structs)]

mod error;
mod gateway;
mod observer;

mod breaker;
mod connect;
mod ids;
mod pacing;
#[cfg(test)]
mod record_attack;
mod status;
mod supervisor;
mod telemetry;

pub use breaker::{BreakerSettings, BreakerState, BreakerStore, Note, Refusal};
pub use connect::{Attempts, Backoff, ConnectWait, Policy, PortCheck, RobustConnector};
pub use gateway::Gateway;
pub use ibkr_connect_state::Holder;
pub use ids::{SLOTS, Slot};
pub use pacing::{PacingLimit, PacingStatus, PacingWait};
pub use status::GatewayStatus;
pub use supervisor::{
    BlockingSupervisedStream, BlockingSupervisor, BlockingTransitions, Damage, Farm, FarmKind, GiveUp,
    NextAttempt, RestartHook, RestartLimit, StreamItem, SupervisedSession, SupervisedStream, Supervisor,
    SupervisorOptions, SupervisorState, Transition, TransitionCause, Transitions,
};

/// What the crates around this one are made with, and the tests with several processes take apart. Not for users.
#[doc(hidden)]
pub mod parts {
    pub use ibkr_connect_state::{Clock, KernelClock, Moment, Stamp};

    pub use crate::breaker::{Outcome, Permit};
    pub use crate::connect::{Admitted, Dialer, HandshakeGuard, HandshakeLock, Held, Opened, Pace, Pipeline};
    pub use crate::ids::{Lease, Leases};
    pub use crate::pacing::Bucket;
}
