//! `soak`: a supervised session for a while, used and measured all the time.
//!
//! Pings and fetches run on a runtime like a program's own, so their times are what a program sees. The fetch is of the
//! positions: they need no market data subscription, and nothing limits how often one may ask.

mod chaos;
mod memory;
mod report;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect::resilience::{Policy, RobustConnector, SupervisorOptions, TransitionCause};
use ibkr_connect::{Config, Connector, Error, ErrorKind, Phase, Result, Supervisor};
use indicatif::ProgressBar;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep_until, timeout_at};

use self::chaos::Chaos;
use self::memory::Memory;
use self::report::Report;
use super::busy::Hogs;
use super::failures::Failures;
use super::interrupt::Interrupt;
use super::port::{SETTLE, zombies, zombies_after_settling};
use super::progress;
use crate::cli::Soak;
use crate::output::Output;
use crate::waits::{Wait, Waits};

/// The worker threads of the runtime that pings and fetches run on.
const WORKERS: usize = 2;

/// How long `--busy` blocks them at a time.
const BLOCK: Duration = Duration::from_secs(1);

/// How long what was asked last may take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How often a line says how it goes where no progress bar can be shown.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Soaks, closes the session gracefully, and reports.
pub(crate) fn run(config: &Config, output: &Output, arguments: &Soak) -> anyhow::Result<()> {
    let chaos = arguments.chaos.then(|| Chaos::start(config, arguments.seed)).transpose()?;
    let config = chaos.as_ref().map_or(config, Chaos::config);
    let before = zombies(config);
    let options = chaos.as_ref().map_or_else(|| SupervisorOptions::from(config), Chaos::options);
    let waits = Waits::start()?;
    waits.begin(Wait::without_end(format!("a session with {}", config.target().address())));
    let supervisor = supervise(config, options, &waits)?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let hogs = arguments.busy.then(|| Hogs::start(&runtime, WORKERS, BLOCK));
    let soaked =
        runtime.block_on(runtime.spawn(soak(Plan::new(config, arguments), supervisor.clone(), waits)));
    if let Some(hogs) = hogs {
        hogs.stop();
    }
    let survived = chaos.as_ref().map(|chaos| runtime.block_on(chaos.calm(&supervisor)));
    runtime.block_on(supervisor.close());
    runtime.shutdown_timeout(SETTLE);
    let report = Report {
        config,
        measured: soaked??,
        before,
        after: zombies_after_settling(config, before),
        survived,
    };
    report.print(output)?;
    report.verdict()
}

/// As [`ibkr_connect::supervise_with`] does it, and what its connects wait for is told.
fn supervise(config: &Config, options: SupervisorOptions, waits: &Waits) -> Result<Supervisor> {
    let target = config.target();
    let policy = Policy::from(config).with_max_retries(0);
    let connector = RobustConnector::new(ibkr_connect::connector(config)?, policy)
        .with_observer(waits.of_connect(target.address()));
    Supervisor::start(Arc::new(connector) as Arc<dyn Connector>, target, options)
}

/// What to do when.
struct Plan {
    address: String,
    duration: Duration,
    ping_every: Duration,
    fetch_every: Duration,
    first: First,
}

/// What the first attempt to connect must do.
enum First {
    Succeed,
    /// There will be others.
    Anything,
}

impl Plan {
    fn new(config: &Config, arguments: &Soak) -> Self {
        let Soak { duration, ping_every, fetch_every, chaos, .. } = *arguments;
        let first = if chaos { First::Anything } else { First::Succeed };
        Self { address: config.target().address(), duration, ping_every, fetch_every, first }
    }
}

/// What was measured.
#[derive(Debug, Default)]
struct Measurements {
    took: Duration,
    is_interrupted: bool,
    pings: Vec<Duration>,
    pings_total: usize,
    fetches_ok: usize,
    fetches_total: usize,
    failures: Failures,
    reconnects: u64,
    memory: Memory,
}

/// What was asked, and how that ended.
enum Answer {
    Ping(Result<Duration>),
    Fetch(Result<()>),
}

