//! The thread that owns a worker, once it runs: keeps its link's time, ends it. `connect.rs` is how it comes to that.
//!
//! Deadlines and heartbeats pass on this thread, so that a host whose runtime is stuck can't delay them.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{Child, Register, Registration};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{CloseReason, Error, ErrorKind, Result};
use ibkr_connect_protocol::after;

use crate::Timing;
use crate::exit::{ExitReason, KillReason};
use crate::process::{Process, Wanted};

/// How long a killed process may take to be gone; the kernel needs less than a millisecond.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A running worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) child: Child,
    pub(crate) process: Arc<Process>,
    /// How long its stdout may stay open after its end, in other hands.
    pub(crate) settle: Duration,
    pub(crate) log_accounts: LogAccounts,
    /// Its entry in the register of workers, until it is gone.
    pub(crate) registration: Option<Registration>,
}

/// Why the monitor stops watching.
enum Verdict {
    Close,
    Kill(KillReason),
    Ended,
}

impl Worker {
    /// Has it in the register of `state_dir`. A cleanup takes one that is not there for a stranger, and nothing else depends on it.
    pub(crate) fn register(&mut self, state_dir: Option<&Path>, port: u16) {
        let Some(state_dir) = state_dir else { return };
        let worker_pid = self.child.pid();
        self.registration = Register::open(state_dir)
            .and_then(|register| register.add(worker_pid, port))
            .inspect_err(|error| tracing::warn!(worker_pid, %error, "worker_not_registered"))
            .ok();
    }

    /// Keeps the time of a connected worker until it is gone.
    pub(crate) fn watch(self, timing: &Timing) {
        match self.verdict(timing) {
            Verdict::Close => self.close(timing),
            Verdict::Kill(reason) => self.lose(Some(reason)),
            Verdict::Ended => self.lose(None),
        }
    }

    fn verdict(&self, timing: &Timing) -> Verdict {
        let link = &self.process.link;
        link.start_heartbeat(Instant::now(), timing.link.ping);
        let mut silent_since = None;
        loop {
            let now = Instant::now();
            let next = match link.tick(now) {
                Ok(next) => next,
                Err(lost) => return Verdict::Kill(KillReason::Heartbeat(lost)),
            };
            if let Some(verdict) = self.verdict_now() {
                return verdict;
            }
            let mut wake_at = next.unwrap_or_else(|| after(now, timing.link.ping));
            // The end of stdout and the end of the process race. Should the other one not follow, something is wrong.
            let has_ended = link.has_ended();
            if has_ended || self.process.has_exited() {
                let give_up = *silent_since.get_or_insert(now) + timing.settle;
                if now >= give_up {
                    return if has_ended { Verdict::Kill(closed_stdout()) } else { Verdict::Ended };
                }
                wake_at = wake_at.min(give_up);
            }
            link.alarm().sleep(wake_at);
        }
    }

    fn verdict_now(&self) -> Option<Verdict> {
        match self.process.wanted() {
            Wanted::Connection => {}
            Wanted::Nothing => return Some(Verdict::Kill(KillReason::Abandoned)),
            Wanted::Close | Wanted::CloseUntil(_) => return Some(Verdict::Close),
        }
        if let Some(how) = self.process.link.take_violation() {
            return Some(Verdict::Kill(KillReason::ProtocolViolation(how)));
        }
        (self.process.link.has_ended() && self.process.has_exited()).then_some(Verdict::Ended)
    }

    /// The worker is gone, or has to go, and nobody asked for that.
    fn lose(mut self, killed: Option<KillReason>) {
        let (reason, stderr) = self.end(killed);
        let error = reason.crashed(self.child.pid(), &stderr);
        tracing::warn!(worker_pid = self.child.pid(), reason = %self.log_accounts.text(&reason), "worker_lost");
        self.finish(&error, CloseReason::WorkerExited(reason.to_string()), Ok(()));
    }

