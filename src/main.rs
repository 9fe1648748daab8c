//! The `ibkr-connect` command: arguments in, a command run, an exit code out.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod exit;
mod output;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

fn main() -> ExitCode {
    ibkr_connect::worker::run_if_worker();
    let cli = Cli::parse();
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::ERROR.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let format = cli.global.format();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, format),
    }
}
