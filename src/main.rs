//! The `ibkr-connect` command: arguments in, a command run, an exit code out.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod exit;
mod flags;
mod log;
mod output;
mod usage;
mod waits;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::output::{Format, Output};

fn main() -> ExitCode {
    ibkr_connect::worker::run_if_worker();
    let format = Format::asked_for(std::env::args_os());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return usage::report(&said, format),
    };
    // One that can't be loaded is the error of the commands that need it.
    let loaded = cli.global.load();
    let log_accounts = loaded.as_ref().map(|loaded| loaded.config.log_accounts).unwrap_or_default();
    log::init(log_accounts, cli.global.verbose, cli.command.unasked_log());
    let output = Output::of_command(format, cli.command.name());
    let output = match &loaded {
        Ok(loaded) if cli.command.is_about_a_gateway() => output.about(&loaded.config),
        _ => output,
    };
    match commands::run(cli, &loaded, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(error, &output),
    }
}
