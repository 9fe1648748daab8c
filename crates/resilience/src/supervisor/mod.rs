//! A session that stays up: replaced when it is lost, watched, and never said to be better than it is.
//!
//! Reading order: [`Supervisor`], `options`, `state`, and `stream` and `status`, which are what its users hold. Two state machines
//! decide, and know only events and times: `machine`, with `health` (of a live session) and `retry` (when to try again); and
//! `streams`, across sessions. `shell` is the thread around them; it waits for what `life` has under way, the session's `notices`
//! included, and for the `subscriptions` behind the streams. `replay` drops what a reopened stream repeats, `observed` counts
//! requests without an answer, `time` is what the clocks show.

mod health;
mod life;
mod machine;
mod notices;
mod observed;
mod options;
mod replay;
pub(crate) mod restart;
mod retry;
mod shell;
mod state;
mod status;
mod stream;
mod streams;
mod subscriptions;
mod time;

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod shell_tests;
#[cfg(test)]
mod world;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use ibkr_connect_core::backend::{may_wait, spawn_runtime};
use ibkr_connect_core::{
    Connector, Error, ErrorKind, FlowControl, Reply, Request, Result, StreamRequest, Target,
};
use ibkr_connect_state::{Clock, KernelClock};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

pub use options::{GiveUp, RestartLimit, SupervisorOptions};
pub use restart::RestartHook;
pub use state::{Damage, Farm, FarmKind, NextAttempt, SupervisorState};
pub use status::SupervisedSession;
pub use stream::{StreamItem, SupervisedStream};

use shell::{Command, Shell};
use status::{Status, usable};
use stream::Signal;
use streams::StreamId;
use subscriptions::Wanted;
pub(crate) use time::Reading;

/// How long a dropped supervisor waits for its thread: an abandoned attempt, or a session that closes in order.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// Keeps a session with a Gateway up.
///
/// # Behavior
/// - It lives on a thread of its own; nothing here needs a runtime, and recovery goes on while the host's is blocked.
/// - Recovery is in proportion to the damage: lost data farms (2103, 2105, 2157) and lost servers (1100) are shown and
///   waited for, 1101 opens market data anew, and only a lost socket, a dead worker, or silence for
///   [`misses`](SupervisorOptions::misses) intervals makes a new session. It hears the Gateway by the session's own
///   [`notices`](ibkr_connect_core::Session::notices), from the handshake on; over a connection without them, pings and the
///   connection's end are all it knows.
/// - The attempt after a loss is immediate, unless sessions are lost too [often](SupervisorOptions::restarts); the next ones follow
///   the [`schedule`](SupervisorOptions::schedule). While nothing listens on a local port, none is made. A circuit breaker that
///   somebody closes, or whose trial by another process succeeds, is noticed within a second.
/// - A Gateway that is wedged is restarted only if a [`gateway_restart`](SupervisorOptions::gateway_restart) says how: after
///   three attempts in vain, and at most every ten minutes, whichever process of the user does it.
/// - It is never `Ready` unless the Gateway has answered a ping within the interval.
/// - A request is never repeated behind its caller's back: without a session it fails at once. A stream waits.
/// - One attempt is one `connect` of the connector. A [`RobustConnector`](crate::RobustConnector) should be given
///   [`max_retries`](crate::Policy::max_retries) 0, or each attempt is several handshakes.
/// - Dropping it closes it. Outside a tokio runtime that waits, at most 5 s; inside of one it returns at once, because a wait
///   would stop the runtime, and the supervisor's thread ends the session. [`close`](Self::close) waits in both.
pub struct Supervisor {
    /// Closing this channel is what closes the supervisor.
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
    status: watch::Receiver<Status>,
    states: watch::Receiver<SupervisorState>,
    /// What the streams tell the thread.
    signals: mpsc::UnboundedSender<(StreamId, Signal)>,
    last_stream: AtomicU64,
    /// Disconnects when the thread is done.
    end: Mutex<std_mpsc::Receiver<()>>,
}

impl Supervisor {
    /// Starts to make a session with `target` and returns at once.
    ///
    /// # Errors
    /// `busy`, when the system refuses a thread.
    pub fn start(
        connector: impl Into<Arc<dyn Connector>>,
        target: Target,
        options: SupervisorOptions,
    ) -> Result<Self> {
        Self::start_with_clock(connector, target, options, Arc::new(KernelClock::default()))
    }

