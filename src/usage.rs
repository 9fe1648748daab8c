//! Arguments that make no sense, and what clap says about them.

use std::process::ExitCode;

use ibkr_connect::{Error, ErrorKind};

use crate::exit;
use crate::output::{Format, Output};

/// Shows what clap says: the help that was asked for, or what is wrong; gives the exit code.
pub(crate) fn report(said: &clap::Error, format: Format) -> ExitCode {
    if format == Format::Json && said.use_stderr() {
        return exit::report(in_our_words(said).into(), &Output::of_nothing(format));
    }
    // Whoever does not read it has seen enough.
    let _ = said.print();
    if said.use_stderr() { ExitCode::from(exit::code(ErrorKind::Config)) } else { ExitCode::SUCCESS }
}

fn in_our_words(said: &clap::Error) -> Error {
    let text = said.render().to_string();
    let message = one_line(text.split("\n\n").next().unwrap_or_default());
    let tips =
        text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect::<Vec<_>>().join("; ");
    let advice =
        if tips.is_empty() { "`--help` after the command says what it takes".to_owned() } else { tips };
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    Error::new(ErrorKind::Config, message).with_advice(advice)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
