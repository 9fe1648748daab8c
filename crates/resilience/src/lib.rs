//! Connecting that cannot storm, hang or lie: the one policy around every backend.
//!
//! [`RobustConnector`] wraps any [`Connector`](ibkr_connect_core::Connector). Everything it decides with is a state machine
//! that takes events and the time and knows neither files nor threads; thin shells share the machines between processes
//! through small files in the state directory, under the kernel's locks.
//!
//! Reading order:
//! - [`RobustConnector`], [`Policy`], `run` (a connect from beginning to end), [`Attempts`] (what happened in it);
//! - [`Breaker`] and [`BreakerStore`], [`Backoff`], [`Windows`]: when to ask the Gateway, and when not;
//! - [`HandshakeLock`], [`Leases`]: one at a time, and each under its own name;
//! - [`Supervisor`]: a session that stays up, over any connector;
//! - [`RestartHook`]: what may be done about a Gateway that is stuck;
//! - [`GatewayStatus`]: how things stand with every Gateway, for people;
//! - [`MessageRate`], [`HistoricalPacer`]: IBKR's limits;
//! - [`Clock`], [`Gateway`], `file_lock` and `files`: time, identity and safe files underneath.
//!
//! # Events
//! What happens here is told by events and spans of `tracing` under the target `ibkr_connect_resilience`, and by metrics:
//! [`ibkr_connect_core::telemetry`] has the tables, docs/observability.md shows them.

#![forbid(unsafe_code)]

mod attempt;
mod backoff;
mod breaker;
mod breaker_store;
mod breaker_types;
mod clock;
mod connect;
mod connection;
mod file_lock;
mod files;
mod gateway;
mod history;
mod history_store;
mod known;
mod lease;
mod lock;
mod owner;
mod pacing;
mod policy;
mod port;
mod queue;
mod restart;
mod run;
mod supervisor;
mod telemetry;
mod timer;
mod window;

pub use attempt::Attempts;
pub use backoff::{Backoff, Pace};
pub use breaker::{Breaker, Memory};
pub use breaker_store::{BreakerStore, Permit};
pub use breaker_types::{Admission, BreakerSettings, BreakerState, Note, Outcome, Refusal, TrialId};
pub use clock::{Clock, KernelClock, Moment, Stamp};
pub use connect::RobustConnector;
pub use gateway::Gateway;
pub use history::{HistoricalKey, HistoricalPacer, Turn};
pub use known::GatewayStatus;
pub use lease::{DEFAULT_RANGE, Lease, Leases, SLOTS, Slot};
pub use lock::{HandshakeGuard, HandshakeLock};
pub use owner::Owner;
pub use pacing::{Bucket, MessageRate};
pub use policy::{Policy, PortCheck};
pub use queue::PacingStatus;
pub use restart::RestartHook;
pub use supervisor::{
    Damage, Farm, FarmKind, GiveUp, NextAttempt, RestartLimit, StreamItem, SupervisedSession,
    SupervisedStream, Supervisor, SupervisorOptions, SupervisorState,
};
pub use window::{MAINTENANCE_FILE, Window, Windows};
