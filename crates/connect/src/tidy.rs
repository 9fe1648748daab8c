//! What surrounds a connect in either mode: a look for zombies on the port before it and after a failure, and an entry
//! in the register for the worker. None of it ever fails a connect.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;

use async_trait::async_trait;
use ibkr_connect_cleanup::{self as cleanup, Policy, Register, Registration, Run};
use ibkr_connect_core::config::ZombieCleanup;
use ibkr_connect_core::{
    CloseReason, Config, Connection, ConnectionInfo, ConnectionMode, Connector, EventStream, Reply, Request,
    Result, StreamRequest, Target, ZombieReport,
};
use tokio::sync::oneshot;

/// A connector that keeps the port tidy, as `IBKR_ZOMBIE_CLEANUP` says.
#[derive(Debug)]
pub(crate) struct TidyConnector {
    inner: Box<dyn Connector>,
    cleanup: ZombieCleanup,
    state_dir: PathBuf,
}

impl TidyConnector {
    pub(crate) fn new(inner: Box<dyn Connector>, config: &Config) -> Self {
        Self { inner, cleanup: config.zombie_cleanup, state_dir: config.state_dir.clone() }
    }

    /// Looks at the port, if it is on this machine and looking is wanted. The kernel is asked on a thread of its own: it
    /// may take a second to tell a zombie from a connection that is just closing.
    async fn look(&self, target: &Target) -> Option<ZombieReport> {
        let (port, state_dir) = (target.port, self.state_dir.clone());
        let work: fn(u16, &Path) -> Result<ZombieReport, cleanup::Error> = match self.cleanup {
            ZombieCleanup::Off => return None,
            _ if !is_local(&target.host) => return None,
            ZombieCleanup::Report => |port, _| report(port),
            ZombieCleanup::Clean => clean,
        };
        let found = on_a_thread(move || work(port, &state_dir)).await?;
        let report = found.unwrap_or_else(|error| {
            tracing::warn!(%error, port, "the look for zombies failed");
            ZombieReport { problem: Some(error.to_string()), ..ZombieReport::default() }
        });
        if report.found > 0 {
            tracing::warn!(
                port,
                found = report.found,
                removed = report.removed,
                "half-closed connections on the port"
            );
        }
        Some(report)
    }

    async fn register(&self, info: &ConnectionInfo, target: &Target) -> Option<Registration> {
        let (pid, port, state_dir) = (info.worker_pid?, target.port, self.state_dir.clone());
        let added =
            on_a_thread(move || Register::open(&state_dir).and_then(|register| register.add(pid, port)))
                .await?;
        added.inspect_err(|error| tracing::warn!(%error, pid, "the worker could not be registered")).ok()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for TidyConnector {
    fn mode(&self) -> ConnectionMode {
        self.inner.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let zombies = self.look(target).await;
        let inner = match self.inner.connect(target).await {
            Ok(inner) => inner,
            Err(error) => {
                self.look(target).await;
                return Err(error);
            }
        };
        let registration = self.register(inner.info(), target).await;
        let info = ConnectionInfo { zombies, ..inner.info().clone() };
        Ok(Box::new(TidyConnection { info, inner, _registration: registration }))
    }
}

/// A connection with what was found on the port before it, and its worker's entry in the register.
#[derive(Debug)]
struct TidyConnection {
    info: ConnectionInfo,
    /// Before the entry: a worker is in the register for as long as it may live.
    inner: Box<dyn Connection>,
    _registration: Option<Registration>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for TidyConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request) -> Result<Reply> {
        self.inner.request(request).await
    }

    async fn subscribe(&self, request: StreamRequest) -> Result<EventStream> {
        self.inner.subscribe(request).await
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

fn report(port: u16) -> Result<ZombieReport, cleanup::Error> {
    let found = cleanup::half_closed(&[port])?.len();
    Ok(ZombieReport { found, removed: 0, problem: None })
}

fn clean(port: u16, state_dir: &Path) -> Result<ZombieReport, cleanup::Error> {
    if cleanup::half_closed(&[port])?.is_empty() {
        return Ok(ZombieReport::default());
    }
    let workers = Register::open(state_dir)?.live()?;
    let done = cleanup::clean(port, &Policy { run: Run::Act, workers, ..Policy::default() })?;
    Ok(ZombieReport {
        found: done.found.len(),
        removed: done.found.len() - done.remaining.len(),
        problem: None,
    })
}

/// The sockets of another host are not in our table.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Runs `work` without blocking the caller's thread, on any runtime or none.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, result) = oneshot::channel();
    thread::Builder::new().name("ibkr-tidy".to_owned()).spawn(move || drop(sender.send(work()))).ok()?;
    result.await.ok()
}
