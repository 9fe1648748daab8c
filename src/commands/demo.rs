//! `demo`: the main job without a Gateway. Every figure is measured in this run.
//!
//! Two scenarios, three ways to connect. `idle` is a program with nothing else to do; in `busy_runtime` its runtime
//! is starved, as trading programs starve theirs, and the Gateway takes its time. The Gateway is the simulator, which
//! like a real one keeps its end of a connection whose client vanishes in mid-handshake.

mod client;
mod row;
mod scenario;

use ibkr_connect::ConnectionMode;
use serde_json::json;

use self::row::Row;
use self::scenario::SCENARIOS;
use super::progress;
use crate::exit::Failed;
use crate::output::{Format, Output, Verdict, print_line, print_lines, table};

/// How to connect: our two modes, and what one would write without us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// ibapi awaited straight on the program's runtime.
    Naive,
    /// Through ibkr-connect.
    Ours(ConnectionMode),
}

impl Way {
    const ALL: [Self; 3] =
        [Self::Naive, Self::Ours(ConnectionMode::Direct), Self::Ours(ConnectionMode::Subprocess)];

    fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Ours(mode) => mode.as_str(),
        }
    }
}

/// Runs every scenario in every way and shows the table.
pub(crate) fn run(output: &Output) -> anyhow::Result<()> {
    let count = SCENARIOS.len() * Way::ALL.len();
    let progress = progress(count as u64, "{spinner} {pos}/{len} {elapsed} {msg}");
    let mut rows = Vec::new();
    for scenario in SCENARIOS {
        for way in Way::ALL {
            progress.set_message(format!(
                "{}, {}: {} connects",
                scenario.name,
                way.name(),
                scenario.attempts
            ));
            rows.push(scenario.measure(way)?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    show(output, &rows)
}

/// The verdict is about our modes; what the naive way did is shown as it was.
fn show(output: &Output, rows: &[Row]) -> anyhow::Result<()> {
    let ours = || rows.iter().filter(|row| row.way != Way::Naive);
    let zombies: usize = ours().map(|row| row.zombies_left).sum();
    let ok = zombies == 0 && ours().all(Row::is_flawless);
    match output.format {
        Format::Json => {
            let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
            let verdict = if ok { Verdict::Fine } else { Verdict::Bad };
            output.json_with(verdict, &json!({ "rows": rows, "zombies_left": zombies }))?;
        }
        Format::Table => show_table(rows, ok)?,
    }
    if ok { Ok(()) } else { Err(Failed(if zombies > 0 { 8 } else { 1 }).into()) }
}

fn show_table(rows: &[Row], ok: bool) -> std::io::Result<()> {
    let header =
        ["scenario", "mode", "connected", "connect ms min / p50 / max", "pings", "fetches", "zombies left"];
    print_lines(&table(&header, rows.iter().map(Row::cells)).to_string())?;
    for scenario in SCENARIOS {
        print_line(&format!("{}: {}", scenario.name, scenario.story))?;
    }
    for row in rows {
        if let Some(failure) = &row.first_failure {
            print_line(&format!("{}, {}: {failure}", row.scenario.name, row.way.name()))?;
        }
    }
    print_line(if ok {
        "direct and subprocess: every connect succeeded, and no zombie is left on either side"
    } else {
        "direct or subprocess: something failed, see above"
    })
}
