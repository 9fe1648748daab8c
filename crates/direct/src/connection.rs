//! The handle of a connection: it starts each operation as a task of its own on the connection's runtime.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak, mpsc as std_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use ibapi::Client;
use ibkr_connect_core::backend::{dispatch, dispatch_stream, may_wait};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionInfo, Error, ErrorKind, EventStream, FlowControl, Reply, Request,
    Result, StreamBudget, StreamRequest,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::ending::{Ending, Watcher, ended, with_reason};
use crate::execute::{Asker, Execution, Shared, Task};
use crate::standing::Topic;

/// How long a closing may take before it is worth a line: ibapi's end, the Gateway's FIN, and some air.
pub(crate) const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// A session of the direct backend.
///
/// # Behavior
/// Dropping it closes it, on the connection's own thread. Outside of a tokio runtime the drop waits for that, at most two
/// seconds; inside of one it never waits, because a thread of the runtime has other work. A program that ends right
/// after should call [`close`](Connection::close), which waits without blocking.
#[derive(Debug)]
pub(crate) struct DirectConnection {
    info: ConnectionInfo,
    request_timeout: Duration,
    /// Dropping it is what closes the session.
    session: Mutex<Option<Session>>,
    closed: Watcher,
    /// Disconnects when the thread is done; `None` for who must not wait for that.
    end: Mutex<Option<std_mpsc::Receiver<()>>>,
    /// What its streams may keep together.
    streams: StreamBudget,
}

/// What an operation needs of the session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) runtime: Handle,
    /// The operations under way. The session's end waits until there is none.
    pub(crate) tasks: TaskTracker,
    /// Gone with the session, also while its handle is still there.
    pub(crate) client: Weak<Client>,
    pub(crate) shared: Shared,
    /// Its drop tells the session to close.
    pub(crate) _hang_up: oneshot::Sender<()>,
}

/// Where the handle learns of the session's end.
#[derive(Debug)]
pub(crate) struct EndSignals {
    /// Tells how it has ended, and closes when everything of it is closed.
    pub(crate) closed: Watcher,
    /// Disconnects when the thread is done.
    pub(crate) done: std_mpsc::Receiver<()>,
}

impl DirectConnection {
    pub(crate) fn new(
        info: ConnectionInfo,
        request_timeout: Duration,
        session: Session,
        ends: EndSignals,
    ) -> Self {
        Self {
            info,
            request_timeout,
            session: Mutex::new(Some(session)),
            closed: ends.closed,
            end: Mutex::new(Some(ends.done)),
            streams: StreamBudget::default(),
        }
    }

    /// Closes it without waiting, on the connection's own thread.
    pub(crate) fn abandon(mut self) {
        self.end.get_mut().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Starts an operation on the session's runtime, unless the session has ended.
    fn spawn<F>(&self, task: Task, operation: impl FnOnce(Asker, Watcher) -> F) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let started = self.session().as_ref().and_then(|session| {
            // Taken before the look at the end: an end that is announced later waits for this task.
            let under_way = session.tasks.token();
            let client = session.client.upgrade().filter(|_| self.closed.borrow().is_none())?;
            let asker = Asker::new(client, session.shared.clone(), task);
            let operation = operation(asker, self.closed.clone());
            session.runtime.spawn(async move {
                operation.await;
                drop(under_way);
            });
            Some(())
        });
        started.ok_or_else(|| self.gone())
    }

