//! A row of the demo's table.

use serde_json::{Value, json};

use super::Way;
use super::client::Attempt;
use super::scenario::Scenario;
use crate::commands::latency::{Latencies, cell};

/// One scenario in one way, measured.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) way: Way,
    attempts: Vec<Attempt>,
    /// Half-closed connections on the Gateway's port after everything was closed, both sides.
    pub(crate) zombies_left: usize,
    pub(crate) first_failure: Option<String>,
}

impl Row {
    pub(crate) fn new(
        scenario: &'static Scenario,
        way: Way,
        attempts: Vec<Attempt>,
        zombies_left: usize,
    ) -> Self {
        let first_failure = attempts.iter().find_map(|attempt| attempt.failure.clone());
        Self { scenario, way, attempts, zombies_left, first_failure }
    }

    /// Whether every attempt connected, pinged and fetched.
    pub(crate) fn is_flawless(&self) -> bool {
        self.attempts.iter().all(|a| a.connected_in.is_some() && a.pinged && a.fetched)
    }

    pub(crate) fn to_json(&self) -> Value {
        let [min, p50, max] = self.connect_ms();
        json!({
            "scenario": self.scenario.name,
            "mode": self.way.name(),
            "attempts": self.attempts.len(),
            "successes": self.successes(),
            "connect_ms": { "min": min, "p50": p50, "max": max },
            "pings_ok": self.count(|attempt| attempt.pinged),
            "pings_total": self.successes(),
            "fetches_ok": self.count(|attempt| attempt.fetched),
            "fetches_total": self.successes(),
            "zombies_left": self.zombies_left,
        })
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            self.scenario.name.to_owned(),
            self.way.name().to_owned(),
            format!("{} of {}", self.successes(), self.attempts.len()),
            cell(&self.connect_ms()),
            format!("{} of {}", self.count(|attempt| attempt.pinged), self.successes()),
            format!("{} of {}", self.count(|attempt| attempt.fetched), self.successes()),
            self.zombies_left.to_string(),
        ]
    }

    fn successes(&self) -> usize {
        self.count(|attempt| attempt.connected_in.is_some())
    }

    fn count(&self, predicate: impl Fn(&Attempt) -> bool) -> usize {
        self.attempts.iter().filter(|attempt| predicate(attempt)).count()
    }

    /// The shortest, the median and the longest connect that succeeded, in milliseconds.
    fn connect_ms(&self) -> [Option<f64>; 3] {
        let latencies: Latencies = self.attempts.iter().filter_map(|attempt| attempt.connected_in).collect();
        [0, 50, 100].map(|percent| latencies.percentile(percent))
    }
}
