//! What a soak has found.

use ibkr_connect::Config;
use serde_json::json;

use super::Measurements;
use super::chaos::Survived;
use crate::commands::failures::Failure;
use crate::commands::latency::{Latencies, cell};
use crate::exit::{self, Failed};
use crate::output::{Format, Output, Verdict, optional, print_line, print_lines, table};

pub(super) struct Report<'a> {
    pub(super) config: &'a Config,
    pub(super) measured: Measurements,
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
    /// What became of the chaos, if there was one.
    pub(super) survived: Option<Survived>,
}

impl Report<'_> {
    pub(super) fn print(&self, output: &Output) -> std::io::Result<()> {
        match output.format {
            Format::Json => self.print_json(output),
            Format::Table => self.print_table(output),
        }
    }

    fn print_json(&self, output: &Output) -> std::io::Result<()> {
        let Measurements { pings, pings_total, fetches_ok, fetches_total, failures, .. } = &self.measured;
        let [p50, p99, max] = self.ping_ms();
        let report = json!({
            "duration_s": self.measured.took.as_millis() as f64 / 1e3,
            "pings_ok": pings.len(),
            "pings_total": pings_total,
            "fetches_ok": fetches_ok,
            "fetches_total": fetches_total,
            "zombies": self.after,
            "reconnects": self.measured.reconnects,
            "ping_ms": { "p50": p50, "p99": p99, "max": max },
            "zombies_before": self.before,
            "memory_kib": self.measured.memory,
            "failures": failures.counts(),
            "interrupted": self.measured.is_interrupted,
            "chaos": self.survived,
        });
        let verdict = match (self.verdict().is_ok(), failures.last()) {
            (true, _) => Verdict::Fine,
            (false, Some(last)) => Verdict::Failed(last),
            (false, None) => Verdict::Bad,
        };
        output.json_with(verdict, &report)
    }

    fn print_table(&self, output: &Output) -> std::io::Result<()> {
        let Measurements { pings, pings_total, fetches_ok, fetches_total, failures, memory, .. } =
            &self.measured;
        let early = if self.measured.is_interrupted { ", interrupted" } else { "" };
        print_line(&format!(
            "{}, {}: {:.1} s{early}",
            self.config.target().address(),
            self.config.mode,
            self.measured.took.as_secs_f64()
        ))?;
        let rows = [
            ("pings answered", format!("{} of {pings_total}", pings.len())),
            ("fetches answered", format!("{fetches_ok} of {fetches_total}")),
            ("ping ms p50 / p99 / max", cell(&self.ping_ms())),
            ("reconnects", self.measured.reconnects.to_string()),
            ("zombies before / after", format!("{} / {}", optional(self.before), optional(self.after))),
            ("memory MiB first / last / max", memory.host.cell()),
            ("the worker's", optional(memory.worker.map(|usage| usage.cell()))),
        ];
        let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
        print_lines(&table(&["measured", "result"], rows).to_string())?;
        if failures.total() > 0 {
            let rows = failures.counts().iter().map(Failure::cells);
            print_lines(&table(&Failure::HEADER, rows).to_string())?;
        }
        if let Some(survived) = &self.survived {
            return print_lines(&survived.to_string());
        }
        failures.last().into_iter().for_each(|error| exit::explain(error, output));
        Ok(())
    }

    fn ping_ms(&self) -> [Option<f64>; 3] {
        let latencies: Latencies = self.measured.pings.iter().copied().collect();
        [50, 99, 100].map(|percent| latencies.percentile(percent))
    }

    /// As the exit codes in the help say.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let is_fine = match &self.survived {
            Some(survived) => survived.recovered,
            None => self.measured.failures.total() == 0 && !self.measured.pings.is_empty(),
        };
        match is_fine {
            _ if self.after > self.before => Err(Failed(8).into()),
            true => Ok(()),
            false => Err(Failed(1).into()),
        }
    }
}
