//! The thread of a connection: its runtime, its deadlines, its requests.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::mpsc as std_mpsc;

use std::sync::Arc;
use std::time::Duration;

use ibapi::Client;
use ibkr_connect_cleanup::arm_reset;
use ibkr_connect_core::backend::{Ready, dispatch, dispatch_stream, own_runtime};
use ibkr_connect_core::{Error, ErrorKind, Result, Target};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::command::{CLOSING_GRACE, Command};
use crate::connect::{Established, establish};
use crate::connection::DirectConnection;
use crate::ending::{Ending, Watcher, ended};
use crate::execute::{Asker, Execution, Shared, Task};
use crate::log;
use crate::standing::Topic;

/// How long ibapi may take to close its own end.
const DISCONNECT_GRACE: Duration = Duration::from_secs(1);

/// How long the relay may take after that: the Gateway's FIN, and some air.
const RELAY_GRACE: Duration = Duration::from_secs(1);

/// How long a task that ibapi has told of a loss waits for the relay to say how it came about.
const REASON_GRACE: Duration = Duration::from_secs(1);

/// What to do about an answer that makes no sense, of a Gateway that has answered before.
const UNREADABLE: &str =
    "update ibkr-connect, or report the message: this Gateway answers in a way that this version can't read";

/// Starts the thread and waits for the outcome of its attempt. Dropping the future abandons the attempt.
pub(crate) async fn start(target: Target) -> Result<DirectConnection> {
    own_runtime("ibkr-direct", move |ready| async move { live(&target, ready).await }).await
}

/// The same in the runtime of whoever awaits it, as a task.
pub(crate) async fn start_here(target: Target) -> Result<DirectConnection> {
    let (ready, outcome) = oneshot::channel();
    let life = tokio::spawn(async move { live(&target, ready).await });
    match outcome.await {
        Ok(outcome) => outcome,
        Err(_) => Err(silent(life.await)),
    }
}

/// The whole life: the attempt, then the session.
async fn live(target: &Target, mut ready: Ready<DirectConnection>) {
    let outcome = tokio::select! {
        biased;
        () = ready.closed() => return,
        outcome = establish(target) => outcome,
    };
    let Established { info, client, relay, socket, shared } = match outcome {
        Ok(established) => established,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let (commands, inbox) = mpsc::unbounded_channel();
    let (closed, watcher) = watch::channel(None);
    let (done, end) = std_mpsc::channel::<()>();
    let client_id = info.client_id;
    // Ends with ibapi's client.
    tokio::spawn(shared.orders.clone().collect(Arc::clone(&client)));
    let request_timeout = target.request_timeout;
    let session = Session { client, shared, socket, inbox, closed, request_timeout };
    let relay = tokio::spawn(relay);
    let connection = DirectConnection::new(info, commands, watcher, end);
    if let Err(Ok(abandoned)) = ready.send(Ok(connection)) {
        // It is closed like any other, but here, where nothing may wait for that.
        abandoned.abandon();
    }
    let mut closing = pin!(session.serve(relay).await);
    if timeout(CLOSING_GRACE, &mut closing).await.is_err() {
        tracing::warn!(client_id, "connection_still_closing");
        closing.await;
    }
    drop(done);
}

struct Session {
    client: Arc<Client>,
    shared: Shared,
    socket: OwnedFd,
    inbox: mpsc::UnboundedReceiver<Command>,
    closed: watch::Sender<Option<Ending>>,
    request_timeout: Duration,
}

impl Session {
    /// Serves commands until the handle closes or the connection goes. What it returns does the closing.
    async fn serve(mut self, mut relay: JoinHandle<Ending>) -> impl Future<Output = ()> {
        let mut tasks = JoinSet::new();
        let lost = loop {
            tokio::select! {
                command = self.inbox.recv() => match command {
                    Some(command) => self.spawn(command, &mut tasks),
                    None => break None,
                },
                ending = &mut relay => break Some(ending.unwrap_or_else(relay_failed)),
                Some(_) = tasks.join_next() => {}
            }
        };
        // Lost, the connection ends with its last descriptor.
        let relay = lost.is_none().then_some((relay, self.socket));
        let ending = lost.unwrap_or_else(Ending::requested);
        log::connection_ended(self.shared.log_accounts, &ending.reason);
        // Every task waits for the ending too, and passes it on to those who wait for the task.
        self.closed.send_replace(Some(ending.clone()));
        refuse(&mut self.inbox, &ending);
        async move {
            while tasks.join_next().await.is_some() {}
            let _ = timeout(DISCONNECT_GRACE, self.client.disconnect()).await;
            if let Some((relay, socket)) = relay {
                end(relay, socket).await;
            }
            // Whoever closes waits until it is dropped.
            drop(self.closed);
        }
    }

    fn spawn(&self, command: Command, tasks: &mut JoinSet<()>) {
        let closed = self.closed.subscribe();
        match command {
            Command::Request { request, timeout: limit, mut reply } => {
                let limit = limit.unwrap_or(self.request_timeout);
                let asker = self.asker(request.command(), Topic::of_request(&request), limit);
                tasks.spawn(async move {
                    let execution = Execution { asker: &asker };
                    let outcome = tokio::select! {
                        biased;
                        () = reply.closed() => return,
                        ending = ended(closed.clone()) => Err(ending.error()),
                        outcome = in_time(&asker, dispatch(&execution, &request)) => outcome,
                    };
                    let _ = reply.send(with_reason(outcome, closed).await);
                })
            }
            Command::Subscribe { request, events, cancelled } => {
                let asker = self.asker(request.command(), Topic::of_stream(&request), self.request_timeout);
                tasks.spawn(async move {
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
                })
            }
        };
    }

    fn asker(&self, command: &'static str, topic: Topic, limit: Duration) -> Asker {
        Asker::new(Arc::clone(&self.client), self.shared.clone(), Task { command, topic, limit })
    }
}

/// Waits until the relay has closed the connection gracefully. A Gateway that reads nothing keeps it from that: then a reset does.
async fn end(mut relay: JoinHandle<Ending>, socket: OwnedFd) {
    if timeout(RELAY_GRACE, &mut relay).await.is_err() {
        // An error means that there is no socket any more.
        let _ = arm_reset(&socket);
        relay.abort();
        let _ = relay.await;
    }
}

/// An answer, or the opening of a stream, in time, or the reason why it has not come.
async fn in_time<T>(asker: &Asker, outcome: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(asker.task.limit, outcome).await.unwrap_or_else(|_| Err(asker.overdue()))
}

/// Fails the commands that came when the connection had just gone. A dropped reply already fails a request; a stream has to be
/// failed by name, or it would look complete.
fn refuse(inbox: &mut mpsc::UnboundedReceiver<Command>, ending: &Ending) {
    inbox.close();
    while let Ok(command) = inbox.try_recv() {
        if let Command::Subscribe { events, .. } = command {
            events.finish(Err(ending.error()));
        }
    }
}

/// A lost connection is one error, whichever side notices it first: ibapi ends what is open in words of its own, perhaps before the relay
/// has said how the connection ended.
async fn with_reason<T>(outcome: Result<T>, closed: Watcher) -> Result<T> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Disconnected => {
            Err(timeout(REASON_GRACE, ended(closed)).await.map_or(error, |ending| ending.error()))
        }
        // The kind's own advice is to check the port.
        Err(error) if error.kind() == ErrorKind::Protocol => Err(error.with_advice(UNREADABLE)),
        outcome => outcome,
    }
}

