//! One file per command.

mod breaker;
mod call;
mod check;
mod data;
mod demo;
mod operations;
mod probe;
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
use std::time::Duration;

use ibkr_connect::{Config, Error, ErrorKind, Session};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Breaker, Cli, Command, Zombies};

/// Runs the command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    let format = global.format();
    match command {
        Command::Demo => demo::run(format),
        Command::Sim(arguments) => sim::run(&global, &arguments),
        Command::Check => check::run(&global.load()?, format),
        Command::Accounts => data::accounts(&global.load()?, format),
        Command::Positions => data::positions(&global.load()?, format),
        Command::Bars(arguments) => data::bars(&global.load()?, format, &arguments),
        Command::Quote(symbol) => data::quote(&global.load()?, format, &symbol.symbol),
        Command::Ticks(arguments) => data::ticks(&global.load()?, format, &arguments),
        Command::Call(arguments) => call::call(&global.load()?, format, &arguments),
        Command::Commands(arguments) => operations::run(format, &arguments),
        Command::Zombies(Zombies::List(arguments)) => zombies::list(&global.load()?, format, &arguments),
        Command::Zombies(Zombies::Clean(arguments)) => zombies::clean(&global.load()?, format, &arguments),
        Command::Probe(arguments) => probe::run(&global.load()?, format, &arguments),
        Command::Soak(arguments) => soak::run(&global.load()?, format, &arguments),
        Command::Watch(arguments) => watch::run(&global.load()?, format, &arguments),
        Command::Status => status::run(&global.load()?, format),
        Command::Breaker(Breaker::Open(arguments)) => breaker::open(&global.load()?, format, &arguments),
        Command::Breaker(Breaker::Reset(arguments)) => breaker::reset(&global.load()?, format, &arguments),
        Command::Worker => Err(Error::new(
            ErrorKind::WorkerIncompatible,
            "a worker is started by another program, which gives it a cookie in the environment",
        )
        .with_advice("docs/protocol.md describes how a program of yours can start one")
        .into()),
    }
}

/// Connects, does `work` with the session, and closes it whatever comes of it.
fn with_session<W>(config: &Config, work: impl FnOnce(Session) -> W) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<()>>,
{
    runtime()?.block_on(async {
        let session = ibkr_connect::connect(config).await?;
        let outcome = work(session.clone()).await;
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
