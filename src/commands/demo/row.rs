//! What one client did in one scene.

use std::time::Duration;

use ibkr_connect::{ErrorKind, millis};
use serde_json::{Value, json};

use super::client::{Attempt, Failure};
use super::scene::Scene;
use super::way::Way;
use crate::commands::latency::Latencies;

/// The attempts of one client in one scene, and how its Gateway was afterwards.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scene: Scene,
    pub(crate) way: Way,
    pub(crate) attempts: Vec<Attempt>,
    /// Half-closed connections on the Gateway's port after the scene, those of both sides.
    pub(crate) half_closed: usize,
    /// Whether the Gateway accepted nobody any more after the scene.
    pub(crate) wedged: bool,
}

impl Row {
    /// Whether every attempt connected, pinged and fetched.
    pub(crate) fn is_flawless(&self) -> bool {
        let fine = |a: &Attempt| a.took.is_some() && a.pinged && a.fetched && a.failure.is_none();
        !self.attempts.is_empty() && self.attempts.iter().all(fine)
    }

    /// Whether every attempt failed to connect.
    pub(crate) fn is_shut_out(&self) -> bool {
        !self.attempts.is_empty() && self.successes() == 0
    }

    /// Whether every attempt failed with an error of this kind.
    pub(crate) fn failed_with(&self, kind: ErrorKind) -> bool {
        let is_of_kind = |a: &Attempt| a.failure.as_ref().is_some_and(|failure| failure.kind == Some(kind));
        self.is_shut_out() && self.attempts.iter().all(is_of_kind)
    }

    pub(crate) fn successes(&self) -> usize {
        self.count(|attempt| attempt.took.is_some())
    }

    pub(crate) fn first_failure(&self) -> Option<&Failure> {
        self.attempts.iter().find_map(|attempt| attempt.failure.as_ref())
    }

    /// How long the connections took by their own clock.
    pub(crate) fn took(&self) -> Latencies {
        self.attempts.iter().filter_map(|attempt| attempt.took).collect()
    }

    /// How long the program waited, for a connection or for the news that there is none.
    pub(crate) fn seen(&self) -> Latencies {
        self.attempts.iter().map(|attempt| attempt.seen).collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "scenario": self.scene.name(),
            "mode": self.way.name(),
            "attempts": self.attempts.len(),
            "successes": self.successes(),
            "connect_ms": summary(&self.took()),
            "seen_ms": summary(&self.seen()),
            "pings_ok": self.count(|attempt| attempt.pinged),
            "fetches_ok": self.count(|attempt| attempt.fetched),
            "zombies_left": self.half_closed,
            "gateway_wedged": self.wedged,
            "first_failure": self.first_failure().map(|failure| &failure.message),
        })
    }

    /// The row as a line for people.
    pub(crate) fn line(&self) -> String {
        let connected = format!("{} of {} connected", self.successes(), self.attempts.len());
        let times = if self.successes() > 0 {
            format!("took {}, seen {}", median(&self.took()), median(&self.seen()))
        } else {
            format!("given up after {}", median(&self.seen()))
        };
        let left = self.half_closed;
        let line = format!("{:<10}  {connected:<18}  {times:<26}  {left} half-closed", self.way.name());
        match self.first_failure().and_then(|failure| failure.kind) {
            Some(kind) => format!("{line}  {kind}"),
            None => line,
        }
    }

    fn count(&self, predicate: impl Fn(&Attempt) -> bool) -> usize {
        self.attempts.iter().filter(|attempt| predicate(attempt)).count()
    }
}

/// The shortest, the median and the longest, in milliseconds.
fn summary(latencies: &Latencies) -> Value {
    let [min, p50, max] = [0, 50, 100].map(|percent| latencies.percentile(percent));
    json!({ "min": min, "p50": p50, "max": max })
}

/// The median as a text.
pub(crate) fn median(latencies: &Latencies) -> String {
    latencies.percentile(50).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"))
}

/// A duration in whole milliseconds.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.0} ms", millis(duration))
}
