//! Without pidfds: nothing can be closed inside another process, and a signal goes to a pid. Whether that still is the same
//! process is looked at just before each signal; between the two a few microseconds remain.
#![cfg_attr(
    target_os = "linux",
    allow(dead_code, reason = "compiled for the tests, so that it can't rot unseen")
)]

use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::Obstacle;
use crate::clean::report::MissingRight;
use crate::process::Owner;
use crate::scan::Zombie;
use crate::socket::HalfClosed;
use crate::sys::{Procs, descriptor_link};

/// How long a process may take to be gone after SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

pub(in crate::clean) fn close(_procs: &Procs, _zombie: &Zombie) -> Result<(), Obstacle> {
    Err(Obstacle::Missing(MissingRight::Pidfd))
}

/// Ends the process: SIGTERM, after `grace` SIGKILL. `Ok` when it is gone.
pub(in crate::clean) fn kill(
    procs: &Procs,
    owner: &Owner,
    socket: &HalfClosed,
    grace: Duration,
) -> Result<(), Obstacle> {
    let pid = i32::try_from(owner.process.pid).ok().and_then(Pid::from_raw).ok_or(Obstacle::Gone)?;
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, KILL_PATIENCE)] {
        let now = procs.process(owner.process.pid).map_err(|_| Obstacle::Gone)?;
        if !now.is(&owner.process) || descriptor_link(owner.process.pid, owner.fd) != Some(socket.inode) {
            return Err(Obstacle::Gone);
        }
        match kill_process(pid, signal) {
            Ok(()) => {}
            Err(Errno::SRCH) => return Ok(()),
            Err(Errno::PERM) => return Err(Obstacle::Missing(MissingRight::Signal)),
            Err(error) => return Err(Obstacle::Failed(format!("signal {signal:?} can't be sent: {error}"))),
        }
        if has_ended(pid, patience) {
            return Ok(());
        }
    }
    Err(Obstacle::Failed(format!(
        "process {} is still there {KILL_PATIENCE:?} after SIGKILL",
        owner.process.pid
    )))
}

fn has_ended(pid: Pid, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
