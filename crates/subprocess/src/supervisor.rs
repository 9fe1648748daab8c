//! The thread that owns a worker, once it runs: keeps its time, ends it. `attempt.rs` is how it comes to that.
//!
//! Every deadline and every heartbeat is decided here, so that a host whose runtime is stuck can't delay them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::Child;
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{CloseReason, Error, ErrorKind, Result};

use crate::Timing;
use crate::exit::{ExitReason, KillReason};
use crate::link::Link;
use crate::state::{State, Wanted};
use crate::wire::{Empty, command};

/// How long a killed process may take to be gone; the kernel needs less than a millisecond.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

const NO_PARAMS: Option<Empty> = None;

/// A running worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) child: Child,
    pub(crate) link: Arc<Link>,
    /// How long its stdout may stay open after its end, in other hands.
    pub(crate) settle: Duration,
    pub(crate) log_accounts: LogAccounts,
}

/// Why the supervisor stops watching.
enum Verdict {
    Close,
    Kill(KillReason),
    Ended,
}

impl Worker {
    /// Keeps the time of a connected worker until it is gone.
    pub(crate) fn watch(self, timing: &Timing) {
        match self.verdict(timing) {
            Verdict::Close => self.close(timing),
            Verdict::Kill(reason) => self.lose(Some(reason)),
            Verdict::Ended => self.lose(None),
        }
    }

    fn verdict(&self, timing: &Timing) -> Verdict {
        let mut ping_at = after(Instant::now(), timing.ping);
        let mut silent_since = None;
        loop {
            self.expire();
            let now = Instant::now();
            if now >= ping_at {
                if let Err(lost) = self.link.lock().heartbeat.tick() {
                    return Verdict::Kill(KillReason::Heartbeat(lost));
                }
                self.link.send_control(command::PING, NO_PARAMS);
                ping_at = after(now, timing.ping);
            }
            let mut state = self.link.lock();
            if let Some(verdict) = verdict_of(&mut state) {
                return verdict;
            }
            let mut wake_at = ping_at.min(state.next_deadline().unwrap_or(ping_at));
            // The end of stdout and the end of the process race. Should the other one not follow, something is wrong.
            if state.eof || state.exit.is_some() {
                let give_up = *silent_since.get_or_insert(now) + timing.settle;
                if now >= give_up {
                    return if state.eof { Verdict::Kill(closed_stdout()) } else { Verdict::Ended };
                }
                wake_at = wake_at.min(give_up);
            }
            drop(self.link.sleep(state, wake_at));
        }
    }

    /// Ends the waits that have lasted too long. The worker keeps the real deadlines, a moment before ours.
    fn expire(&self) {
        loop {
            let expired = self.link.lock().take_expired(Instant::now());
            let Some((id, waiter)) = expired else { return };
            self.link.send_cancel(id);
            waiter.fail(
                Error::new(ErrorKind::Timeout, "the worker did not answer the request within its deadline")
                    .with_advice("the worker or its machine is overloaded, or the worker hangs"),
            );
        }
    }

    /// The worker is gone, or has to go, and nobody asked for that.
    fn lose(self, killed: Option<KillReason>) {
        let (reason, stderr) = self.end(killed);
        let error = reason.crashed(self.child.pid(), &stderr);
        tracing::warn!(worker_pid = self.child.pid(), reason = %self.log_accounts.text(&reason), "worker_lost");
        self.finish(&error, CloseReason::WorkerExited(reason.to_string()), Ok(()));
    }

    /// Shutdown frame, end of stdin, SIGTERM, SIGKILL.
    fn close(self, timing: &Timing) {
        let closed = CloseReason::Requested.error();
        self.link.refuse(&closed, CloseReason::Requested);
        self.link.fail_all(&closed);
        self.link.send_control(command::SHUTDOWN, NO_PARAMS);
        let mut ended = self.wait_exit(timing.close);
        if !ended {
            self.link.outbox.close();
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
            let state = self.link.lock();
            if state.exit.is_some() {
                return true;
            }
            let deadline = match state.wanted {
                Wanted::CloseUntil(until) => deadline.min(until),
                _ => deadline,
            };
            if self.link.sleep(state, deadline).is_none() {
                return false;
            }
        }
    }

    /// Makes sure that the process is gone and everything it wrote was read; says how it ended.
    pub(crate) fn end(&self, killed: Option<KillReason>) -> (ExitReason, String) {
        if killed.is_some() {
            self.child.kill();
        }
        self.link.outbox.close();
        let report = self.child.wait_timeout(KILL_PATIENCE).unwrap_or_default();
        self.link.wait_until(after(Instant::now(), self.settle), |state| state.eof.then_some(()));
        (ExitReason::of(&report, killed), report.stderr_tail)
    }

    pub(crate) fn finish(&self, error: &Error, reason: CloseReason, outcome: Result<()>) {
        self.link.refuse(error, reason);
        self.link.fail_all(error);
        self.link.finish(outcome);
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

fn verdict_of(state: &mut State) -> Option<Verdict> {
    match state.wanted {
        Wanted::Connection => {}
        Wanted::Nothing => return Some(Verdict::Kill(KillReason::Abandoned)),
        Wanted::Close | Wanted::CloseUntil(_) => return Some(Verdict::Close),
    }
    if let Some(how) = state.violation.take() {
        return Some(Verdict::Kill(KillReason::ProtocolViolation(how)));
    }
    (state.eof && state.exit.is_some()).then_some(Verdict::Ended)
}

fn closed_stdout() -> KillReason {
    KillReason::ProtocolViolation("it closed its stdout and went on".to_owned())
}

/// `start` plus `duration`, which the user may have set to forever.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
    start + duration.min(FOREVER)
}

#[cfg(test)]
mod tests {
    use ibkr_connect_cleanup::ChildSpec;
    use ibkr_connect_core::block_on;
    use serde_json::value::RawValue;
    use tokio::sync::oneshot;

    use super::*;
    use crate::state::Waiter;

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
        let link = Arc::new(Link::new());
        let (sender, answer) = oneshot::channel::<Result<Box<RawValue>>>();
        link.lock().register(1, Waiter::Request(sender), None).unwrap();
        let worker = Worker {
            child,
            link: Arc::clone(&link),
            settle: KILL_PATIENCE,
            log_accounts: LogAccounts::Masked,
        };
        let keeper = thread::spawn(move || {
            let _worker = worker;
            panic!("as planned");
        });
        keeper.join().unwrap_err();
        assert_eq!(block_on(answer).unwrap().unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(block_on(link.gone()).unwrap_err().kind(), ErrorKind::Internal);
        let late = link.lock().register(2, Waiter::Supervisor, None).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Internal);
    }
}
