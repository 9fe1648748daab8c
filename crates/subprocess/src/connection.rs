//! The Connection: requests and streams through a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, EventStream, FlowControl, Reply, Request, Result, StreamRequest,
};

use crate::link::Link;
use crate::state::Wanted;
use crate::supervisor::after;

/// A session that a worker process holds.
#[derive(Debug)]
pub(crate) struct SubprocessConnection {
    pub(crate) link: Arc<Link>,
    pub(crate) info: ConnectionInfo,
    /// When the worker gives up on a request.
    pub(crate) request_timeout: Duration,
    /// How much later we do.
    pub(crate) request_grace: Duration,
    /// How long `Drop` waits for an end in order.
    pub(crate) drop_patience: Duration,
}

#[async_trait]
impl Connection for SubprocessConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let call = self.link.call(&request, timeout, self.deadline(timeout))?;
        let data = call.answer().await?;
        // Read here and not on the reader's thread, which serves everybody.
        request.reply_from_json(data.get())
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let (opened, stream) = self.link.open(request, flow, self.deadline(None))?;
        opened.answer().await?;
        Ok(stream)
    }

    async fn closed(&self) -> CloseReason {
        self.link.closed().await
    }

    async fn close(&self) -> Result<()> {
        self.link.update(|state| {
            if state.wanted == Wanted::Connection {
                state.wanted = Wanted::Close;
            }
        });
        self.link.gone().await
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
        self.link.update(|state| state.wanted = Wanted::CloseUntil(until));
        if may_wait() {
            self.link.wait_gone(self.drop_patience + MARGIN);
        }
    }
}
