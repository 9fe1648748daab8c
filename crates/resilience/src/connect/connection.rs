//! A connection that holds its client id and keeps IBKR's limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::backend::close_elsewhere;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, ErrorKind, EventStream, FlowControl, Reply, Request, Result,
    StreamRequest,
};

use crate::ids::Lease;
use crate::pacing::ConnectionPacer;

/// A backend's connection with what it needs to be a good neighbour.
#[derive(Debug)]
pub(crate) struct RobustConnection {
    info: ConnectionInfo,
    /// Before the lease: the id is given back when nobody uses it any more.
    inner: Arc<dyn Connection>,
    lease: Mutex<Option<Lease>>,
    pacer: Option<ConnectionPacer>,
}

impl RobustConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        inner: Box<dyn Connection>,
        lease: Lease,
        pacer: Option<ConnectionPacer>,
    ) -> Self {
        Self { info, inner: inner.into(), lease: Mutex::new(Some(lease)), pacer }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for RobustConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let Some(pacer) = &self.pacer else { return self.inner.request(request, timeout).await };
        let admission = pacer.request(&request, timeout).await?;
        let outcome = self.inner.request(request, timeout).await;
        // A request that is given up is cancelled, which is a message too.
        if !matches!(&outcome, Err(error) if error.kind() == ErrorKind::Timeout) {
            admission.answered();
        }
        outcome
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let Some(pacer) = &self.pacer else { return self.inner.subscribe(request, flow).await };
        pacer.stream(&request).await?;
        let stream = self.inner.subscribe(request.clone(), flow).await?;
        Ok(pacer.counted(&request, stream))
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        closed
    }
}

impl Drop for RobustConnection {
    fn drop(&mut self) {
        let lease = self.lease.get_mut().unwrap_or_else(PoisonError::into_inner);
        close_elsewhere(&self.inner, || lease.take());
    }
}
