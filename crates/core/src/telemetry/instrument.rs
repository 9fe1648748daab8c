//! Instruments: a metric's description, and how it is recorded. Without the feature `metrics` recording is nothing at all.

use std::fmt::Display;
use std::time::Duration;

/// Whether metrics are recorded: the feature `metrics`.
pub const ON: bool = cfg!(feature = "metrics");

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricInfo {
    /// Its name, as Prometheus shows it.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub doc: &'static str,
}

/// How the values of a metric behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, in seconds.
    Histogram,
}

impl Kind {
    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl MetricInfo {
    /// What its values count, also the end of its name.
    pub fn unit(&self) -> &'static str {
        if self.name.ends_with("_seconds") { "seconds" } else { "count" }
    }
}

macro_rules! instruments {
    ($( $(#[doc = $doc:literal])+ $Type:ident: $kind:ident; )+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $Type<const LABELS: usize>(MetricInfo);

        impl<const LABELS: usize> $Type<LABELS> {
            pub(super) const fn new(
                name: &'static str,
                labels: &'static [&'static str; LABELS],
                doc: &'static str,
            ) -> Self {
                Self(MetricInfo { name, kind: Kind::$kind, labels, doc })
            }

            /// Its description.
            pub const fn info(&self) -> &MetricInfo {
                &self.0
            }
        }
    )+ };
}

instruments! {
    /// A metric that grows.
    Counter: Counter;
    /// A metric that goes up and down.
    Gauge: Gauge;
    /// A metric of durations.
    Seconds: Histogram;
}

impl<const LABELS: usize> Counter<LABELS> {
    /// Adds `count`, under the values of the labels in their order.
    pub fn add(&self, labels: [&dyn Display; LABELS], count: u64) {
        #[cfg(feature = "metrics")]
        metrics::counter!(self.0.name, pairs(&self.0, labels)).increment(count);
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, count);
    }
}

impl<const LABELS: usize> Gauge<LABELS> {
    /// Sets the value, under the values of the labels in their order.
    pub fn set(&self, labels: [&dyn Display; LABELS], value: f64) {
        #[cfg(feature = "metrics")]
        metrics::gauge!(self.0.name, pairs(&self.0, labels)).set(value);
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, value);
    }
}

impl<const LABELS: usize> Seconds<LABELS> {
    /// Adds a duration, under the values of the labels in their order.
    pub fn record(&self, labels: [&dyn Display; LABELS], took: Duration) {
        #[cfg(feature = "metrics")]
        metrics::histogram!(self.0.name, pairs(&self.0, labels)).record(took.as_secs_f64());
        #[cfg(not(feature = "metrics"))]
        let _ = (labels, took);
    }
}

#[cfg(feature = "metrics")]
fn pairs<const LABELS: usize>(info: &MetricInfo, values: [&dyn Display; LABELS]) -> Vec<metrics::Label> {
    let pairs = info.labels.iter().zip(values);
    pairs.map(|(name, value)| metrics::Label::new(*name, value.to_string())).collect()
}

/// Gives the installed recorder the description and unit of each metric. Call it once, after installing a recorder.
#[cfg(feature = "metrics")]
pub fn describe() {
    for info in super::METRICS {
        let unit = if info.unit() == "seconds" { metrics::Unit::Seconds } else { metrics::Unit::Count };
        match info.kind {
            Kind::Counter => metrics::describe_counter!(info.name, unit, info.doc),
            Kind::Gauge => metrics::describe_gauge!(info.name, unit, info.doc),
            Kind::Histogram => metrics::describe_histogram!(info.name, unit, info.doc),
        }
    }
}
