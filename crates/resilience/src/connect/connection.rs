//! A connection that holds its client id and keeps IBKR's limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::backend::close_elsewhere;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, EventStream, FlowControl, Reply, Request, Result, StreamRequest,
};

use crate::ids::Lease;
use crate::pacing::Entrance;

/// A backend's connection with what it needs to be a good neighbour.
#[derive(Debug)]
pub(crate) struct RobustConnection {
    info: ConnectionInfo,
    /// Before the lease: the id is given back when nobody uses it any more.
    inner: Arc<dyn Connection>,
    lease: Mutex<Option<Lease>>,
    entrance: Option<Entrance>,
}

impl RobustConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        inner: Box<dyn Connection>,
        lease: Lease,
        entrance: Option<Entrance>,
    ) -> Self {
        Self { info, inner: inner.into(), lease: Mutex::new(Some(lease)), entrance }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for RobustConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let _open = match &self.entrance {
            Some(entrance) => entrance.request(&request, timeout).await?,
            None => None,
        };
        self.inner.request(request, timeout).await
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        if let Some(entrance) = &self.entrance {
            entrance.stream(&request).await?;
        }
        self.inner.subscribe(request, flow).await
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
