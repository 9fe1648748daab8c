//! The isolated backend: any other [`Connector`] in a worker process of its own, over JSON lines.
//!
//! What happens to the worker's runtime, memory or sockets can't happen to the program that uses it, and the kernel
//! cleans up after it. A program holds a [`SubprocessConnector`]; a worker calls [`worker::serve_stdio`]. Between them
//! is a link of [`ibkr_connect_protocol`], which `docs/protocol.md` describes for programs in other languages; here are the
//! process, its start and its ends.
//!
//! Threads on the parent's side, per worker: the monitor (`monitor.rs`) owns the process and keeps the link's deadlines and
//! heartbeat; the reader completes requests; callers write themselves. No future here needs a runtime.

#![forbid(unsafe_code)]

mod connect;
mod connection;
mod exit;
mod fd_pipe;
mod log;
mod monitor;
mod process;
mod start;
pub mod worker;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::backend::reported;
use ibkr_connect_core::{Connection, ConnectionMode, Connector, Result, Target};
use ibkr_connect_protocol::{Deadlines, LinkConnection};
pub use ibkr_connect_protocol::{HeartbeatLost, Timing as LinkTiming};

use crate::connect::Connecting;
use crate::connection::WorkerHolder;
pub use crate::exit::{ExitReason, KillReason};
use crate::process::{Process, Wanted};

/// Connects through a worker process, one per connection.
#[derive(Debug, Clone)]
pub struct SubprocessConnector {
    spec: WorkerSpec,
    timing: Timing,
    state_dir: Option<PathBuf>,
}

impl SubprocessConnector {
    /// A connector whose workers are started as `spec` says.
    pub fn new(spec: WorkerSpec) -> Self {
        Self { spec, timing: Timing::default(), state_dir: None }
    }

    /// Replaces the intervals and patiences, for tests that can't wait.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Has each worker in the register of workers of `state_dir` from its connect until it is gone. A register that can't be
    /// written is told to the log, and fails no connect.
    #[must_use]
    pub fn registered_in(mut self, state_dir: PathBuf) -> Self {
        self.state_dir = Some(state_dir);
        self
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for SubprocessConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Subprocess
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        target.check()?;
        let process = Arc::new(Process::new());
        let connecting = Connecting {
            spec: self.spec.clone(),
            timing: self.timing.clone(),
            target: target.clone(),
            state_dir: self.state_dir.clone(),
            process: Arc::clone(&process),
            started: Instant::now(),
        };
        let abandon = AbandonOnDrop::new(process);
        let info = reported("ibkr-worker", move |ready| connecting.run(ready)).await?;
        let process = abandon.keep();
        let deadlines = Deadlines { request: target.request_timeout, grace: self.timing.link.request_grace };
        let link = Arc::clone(&process.link);
        let holder = WorkerHolder { process, drop_patience: self.timing.drop };
        Ok(Box::new(LinkConnection::new(link, info, deadlines, holder)))
    }
}

/// Ends the worker of a connect whose future is dropped. The monitor does it: dropping blocks nobody.
struct AbandonOnDrop {
    process: Arc<Process>,
    armed: bool,
}

impl AbandonOnDrop {
    fn new(process: Arc<Process>) -> Self {
        Self { process, armed: true }
    }

    /// The connect has succeeded.
    fn keep(mut self) -> Arc<Process> {
        self.armed = false;
        Arc::clone(&self.process)
    }
}

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.process.want_end(Wanted::Nothing);
        }
    }
}

/// How to start a worker.
#[derive(Clone)]
pub struct WorkerSpec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// Its whole environment, but for the cookie: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
}

impl fmt::Debug for WorkerSpec {
    /// Names the variables but not their values: an environment may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSpec")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

/// The intervals and patiences of the parent's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Those of the link; its start is that of the process, and who answers `connect` too late is killed.
    pub link: LinkTiming,
    /// From SIGTERM until SIGKILL.
    pub terminate: Duration,
    /// The same as the link's `close`, in `Drop`, and SIGKILL follows at once.
    pub drop: Duration,
    /// How long the end of the process and the end of its stdout may lie apart.
    pub settle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            link: LinkTiming::default(),
            terminate: Duration::from_secs(1),
            drop: Duration::from_secs(1),
            settle: Duration::from_millis(500),
        }
    }
}
