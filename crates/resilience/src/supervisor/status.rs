//! What the supervisor's thread tells everybody else.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result, Session};
use ibkr_connect_state::Clock;
use tokio::sync::watch;

use super::machine::Machine;
use super::state::{NextAttempt, SupervisorState};
use super::time::Reading;
use super::transition::{Transition, TransitionCause};
use super::transitions::{self, TransitionSource, TransitionWriter};

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
        self.session.clone().ok_or_else(|| self.absence(self.kind_of_absence()).unsent())
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

    /// Nobody could wait any longer for a usable session.
    pub(crate) fn late(&self, limit: Duration) -> Error {
        let error = self.absence(ErrorKind::Timeout);
        let message = format!("no usable session within {limit:?}: {}", error.message());
        let late = Error::new(ErrorKind::Timeout, message);
        match error.advice() {
            Some(advice) => late.with_advice(advice.to_owned()),
            None => late,
        }
        .with_source(error)
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

/// What the machine says at one moment. Its times are those of the machine, in which the same moment is always the same, however
/// the wall clock is set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) state: SupervisorState<Reading>,
    pub(crate) attempt: Option<(u32, NextAttempt<Reading>)>,
    pub(crate) generation: u64,
}

impl Snapshot {
    /// Where every supervisor begins.
    const FIRST: Self =
        Self { state: SupervisorState::Connecting, attempt: Some((1, NextAttempt::Now)), generation: 0 };

    pub(crate) fn of(machine: &Machine, now: Reading) -> Self {
        Self { state: machine.state(now), attempt: machine.attempt(), generation: machine.generation() }
    }

    fn transition(&self, number: u64, now: Reading, cause: TransitionCause) -> Transition {
        let wall = |due| now.wall_of(due);
        Transition {
            number,
            at: now.wall(),
            generation: self.generation,
            state: self.state.clone().map(wall),
            cause,
            attempt: self.attempt.map(|(number, _)| number),
            next: self.attempt.map(|(_, next)| next.map(wall)),
        }
    }
}

/// What is to be published.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) snapshot: Snapshot,
    pub(crate) session: Option<SupervisedSession>,
    /// Why the last attempt failed, until one succeeds.
    pub(crate) failure: Option<Error>,
    /// Why something has changed, if it has.
    pub(crate) cause: TransitionCause,
}

/// The thread's side of what everybody else is told. In whatever way the thread ends, it has said so.
#[derive(Debug)]
pub(crate) struct StatusPublisher {
    clock: Arc<dyn Clock>,
    status: watch::Sender<Status>,
    states: watch::Sender<SupervisorState>,
    transitions: TransitionWriter,
    last: Snapshot,
}

/// Everybody else's side.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) states: watch::Receiver<SupervisorState>,
    pub(crate) transitions: TransitionSource,
}

impl StatusPublisher {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> (Self, Published) {
        let last = Snapshot::FIRST;
        let state = SupervisorState::Connecting;
        let status = Status { state: state.clone(), session: None, generation: 0, failure: None };
        let (status, states) = (watch::Sender::new(status), watch::Sender::new(state));
        let (transitions, source) = transitions::log();
        let now = clock.now().into();
        transitions.write(|number| last.transition(number, now, TransitionCause::Started));
        let published =
            Published { status: status.subscribe(), states: states.subscribe(), transitions: source };
        (Self { clock, status, states, transitions, last }, published)
    }

    /// What is published from now on.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.last.state == SupervisorState::Closed
    }

    pub(crate) fn publish(&mut self, now: Reading, update: Update) {
        let Update { snapshot, session, failure, cause } = update;
        let (state, generation) = (snapshot.state.clone().map(|due| now.wall_of(due)), snapshot.generation);
        // First, so that who has seen the state finds the session that belongs to it.
        self.status.send_replace(Status { state: state.clone(), session, generation, failure });
        if snapshot.state != self.last.state {
            tracing::info!(state = state.as_str(), generation, detail = %state, "session_state");
        }
        self.states.send_if_modified(|shown| {
            let is_new = *shown != state;
            *shown = state;
            is_new
        });
        if snapshot != self.last {
            let cause = cause.of_change(&self.last.state, &snapshot.state);
            self.transitions.write(|number| snapshot.transition(number, now, cause));
            self.last = snapshot;
        }
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        if self.is_closed() {
            return;
        }
        let Status { generation, failure, .. } = self.status.borrow().clone();
        let snapshot = Snapshot { state: SupervisorState::Closed, attempt: None, generation };
        let cause = TransitionCause::Panicked;
        self.publish(self.clock.now().into(), Update { snapshot, session: None, failure, cause });
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_state::KernelClock;

    use super::*;

    #[test]
    fn a_thread_that_ends_in_whatever_way_says_closed() {
        let (mut publisher, published) = StatusPublisher::new(Arc::new(KernelClock::default()));
        let Published { status, states, transitions } = published;
        let snapshot = Snapshot { state: SupervisorState::Ready, attempt: None, generation: 1 };
        let cause = TransitionCause::Connected;
        publisher.publish(Reading::START, Update { snapshot, session: None, failure: None, cause });
        assert_eq!(*states.borrow(), SupervisorState::Ready);
        drop(publisher);
        assert_eq!(*states.borrow(), SupervisorState::Closed);
        assert_eq!(pollster::block_on(usable(status)).unwrap_err().kind(), ErrorKind::Closed);
        let mut transitions = transitions.read();
        let mut next = || pollster::block_on(transitions.next());
        let seen: Vec<_> = std::iter::from_fn(&mut next).map(|seen| (seen.state, seen.generation)).collect();
        let expected =
            [(SupervisorState::Connecting, 0), (SupervisorState::Ready, 1), (SupervisorState::Closed, 1)];
        assert_eq!(seen, expected);
    }
}
