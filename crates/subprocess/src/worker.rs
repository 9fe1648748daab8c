//! A worker on its own stdin and stdout.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ibkr_connect_core::Connector;
use ibkr_connect_protocol::server::{ServerOptions, run};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::dup2_stdout;

use crate::fd_pipe::FdPipe;

/// The environment variable that carries the cookie to the worker.
pub const COOKIE_VARIABLE: &str = ibkr_connect_core::config::WORKER_COOKIE;

/// Above stdin, stdout and stderr.
const FIRST_FREE: i32 = 3;

/// The exit code of a worker that could not end gracefully.
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
/// - When stdin has ended, a graceful end may take 2 s. Half a second later the process exits with code 70, whatever its other
///   threads do: they may all wait for somebody to read stdout.
///
/// # Errors
/// [`NotStartedByParent`] (inside an [`io::Error`]) without a cookie; else only what keeps it from starting.
pub fn serve_stdio(connector: &dyn Connector, cookie: Option<&str>) -> io::Result<()> {
    let cookie =
        cookie.filter(|cookie| !cookie.is_empty()).ok_or_else(|| io::Error::other(NotStartedByParent))?;
    let reader = File::from(fcntl_dupfd_cloexec(io::stdin(), FIRST_FREE)?);
    let writer = FdPipe::new(fcntl_dupfd_cloexec(io::stdout(), FIRST_FREE)?)?;
    dup2_stdout(io::stderr())?;
    let options =
        ServerOptions { on_overdue: Box::new(|| process::exit(OVERDUE)), ..ServerOptions::new(cookie) };
    let _watchdog = Watchdog::start(fcntl_dupfd_cloexec(io::stdin(), FIRST_FREE)?, options.last_moment())?;
    run(connector, reader, Arc::new(writer), options)
}

/// Ends the process when its stdin has ended and its loop has not. It waits for the kernel alone; the thread that reads may
/// be stuck in an answer that nobody takes, and so learn nothing of the end. Dropping it calls it off.
struct Watchdog {
    is_called_off: Arc<AtomicBool>,
}

impl Watchdog {
    fn start(stdin: OwnedFd, patience: Duration) -> io::Result<Self> {
        let is_called_off = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_called_off);
        thread::Builder::new().name("ibkr-worker-watchdog".to_owned()).spawn(move || {
            if wait_for_hangup(&stdin).is_ok() {
                thread::sleep(patience);
                if !flag.load(Ordering::Relaxed) {
                    process::exit(OVERDUE);
                }
            }
        })?;
        Ok(Self { is_called_off })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.is_called_off.store(true, Ordering::Relaxed);
    }
}

/// Waits until nobody can write to a pipe or socket any more, whether or not what was written has been read. A file has no such
/// moment; there the end is seen by reading.
fn wait_for_hangup(stdin: &OwnedFd) -> Result<(), Errno> {
    #[cfg(target_os = "linux")]
    let half_closed = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let half_closed = PollFlags::empty();
    loop {
        let mut fds = [PollFd::new(stdin, half_closed)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
