//! What is told and counted, as data: the events and spans of `tracing`, and the metrics of the feature `metrics`.
//!
//! docs/observability.md is generated from these tables. Metrics are recorded by the tables' own entries, so they can have no
//! other name or label; that events have the fields in their table is tested.

mod events;
mod instrument;
mod metrics;

pub use events::{EVENTS, EventInfo, SPANS, SpanInfo, WORKER_LINES};
#[cfg(feature = "metrics")]
pub use instrument::describe;
pub use instrument::{Kind, MetricInfo};
pub use metrics::METRICS;

// What records them, in the crates that have something to record.
#[doc(hidden)]
pub use instrument::{Counter, Gauge, ON, Seconds};
#[doc(hidden)]
pub use metrics::{
    BREAKER_STATE, BREAKER_TRANSITIONS, CONNECTS, PHASE_SECONDS, RECOVERY_SECONDS, REQUEST_SECONDS, RETRIES,
    SESSION_UPTIME, STREAM_LAG, WORKER_RESTARTS, ZOMBIES_CLEANED, ZOMBIES_FOUND,
};

use crate::Result;

/// How something ended, as a label: `ok`, or the kind of the error.
#[doc(hidden)]
pub fn outcome<T>(result: &Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}
