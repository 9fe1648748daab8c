//! `IBKR_CONNECTION_FALLBACK=direct`: another connector for when the worker can't start.

use async_trait::async_trait;
use ibkr_connect_core::{Connection, ConnectionMode, Connector, ErrorKind, Result, Target};

/// Uses the second connector when the first has no worker to run. Any other failure stands: a Gateway that refuses
/// one process refuses the other too.
#[derive(Debug)]
pub(crate) struct FallbackConnector {
    primary: Box<dyn Connector>,
    fallback: Box<dyn Connector>,
}

impl FallbackConnector {
    pub(crate) fn new(primary: Box<dyn Connector>, fallback: Box<dyn Connector>) -> Self {
        Self { primary, fallback }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connector for FallbackConnector {
    fn mode(&self) -> ConnectionMode {
        self.primary.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        match self.primary.connect(target).await {
            Err(error) if error.kind() == ErrorKind::WorkerSpawn => {
                tracing::warn!(error = %target.log_accounts.text(error), "worker_fallback");
                self.fallback.connect(target).await
            }
            outcome => outcome,
        }
    }
}
