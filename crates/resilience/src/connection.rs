//! A connection that holds its client id and keeps IBKR's limits.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, EventStream, Reply, Request, Result, StreamRequest,
};

use crate::history::HistoricalKey;
use crate::lease::Lease;
use crate::queue::Queue;

/// A backend's connection with what it needs to be a good neighbour.
#[derive(Debug)]
pub(crate) struct RobustConnection {
    /// Before the lease: the id is given back when nobody uses it any more.
    inner: Box<dyn Connection>,
    lease: Mutex<Option<Lease>>,
    queue: Option<Arc<Queue>>,
}

impl RobustConnection {
    pub(crate) fn new(inner: Box<dyn Connection>, lease: Lease, queue: Option<Arc<Queue>>) -> Self {
        Self { inner, lease: Mutex::new(Some(lease)), queue }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Connection for RobustConnection {
    fn info(&self) -> &ConnectionInfo {
        self.inner.info()
    }

    async fn request(&self, request: Request) -> Result<Reply> {
        let Some(queue) = &self.queue else { return self.inner.request(request).await };
        let _open = match HistoricalKey::of_request(&request) {
            Some(key) => Some(queue.historical(request.command(), &key).await),
            None => None,
        };
        queue.message(request.command()).await;
        self.inner.request(request).await
    }

    async fn subscribe(&self, request: StreamRequest) -> Result<EventStream> {
        if let Some(queue) = &self.queue {
            if let Some(key) = HistoricalKey::of_stream(&request) {
                // It counts, but is open for as long as it likes: the limit of open ones is for those that wait.
                drop(queue.historical(request.command(), &key).await);
            }
            queue.message(request.command()).await;
        }
        self.inner.subscribe(request).await
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
