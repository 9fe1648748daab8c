//! One connect: start the worker, check its hello, have it connect; or say why not, when nothing is left of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ibkr_connect_core::backend::Ready;
use ibkr_connect_core::{
    CloseReason, ConnectionInfo, ConnectionMode, Error, ErrorKind, Phase, PhaseTiming, Result, Target, millis,
};
use ibkr_connect_protocol::after;
use ibkr_connect_protocol::frames::{Connected, Hello, PROTOCOL};
use ibkr_connect_protocol::lines::cut;

use crate::exit::KillReason;
use crate::monitor::Worker;
use crate::process::{Process, Wanted};
use crate::start::start;
use crate::{Timing, WorkerSpec};

/// One connect, from the start of the worker on.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub(crate) spec: WorkerSpec,
    pub(crate) timing: Timing,
    pub(crate) target: Target,
    /// Where the register of workers is, if the worker is to be in it.
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) process: Arc<Process>,
    pub(crate) started: Instant,
}

impl Connecting {
    /// Connects, and stays with the worker until it is gone. A failure is reported when nothing is left of it.
    pub(crate) fn run(self, outcome: Ready<ConnectionInfo>) {
        let (mut worker, cookie) =
            match start(&self.spec, &self.timing, self.target.log_accounts, &self.process) {
                Ok(started) => started,
                Err(error) => {
                    drop(outcome.send(Err(error.in_phase(Phase::Spawn))));
                    return;
                }
            };
        match self.connect(&cookie, worker.child.pid()) {
            Ok(info) => {
                worker.register(self.state_dir.as_deref(), self.target.port);
                // Nobody there any more: the link says so too.
                drop(outcome.send(Ok(info)));
                worker.watch(&self.timing);
            }
            Err(failure) => {
                let error = self.failed(failure, &mut worker);
                drop(outcome.send(Err(error)));
            }
        }
    }

    fn connect(&self, cookie: &str, pid: u32) -> Result<ConnectionInfo, Failure> {
        let hello = self.hello()?;
        self.check(&hello, cookie)?;
        let spawn = PhaseTiming::new(Phase::Spawn, self.started.elapsed());
        let connected = self.handshake().map_err(|failure| failure.after(spawn))?;
        let mut phases = vec![spawn];
        phases.extend(connected.phases);
        Ok(ibkr_connect_core::literal!(ConnectionInfo {
            mode: ConnectionMode::Subprocess,
            client_id: connected.client_id,
            server_version: connected.server_version,
            accounts: connected.accounts,
            readonly: connected.readonly,
            phases,
            connect_ms: millis(self.started.elapsed()),
            worker_pid: Some(pid),
            zombies: None,
            attempts: Vec::new(),
        }))
    }

    fn hello(&self) -> Result<Hello, Failure> {
        let patience = self.timing.link.hello.min(self.target.timeout);
        let said = self
            .wait_for(after(self.started, patience), || self.process.link.take_hello())
            .unwrap_or(Err(Failure::Kill(KillReason::NoHello(patience))))
            .map_err(|failure| match failure {
                Failure::Ended => Failure::EndedEarly,
                other => other,
            })?;
        said.map_err(|said| KillReason::NotAHello(said).into())
    }

    fn check(&self, hello: &Hello, cookie: &str) -> Result<(), Failure> {
        if hello.protocol != PROTOCOL {
            let version = cut(hello.version.as_bytes());
            return Err(KillReason::Version { protocol: hello.protocol, version }.into());
        }
        if hello.cookie != cookie {
            return Err(KillReason::WrongCookie.into());
        }
        Ok(())
    }