/// The next attempt begins with nothing of this one's, and so it may do better.
fn silent(life: std::result::Result<(), JoinError>) -> Error {
    let how = life.err().map_or_else(|| "without an outcome".to_owned(), |panic| format!("early: {panic}"));
    Error::new(ErrorKind::Internal, format!("the connect ended {how}")).retryable()
}

fn relay_failed(panic: JoinError) -> Ending {
    Ending::lost(format!("the relay failed: {panic}"), None)
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::{FlowControl, Request, StreamRequest, event_channel};

    use super::*;

    #[tokio::test]
    async fn a_stream_asked_for_too_late_has_not_ended_by_itself() {
        let (commands, mut inbox) = mpsc::unbounded_channel();
        let (events, mut stream) = event_channel(FlowControl::default(), || {});
        let (_cancel, cancelled) = oneshot::channel();
        let subscribe = Command::Subscribe { request: StreamRequest::Notices, events, cancelled };
        commands.send(subscribe).map_err(drop).unwrap();
        let (reply, answer) = oneshot::channel();
        commands
            .send(Command::Request { request: Request::ServerTime, timeout: None, reply })
            .map_err(drop)
            .unwrap();

        refuse(&mut inbox, &Ending::lost("the Gateway is gone".to_owned(), None));
        assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        answer.await.unwrap_err();
        assert!(commands.is_closed());
    }

    fn told_by_ibapi() -> Result<()> {
        Err(crate::error::request_error(ibapi::Error::ConnectionReset))
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_that_ibapi_tells_of_first_waits_for_its_reason() {
        let (announce, closed) = watch::channel(None);
        let told = with_reason(told_by_ibapi(), closed);
        let (outcome, ()) = tokio::join!(told, async {
            tokio::time::sleep(REASON_GRACE / 2).await;
            announce.send_replace(Some(Ending::lost("the Gateway reset the connection".to_owned(), None)));
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.message().contains("the Gateway reset the connection"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_closed_only_if_this_program_has_closed_it() {
        let (announce, closed) = watch::channel(Some(Ending::requested()));
        let error = with_reason(told_by_ibapi(), closed.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        // Nobody says anything.
        announce.send_replace(None);
        let error = with_reason(told_by_ibapi(), closed.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Disconnected, "ConnectionReset"));
        let unreadable =
            with_reason(Err::<(), _>(Error::new(ErrorKind::Protocol, "x")), closed.clone()).await;
        assert_eq!(unreadable.unwrap_err().advice(), Some(UNREADABLE), "the port has proved to be right");
        // What has nothing to do with it is not waited for.
        let other = Err::<(), _>(Error::new(ErrorKind::Timeout, "late"));
        let begun = tokio::time::Instant::now();
        assert_eq!(with_reason(other, closed).await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
