//! Where `tracing` events go: to stderr as lines, and the changes of a supervised session to whoever follows them.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ibkr_connect::SupervisorState;
use ibkr_connect::config::LogAccounts;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt as lines};

/// The crate whose events tell about supervised sessions.
const SUPERVISOR: &str = "ibkr_connect_resilience";

/// What is told where otherwise only errors are: that a request waits, for more than a second, to keep IBKR's limits.
const WAITS: &str = "ibkr_connect_resilience::pacing=warn";

/// In detail ibapi logs the bytes of its requests, in which no account id can be masked.
const IBAPI: &str = "ibapi=info";

/// Sends events where they go, from now on.
pub(crate) fn init(log_accounts: LogAccounts) -> Sessions {
    let sessions = Sessions::default();
    let mut filter = EnvFilter::builder().with_default_directive(Level::ERROR.into()).from_env_lossy();
    // A command that says nothing for a long time looks as if it hung.
    if filter.max_level_hint() == Some(LevelFilter::ERROR)
        && let Ok(waits) = WAITS.parse()
    {
        filter = filter.add_directive(waits);
    }
    if filter.max_level_hint() > Some(LevelFilter::INFO)
        && let Ok(ibapi) = IBAPI.parse()
    {
        filter = filter.add_directive(ibapi);
    }
    let lines = lines::layer().with_writer(move || Stderr(log_accounts)).with_filter(filter);
    let changes = Changes { sessions: sessions.clone(), cause: Mutex::default() };
    let changes = changes.with_filter(Targets::new().with_target(SUPERVISOR, Level::INFO));
    tracing_subscriber::registry().with(lines).with(changes).init();
    sessions
}

/// Where lines go. Our own events have masked account ids already; ibapi's have not.
struct Stderr(LogAccounts);

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(self.0.line(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A change of a supervised session's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    /// The new state's name.
    pub(crate) state: String,
    pub(crate) generation: u64,
    /// The new state as a part of a sentence.
    pub(crate) detail: String,
    /// Why there is no session.
    pub(crate) cause: Option<String>,
}

/// The supervised sessions of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<OnceLock<mpsc::UnboundedSender<Change>>>);

impl Sessions {
    /// Every change from now on, unlike the supervisor's own channel, which has only the latest. Once per process: a
    /// second follower gets none.
    pub(crate) fn follow(&self) -> mpsc::UnboundedReceiver<Change> {
        let (sender, changes) = mpsc::unbounded_channel();
        // If somebody follows already, the sender is dropped here.
        let _ = self.0.set(sender);
        changes
    }
}

/// Makes changes of events.
struct Changes {
    sessions: Sessions,
    /// Why the session was lost or the attempt failed, until the state that follows from it.
    cause: Mutex<Option<String>>,
}

impl<S: Subscriber> Layer<S> for Changes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(sender) = self.sessions.0.get() else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        match fields.message.as_str() {
            "session_lost" => *cause = Some(fields.reason),
            "attempt_failed" => *cause = Some(fields.error),
            "session_state" => {
                let cause =
                    cause.take().filter(|_| fields.state != SupervisorState::<Timestamp>::Ready.as_str());
                let Fields { state, generation, detail, .. } = fields;
                // An error means that nobody follows any more.
                let _ = sender.send(Change { at: Timestamp::now(), state, generation, detail, cause });
            }
            _ => {}
        }
    }
}

/// The fields of the events that matter here.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    state: String,
    generation: u64,
    detail: String,
    reason: String,
    error: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "generation" {
            self.generation = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let place = match field.name() {
            "message" => &mut self.message,
            "state" => &mut self.state,
            "detail" => &mut self.detail,
            "reason" => &mut self.reason,
            "error" => &mut self.error,
            _ => return,
        };
        *place = format!("{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_comes_with_its_cause() {
        let sessions = Sessions::default();
        let mut changes = sessions.follow();
        let layer = Changes { sessions, cause: Mutex::default() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let failed = "handshake_timeout: no answer";
            tracing::warn!(error = %failed, "attempt_failed");
            tracing::info!(state = "recovering", generation = 0_u64, detail = %"recovering: soon", "session_state");
            tracing::warn!(error = %failed, "attempt_failed");
            tracing::info!(state = "ready", generation = 1_u64, detail = %"ready", "session_state");
            tracing::info!(state = "degraded", generation = 1_u64, detail = %"degraded: x", "session_state");
        });
        let seen = std::iter::from_fn(|| changes.try_recv().ok());
        let seen: Vec<_> =
            seen.map(|change| (change.state, change.generation, change.detail, change.cause)).collect();
        let change = |state: &str, generation, detail: &str, cause: Option<&str>| {
            (state.to_owned(), generation, detail.to_owned(), cause.map(str::to_owned))
        };
        assert_eq!(
            seen,
            [
                change("recovering", 0, "recovering: soon", Some("handshake_timeout: no answer")),
                change("ready", 1, "ready", None),
                change("degraded", 1, "degraded: x", None),
            ]
        );
    }
}
