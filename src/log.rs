//! The log: `tracing` events as lines on stderr.

use std::io::{self, Write};

use ibkr_connect::config::LogAccounts;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::prelude::*;

/// What is told by `-v`, as often as it is given. What ibapi warns of is in our own errors and events, and some of it is no fault, such
/// as an end that we have asked for. That a Gateway was restarted is always told.
const LEVELS: [&str; 3] = [
    "warn,ibapi=off,ibkr_connect_resilience::supervisor::restart=info",
    "info,ibapi=off",
    "debug,ibapi=info",
];

/// The same as the first of them without the waits of requests, for commands that show these themselves.
const WITHOUT_WAITS: &str = "warn,ibapi=off,ibkr_connect_resilience::supervisor::restart=info,ibkr_connect_resilience::pacing::waits=error";

/// What is told if nobody asks for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// Warnings, and that a Gateway was restarted.
    Warnings,
    /// The same without those about requests that wait for their turn: they are told as what is waited for.
    WarningsButWaits,
    /// Errors: of a command whose failures are what it is there to show.
    Errors,
}

/// Writes what `-v` asks for, else `RUST_LOG`, else what is `unasked`, from now on.
pub(crate) fn init(log_accounts: LogAccounts, verbose: u8, unasked: Unasked) {
    let level = match (verbose, unasked) {
        (0, Unasked::Errors) => "error,ibapi=off",
        (0, Unasked::WarningsButWaits) => WITHOUT_WAITS,
        _ => LEVELS[usize::from(verbose).min(LEVELS.len() - 1)],
    };
    let asked = if verbose == 0 { asked_for() } else { None };
    let filter =
        asked.or_else(|| level.parse().ok()).unwrap_or_else(|| Targets::new().with_default(Level::WARN));
    let filter = filter.and(filter_fn(can_be_masked));
    let lines = fmt::layer().with_writer(move || Stderr(log_accounts)).with_filter(filter);
    tracing_subscriber::registry().with(lines).init();
}

/// What `RUST_LOG` asks for: levels, of everything or of targets. Spans and fields are no part of it: a pattern matcher for them would be
/// a twentieth of the program.
#[expect(
    clippy::disallowed_methods,
    reason = "RUST_LOG is about this program's log, and not configuration of the product"
)]
fn asked_for() -> Option<Targets> {
    std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty())?.parse().ok()
}

/// In detail ibapi logs the bytes of its requests, in which no account id can be masked: that is not shown, however it is asked for.
fn can_be_masked(event: &Metadata<'_>) -> bool {
    !event.target().starts_with("ibapi") || *event.level() <= Level::INFO
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
