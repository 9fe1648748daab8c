//! What the clones of a supervisor share. Dropping it closes the supervisor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use ibkr_connect_core::backend::may_wait;
use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, watch};

use super::shell::Command;
use super::state::SupervisorState;
use super::status::{Published, Status, SupervisedSession};
use super::stream::Signal;
use super::streams::StreamId;
use super::transitions::Transitions;

/// How long a dropped supervisor waits for its thread: an abandoned attempt, or a session that is closed gracefully.
const DROP_GRACE: Duration = Duration::from_secs(5);

pub(super) struct Handle {
    /// Closing this channel is what closes the supervisor.
    commands: Mutex<Option<mpsc::UnboundedSender<Command>>>,
    /// What the streams tell the thread.
    signals: mpsc::UnboundedSender<(StreamId, Signal)>,
    published: Published,
    last_stream: AtomicU64,
    /// Disconnects when the thread is done.
    end: Mutex<std_mpsc::Receiver<()>>,
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::UnboundedSender<Command>,
        signals: mpsc::UnboundedSender<(StreamId, Signal)>,
        published: Published,
        end: std_mpsc::Receiver<()>,
    ) -> Self {
        Self {
            commands: Mutex::new(Some(commands)),
            signals,
            published,
            last_stream: AtomicU64::new(0),
            end: Mutex::new(end),
        }
    }

    /// # Errors
    /// `closed`, when the supervisor is closed or has given up.
    pub(super) fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let is_sent = commands.as_ref().is_some_and(|commands| commands.send(command).is_ok());
        if is_sent { Ok(()) } else { Err(self.absence(ErrorKind::Closed)) }
    }

    pub(super) fn close_commands(&self) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.published.status.clone()
    }

    pub(super) fn states(&self) -> watch::Receiver<SupervisorState> {
        self.published.states.clone()
    }

    pub(super) fn transitions(&self) -> Transitions {
        self.published.transitions.read()
    }

    /// # Errors
    /// `disconnected` or `closed`.
    pub(super) fn session(&self) -> Result<SupervisedSession> {
        self.published.status.borrow().session()
    }

    /// Why there is no session.
    pub(super) fn absence(&self, kind: ErrorKind) -> Error {
        self.published.status.borrow().absence(kind)
    }

    pub(super) fn signals(&self) -> mpsc::UnboundedSender<(StreamId, Signal)> {
        self.signals.clone()
    }

    pub(super) fn next_stream(&self) -> StreamId {
        StreamId(self.last_stream.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close_commands();
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if may_wait() && end.recv_timeout(DROP_GRACE) == Err(std_mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("supervisor_still_closing");
        }
    }
}
