//! IBKR's limits on messages and historical data, kept by waiting.
//!
//! Reading order: `pacer` (where a request waits for its admission), `messages` and `historical` (its two limits), `waits` (how
//! long a request may wait, and what is said about it); `cost` (what a request costs), `bucket` (messages per second) and
//! `history` (the rules for historical data) are pure; `ledger`, `message_ledger` and `history_ledger` (what all processes
//! share of both) and `timer` (waiting
//! without the caller's runtime) are underneath.

mod bucket;
mod cost;
mod historical;
mod history;
mod history_ledger;
mod ledger;
mod message_ledger;
mod messages;
mod pacer;
mod timer;
mod waits;

#[cfg(test)]
mod tests;

pub use bucket::Bucket;
pub use pacer::PacingStatus;
pub(crate) use pacer::{ConnectionPacer, Limits, Pacer, Pacers};
pub use waits::{PacingLimit, PacingWait};
