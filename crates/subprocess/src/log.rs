//! A worker's stderr, line by line, as this program's log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ibkr_connect_cleanup::LineSink;
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::telemetry::WORKER_LINES;
use tracing::Level;

/// Passes each line to `tracing` with the level that it starts with, or as info. The worker has masked what it says itself;
/// this is for the libraries in it, and for panics.
pub(crate) fn sink(pid: Arc<AtomicU32>, log_accounts: LogAccounts) -> LineSink {
    Box::new(move |line| emit(pid.load(Ordering::Relaxed), &log_accounts.text(line).to_string()))
}

fn emit(worker_pid: u32, line: &str) {
    let (level, message) = split(line);
    macro_rules! forward {
        ($level:expr) => {
            tracing::event!(target: WORKER_LINES, $level, worker_pid, "{message}")
        };
    }
    match level {
        Level::ERROR => forward!(Level::ERROR),
        Level::WARN => forward!(Level::WARN),
        Level::INFO => forward!(Level::INFO),
        Level::DEBUG => forward!(Level::DEBUG),
        Level::TRACE => forward!(Level::TRACE),
    }
}

/// `LEVEL rest`, or the whole line at info.
fn split(line: &str) -> (Level, &str) {
    let text = line.trim_start();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let level = match word {
        "ERROR" => Level::ERROR,
        "WARN" => Level::WARN,
        "INFO" => Level::INFO,
        "DEBUG" => Level::DEBUG,
        "TRACE" => Level::TRACE,
        _ => return (Level::INFO, line),
    };
    (level, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_level() {
        assert_eq!(split("ERROR ibapi: lost"), (Level::ERROR, "ibapi: lost"));
        assert_eq!(split(" WARN ibapi: slow"), (Level::WARN, "ibapi: slow"));
        assert_eq!(split("thread 'main' panicked"), (Level::INFO, "thread 'main' panicked"));
        assert_eq!(split(""), (Level::INFO, ""));
    }
}