/// `waits` end with the first session: how it goes on is told otherwise.
async fn soak(plan: Plan, supervisor: Supervisor, waits: Waits) -> anyhow::Result<Measurements> {
    let mut interrupt = Interrupt::listen()?;
    let mut measured = Measurements::default();
    tokio::select! {
        ready = first_session(&supervisor, &plan) => ready?,
        () = interrupt.requested() => {
            measured.is_interrupted = true;
            return Ok(measured);
        }
    }
    drop(waits);
    let begun = Instant::now();
    let progress = progress(plan.duration.as_secs(), "{spinner} {elapsed_precise} of {len} s: {msg}");
    let (mut pings, mut fetches) = (every(plan.ping_every), every(plan.fetch_every));
    let mut lines = interval_at(begun + LINE_EVERY, LINE_EVERY);
    let mut asked = JoinSet::new();
    loop {
        progress.set_message(measured.summary(&supervisor));
        tokio::select! {
            biased;
            () = interrupt.requested() => {
                measured.is_interrupted = true;
                break;
            }
            () = sleep_until(begun + plan.duration) => break,
            Some(answer) = asked.join_next() => measured.add(answer?),
            _ = pings.tick() => {
                measured.pings_total += 1;
                measured.memory.sample(&supervisor);
                asked.spawn(ping(supervisor.clone()));
            }
            _ = fetches.tick() => {
                measured.fetches_total += 1;
                asked.spawn(fetch(supervisor.clone()));
            }
            _ = lines.tick(), if progress.is_hidden() => measured.say(&progress, &supervisor)?,
        }
    }
    measured.took = begun.elapsed();
    measured.take_last(asked).await?;
    measured.reconnects = supervisor.generation().saturating_sub(1);
    progress.finish_and_clear();
    Ok(measured)
}

/// Waits for the first session.
///
/// # Errors
/// Why the first attempt failed, if it must succeed.
async fn first_session(supervisor: &Supervisor, plan: &Plan) -> Result<()> {
    match plan.first {
        First::Succeed => tokio::select! {
            session = supervisor.session() => session.map(drop),
            failure = first_failure(supervisor, &plan.address) => Err(failure),
        },
        First::Anything => supervisor.session().await.map(drop),
    }
}

/// Waits for the first failure.
async fn first_failure(supervisor: &Supervisor, address: &str) -> Error {
    let mut transitions = supervisor.transitions();
    while let Some(transition) = transitions.next().await {
        match transition.cause {
            TransitionCause::AttemptFailed(failure) => return failure,
            TransitionCause::NotListening => {
                let message = format!("nothing listens on {address}");
                return Error::new(ErrorKind::NotListening, message).in_phase(Phase::Preflight);
            }
            _ => {}
        }
    }
    Error::new(ErrorKind::Closed, "the supervisor has ended")
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn ping(supervisor: Supervisor) -> Answer {
    Answer::Ping(match supervisor.current() {
        Ok(session) => session.ping().await,
        Err(error) => Err(error),
    })
}

async fn fetch(supervisor: Supervisor) -> Answer {
    Answer::Fetch(supervisor.positions().await.map(drop))
}

impl Measurements {
    fn add(&mut self, answer: Answer) {
        match answer {
            Answer::Ping(Ok(took)) => self.pings.push(took),
            Answer::Fetch(Ok(())) => self.fetches_ok += 1,
            Answer::Ping(Err(error)) | Answer::Fetch(Err(error)) => self.failures.add(error),
        }
    }

    /// What is not answered soon after the end never is.
    async fn take_last(&mut self, mut asked: JoinSet<Answer>) -> anyhow::Result<()> {
        let patience = Instant::now() + LAST_ANSWERS;
        while let Ok(Some(answer)) = timeout_at(patience, asked.join_next()).await {
            self.add(answer?);
        }
        for _ in 0..asked.len() {
            self.failures.add(Error::new(ErrorKind::Timeout, "no answer by the end of the soak"));
        }
        Ok(())
    }

    fn summary(&self, supervisor: &Supervisor) -> String {
        format!(
            "{}, {} of {} pings, {} of {} fetches, {} reconnects",
            supervisor.state().as_str(),
            self.pings.len(),
            self.pings_total,
            self.fetches_ok,
            self.fetches_total,
            supervisor.generation().saturating_sub(1),
        )
    }

    fn say(&self, progress: &ProgressBar, supervisor: &Supervisor) -> io::Result<()> {
        let seconds = progress.elapsed().as_secs();
        writeln!(io::stderr(), "{seconds} s: {}", self.summary(supervisor))
    }
}
