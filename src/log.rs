//! The log: `tracing` events as lines on stderr.

use std::io::{self, Write};

use ibkr_connect::config::LogAccounts;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

/// What is told where otherwise only errors are: that a request waits, for more than a second, to keep IBKR's limits.
const WAITS: &str = "ibkr_connect_resilience::pacing=warn";

/// Writes what `RUST_LOG` asks for, from now on.
pub(crate) fn init(log_accounts: LogAccounts) {
    let mut filter = EnvFilter::builder().with_default_directive(Level::ERROR.into()).from_env_lossy();
    // A command that says nothing for a long time looks as if it hung.
    if filter.max_level_hint() == Some(LevelFilter::ERROR)
        && let Ok(waits) = WAITS.parse()
    {
        filter = filter.add_directive(waits);
    }
    let filter = filter.and(filter_fn(can_be_masked));
    let lines = fmt::layer().with_writer(move || Stderr(log_accounts)).with_filter(filter);
    tracing_subscriber::registry().with(lines).init();
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
