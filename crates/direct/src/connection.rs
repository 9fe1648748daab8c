//! The handle of a connection that lives on its own thread.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, Error, ErrorKind, EventStream, FlowControl, Reply, Request,
    Result, StreamBudget, StreamRequest,
};
use tokio::sync::{mpsc, oneshot};

use crate::command::{CLOSING_GRACE, Command};
use crate::ending::{Ending, Watcher, ended};

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
    /// What its streams may keep together.
    streams: StreamBudget,
}

impl DirectConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        commands: mpsc::UnboundedSender<Command>,
        closed: Watcher,
        end: std_mpsc::Receiver<()>,
    ) -> Self {
        Self {
            info,
            commands: Mutex::new(Some(commands)),
            closed,
            end: Mutex::new(Some(end)),
            streams: StreamBudget::default(),
        }
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
    /// Nothing can be asked any more.
    fn gone(&self) -> Error {
        let error = match &*self.closed.borrow() {
            Some(ending) => ending.error(),
            None if self.commands().is_none() => Ending::requested().error(),
            None => Error::new(ErrorKind::Internal, "a task of the connection has panicked"),
        };
        error.unsent()
    }
}

#[async_trait]
impl Connection for DirectConnection {
    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn info_mut(&mut self) -> &mut ConnectionInfo {
        &mut self.info
    }

    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Request { request, timeout, reply })?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let (cancel, cancelled) = oneshot::channel::<()>();
        let (events, stream) = self.streams.event_channel(flow, move || drop(cancel));
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

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use ibkr_connect_core::{ConnectionMode, block_on};
    use tokio::sync::watch;

    use super::*;

    /// A connection whose thread is played: what it is asked, how it announces its end, and what it drops when it is done.
    struct Thread {
        inbox: mpsc::UnboundedReceiver<Command>,
        announce: watch::Sender<Option<Ending>>,
        done: std_mpsc::Sender<()>,
    }

    fn connection() -> (DirectConnection, Thread) {
        let info = ibkr_connect_core::literal!(ConnectionInfo {
            mode: ConnectionMode::Direct,
            ..ConnectionInfo::mock()
        });
        let (commands, inbox) = mpsc::unbounded_channel();
        let (announce, closed) = watch::channel(None);
        let (done, end) = std_mpsc::channel();
        (DirectConnection::new(info, commands, closed, end), Thread { inbox, announce, done })
    }

    #[test]
    fn a_drop_inside_a_runtime_waits_for_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let begun = Instant::now();
        let (connection, mut thread) = connection();
        runtime.block_on(async move { drop(connection) });
        assert!(begun.elapsed() < CLOSING_GRACE, "{:?}", begun.elapsed());
        assert!(thread.inbox.blocking_recv().is_none(), "but it closes");
        drop(thread.done);
    }

    #[test]
    fn one_that_comes_back_to_its_own_thread_waits_for_nothing() {
        let begun = Instant::now();
        let (connection, mut thread) = connection();
        connection.abandon();
        assert!(begun.elapsed() < CLOSING_GRACE, "{:?}", begun.elapsed());
        assert!(thread.inbox.blocking_recv().is_none(), "but it closes");
    }

    #[test]
    fn a_drop_outside_of_a_runtime_waits_until_nothing_is_left() {
        const CLOSING: Duration = Duration::from_millis(50);
        let begun = Instant::now();
        let (connection, mut own) = connection();
        let closing = thread::spawn(move || {
            assert!(own.inbox.blocking_recv().is_none());
            thread::sleep(CLOSING);
            drop(own.done);
        });
        drop(connection);
        assert!(begun.elapsed() >= CLOSING, "{:?}", begun.elapsed());
        closing.join().unwrap();
    }

    #[test]
    fn what_nobody_answers_says_who_is_to_blame() {
        let ask = |connection: &DirectConnection| block_on(connection.request(Request::Positions, None));
        let (lost, mut thread) = connection();
        thread.announce.send_replace(Some(Ending::lost("the Gateway is gone".to_owned(), None)));
        thread.inbox.close();
        assert_eq!(ask(&lost).unwrap_err().kind(), ErrorKind::Disconnected);

        let (panicked, mut thread) = connection();
        thread.inbox.close();
        drop((thread.announce, thread.done));
        assert_eq!(ask(&panicked).unwrap_err().kind(), ErrorKind::Internal);

        let (closed, thread) = connection();
        closed.hang_up();
        assert_eq!(ask(&closed).unwrap_err().kind(), ErrorKind::Closed);
        drop(thread);
    }
}
