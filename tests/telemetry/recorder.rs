//! Everything that this process tells and counts. The threads of the backends are reached by no subscriber and no recorder but the
//! global ones, so the tests share them and tell their own things by gateways, modes and account ids.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ibkr_connect::telemetry::{self, EVENTS, Kind, METRICS, SPANS, WORKER_LINES};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// An event or a span.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) target: &'static str,
    pub(crate) level: String,
    /// The message of an event, the name of a span.
    pub(crate) name: String,
    /// The names of the fields, in alphabetical order, but for the message.
    pub(crate) fields: Vec<&'static str>,
    /// The values, as text.
    pub(crate) values: BTreeMap<&'static str, String>,
    is_span: bool,
}

/// The values of one metric under one set of labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    /// The sum of a counter, the last value of a gauge that was not 0.
    pub(crate) value: f64,
    /// Those of a histogram.
    pub(crate) samples: Vec<f64>,
}

type Labels = BTreeMap<String, String>;

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());
static COUNTED: Mutex<BTreeMap<(String, Labels), Series>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn snapshotter() -> &'static Snapshotter {
    static SNAPSHOTTER: OnceLock<Snapshotter> = OnceLock::new();
    SNAPSHOTTER.get_or_init(|| {
        tracing_subscriber::registry().with(Notebook).init();
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        recorder.install().unwrap();
        telemetry::describe();
        snapshotter
    })
}

/// Records everything from now on.
pub(crate) fn start() {
    snapshotter();
}

/// What was told so far.
pub(crate) fn told() -> Vec<Told> {
    lock(&TOLD).clone()
}

/// What was counted so far under `name` and, at least, `labels`.
pub(crate) fn counted(name: &str, labels: &[(&str, &str)]) -> Vec<Series> {
    let mut counted = lock(&COUNTED);
    for (key, unit, description, value) in snapshotter().snapshot().into_vec() {
        assert!(unit.is_some() && description.is_some(), "{key:?} is described");
        let (kind, key) = key.into_parts();
        let labels: Labels =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        assert_in_table(kind, key.name(), &labels);
        let series = counted.entry((key.name().to_owned(), labels)).or_default();
        match value {
            DebugValue::Counter(count) => series.value += count as f64,
            DebugValue::Gauge(value) if value.0 == 0.0 => {}
            DebugValue::Gauge(value) => series.value = value.0,
            DebugValue::Histogram(samples) => series.samples.extend(samples.iter().map(|sample| sample.0)),
        }
    }
    let has =
        |found: &Labels| labels.iter().all(|(name, value)| found.get(*name).is_some_and(|it| it == value));
    let found = counted.iter().filter(|((known, found), _)| known == name && has(found));
    found.map(|(_, series)| series.clone()).collect()
}

fn assert_in_table(kind: MetricKind, name: &str, labels: &Labels) {
    let metric = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
    let wanted = match metric.kind {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram => MetricKind::Histogram,
    };
    let mut names = metric.labels.to_vec();
    names.sort_unstable();
    assert_eq!((kind, labels.keys().map(String::as_str).collect()), (wanted, names), "{name}");
}

/// Everything of ours told so far is in the tables, with exactly its fields.
pub(crate) fn assert_all_in_tables() {
    for told in told() {
        let Told { target, level, name, fields, is_span, .. } = &told;
        if !target.starts_with("ibkr_connect") {
            continue;
        }
        if *target == WORKER_LINES {
            assert_eq!(*fields, ["worker_pid"], "{told:?}");
            continue;
        }
        let found = if *is_span {
            SPANS
                .iter()
                .find(|span| span.name == name)
                .map(|span| (span.target, vec![span.level], span.fields))
        } else {
            let event = EVENTS.iter().find(|event| event.name == name);
            event.map(|event| (event.target, event.levels.to_vec(), event.fields))
        };
        let (home, levels, wanted) = found.unwrap_or_else(|| panic!("not in the tables: {told:?}"));
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(*fields, wanted, "{told:?}");
        assert!(levels.contains(&level.as_str()), "{told:?}");
        assert_eq!(target.split("::").next(), Some(home), "{told:?}");
    }
}

struct Notebook;

impl<S: Subscriber> Layer<S> for Notebook {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut values = Values::default();
        event.record(&mut values);
        note(event.metadata(), values);
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut values = Values::default();
        span.record(&mut values);
        note(span.metadata(), values);
    }
}

fn note(metadata: &'static Metadata<'static>, Values(mut values): Values) {
    // The Gateway may say what it likes.
    if metadata.target().starts_with("ibkr_connect_sim") {
        return;
    }
    let name = values.remove("message").unwrap_or_else(|| metadata.name().to_owned());
    let mut fields: Vec<_> =
        metadata.fields().iter().map(|field| field.name()).filter(|name| *name != "message").collect();
    fields.sort_unstable();
    let level = metadata.level().as_str().to_lowercase();
    let is_span = metadata.is_span();
    lock(&TOLD).push(Told { target: metadata.target(), level, name, fields, values, is_span });
}

#[derive(Default)]
struct Values(BTreeMap<&'static str, String>);

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
