//! What surrounds a connect in either mode: a check for zombies on the port before it and after a failure. It never fails a
//! connect, and has nothing to do with the connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ibkr_connect_cleanup::{self as cleanup, CleanupPolicy, Register, Run};
use ibkr_connect_core::backend::own_thread;
use ibkr_connect_core::config::ZombieCleanup;
use ibkr_connect_core::literal;
use ibkr_connect_core::telemetry::{ZOMBIES_CLEANED, ZOMBIES_FOUND};
use ibkr_connect_core::{
    Config, Connection, ConnectionMode, Connector, Error, ErrorKind, Phase, Result, Target, ZombieReport,
};
use ibkr_connect_resilience::Gateway;

/// A connector that keeps the port tidy, as `IBKR_ZOMBIE_CLEANUP` says.
///
/// # Behavior
/// A connect runs on a thread of its own from beginning to end, so that its steps follow each other while the caller's
/// runtime is blocked.
#[derive(Debug, Clone)]
pub(crate) struct ZombieCheckConnector {
    inner: Arc<dyn Connector>,
    cleanup: ZombieCleanup,
    state_dir: PathBuf,
}

impl ZombieCheckConnector {
    pub(crate) fn new(inner: Arc<dyn Connector>, config: &Config) -> Self {
        Self { inner, cleanup: config.zombie_cleanup, state_dir: config.state_dir.clone() }
    }

    async fn checked_connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let zombies = self.check(target);
        match self.inner.connect(target).await {
            Ok(mut connection) => {
                connection.info_mut().zombies = zombies;
                Ok(connection)
            }
            Err(error) => {
                self.check(target);
                Err(behind_forwarder(error, target))
            }
        }
    }

    /// Looks at the port, if it is on this machine and looking is wanted. Half a millisecond where nothing is half closed;
    /// a second to tell a zombie from a connection that is just closing.
    fn check(&self, target: &Target) -> Option<ZombieReport> {
        let (port, gateway) = (target.port, Gateway::from(target));
        let found = match self.cleanup {
            ZombieCleanup::Off => return None,
            // The sockets of another host are not in our table; a name is not looked up for this.
            _ if !gateway.is_local() => return None,
            ZombieCleanup::Report => report(port),
            ZombieCleanup::Clean => clean(port, &self.state_dir),
        };
        let report = found.unwrap_or_else(|error| {
            tracing::warn!(%gateway, %error, "zombies_not_looked_for");
            literal!(ZombieReport { problem: Some(error.to_string()), ..ZombieReport::default() })
        });
        if report.found > 0 {
            tracing::warn!(
                %gateway,
                found = report.found,
                removed = report.removed,
                "zombies_found"
            );
        }
        if report.problem.is_none() {
            ZOMBIES_FOUND.set([&gateway], report.found as f64);
            ZOMBIES_CLEANED.add([&gateway], report.removed as u64);
        }
        Some(report)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for ZombieCheckConnector {
    fn mode(&self) -> ConnectionMode {
        self.inner.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        // Before the check of the port, which opens a socket. If it fails, so does the backend.
        let _ = cleanup::fill_standard_descriptors();
        let (this, target) = (self.clone(), target.clone());
        own_thread("ibkr-connect", async move { this.checked_connect(&target).await }).await
    }
}

/// A forwarder accepts also while the Gateway behind it is down; then the connection ends without a byte, or hangs. So a
/// failure before the Gateway's first byte says nothing about what the usual advice is for.
fn behind_forwarder(error: Error, target: &Target) -> Error {
    let is_mute = error.phase() == Some(Phase::Version)
        && matches!(error.kind(), ErrorKind::Rejected | ErrorKind::HandshakeTimeout);
    if !is_mute || !Gateway::from(target).is_local() {
        return error;
    }
    let Ok(Some(forwarder)) = cleanup::forwarder(target.port) else { return error };
    let (port, usual) = (target.port, error.advice().unwrap_or_default().to_owned());
    error.with_advice(format!(
        "see first whether the Gateway runs: {forwarder} listens on port {port} and passes connections on, and accepts them also \
         while the Gateway behind it is down. If it runs, {usual}; it sees the address of the forwarder, not of this program"
    ))
}

fn report(port: u16) -> Result<ZombieReport, cleanup::Error> {
    let found = cleanup::half_closed(&[port])?.len();
    Ok(literal!(ZombieReport { found, removed: 0, problem: None }))
}

fn clean(port: u16, state_dir: &Path) -> Result<ZombieReport, cleanup::Error> {
    if cleanup::half_closed(&[port])?.is_empty() {
        return Ok(ZombieReport::default());
    }
    let workers = Register::open(state_dir)?.live()?;
    let done = cleanup::clean(port, &CleanupPolicy { run: Run::Act, workers, ..CleanupPolicy::default() })?;
    Ok(literal!(ZombieReport {
        found: done.found.len(),
        removed: done.found.len() - done.remaining.len(),
        problem: None,
    }))
}