    /// Has the worker connect. It keeps the deadline itself; ours is for one that hangs.
    fn handshake(&self) -> Result<Connected, Failure> {
        let deadline = after(self.started, self.target.timeout);
        let timeout = deadline.saturating_duration_since(Instant::now());
        let target = self.target.clone().with_timeout(timeout);
        self.process.link.send_connect(&target).map_err(Failure::Refused)?;
        self.wait_for(deadline + self.timing.link.answer_grace, || self.process.link.take_connected())
            .unwrap_or(Err(Failure::Kill(KillReason::HandshakeDeadline(self.target.timeout))))?
            .map_err(Failure::Refused)
    }

    /// Waits for something of the worker's, until `deadline` or until the attempt has come to its end.
    fn wait_for<T>(
        &self,
        deadline: Instant,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<Result<T, Failure>> {
        let alarm = self.process.link.alarm();
        alarm.wait_for(deadline, || ready().map(Ok).or_else(|| self.trouble().map(Err)))
    }

    /// What ends an attempt at any time.
    fn trouble(&self) -> Option<Failure> {
        if self.process.wanted() != Wanted::Connection {
            return Some(KillReason::Abandoned.into());
        }
        if let Some(how) = self.process.link.take_violation() {
            return Some(KillReason::ProtocolViolation(how).into());
        }
        (self.process.link.has_ended() && self.process.has_exited()).then_some(Failure::Ended)
    }

    /// Ends the worker and says why there is no connection.
    fn failed(&self, failure: Failure, worker: &mut Worker) -> Error {
        let program = self.spec.program.display().to_string();
        let killed = match &failure {
            Failure::Refused(_) => Some(KillReason::ConnectFailed),
            Failure::Kill(reason) => Some(reason.clone()),
            Failure::EndedEarly | Failure::Ended => None,
        };
        let (reason, stderr) = worker.end(killed);
        let error = match failure {
            Failure::Refused(error) => error,
            Failure::Kill(reason) => killed_before_connected(&reason, &program).in_phase(Phase::Spawn),
            Failure::EndedEarly => reason.before_hello(&program, &stderr).in_phase(Phase::Spawn),
            Failure::Ended => reason.crashed(worker.child.pid(), &stderr).in_phase(Phase::Spawn),
        };
        worker.finish(&error, CloseReason::WorkerExited(reason.to_string()), Ok(()));
        error
    }
}

/// Why there is no connection.
enum Failure {
    /// The worker said why.
    Refused(Error),
    /// The worker is of no use.
    Kill(KillReason),
    /// It ended by itself before its hello.
    EndedEarly,
    /// It ended by itself.
    Ended,
}

impl Failure {
    /// The worker does not know how long its own start took.
    fn after(self, spawn: PhaseTiming) -> Self {
        match self {
            Self::Refused(error) => {
                let phases = [spawn].into_iter().chain(error.phases().iter().copied()).collect();
                Self::Refused(error.with_phases(phases))
            }
            other => other,
        }
    }
}

impl From<KillReason> for Failure {
    fn from(reason: KillReason) -> Self {
        Self::Kill(reason)
    }
}

fn killed_before_connected(reason: &KillReason, program: &str) -> Error {
    let ours = env!("CARGO_PKG_VERSION");
    match reason {
        KillReason::HandshakeDeadline(waited) => Error::new(
            ErrorKind::HandshakeTimeout,
            format!(
                "the worker did not answer within {waited:?} and was killed; the last known phase is spawn"
            ),
        )
        .with_advice("the worker hung (stopped, or starved of CPU): look at the machine's load and the log"),
        KillReason::Version { .. } => Error::new(
            ErrorKind::WorkerIncompatible,
            format!(
                "{program} is a worker of another version: {reason}; this program speaks protocol {PROTOCOL} (version {ours:?})"
            ),
        ),
        KillReason::NoHello(_) | KillReason::NotAHello(_) | KillReason::WrongCookie => {
            Error::new(ErrorKind::WorkerIncompatible, format!("{program} is not a worker: {reason}"))
        }
        other => Error::new(ErrorKind::WorkerCrashed, format!("the worker was killed: {other}")),
    }
}
