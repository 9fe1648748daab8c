//! A worker on its own stdin and stdout.

use std::fs::File;
use std::io;
use std::process;

use ibkr_connect_core::Connector;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::dup2_stdout;

use super::{WorkerOptions, run};
use crate::wire::COOKIE_VARIABLE;

/// The exit code of a worker that could not end in order.
const OVERDUE: i32 = 70;

/// Somebody ran the worker by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is a worker: ibkr-connect starts it and talks to it; to start one from another program, set {COOKIE_VARIABLE} to any text and see docs/protocol.md"
)]
pub struct NotStartedByParent;

/// Serves `connector` on this process's stdin and stdout until the parent wants no more or is gone.
///
/// # Behavior
/// - Its first act is to take stdout for the protocol and to point fd 1 at stderr, so that a stray print ends in the
///   log and not in a frame.
/// - `cookie` is the value of [`COOKIE_VARIABLE`], which the caller reads from the environment.
/// - When the parent is gone and the session does not close within 2 s, it exits with code 70.
///
/// # Errors
/// [`NotStartedByParent`] (inside an [`io::Error`]) without a cookie; else only what keeps it from starting.
pub fn serve_stdio(connector: &dyn Connector, cookie: Option<&str>) -> io::Result<()> {
    let cookie =
        cookie.filter(|cookie| !cookie.is_empty()).ok_or_else(|| io::Error::other(NotStartedByParent))?;
    let reader = File::from(fcntl_dupfd_cloexec(io::stdin(), FIRST_FREE)?);
    let writer = File::from(fcntl_dupfd_cloexec(io::stdout(), FIRST_FREE)?);
    dup2_stdout(io::stderr())?;
    let options =
        WorkerOptions { on_overdue: Box::new(|| process::exit(OVERDUE)), ..WorkerOptions::new(cookie) };
    run(connector, reader, writer, options)
}

/// Above stdin, stdout and stderr.
const FIRST_FREE: i32 = 3;