    /// Shutdown frame, end of stdin, SIGTERM, SIGKILL.
    fn close(mut self, timing: &Timing) {
        let closed = CloseReason::Requested.error();
        self.process.link.refuse(&closed, CloseReason::Requested);
        self.process.link.fail_all(&closed);
        self.process.link.send_shutdown();
        let mut ended = self.wait_exit(timing.link.close);
        if !ended {
            self.process.link.hang_up();
            self.child.terminate();
            ended = self.wait_exit(timing.terminate);
        }
        let (reason, _) = self.end((!ended).then_some(KillReason::CloseDeadline));
        let outcome = match reason {
            ExitReason::Killed(_) => {
                Err(Error::new(ErrorKind::WorkerCrashed, format!("the worker's end was forced: {reason}"))
                    .with_advice("nothing is left of it; the Gateway saw its connection end"))
            }
            _ => Ok(()),
        };
        self.finish(&closed, CloseReason::Requested, outcome);
    }

    /// Whether it ended within `patience`, or within the owner's.
    fn wait_exit(&self, patience: Duration) -> bool {
        let deadline = after(Instant::now(), patience);
        loop {
            if self.process.has_exited() {
                return true;
            }
            let deadline = match self.process.wanted() {
                Wanted::CloseUntil(until) => deadline.min(until),
                _ => deadline,
            };
            if !self.process.link.alarm().sleep(deadline) {
                return self.process.has_exited();
            }
        }
    }

    /// Makes sure that the process is gone and everything it wrote was read; says how it ended.
    pub(crate) fn end(&self, killed: Option<KillReason>) -> (ExitReason, String) {
        if killed.is_some() {
            self.child.kill();
        }
        self.process.link.hang_up();
        let report = self.child.wait_timeout(KILL_PATIENCE).unwrap_or_default();
        let link = &self.process.link;
        link.alarm().wait_for(after(Instant::now(), self.settle), || link.has_ended().then_some(()));
        (ExitReason::of(&report, killed), report.stderr_tail)
    }

    pub(crate) fn finish(&mut self, error: &Error, reason: CloseReason, outcome: Result<()>) {
        // Whoever waits for the end may look into the register then.
        self.registration = None;
        self.process.link.refuse(error, reason);
        self.process.link.fail_all(error);
        self.process.link.finish(outcome);
    }
}

impl Drop for Worker {
    /// Nobody keeps the deadlines of what waits any more when the thread that did has panicked.
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        self.child.kill();
        drop(self.child.wait_timeout(KILL_PATIENCE));
        let error = Error::new(ErrorKind::Internal, "the thread that keeps the worker panicked");
        self.finish(&error, CloseReason::WorkerExited(error.message().to_owned()), Err(error.clone()));
    }
}

fn closed_stdout() -> KillReason {
    KillReason::ProtocolViolation("it closed its stdout and went on".to_owned())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use ibkr_connect_cleanup::ChildSpec;
    use ibkr_connect_core::{Request, block_on};

    use super::*;

    #[test]
    fn a_panic_of_its_keeper_leaves_nobody_waiting_and_no_worker() {
        let spec = ChildSpec {
            program: "/bin/cat".into(),
            args: Vec::new(),
            env: Vec::new(),
            grace: KILL_PATIENCE,
            label: "cat".to_owned(),
            on_stderr_line: Box::new(|_| {}),
        };
        let (child, _stdin, _stdout) = Child::spawn(spec).unwrap();
        let process = Arc::new(Process::new());
        let link = Arc::clone(&process.link);
        let far = after(Instant::now(), Duration::MAX);
        let mut waiting = pin!(link.request(&Request::ServerTime, None, far));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let worker = Worker {
            child,
            process,
            settle: KILL_PATIENCE,
            log_accounts: LogAccounts::Masked,
            registration: None,
        };
        let keeper = thread::spawn(move || {
            let _worker = worker;
            panic!("as planned");
        });
        keeper.join().unwrap_err();
        assert_eq!(block_on(waiting).unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(block_on(link.finished()).unwrap_err().kind(), ErrorKind::Internal);
        let late = block_on(link.request(&Request::ServerTime, None, far)).unwrap_err();
        assert_eq!((late.kind(), late.is_unsent()), (ErrorKind::Internal, true));
    }
}
