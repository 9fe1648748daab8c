//! The `ibkr-connect` command: arguments in, a command run, an exit code out.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod exit;
mod log;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    ibkr_connect::worker::run_if_worker();
    let cli = Cli::parse();
    // A configuration that can't be loaded is the command's error to report.
    let log_accounts = cli.global.load().map(|config| config.log_accounts).unwrap_or_default();
    log::init(log_accounts);
    let format = cli.global.format();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, format),
    }
}
