//! Every row of the table of operations, in both modes: against a Gateway that is played by hand, with bytes that neither
//! the backends nor the simulator have written, and against the simulator, also as a user calls it; and all of them at once when the
//! session is lost.
//!
//! The entries are in `table`. A row of [`OPERATIONS`] that has none fails the test; some have several.

// `json!` of an order, which has many fields.
#![recursion_limit = "256"]

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod difference;
mod growth;
mod lost;
mod play;
mod row;
mod schema;
mod simulated;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use ibkr_connect::ConnectionMode;
use ibkr_connect::operations::OPERATIONS;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::row::Row;
use crate::support::real_backends::REAL_BACKENDS;

fn main() -> ExitCode {
    let rows: Vec<_> = table::rows().into_iter().map(Arc::new).collect();
    if let Some(code) = growth::ask_all_day(&rows) {
        return code;
    }
    let mut trials = vec![table_is_complete(&rows)];
    trials.extend(growth::trials());
    trials.extend(lost::trials(&rows));
    for row in &rows {
        trials.extend(REAL_BACKENDS.map(|mode| by_hand(row, mode)));
        trials.push(simulated(row));
    }
    libtest_mimic::run(&arguments(), trials).exit_code()
}

/// A row mostly waits for a deadline, so three of them share a processor.
fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(3 * processors);
    arguments
}

fn table_is_complete(rows: &[Arc<Row>]) -> Trial {
    let is_missing = |command: &&str| !rows.iter().any(|row| row.command() == *command);
    let missing: Vec<_> = OPERATIONS.iter().map(|row| row.command).filter(is_missing).collect();
    Trial::test("every_row_has_an_entry", move || {
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("no entry in tests/rows/table has the commands {missing:?}").into())
    })
}

fn by_hand(row: &Arc<Row>, mode: ConnectionMode) -> Trial {
    trial(mode.as_str(), row, move |row| by_hand::check(row, mode))
}

fn simulated(row: &Arc<Row>) -> Trial {
    trial("simulated", row, simulated::check)
}

fn trial(
    group: &str,
    row: &Arc<Row>,
    check: impl FnOnce(&Row) -> Result<(), String> + Send + 'static,
) -> Trial {
    let name = format!("{group}::{}", row.name());
    let row = Arc::clone(row);
    Trial::test(name.clone(), move || {
        check(&row).map_err(|problem| Failed::from(format!("{name}: {problem}")))
    })
}
