//! One file per command.

mod breaker;
mod call;
mod check;
mod data;
mod demo;
mod init;
mod operations;
mod probe;
mod settings;
mod shell;
mod sim;
mod soak;
mod status;
mod watch;
mod zombies;

// What several of them need.
mod busy;
mod failures;
mod interrupt;
mod latency;
mod port;

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use ibkr_connect::{Config, Error, ErrorKind, Session};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Breaker, Cli, Command, Loaded, Zombies};
use crate::output::Output;
use crate::waits::{Wait, Waits};

/// Runs the command. What it needs of the configuration it has from `loaded`.
pub(crate) fn run(cli: Cli, loaded: &Result<Loaded, Error>, output: &Output) -> anyhow::Result<()> {
    cli.check_flags()?;
    let Cli { global, command } = cli;
    let loaded = loaded.as_ref().map_err(Clone::clone);
    let config = || loaded.clone().map(|loaded| &loaded.config);
    match command {
        Command::Demo => demo::run(output),
        Command::Sim(arguments) => sim::run(&global, output, &arguments),
        Command::Check => check::run(config()?, output),
        Command::Accounts => data::accounts(config()?, output),
        Command::Positions => data::positions(config()?, output),
        Command::Bars(arguments) => data::bars(config()?, output, &arguments),
        Command::Quote(arguments) => data::quote(config()?, output, &arguments),
        Command::Ticks(arguments) => data::ticks(config()?, output, &arguments),
        Command::Call(arguments) => call::call(config()?, output, &arguments),
        Command::Commands(arguments) => operations::run(output, &arguments),
        Command::Zombies(Zombies::List(arguments)) => zombies::list(config()?, output, &arguments),
        Command::Zombies(Zombies::Clean(arguments)) => zombies::clean(config()?, output, &arguments),
        Command::Probe(arguments) => probe::run(config()?, output, &arguments),
        Command::Soak(arguments) => soak::run(config()?, output, &arguments),
        Command::Watch(arguments) => watch::run(config()?, output, &arguments),
        Command::Status => status::run(config()?, output),
        Command::Breaker(Breaker::Open(arguments)) => breaker::open(config()?, output, &arguments),
        Command::Breaker(Breaker::Reset(arguments)) => breaker::reset(config()?, output, &arguments),
        Command::Settings => settings::run(&loaded?.settings, output),
        Command::Init(arguments) => init::run(output, &arguments),
        Command::Completions(arguments) => shell::completions(output, &arguments),
        Command::Man(arguments) => shell::man(output, &arguments),
        Command::Worker => worker(),
    }
}

fn worker() -> anyhow::Result<()> {
    Err(Error::new(
        ErrorKind::WorkerIncompatible,
        "a worker is started by another program, which gives it a cookie in the environment",
    )
    .with_advice("docs/protocol.md describes how a program of yours can start one")
    .into())
}

/// Connects, does `work` with the session, and closes it whatever comes of it. What takes its time is told; `work` says when its
/// first answer is there.
fn with_session<W>(config: &Config, work: impl FnOnce(Session, Rc<Waits>) -> W) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<()>>,
{
    runtime()?.block_on(async {
        let waits = Rc::new(Waits::start()?);
        let target = config.target();
        let connector = ibkr_connect::robust_connector(config)?
            .with_observer(waits.of_connect(target.address()))
            .with_pacing_observer(waits.of_request(target.address(), config.request_timeout));
        let session = ibkr_connect::session_over(&connector, &target).await;
        waits.over();
        let session = session?;
        waits.begin(Wait::answer(&target.address(), config.request_timeout));
        let outcome = work(session.clone(), Rc::clone(&waits)).await;
        waits.over();
        session.close().await?;
        outcome
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// A progress bar on stderr, hidden where that is not a terminal.
fn progress(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
