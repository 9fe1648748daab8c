//! The Connection: requests and streams through a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, EventStream, FlowControl, Reply, Request, Result, StreamRequest,
};
use ibkr_connect_protocol::after;

use crate::process::{Process, Wanted};

/// A session that a worker process holds.
#[derive(Debug)]
pub(crate) struct SubprocessConnection {
    pub(crate) process: Arc<Process>,
    pub(crate) info: ConnectionInfo,
    /// When the worker gives up on a request.
    pub(crate) request_timeout: Duration,
    /// How much later we do.
    pub(crate) request_grace: Duration,
    /// How long `Drop` waits for a graceful end.
    pub(crate) drop_patience: Duration,
}

#[async_trait]
impl Connection for SubprocessConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        self.process.link.request(&request, timeout, self.deadline(timeout)).await
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        self.process.link.subscribe(request, flow, self.deadline(None)).await
    }

    async fn closed(&self) -> CloseReason {
        self.process.link.closed().await
    }

    async fn close(&self) -> Result<()> {
        self.process.want_end(Wanted::Close);
        self.process.link.finished().await
    }
}

impl SubprocessConnection {
    /// A moment after the worker's own.
    fn deadline(&self, timeout: Option<Duration>) -> Instant {
        after(Instant::now(), timeout.unwrap_or(self.request_timeout).saturating_add(self.request_grace))
    }
}

impl Drop for SubprocessConnection {
    fn drop(&mut self) {
        /// For the kill after `drop_patience`, and a reader that has to be given up.
        const MARGIN: Duration = Duration::from_secs(6);
        let until = Instant::now() + self.drop_patience;
        self.process.want_end(Wanted::CloseUntil(until));
        if may_wait() {
            self.process.link.wait_finished(self.drop_patience + MARGIN);
        }
    }
}