    /// The same by another clock. It should go on while the machine sleeps, as the default does: what was missed meanwhile is looked
    /// at within a second of the waking.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_with_clock(
        connector: impl Into<Arc<dyn Connector>>,
        target: Target,
        options: SupervisorOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (supervisor, shell, ended) = Self::new(connector.into(), target, options, clock);
        let span = shell.span();
        spawn_runtime("ibkr-supervisor", move || async move {
            shell.run().instrument(span).await;
            drop(ended);
        })?;
        Ok(supervisor)
    }

    /// The handle, what is to be run, and what is to be dropped when that has ended.
    fn new(
        connector: Arc<dyn Connector>,
        target: Target,
        options: SupervisorOptions,
        clock: Arc<dyn Clock>,
    ) -> (Self, Shell, std_mpsc::Sender<()>) {
        let (ended, end) = std_mpsc::channel();
        let (commands, inbox) = mpsc::unbounded_channel();
        let (signals, heard) = mpsc::unbounded_channel();
        let shell = Shell::new(connector, target, options, clock, inbox, heard);
        let (status, states) = shell.followed();
        let supervisor = Self {
            commands: Mutex::new(Some(commands)),
            status,
            states,
            signals,
            last_stream: AtomicU64::new(0),
            end: Mutex::new(end),
        };
        (supervisor, shell, ended)
    }

    /// Waits for a session whose Gateway answers, as long as it takes.
    ///
    /// # Errors
    /// `closed`, when the supervisor is closed or has given up.
    pub async fn session(&self) -> Result<SupervisedSession> {
        usable(self.status.clone()).await
    }

    /// Waits for a session whose Gateway answers, at most `limit`.
    ///
    /// # Errors
    /// `timeout`, with the state and the last failure; `closed`, when the supervisor is closed or has given up.
    pub async fn session_within(&self, limit: Duration) -> Result<SupervisedSession> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Wait { limit, reply })?;
        // The thread ends only after its last word.
        answer.await.unwrap_or_else(|_| Err(self.status.borrow().absence(ErrorKind::Closed)))
    }

    /// The session there is, without waiting. Its Gateway may have stopped answering a moment ago; see
    /// [`state`](Self::state).
    ///
    /// # Errors
    /// `disconnected`, while there is none, with the state and the last failure; `closed`.
    pub fn current(&self) -> Result<SupervisedSession> {
        self.status.borrow().session()
    }

    /// Runs a one-shot operation in the current session.
    ///
    /// # Errors
    /// Those of [`current`](Self::current) and of the operation. It is not repeated: whether the Gateway has seen a request
    /// that ended with `disconnected` or `worker_crashed` is unknown.
    pub async fn request(&self, request: Request) -> Result<Reply> {
        self.current()?.request(request).await
    }

    /// Opens a stream that goes on in later sessions.
    ///
    /// # Behavior
    /// It waits until the stream is open, as long as it takes: without a session it waits for one, and what keeps a stream from
    /// being opened for a while, such as IBKR's limits or a lost session, is waited for as well. [`SupervisedStream`] says what ends
    /// one. Dropping the future gives the stream up.
    ///
    /// # Errors
    /// `read_only`, `invalid_request`, or the error with which the Gateway refuses it; some backends learn of that later, and the
    /// stream then begins with it. `closed`, when the supervisor is closed or gives up.
    pub async fn subscribe(&self, request: StreamRequest) -> Result<SupervisedStream> {
        self.subscribe_with(request, FlowControl::default()).await
    }

    /// Opens a stream that goes on in later sessions, with the same flow control in each.
    ///
    /// # Errors
    /// Those of [`subscribe`](Self::subscribe).
    pub async fn subscribe_with(
        &self,
        request: StreamRequest,
        flow: FlowControl,
    ) -> Result<SupervisedStream> {
        request.check()?;
        let id = StreamId(self.last_stream.fetch_add(1, Ordering::Relaxed) + 1);
        let (switches, receiver) = mpsc::unbounded_channel();
        let mut stream = SupervisedStream::new(id, &request, receiver, self.signals.clone());
        self.send(Command::Subscribe(Box::new(Wanted { id, request, flow, switches })))?;
        // The thread ends only after its last word.
        let opened = stream.opened().await;
        opened.unwrap_or_else(|| Err(self.status.borrow().absence(ErrorKind::Closed)))?;
        Ok(stream)
    }

    /// The state now.
    pub fn state(&self) -> SupervisorState {
        self.status.borrow().state.clone()
    }

    /// The states to come. A reader that is slow sees the latest and not each one in between; the `session_state` events of
    /// `tracing` tell them all.
    pub fn states(&self) -> watch::Receiver<SupervisorState> {
        self.states.clone()
    }

    /// How many sessions there have been: the number of the current or the last one.
    pub fn generation(&self) -> u64 {
        self.status.borrow().generation
    }

    /// Why the last attempt failed; `None` after one that succeeded.
    pub fn failure(&self) -> Option<Error> {
        self.status.borrow().failure.clone()
    }

    /// Closes the session, or abandons the attempt, and waits until nothing is left. Idempotent.
    pub async fn close(&self) {
        self.hang_up();
        // The thread keeps the sender until it ends: an error here is the end we wait for.
        let mut status = self.status.clone();
        while status.changed().await.is_ok() {}
    }

    fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let is_sent = commands.as_ref().is_some_and(|commands| commands.send(command).is_ok());
        if is_sent { Ok(()) } else { Err(self.status.borrow().absence(ErrorKind::Closed)) }
    }

    fn hang_up(&self) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.hang_up();
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if may_wait() && end.recv_timeout(DROP_GRACE) == Err(std_mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("supervisor_still_closing");
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.borrow();
        f.debug_struct("Supervisor")
            .field("state", &status.state)
            .field("generation", &status.generation)
            .field("failure", &status.failure)
            .finish_non_exhaustive()
    }
}
