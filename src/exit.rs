//! Errors to what the user sees and to the exit code that a script sees.

use std::fmt;
use std::io;
use std::process::ExitCode;

use ibkr_connect::{Error, ErrorKind, cleanup, plain, plain_lines};

use crate::output::{Format, Output};

/// The table of exit codes, as `--help` and the README show it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  ok
  1  other; of probe and soak: a part of it failed
  2  usage, configuration or parameters
  3  not listening or unreachable
  4  handshake timeout
  5  rejected by the Gateway
  6  client id in use
  7  worker trouble
  8  Gateway wedged, or zombies remain
  9  circuit open";

/// A command that did its work and whose answer is "no": everything was printed already.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) u8);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Failed {}

/// The exit code for an error of this kind.
pub(crate) fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config | ErrorKind::InvalidRequest => 2,
        ErrorKind::NotListening | ErrorKind::Unreachable => 3,
        ErrorKind::HandshakeTimeout => 4,
        ErrorKind::Rejected => 5,
        ErrorKind::ClientIdInUse => 6,
        ErrorKind::WorkerSpawn | ErrorKind::WorkerCrashed | ErrorKind::WorkerIncompatible => 7,
        ErrorKind::GatewayWedged => 8,
        ErrorKind::CircuitOpen => 9,
        _ => 1,
    }
}

/// Shows `error` and gives its exit code.
pub(crate) fn report(error: anyhow::Error, output: &Output) -> ExitCode {
    if let Some(Failed(code)) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    let error = into_ours(error);
    match output.format {
        Format::Json => drop(output.json_error(&error)),
        Format::Table => explain(&error, output),
    }
    ExitCode::from(code(error.kind()))
}

/// Whatever went wrong as an error with a kind.
fn into_ours(error: anyhow::Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some(sight) = error.downcast_ref::<cleanup::Error>() {
        let kind = match sight {
            cleanup::Error::PortZero | cleanup::Error::Register { .. } => ErrorKind::Config,
            _ => ErrorKind::Unsupported,
        };
        return Error::new(kind, sight.to_string());
    }
    Error::new(ErrorKind::Internal, error.to_string())
        .with_advice("look at what the system says about it: the Gateway has no part in it")
}

/// Shows an error and the way out on stderr.
pub(crate) fn explain(error: &Error, output: &Output) {
    complain(&format!("error: {}", shown(error)));
    if let Some(advice) = error.advice() {
        complain(&format!("  try: {}", output.pasteable(advice)));
    }
}

/// An error about a configuration shows lines of it, and that of a worker what it has said; in all others the Gateway may have a part,
/// whose words begin no line.
fn shown(error: &Error) -> String {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Config => text,
        ErrorKind::WorkerSpawn | ErrorKind::WorkerIncompatible | ErrorKind::WorkerCrashed => {
            text.replace('\n', "\n    ")
        }
        _ => plain(&text).into_owned(),
    }
}

#[expect(clippy::print_stderr, reason = "this is where the command talks to the user about errors")]
fn complain(text: &str) {
    eprintln!("{}", plain_lines(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_given_is_in_the_table() {
        for kind in ErrorKind::ALL {
            assert!(TABLE.contains(&format!("\n  {}  ", code(*kind))), "{kind}");
        }
    }
}
