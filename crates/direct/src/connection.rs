//! The handle of a connection that lives on its own thread.

use std::sync::{Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, Error, EventStream, FlowControl, Reply, Request, Result,
    StreamRequest, event_channel,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::{Command, gone};
use crate::error::gateway_gone;

/// How long a dropped connection waits for its thread: ibapi's end, the Gateway's FIN, and some air.
const DROP_GRACE: Duration = Duration::from_secs(2);

/// A session of the direct backend.
#[derive(Debug)]
pub(crate) struct DirectConnection {
    info: ConnectionInfo,
    /// Closing this channel is what closes the session.
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
    closed: watch::Receiver<Option<CloseReason>>,
    /// Disconnects when the thread is done.
    end: Mutex<std_mpsc::Receiver<()>>,
}

impl DirectConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        commands: mpsc::UnboundedSender<Command>,
        closed: watch::Receiver<Option<CloseReason>>,
        end: std_mpsc::Receiver<()>,
    ) -> Self {
        Self { info, commands: Mutex::new(Some(commands)), closed, end: Mutex::new(end) }
    }

    fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().and_then(|commands| commands.send(command).ok()).ok_or_else(|| self.gone())
    }

    fn hang_up(&self) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn gone(&self) -> Error {
        gateway_gone(self.closed.borrow().as_ref().unwrap_or(&CloseReason::Requested))
    }
}

#[async_trait]
impl Connection for DirectConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Request { request, timeout, reply })?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let (cancel, cancelled) = oneshot::channel::<()>();
        let (events, stream) = event_channel(flow, move || drop(cancel));
        self.send(Command::Subscribe { request, events, cancelled })?;
        Ok(stream)
    }

    async fn closed(&self) -> CloseReason {
        gone(self.closed.clone()).await
    }

    async fn close(&self) -> Result<()> {
        self.hang_up();
        // The sender lives as long as the thread's session: an error here is the end we wait for.
        let mut closed = self.closed.clone();
        while closed.changed().await.is_ok() {}
        Ok(())
    }
}

impl Drop for DirectConnection {
    fn drop(&mut self) {
        self.hang_up();
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if end.recv_timeout(DROP_GRACE) == Err(std_mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(client_id = self.info.client_id, "connection_still_closing");
        }
    }
}
