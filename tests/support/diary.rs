//! Every state that a supervisor went through: the watch shows only the latest, the `session_state` events show all.

use std::fmt::Debug;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The pages of all diaries: a supervisor's thread is reached by no subscriber but the global one.
static PAGES: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());

/// What one supervisor says of itself.
#[derive(Debug)]
pub(crate) struct Diary(Span);

impl Diary {
    pub(crate) fn open() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| tracing_subscriber::registry().with(LevelFilter::INFO).with(Writer).init());
        Self(tracing::info_span!("diary"))
    }

    /// Whoever is started in here writes into this diary.
    pub(crate) fn of<T>(&self, start: impl FnOnce() -> T) -> T {
        self.0.in_scope(start)
    }

    /// The names of the states so far. One that was entered again with other details counts once.
    pub(crate) fn states(&self) -> Vec<String> {
        let owner = self.0.id().unwrap().into_u64();
        let pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states: Vec<_> =
            pages.iter().filter(|(span, _)| *span == owner).map(|(_, state)| state.clone()).collect();
        states.dedup();
        states
    }
}

struct Writer;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Writer {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(diary) = context.event_scope(event).and_then(|scope| scope.from_root().next()) else {
            return;
        };
        let mut page = Page::default();
        event.record(&mut page);
        if page.message == "session_state" {
            let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
            pages.push((diary.id().into_u64(), page.state));
        }
    }
}

#[derive(Default)]
struct Page {
    message: String,
    state: String,
}

impl Visit for Page {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "state" {
            value.clone_into(&mut self.state);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
