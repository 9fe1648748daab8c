//! A session that stays up: replaced when it is lost, watched, and never said to be better than it is.
//!
//! Reading order:
//! - what users hold: [`Supervisor`], its `methods` and their `blocking` form, `options`, `state`, `transition` and `transitions`,
//!   `stream`, `status`; `handle` is what clones share;
//! - what decides, and knows only events and times: `machine` for the session, with `health` (of a live session) and `retry` (when
//!   to try again), and `streams` across sessions; `outage` is what both know of IBKR's servers;
//! - what does it: `shell` is the thread. It waits for the `lifecycle` of the session with its `notices`, and for the
//!   `subscriptions` behind the streams. `observed` counts requests without an answer, `replay` drops what a reopened stream
//!   repeats, `time` is what the clocks show, `restart` restarts a wedged Gateway.

mod blocking;
mod handle;
mod health;
mod lifecycle;
mod machine;
mod methods;
mod notices;
mod observed;
mod options;
mod outage;
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
mod transition;
mod transitions;

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod shell_tests;
#[cfg(test)]
mod simulation;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use ibkr_connect_core::backend::spawn_runtime;
use ibkr_connect_core::{
    Connector, Error, ErrorKind, FlowControl, Reply, Request, Result, Session, StreamRequest, Target,
};
use ibkr_connect_state::{Clock, KernelClock};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

pub use blocking::{BlockingSupervisedStream, BlockingSupervisor, BlockingTransitions};
pub use options::{GiveUp, RestartLimit, SupervisorOptions};
pub use restart::RestartHook;
pub use state::{Damage, Farm, FarmKind, NextAttempt, SupervisorState};
pub use status::SupervisedSession;
pub use stream::{StreamItem, SupervisedStream};
pub use transition::{Transition, TransitionCause};
pub use transitions::Transitions;

use handle::Handle;
use shell::{Command, Shell};
use status::usable;
use stream::Convert;
use subscriptions::StreamSpec;
pub(crate) use time::Reading;

/// Keeps a session with a Gateway up.
///
/// # Behavior
/// - It lives on a thread of its own; nothing here needs a runtime, and recovery goes on while the host's is blocked.
/// - Recovery is in proportion to the damage: lost data farms (2103, 2105, 2157) and lost servers (1100) are shown and
///   waited for, 1101 opens market data again, and only a lost socket, a dead worker, or silence for
///   [`misses`](SupervisorOptions::misses) intervals makes a new session. It hears the Gateway by the session's own
///   [`notices`](ibkr_connect_core::Session::notices), from the handshake on; over a connection without them, pings and the
///   connection's end are all it knows.
/// - The attempt after a loss is immediate, unless sessions are lost too [often](SupervisorOptions::restarts); the next ones follow
///   the [`schedule`](SupervisorOptions::schedule). While nothing listens on a local port, none is made. A circuit breaker that
///   somebody closes, or whose trial by another process succeeds, is noticed within a second.
/// - A Gateway that is wedged is restarted only if a [`gateway_restart`](SupervisorOptions::gateway_restart) says how: after
///   three attempts that found it mute, and at most every ten minutes, all processes of the user together.
/// - It is never `Ready` unless the Gateway has answered a ping within the interval.
/// - It has one method per row of the table of operations, as [`Session`](ibkr_connect_core::Session) has. A stream goes on in
///   later sessions, see [`SupervisedStream`]; opening one waits for a session. A request is made once, in the current session, and
///   never repeated behind its caller's back: without a session it fails at once with `disconnected`. [`session`](Self::session)
///   and [`session_within`](Self::session_within) wait for one.
/// - One attempt is one `connect` of the connector. A [`RobustConnector`](crate::RobustConnector) should be given
///   [`max_retries`](crate::Policy::max_retries) 0, or each attempt is several handshakes.
/// - Clones are handles of the same supervisor, which lives until the last of them is dropped, or until [`close`](Self::close) is
///   called on any of them. Sessions, streams and transitions that it gave don't keep it alive.
/// - Dropping the last clone closes it. Outside a tokio runtime that waits, at most 5 s; inside of one it returns at once, because
///   a wait would stop the runtime, and the supervisor's thread ends the session. [`close`](Self::close) waits in both.
#[derive(Clone)]
pub struct Supervisor {
    handle: Arc<Handle>,
    flow: FlowControl,
    timeout: Option<Duration>,
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

    /// The same by another clock. It should go on while the machine sleeps, as the default does: what was missed meanwhile is
    /// looked at within a second of the waking.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    #[doc(hidden)]
    pub fn start_with_clock(
        connector: impl Into<Arc<dyn Connector>>,
        target: Target,
        options: SupervisorOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        options.gateway_restart.iter().try_for_each(RestartHook::check)?;
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
        let (shell, published) = Shell::new(connector, target, options, clock, inbox, heard);
        let handle = Arc::new(Handle::new(commands, signals, published, end));
        (Self { handle, flow: FlowControl::default(), timeout: None }, shell, ended)
    }

    /// The same supervisor; what happens to streams opened through this handle when their consumers are slow is up to `flow`.
    #[must_use]
    pub fn with_flow(&self, flow: FlowControl) -> Self {
        Self { flow, ..self.clone() }
    }

