//! The handle of a connection that lives on its own thread.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, Error, ErrorKind, EventStream, FlowControl, Reply, Request,
    Result, StreamRequest, event_channel,
};
use tokio::sync::{mpsc, oneshot};

use crate::ending::{Ending, Watcher, ended};
use crate::engine::{CLOSING_GRACE, Command};

/// A session of the direct backend.
///
/// # Behavior
/// Dropping it closes it, on the connection's own thread. Outside of a tokio runtime the drop waits for that, at most two
/// seconds; inside of one it never waits, because a thread of the runtime has other work. A program that ends right
/// after should call [`close`](Connection::close), which waits without blocking.
#[derive(Debug)]
pub(crate) struct DirectConnection {
    info: ConnectionInfo,
    /// Closing this channel is what closes the session.
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
    closed: Watcher,
    /// Disconnects when the thread is done; `None` for who must not wait for that.
    end: Mutex<Option<std_mpsc::Receiver<()>>>,
}

impl DirectConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        commands: mpsc::UnboundedSender<Command>,
        closed: Watcher,
        end: std_mpsc::Receiver<()>,
    ) -> Self {
        Self { info, commands: Mutex::new(Some(commands)), closed, end: Mutex::new(Some(end)) }
    }

    /// Closes it without waiting, on the connection's own thread.
    pub(crate) fn abandon(mut self) {
        self.end.get_mut().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn send(&self, command: Command) -> Result<()> {
        let sent = self.commands().as_ref().and_then(|commands| commands.send(command).ok());
        sent.ok_or_else(|| self.gone())
    }

    fn hang_up(&self) {
        self.commands().take();
    }

    fn commands(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nobody answers.
    fn gone(&self) -> Error {
        match &*self.closed.borrow() {
            Some(ending) => ending.error(),
            None if self.commands().is_none() => Ending::requested().error(),
            None => Error::new(ErrorKind::Internal, "a task of the connection has panicked"),
        }
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
        ended(self.closed.clone()).await.reason
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
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(end) = end.filter(|_| may_wait()) {
            // The thread itself says so when it takes longer.
            let _ = end.recv_timeout(CLOSING_GRACE);
        }
    }
}
