//! The supervisor thread: starts the child, waits for it, sweeps its group, reaps it.
#![allow(unsafe_code, reason = "pre_exec, close_range and fcntl have no safe form")]

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::spawn_error::has_wrong_format;
use super::stderr::{Drain, Tail};
use super::{ChildSpec, ExitReport, Shared, SpawnError};

/// How long after the end of the child its stderr may stay open in other hands.
const STDERR_PATIENCE: Duration = Duration::from_millis(250);

type Started = (Arc<Shared>, ChildStdin, ChildStdout);

/// Starts the child on a thread of its own, which stays with it until it is reaped.
pub(super) fn supervised(spec: ChildSpec) -> Result<Started, SpawnError> {
    let program = spec.program.clone();
    let system = |source| SpawnError::System { program: program.clone(), source };
    let (sender, started) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name(format!("{}-supervisor", spec.label))
        .spawn(move || supervise(spec, &sender))
        .map_err(system)?;
    started.recv().map_err(|_| system(io::Error::other("the supervisor thread panicked")))?
}

fn supervise(spec: ChildSpec, started: &SyncSender<Result<Started, SpawnError>>) {
    // The receiver waits for exactly this message, so a send can't fail.
    match start(spec) {
        Err(error) => drop(started.send(Err(error))),
        Ok((shared, drain, stdin, stdout)) => {
            let _ = started.send(Ok((Arc::clone(&shared), stdin, stdout)));
            let report = reap(&shared, drain);
            shared.publish(&report);
        }
    }
}

fn start(spec: ChildSpec) -> Result<(Arc<Shared>, Drain, ChildStdin, ChildStdout), SpawnError> {
    let mut command = command(&spec);
    let ChildSpec { program, label, on_stderr_line, .. } = spec;
    if is_executable(&program) && has_wrong_format(&program) {
        return Err(SpawnError::WrongFormat { program });
    }
    let mut child = command.spawn().map_err(|error| SpawnError::diagnose(&program, error))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(give_up(child, program, io::Error::other("no pipes")));
    };
    let tail = Arc::new(Tail::default());
    match Drain::start(&label, stderr, Arc::clone(&tail), on_stderr_line) {
        Ok(drain) => Ok((Arc::new(Shared::new(Pid::from_child(&child), tail)), drain, stdin, stdout)),
        Err(error) => Err(give_up(child, program, error)),
    }
}

/// Whether exec would get as far as looking at the file's format.
fn is_executable(program: &Path) -> bool {
    program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The child runs but can't be looked after.
fn give_up(mut child: process::Child, program: PathBuf, source: io::Error) -> SpawnError {
    let _ = child.kill();
    let _ = child.wait();
    SpawnError::System { program, source }
}

#[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
fn command(spec: &ChildSpec) -> Command {
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let parent = process::id();
    // SAFETY: the closure runs between fork and exec and makes only async-signal-safe calls (prctl, getppid,
    // close_range or fcntl); it neither allocates nor takes a lock. (std itself resets the signal mask and SIGPIPE.)
    unsafe { command.pre_exec(move || die_with(parent).and_then(|()| inherit_only_stdio())) };
    command
}

/// Asks the kernel to kill this process when the thread that forked it ends.
#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the request was made.
    match rustix::process::getppid() {
        Some(pid) if pid.as_raw_nonzero().get().unsigned_abs() == parent => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// Other systems have no such request: the child's own watch on its stdin has to do.
#[cfg(not(target_os = "linux"))]
fn die_with(_parent: u32) -> io::Result<()> {
    Ok(())
}

/// Marks every fd from 3 on close-on-exec. Not closed here: std reports a failed exec through one of them.
fn inherit_only_stdio() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a system call with three integers; it touches no memory of ours.
        let done = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3 as libc::c_uint,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        if done == 0 {
            return Ok(());
        }
    }
    // Kernels before 5.11, sandboxes, other systems.
    for fd in 3..highest_fd() {
        // SAFETY: sets a flag of an fd number of this process; one that is not open gives EBADF, which is fine.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

fn highest_fd() -> libc::c_int {
    const SANE: u64 = 65_536;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(SANE);
    limit.min(SANE) as libc::c_int
}

/// Waits for the end of the child, kills what is left of its group, reaps it.
fn reap(shared: &Shared, drain: Drain) -> ExitReport {
    // First without reaping: until the leader is reaped, its group id can't pass to a stranger.
    let ended = wait(shared.pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_some();
    let mut state = shared.lock();
    if ended {
        let _ = kill_process_group(shared.pid, Signal::KILL);
    }
    let status = wait(shared.pid, WaitIdOptions::EXITED);
    state.reaped = true;
    let sent = state.sent.clone();
    drop(state);
    drain.finish(STDERR_PATIENCE);
    let mut report = ExitReport::new(status.as_ref());
    report.killed_by_us = sent.iter().any(|signal| report.signal == Some(signal.as_raw()));
    report.stderr_tail = shared.tail.text();
    report
}

/// `None` when somebody else in this process reaped it (`waitpid(-1)`, or SIGCHLD ignored).
fn wait(pid: Pid, options: WaitIdOptions) -> Option<WaitIdStatus> {
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            Ok(status) => return status,
            Err(error) => {
                tracing::error!(pid = pid.as_raw_nonzero(), %error, "child_not_waited_for");
                return None;
            }
        }
    }
}
