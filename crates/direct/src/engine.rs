//! The life of a connection: its thread and runtime, its attempt, its session, its end.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use ibapi::Client;
use ibkr_connect_cleanup::arm_reset;
use ibkr_connect_core::backend::{Ready, own_runtime};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{Error, ErrorKind, Result, Target};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::connect::{Established, establish};
use crate::connection::{CLOSING_GRACE, DirectConnection, EndSignals, Session};
use crate::ending::Ending;
use crate::log;

/// How long ibapi may take to close its own end.
const DISCONNECT_GRACE: Duration = Duration::from_secs(1);

/// How long the relay may take after that: the Gateway's FIN, and some air.
const RELAY_GRACE: Duration = Duration::from_secs(1);

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
    let (closed, watcher) = watch::channel(None);
    let (_hang_up, hung_up) = oneshot::channel();
    let (done, end) = std_mpsc::channel::<()>();
    let (client_id, log_accounts, tasks) = (info.client_id, shared.log_accounts, TaskTracker::new());
    // Ends with ibapi's client.
    tokio::spawn(shared.orders.clone().collect(Arc::clone(&client)));
    let session = Session {
        runtime: Handle::current(),
        tasks: tasks.clone(),
        client: Arc::downgrade(&client),
        shared,
        _hang_up,
    };
    let ends = EndSignals { closed: watcher, done: end };
    let open = OpenSession { client, log_accounts, socket, hung_up, tasks, closed };
    let relay = tokio::spawn(relay);
    let connection = DirectConnection::new(info, target.request_timeout, session, ends);
    if let Err(Ok(abandoned)) = ready.send(Ok(connection)) {
        // It is closed like any other, but here, where nothing may wait for that.
        abandoned.abandon();
    }
    let mut closing = pin!(open.run(relay).await);
    if timeout(CLOSING_GRACE, &mut closing).await.is_err() {
        tracing::warn!(client_id, "connection_still_closing");
        closing.await;
    }
    drop(done);
}

/// A session, as the one who ends it sees it.
struct OpenSession {
    client: Arc<Client>,
    log_accounts: LogAccounts,
    socket: OwnedFd,
    /// Resolves when the handle is done with it.
    hung_up: oneshot::Receiver<()>,
    /// What the handle has started.
    tasks: TaskTracker,
    closed: watch::Sender<Option<Ending>>,
}

impl OpenSession {
    /// Goes on until the handle closes or the connection goes. What it returns does the closing.
    async fn run(self, mut relay: JoinHandle<Ending>) -> impl Future<Output = ()> {
        let lost = tokio::select! {
            _ = self.hung_up => None,
            ending = &mut relay => Some(ending.unwrap_or_else(relay_failed)),
        };
        // Lost, the connection ends with its last descriptor.
        let relay = lost.is_none().then_some((relay, self.socket));
        let ending = lost.unwrap_or_else(Ending::requested);
        log::connection_ended(self.log_accounts, &ending.reason);
        // Every task waits for the ending too, and passes it on to those who wait for the task.
        self.closed.send_replace(Some(ending));
        self.tasks.close();
        async move {
            self.tasks.wait().await;
            let _ = timeout(DISCONNECT_GRACE, self.client.disconnect()).await;
            if let Some((relay, socket)) = relay {
                end(relay, socket).await;
            }
            // Whoever closes waits until it is dropped.
            drop(self.closed);
        }
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

/// The next attempt begins with nothing of this one's, and so it may do better.
fn silent(life: std::result::Result<(), JoinError>) -> Error {
    let how = life.err().map_or_else(|| "without an outcome".to_owned(), |panic| format!("early: {panic}"));
    Error::new(ErrorKind::Internal, format!("the connect ended {how}")).retryable()
}

fn relay_failed(panic: JoinError) -> Ending {
    Ending::lost(format!("the relay failed: {panic}"), None)
}
