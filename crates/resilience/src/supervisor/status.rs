//! What the supervisor's thread tells everybody else.

use std::ops::Deref;

use ibkr_connect_core::{Error, ErrorKind, Result, Session};
use tokio::sync::watch;

use super::state::SupervisorState;

/// A session of a supervisor's: a [`Session`] with a number. It is the same session until it is lost; then everything on it
/// fails at once with `disconnected`, `worker_crashed` or `closed`, and the supervisor has or makes another.
///
/// Closing it makes the supervisor replace it; to be done with it, close the supervisor.
#[derive(Debug, Clone)]
pub struct SupervisedSession {
    pub(crate) session: Session,
    pub(crate) generation: u64,
}

impl SupervisedSession {
    /// Its number, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl Deref for SupervisedSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// All there is to know.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) state: SupervisorState,
    pub(crate) session: Option<SupervisedSession>,
    pub(crate) generation: u64,
    /// Why the last attempt failed, until one succeeds.
    pub(crate) failure: Option<Error>,
}

impl Status {
    fn is_decided(&self) -> bool {
        self.is_usable() || self.state == SupervisorState::Closed
    }

    fn is_usable(&self) -> bool {
        self.session.is_some() && self.state.is_usable()
    }

    /// The session there is.
    ///
    /// # Errors
    /// `disconnected`, or `closed`.
    pub(crate) fn session(&self) -> Result<SupervisedSession> {
        self.session.clone().ok_or_else(|| self.absence(self.kind_of_absence()))
    }

    /// Why there is no session, with the reason of the last failure.
    pub(crate) fn absence(&self, kind: ErrorKind) -> Error {
        let message = format!("the session is {}", self.state);
        let Some(failure) = &self.failure else { return Error::new(kind, message) };
        let error =
            Error::new(kind, format!("{message}; last failure: {failure}")).with_source(failure.clone());
        match failure.advice() {
            Some(advice) => error.with_advice(advice.to_owned()),
            None => error,
        }
    }

    fn kind_of_absence(&self) -> ErrorKind {
        match self.state {
            SupervisorState::Closed => ErrorKind::Closed,
            _ => ErrorKind::Disconnected,
        }
    }
}

/// Waits for a session whose Gateway answers, or for the end.
pub(crate) async fn usable(mut status: watch::Receiver<Status>) -> Result<SupervisedSession> {
    let decided = status.wait_for(Status::is_decided).await;
    // Without a sender the thread is gone, and its last word is that it is.
    decided.map_or_else(
        |_| Err(Error::new(ErrorKind::Closed, "the supervisor has ended")),
        |status| status.session(),
    )
}

/// The thread's side of the status: whatever happens to the thread, it does not leave a lie behind.
#[derive(Debug)]
pub(crate) struct StatusPublisher {
    pub(crate) status: watch::Sender<Status>,
    pub(crate) states: watch::Sender<SupervisorState>,
}

impl StatusPublisher {
    pub(crate) fn new() -> Self {
        let state = SupervisorState::Connecting;
        let status = Status { state: state.clone(), session: None, generation: 0, failure: None };
        Self { status: watch::Sender::new(status), states: watch::Sender::new(state) }
    }

    pub(crate) fn publish(&self, status: Status) {
        let (state, generation) = (status.state.clone(), status.generation);
        // First, so that who has seen the state finds the session that belongs to it.
        self.status.send_replace(status);
        if *self.states.borrow() != state {
            tracing::info!(state = state.as_str(), generation, detail = %state, "session_state");
            self.states.send_replace(state);
        }
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        let last = self.status.borrow().clone();
        self.publish(Status { state: SupervisorState::Closed, session: None, ..last });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_in_whatever_way_says_closed() {
        let publisher = StatusPublisher::new();
        let (status, states) = (publisher.status.subscribe(), publisher.states.subscribe());
        let ready = Status { state: SupervisorState::Ready, ..status.borrow().clone() };
        publisher.publish(ready);
        assert_eq!(*states.borrow(), SupervisorState::Ready);
        drop(publisher);
        assert_eq!(*states.borrow(), SupervisorState::Closed);
        assert_eq!(pollster::block_on(usable(status)).unwrap_err().kind(), ErrorKind::Closed);
    }
}
