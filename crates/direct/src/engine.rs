//! The thread of a connection: its runtime, its deadlines, its requests.

use std::sync::mpsc as std_mpsc;

use ibapi::Client;
use ibkr_connect_core::backend::{Ready, own_runtime};
use ibkr_connect_core::{
    CloseReason, Error, ErrorKind, EventSender, Reply, Request, Result, StreamRequest, Target,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::attempt::{Established, attempt};
use crate::connection::DirectConnection;
use crate::error::gateway_gone;
use crate::execute::{Shared, execute, stream};
use crate::log;

/// How long ibapi may take to close its own end.
const DISCONNECT_GRACE: Duration = Duration::from_secs(1);

/// What the handle asks of the thread.
pub(crate) enum Command {
    Request { request: Request, timeout: Option<Duration>, reply: oneshot::Sender<Result<Reply>> },
    Subscribe { request: StreamRequest, events: EventSender, cancelled: oneshot::Receiver<()> },
}

/// Starts the thread and waits for the outcome of its attempt. Dropping the future abandons the attempt.
pub(crate) async fn start(target: Target) -> Result<DirectConnection> {
    own_runtime("ibkr-direct", move |ready| {
        log::show_accounts(target.log_accounts);
        async move { live(&target, ready).await }
    })
    .await
}

/// The whole life: the attempt, then the session.
async fn live(target: &Target, mut ready: Ready<DirectConnection>) {
    let outcome = tokio::select! {
        biased;
        () = ready.closed() => return,
        outcome = attempt(target) => outcome,
    };
    let Established { info, client, notices: source, relay } = match outcome {
        Ok(established) => established,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let (commands, inbox) = mpsc::unbounded_channel();
    let (closed, watcher) = watch::channel(None);
    let (ended, end) = std_mpsc::channel::<()>();
    let (client, shared) = (Arc::new(client), Shared::default());
    // Both end with ibapi's client.
    tokio::spawn(shared.notices.clone().collect(source));
    tokio::spawn(shared.orders.clone().collect(Arc::clone(&client)));
    let session = Session { client, shared, inbox, closed, request_timeout: target.request_timeout };
    let relay = tokio::spawn(relay);
    // An abandoned connection comes back and is dropped, which closes it like any other.
    drop(ready.send(Ok(DirectConnection::new(info, commands, watcher, end))));
    session.serve(relay).await;
    drop(ended);
}

struct Session {
    client: Arc<Client>,
    shared: Shared,
    inbox: mpsc::UnboundedReceiver<Command>,
    closed: watch::Sender<Option<CloseReason>>,
    request_timeout: Duration,
}

impl Session {
    /// Serves commands until the handle closes or the connection goes.
    async fn serve(mut self, mut relay: tokio::task::JoinHandle<CloseReason>) {
        let mut tasks = JoinSet::new();
        let lost = loop {
            tokio::select! {
                command = self.inbox.recv() => match command {
                    Some(command) => self.spawn(command, &mut tasks),
                    None => break None,
                },
                reason = &mut relay => break Some(reason),
                Some(_) = tasks.join_next() => {}
            }
        };
        let requested = lost.is_none();
        let reason = lost.map_or(CloseReason::Requested, |reason| {
            reason.unwrap_or_else(|panic| CloseReason::Disconnected(format!("the relay failed: {panic}")))
        });
        log::connection_ended(&reason);
        // Every task waits for the reason too, and passes it on to whoever waits for the task.
        self.closed.send_replace(Some(reason.clone()));
        refuse(&mut self.inbox, &reason);
        while tasks.join_next().await.is_some() {}
        let _ = timeout(DISCONNECT_GRACE, self.client.disconnect()).await;
        if requested {
            let _ = relay.await;
        }
    }

    fn spawn(&self, command: Command, tasks: &mut JoinSet<()>) {
        let client = Arc::clone(&self.client);
        let shared = self.shared.clone();
        let closed = self.closed.subscribe();
        match command {
            Command::Request { request, timeout: limit, mut reply } => {
                let limit = limit.unwrap_or(self.request_timeout);
                tasks.spawn(async move {
                    let outcome = tokio::select! {
                        biased;
                        () = reply.closed() => return,
                        reason = gone(closed) => Err(gateway_gone(&reason)),
                        outcome = timeout(limit, execute(&client, &shared, &request)) => {
                            outcome.unwrap_or_else(|_| Err(overdue(request.command(), limit)))
                        }
                    };
                    let _ = reply.send(outcome);
                })
            }
            Command::Subscribe { request, events, cancelled } => tasks.spawn(async move {
                let outcome = tokio::select! {
                    biased;
                    _ = cancelled => return,
                    reason = gone(closed) => Err(gateway_gone(&reason)),
                    outcome = stream(&client, &shared, &request, &events) => outcome,
                };
                events.finish(outcome);
            }),
        };
    }
}

/// Answers the commands that came when the connection had just gone. A request finds that out by its dropped sender; a
/// stream would take that for its own end.
fn refuse(inbox: &mut mpsc::UnboundedReceiver<Command>, reason: &CloseReason) {
    inbox.close();
    while let Ok(command) = inbox.try_recv() {
        if let Command::Subscribe { events, .. } = command {
            events.finish(Err(gateway_gone(reason)));
        }
    }
}

/// Resolves with the reason once the connection is gone.
pub(crate) async fn gone(mut closed: watch::Receiver<Option<CloseReason>>) -> CloseReason {
    match closed.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or(CloseReason::Requested),
        Err(_) => CloseReason::Requested,
    }
}

fn overdue(command: &str, limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("{command}: no answer within {limit:?}")).with_advice(
        "raise IBKR_REQUEST_TIMEOUT if the request is large; otherwise check the Gateway's data farms",
    )
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::{FlowControl, event_channel};

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

        refuse(&mut inbox, &CloseReason::Disconnected("the Gateway is gone".to_owned()));
        assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        answer.await.unwrap_err();
        assert!(commands.is_closed());
    }
}