    /// The same supervisor; requests made through this handle end after `timeout`, whatever
    /// [`Target::request_timeout`] says.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.clone() }
    }

    /// Waits for a session whose Gateway answers, as long as it takes.
    ///
    /// # Errors
    /// `closed`, when the supervisor is closed or has given up.
    pub async fn session(&self) -> Result<SupervisedSession> {
        usable(self.handle.status()).await
    }

    /// Waits for a session whose Gateway answers, at most `limit`.
    ///
    /// # Errors
    /// `timeout`, with the state and the last failure; `closed`, when the supervisor is closed or has given up.
    pub async fn session_within(&self, limit: Duration) -> Result<SupervisedSession> {
        let (reply, answer) = oneshot::channel();
        self.handle.send(Command::Wait { limit, reply })?;
        // The thread ends only after its last word.
        answer.await.unwrap_or_else(|_| Err(self.handle.absence(ErrorKind::Closed)))
    }

    /// The session there is, without waiting. Its Gateway may have stopped answering a moment ago; see
    /// [`state`](Self::state).
    ///
    /// # Errors
    /// `disconnected`, while there is none, with the state and the last failure; `closed`.
    pub fn current(&self) -> Result<SupervisedSession> {
        self.handle.session()
    }

    /// Runs any one-shot operation of the table in the current session.
    ///
    /// # Errors
    /// Those of [`current`](Self::current) and of the operation. It is not repeated: whether the Gateway has seen a request
    /// that ended with `disconnected` or `worker_crashed` is unknown.
    pub async fn request(&self, request: Request) -> Result<Reply> {
        self.in_current()?.request(request).await
    }

    /// Opens any stream of the table; it goes on in later sessions.
    ///
    /// # Behavior
    /// It waits until the stream is open, as long as it takes: without a session it waits for one, and what keeps a stream from
    /// being opened for a while, such as IBKR's limits or a lost session, is waited for as well. [`SupervisedStream`] says what
    /// ends one. Dropping the future gives the stream up.
    ///
    /// # Errors
    /// `read_only`, `invalid_request`, or the error with which the Gateway refuses it; some backends learn of that later, and the
    /// stream then begins with it. `closed`, when the supervisor is closed or gives up.
    pub async fn subscribe(&self, request: StreamRequest) -> Result<SupervisedStream> {
        self.open(request, Ok).await
    }

    /// Opens a stream of events of one type.
    async fn open<T>(&self, request: StreamRequest, convert: Convert<T>) -> Result<SupervisedStream<T>> {
        request.check()?;
        let id = self.handle.next_stream();
        let (updates, receiver) = mpsc::unbounded_channel();
        let mut stream = SupervisedStream::new(id, &request, receiver, self.handle.signals(), convert);
        let spec = StreamSpec { id, request, flow: self.flow, updates };
        self.handle.send(Command::Subscribe(Box::new(spec)))?;
        // The thread ends only after its last word.
        let opened = stream.opened().await;
        opened.unwrap_or_else(|| Err(self.handle.absence(ErrorKind::Closed)))?;
        Ok(stream)
    }

    /// The current session, with this handle's deadline.
    fn in_current(&self) -> Result<Session> {
        let SupervisedSession { session, .. } = self.current()?;
        Ok(match self.timeout {
            Some(timeout) => session.with_timeout(timeout),
            None => session,
        })
    }

    /// The state now.
    pub fn state(&self) -> SupervisorState {
        self.handle.status().borrow().state.clone()
    }

    /// The state, for those who wait for one: a reader that is slow sees the latest and not each one in between.
    /// [`transitions`](Self::transitions) has them all.
    pub fn states(&self) -> watch::Receiver<SupervisorState> {
        self.handle.states()
    }

    /// Every transition since the supervisor has started, and those to come, each with its cause; see [`Transitions`].
    pub fn transitions(&self) -> Transitions {
        self.handle.transitions()
    }

    /// How many sessions there have been: the number of the current or the last one.
    pub fn generation(&self) -> u64 {
        self.handle.status().borrow().generation
    }

    /// Why the last attempt failed; `None` after one that succeeded.
    pub fn failure(&self) -> Option<Error> {
        self.handle.status().borrow().failure.clone()
    }

    /// Closes the session, or abandons the attempt, for all clones, and waits until nothing is left. Idempotent.
    pub async fn close(&self) {
        self.handle.close_commands();
        // The thread keeps the sender until it ends: an error here is the end we wait for.
        let mut status = self.handle.status();
        while status.changed().await.is_ok() {}
    }

    /// The same for callers without a runtime, a clone: each call blocks its thread, and streams are iterators. It needs no
    /// runtime, and is answered even while every thread of one is blocked.
    pub fn blocking(&self) -> BlockingSupervisor {
        self.clone().into()
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.handle.status();
        let status = status.borrow();
        f.debug_struct("Supervisor")
            .field("state", &status.state)
            .field("generation", &status.generation)
            .field("failure", &status.failure)
            .finish_non_exhaustive()
    }
}