    fn hang_up(&self) {
        self.session().take();
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nobody answers. Nothing can be asked any more.
    fn gone(&self) -> Error {
        let error = match &*self.closed.borrow() {
            Some(ending) => ending.error(),
            None if self.session().is_none() => Ending::requested().error(),
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
        let limit = timeout.unwrap_or(self.request_timeout);
        let (mut reply, answer) = oneshot::channel();
        let task = Task { command: request.command(), topic: Topic::of_request(&request), limit };
        self.spawn(task, |asker, closed| async move {
            let execution = Execution { asker: &asker };
            let outcome = tokio::select! {
                biased;
                () = reply.closed() => return,
                ending = ended(closed.clone()) => Err(ending.error()),
                outcome = in_time(&asker, dispatch(&execution, &request)) => outcome,
            };
            let _ = reply.send(with_reason(outcome, closed).await);
        })?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream> {
        let (cancel, cancelled) = oneshot::channel::<()>();
        let (events, stream) = self.streams.event_channel(flow, move || drop(cancel));
        let (command, topic) = (request.command(), Topic::of_stream(&request));
        self.spawn(Task { command, topic, limit: self.request_timeout }, |asker, closed| async move {
            let execution = Execution { asker: &asker };
            let opened = dispatch_stream(&execution, &request, &events);
            let carried = async { in_time(&asker, opened).await?.await };
            let outcome = tokio::select! {
                biased;
                _ = cancelled => return,
                ending = ended(closed.clone()) => Err(ending.error()),
                outcome = carried => outcome,
            };
            events.finish(with_reason(outcome, closed).await);
        })?;
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

/// An answer, or the opening of a stream, in time, or the reason why it has not come.
async fn in_time<T>(asker: &Asker, outcome: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(asker.task.limit, outcome).await.unwrap_or_else(|_| Err(asker.overdue()))
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use ibkr_connect_core::{ConnectionMode, block_on};
    use tokio::runtime::Runtime;
    use tokio::sync::oneshot::error::TryRecvError;
    use tokio::sync::watch;

    use super::*;

    /// A connection whose thread is played: what it is told, how it announces its end, and what it drops when it is done.
    struct Thread {
        hung_up: oneshot::Receiver<()>,
        tasks: TaskTracker,
        announce: watch::Sender<Option<Ending>>,
        done: std_mpsc::Sender<()>,
        runtime: Runtime,
    }

    impl Thread {
        fn is_hung_up(&mut self) -> bool {
            self.hung_up.try_recv() == Err(TryRecvError::Closed)
        }
    }

    fn connection() -> (DirectConnection, Thread) {
        let info = ibkr_connect_core::literal!(ConnectionInfo {
            mode: ConnectionMode::Direct,
            ..ConnectionInfo::mock()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (_hang_up, hung_up) = oneshot::channel();
        let (announce, closed) = watch::channel(None);
        let (done, end) = std_mpsc::channel();
        let tasks = TaskTracker::new();
        let session = Session {
            runtime: runtime.handle().clone(),
            tasks: tasks.clone(),
            client: Weak::new(),
            shared: Shared::default(),
            _hang_up,
        };
        let ends = EndSignals { closed, done: end };
        let connection = DirectConnection::new(info, Duration::from_secs(9), session, ends);
        (connection, Thread { hung_up, tasks, announce, done, runtime })
    }
    #[test]
    fn a_drop_inside_a_runtime_waits_for_nothing() {
        let begun = Instant::now();
        let (connection, mut thread) = connection();
        thread.runtime.block_on(async move { drop(connection) });
        assert!(begun.elapsed() < CLOSING_GRACE, "{:?}", begun.elapsed());
        assert!(thread.is_hung_up(), "but it closes");
        drop(thread.done);
    }

    #[test]
    fn one_that_comes_back_to_its_own_thread_waits_for_nothing() {
        let begun = Instant::now();
        let (connection, mut thread) = connection();
        assert!(!thread.is_hung_up());
        connection.abandon();
        assert!(begun.elapsed() < CLOSING_GRACE, "{:?}", begun.elapsed());
        assert!(thread.is_hung_up(), "but it closes");
    }

    #[test]
    fn a_drop_outside_of_a_runtime_waits_until_nothing_is_left() {
        const CLOSING: Duration = Duration::from_millis(50);
        let begun = Instant::now();
        let (connection, own) = connection();
        let closing = thread::spawn(move || {
            assert!(own.hung_up.blocking_recv().is_err());
            thread::sleep(CLOSING);
            drop(own.done);
        });
        drop(connection);
        assert!(begun.elapsed() >= CLOSING, "{:?}", begun.elapsed());
        closing.join().unwrap();
    }

    /// The error of a request. A stream has the same one: it would look complete if it only ended.
    fn refusal(connection: &DirectConnection) -> Error {
        let request = block_on(connection.request(Request::Positions, None)).unwrap_err();
        let stream = block_on(connection.subscribe(StreamRequest::Notices, FlowControl::default()));
        assert_eq!(stream.unwrap_err().to_string(), request.to_string());
        request
    }

    #[test]
    fn what_nobody_answers_says_who_is_to_blame() {
        let (lost, thread) = connection();
        thread.announce.send_replace(Some(Ending::lost("the Gateway is gone".to_owned(), None)));
        assert_eq!(refusal(&lost).kind(), ErrorKind::Disconnected);

        let (panicked, thread) = connection();
        drop((thread.announce, thread.done));
        assert_eq!(refusal(&panicked).kind(), ErrorKind::Internal);

        let (closed, thread) = connection();
        closed.hang_up();
        let error = refusal(&closed);
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.is_unsent(), "{error:?}");
        assert!(thread.tasks.is_empty(), "what did not start holds no session up");
    }
}
