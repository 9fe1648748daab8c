//! Child processes that can't outlive their owner.
//!
//! One OS thread per child starts it, waits for it and reaps it. `PR_SET_PDEATHSIG` fires when the *thread* that
//! spawned ends, so that thread lives as long as the child. Signals are sent only while the child is not reaped, under
//! the lock that reaping takes too: its pid and its group can't have passed to a stranger, so no pidfd is needed.

mod exit;
mod spawn;
mod spawn_error;
mod stderr;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

pub use exit::ExitReport;
pub use spawn_error::SpawnError;
pub use stderr::LineSink;
use stderr::Tail;

use crate::fill_standard_descriptors;

/// How long the drop of a [`Child`] waits for the killed process to be gone.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// What to start, and how to end it.
pub struct ChildSpec {
    /// The program. A bare name is looked up in the `PATH` of [`env`](Self::env).
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// Its WHOLE environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// How long after SIGTERM [`Child::terminate`] sends SIGKILL.
    pub grace: Duration,
    /// Names the child's threads and log lines.
    pub label: String,
    /// Receives each line of its stderr; a longer line than 8 KiB is cut.
    pub on_stderr_line: LineSink,
}

impl ChildSpec {
    /// A program without arguments and environment, 2 s of grace, its stderr kept for the report only.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            grace: Duration::from_secs(2),
            label: "child".to_owned(),
            on_stderr_line: Box::new(|_| {}),
        }
    }
}

impl fmt::Debug for ChildSpec {
    /// Names the variables but not their values: an environment may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("grace", &self.grace)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// A running (or ended) child process: leader of its own process group, nothing inherited but fds 0-2.
///
/// # Behavior
/// - When it ends, what is left of its group is killed, it is reaped, and observers are told. No zombie stays.
/// - It dies when this process dies, also by SIGKILL (Linux).
/// - Drop kills and waits, for at most 5 s.
pub struct Child {
    shared: Arc<Shared>,
    grace: Duration,
    label: String,
}

impl Child {
    /// Starts `spec`; gives the child and the ends of its stdin and stdout.
    ///
    /// # Errors
    /// [`SpawnError`] says what is wrong with the program; nothing is left running then.
    pub fn spawn(spec: ChildSpec) -> Result<(Self, ChildStdin, ChildStdout), SpawnError> {
        // One end of a pipe would take the place of the child's other pipes.
        fill_standard_descriptors()
            .map_err(|source| SpawnError::System { program: spec.program.clone(), source })?;
        let (grace, label) = (spec.grace, spec.label.clone());
        let (shared, stdin, stdout) = spawn::supervised(spec)?;
        Ok((Self { shared, grace, label }, stdin, stdout))
    }

    /// Its process id, which is its process group's id too.
    pub fn pid(&self) -> u32 {
        self.shared.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The report, once it has ended and was reaped.
    pub fn exit(&self) -> Option<ExitReport> {
        self.shared.lock().report.clone()
    }

    /// Waits until it has ended and was reaped, at most for `patience`.
    pub fn wait_timeout(&self, patience: Duration) -> Option<ExitReport> {
        self.shared.wait_timeout(patience)
    }

    /// Calls `observer` once when it has ended and was reaped: on the supervisor thread, or at once on this thread when
    /// that has already been. The observer must not block: `Drop` and reaping wait for nobody.
    pub fn on_exit(&self, observer: impl FnOnce(ExitReport) + Send + 'static) {
        let mut state = self.shared.lock();
        match state.report.clone() {
            None => state.observers.push(Box::new(observer)),
            Some(report) => {
                drop(state);
                observer(report);
            }
        }
    }

    /// The last 64 KiB of its stderr so far.
    pub fn stderr_tail(&self) -> String {
        self.shared.tail.text()
    }

    /// Asks it to end: SIGTERM to its group, after `grace` SIGKILL. Returns at once; asking again changes nothing.
    pub fn terminate(&self) {
        if !self.shared.signal(Signal::TERM) {
            return;
        }
        let (shared, grace) = (Arc::clone(&self.shared), self.grace);
        let ladder = thread::Builder::new().name(format!("{}-ladder", self.label)).spawn(move || {
            if shared.wait_timeout(grace).is_none() {
                shared.signal(Signal::KILL);
            }
        });
        if ladder.is_err() {
            // No thread to count the grace: ending it roughly is better than not at all.
            self.kill();
        }
    }

    /// Sends SIGKILL to its group at once. Returns before it is gone: [`wait_timeout`](Self::wait_timeout) tells.
    pub fn kill(&self) {
        self.shared.signal(Signal::KILL);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if self.wait_timeout(DROP_PATIENCE).is_none() {
            tracing::error!(
                pid = self.pid(),
                label = self.label,
                waited_ms = DROP_PATIENCE.as_millis(),
                "child_unkillable"
            );
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("label", &self.label)
            .field("pid", &self.pid())
            .field("exit", &self.exit())
            .finish_non_exhaustive()
    }
}

/// What the owner and the child's threads share.
struct Shared {
    pid: Pid,
    tail: Arc<Tail>,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// From here on the pid may belong to somebody else.
    reaped: bool,
    /// The signals we sent to the group, each once.
    sent: Vec<Signal>,
    report: Option<ExitReport>,
    observers: Vec<Box<dyn FnOnce(ExitReport) + Send>>,
}

impl Shared {
    fn new(pid: Pid, tail: Arc<Tail>) -> Self {
        Self { pid, tail, state: Mutex::default(), ended: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `signal` to the group unless the child is gone or was sent the same or worse; whether it was sent.
    fn signal(&self, signal: Signal) -> bool {
        let mut state = self.lock();
        if state.reaped || state.sent.contains(&Signal::KILL) || state.sent.contains(&signal) {
            return false;
        }
        state.sent.push(signal);
        if let Err(error) = kill_process_group(self.pid, signal) {
            tracing::warn!(pid = self.pid.as_raw_nonzero(), ?signal, %error, "child_not_signalled");
        }
        true
    }

    fn wait_timeout(&self, patience: Duration) -> Option<ExitReport> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while state.report.is_none() {
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.report.clone()
    }

    /// Publishes the report, then tells the observers.
    fn publish(&self, report: &ExitReport) {
        let mut state = self.lock();
        let observers = std::mem::take(&mut state.observers);
        state.report = Some(report.clone());
        self.ended.notify_all();
        drop(state);
        for observer in observers {
            observer(report.clone());
        }
    }
}
