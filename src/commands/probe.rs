//! `probe`: several connects in a row, each a single handshake and an orderly close.

use std::time::{Duration, Instant};

use ibkr_connect::{Config, Connector, Error, ErrorKind, Result, Target};
use serde::Serialize;
use serde_json::json;

use super::failures::{Failure, Failures};
use super::interrupt::Interrupt;
use super::latency::{Latencies, cell};
use super::port::{zombies, zombies_after_settling};
use super::{progress, runtime};
use crate::cli::Probe;
use crate::exit::{self, Failed};
use crate::output::{Format, Output, Verdict, optional, print_line, print_lines, table};
use crate::waits::{Wait, Waits};

/// So many handshakes in a row that get no answer look like a wedge; a few more would make one.
const UNANSWERED_LIMIT: usize = 2;

/// Why the probe ended before its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stop {
    GatewayWedged,
    HandshakeTimeouts,
    Interrupted,
}

/// Connects and closes as often as asked, or until that would harm.
pub(crate) fn run(config: &Config, output: &Output, arguments: &Probe) -> anyhow::Result<()> {
    let before = zombies(config);
    let connector = ibkr_connect::connector(config)?;
    let outcomes = runtime()?.block_on(attempts(connector.as_ref(), &config.target(), arguments.attempts))?;
    let report = Report { config, outcomes, before, after: zombies_after_settling(config, before) };
    match output.format {
        Format::Json => report.print_json(output)?,
        Format::Table => report.print(output)?,
    }
    report.verdict()
}

async fn attempts(connector: &dyn Connector, target: &Target, wanted: usize) -> std::io::Result<Outcomes> {
    let mut interrupt = Interrupt::listen()?;
    let progress = progress(wanted as u64, "{spinner} attempt {pos} of {len} {elapsed} {msg}");
    let mut outcomes = Outcomes::default();
    let waits = Waits::start()?;
    while outcomes.made() < wanted && outcomes.stopped.is_none() {
        progress.inc(1);
        if progress.is_hidden() {
            let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let wait = Wait::handshake(
                &target.address(),
                number(outcomes.made() + 1),
                number(wanted),
                target.timeout,
            );
            waits.begin(wait);
        }
        tokio::select! {
            outcome = attempt(connector, target) => outcomes.add(outcome),
            () = interrupt.requested() => outcomes.stopped = Some(Stop::Interrupted),
        }
        progress.set_message(format!("{} failed", outcomes.failures.total()));
    }
    // What ended the last attempt that was asked for stopped nothing.
    outcomes.stopped = outcomes.stopped.filter(|_| outcomes.made() < wanted);
    progress.finish_and_clear();
    Ok(outcomes)
}

async fn attempt(connector: &dyn Connector, target: &Target) -> Result<Duration> {
    let begun = Instant::now();
    let session = ibkr_connect::session_over(connector, target).await?;
    let took = begun.elapsed();
    session.close().await.map(|()| took)
}

/// What has become of the attempts.
#[derive(Debug, Default)]
struct Outcomes {
    connected_in: Vec<Duration>,
    failures: Failures,
    /// The handshakes in a row that got no answer.
    unanswered: usize,
    stopped: Option<Stop>,
}

impl Outcomes {
    fn add(&mut self, outcome: Result<Duration>) {
        let kind = outcome.as_ref().err().map(Error::kind);
        self.unanswered = if kind == Some(ErrorKind::HandshakeTimeout) { self.unanswered + 1 } else { 0 };
        if kind == Some(ErrorKind::GatewayWedged) {
            self.stopped = Some(Stop::GatewayWedged);
        } else if self.unanswered >= UNANSWERED_LIMIT {
            self.stopped = Some(Stop::HandshakeTimeouts);
        }
        match outcome {
            Ok(took) => self.connected_in.push(took),
            Err(error) => self.failures.add(error),
        }
    }

    fn made(&self) -> usize {
        self.connected_in.len() + self.failures.total()
    }

    /// The shortest, the median, the 99th percentile and the longest connect that succeeded, in milliseconds.
    fn connect_ms(&self) -> [Option<f64>; 4] {
        let latencies: Latencies = self.connected_in.iter().copied().collect();
        [0, 50, 99, 100].map(|percent| latencies.percentile(percent))
    }
}

struct Report<'a> {
    config: &'a Config,
    outcomes: Outcomes,
    before: Option<usize>,
    after: Option<usize>,
}

impl Report<'_> {
    fn print_json(&self, output: &Output) -> std::io::Result<()> {
        let Outcomes { connected_in, failures, stopped, .. } = &self.outcomes;
        let (attempts, successes) = (self.outcomes.made(), connected_in.len());
        let [min, p50, p99, max] = self.outcomes.connect_ms();
        let report = json!({
            "attempts": attempts,
            "successes": successes,
            "success_rate": (attempts > 0).then(|| successes as f64 / attempts as f64),
            "connect_ms": { "min": min, "p50": p50, "p99": p99, "max": max },
            "zombies_before": self.before,
            "zombies_after": self.after,
            "failures": failures.counts(),
            "stopped_early": stopped,
        });
        let verdict = match failures.last() {
            Some(last) => Verdict::Failed(last),
            None if self.verdict().is_err() => Verdict::Bad,
            None => Verdict::Fine,
        };
        output.json_with(verdict, &report)
    }

    fn print(&self, output: &Output) -> std::io::Result<()> {
        let Outcomes { connected_in, failures, stopped, .. } = &self.outcomes;
        let address = self.config.target().address();
        let (attempts, successes) = (self.outcomes.made(), connected_in.len());
        print_line(&format!(
            "{address}, {}: {successes} of {attempts} attempts connected",
            self.config.mode
        ))?;
        let rows = [
            ("connect ms min / p50 / p99 / max", cell(&self.outcomes.connect_ms())),
            ("zombies before", optional(self.before)),
            ("zombies after", optional(self.after)),
        ];
        let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
        print_lines(&table(&["measured", "result"], rows).to_string())?;
        if failures.total() > 0 {
            let rows = failures.counts().iter().map(Failure::cells);
            print_lines(&table(&Failure::HEADER, rows).to_string())?;
        }
        match stopped {
            Some(Stop::GatewayWedged) => {
                print_line(
                    "stopped early: the Gateway accepts nobody, and more attempts would make it worse",
                )?;
            }
            Some(Stop::HandshakeTimeouts) => print_line(&format!(
                "stopped early: {UNANSWERED_LIMIT} handshakes in a row got no answer, and more could wedge the Gateway"
            ))?,
            Some(Stop::Interrupted) => print_line("stopped early: interrupted")?,
            None => {}
        }
        if let Some(error) = failures.last() {
            exit::explain(error, output);
        }
        Ok(())
    }

    /// As the exit codes in the help say.
    fn verdict(&self) -> anyhow::Result<()> {
        let Outcomes { connected_in, failures, .. } = &self.outcomes;
        let code = match failures.last() {
            Some(last) if connected_in.is_empty() => exit::code(last.kind()),
            None if connected_in.is_empty() => 1,
            _ if self.after > self.before => 8,
            Some(_) => 1,
            None => return Ok(()),
        };
        Err(Failed(code).into())
    }
}
