//! IBKR's limits on messages and historical requests, kept by waiting.
//!
//! Reading order: `queue` (where a request waits), `rate` (messages per second), `history` (the rules for historical
//! requests) and `history_store` (the same for all processes), `timer` (waiting without the caller's runtime).

mod history;
mod history_store;
mod queue;
mod rate;
mod timer;

pub use queue::PacingStatus;
pub(crate) use queue::{Entrance, Queue, Queues};
pub use rate::MessageRate;
