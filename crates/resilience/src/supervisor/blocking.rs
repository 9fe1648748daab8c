//! A supervisor for callers without a runtime.

use std::time::{Duration, Instant};

use ibkr_connect_core::backend::block_on_until;
use ibkr_connect_core::{Elapsed, Event, FlowControl, Reply, Request, Result, StreamRequest, block_on};

use super::{
    StreamItem, SupervisedSession, SupervisedStream, Supervisor, SupervisorState, Transition, Transitions,
};

/// A [`Supervisor`] whose methods block the calling thread. A supervisor works on its own threads, so a call is answered even on a
/// thread of a runtime that is otherwise stuck.
///
/// # Behavior
/// It is a clone of its supervisor, which lives until the last of them is dropped.
#[derive(Debug, Clone)]
pub struct BlockingSupervisor {
    supervisor: Supervisor,
}

impl BlockingSupervisor {
    /// The same supervisor for callers with a runtime.
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// See [`Supervisor::state`].
    pub fn state(&self) -> SupervisorState {
        self.supervisor.state()
    }

    /// See [`Supervisor::with_flow`].
    #[must_use]
    pub fn with_flow(&self, flow: FlowControl) -> Self {
        self.supervisor.with_flow(flow).into()
    }

    /// See [`Supervisor::with_timeout`].
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.supervisor.with_timeout(timeout).into()
    }

    /// See [`Supervisor::session`].
    ///
    /// # Errors
    /// Those of [`Supervisor::session`].
    pub fn session(&self) -> Result<SupervisedSession> {
        block_on(self.supervisor.session())
    }

    /// See [`Supervisor::session_within`].
    ///
    /// # Errors
    /// Those of [`Supervisor::session_within`].
    pub fn session_within(&self, limit: Duration) -> Result<SupervisedSession> {
        block_on(self.supervisor.session_within(limit))
    }

    /// See [`Supervisor::request`].
    ///
    /// # Errors
    /// Those of [`Supervisor::request`].
    pub fn request(&self, request: Request) -> Result<Reply> {
        block_on(self.supervisor.request(request))
    }

    /// See [`Supervisor::subscribe`].
    ///
    /// # Errors
    /// Those of [`Supervisor::subscribe`].
    pub fn subscribe(&self, request: StreamRequest) -> Result<BlockingSupervisedStream> {
        block_on(self.supervisor.subscribe(request)).map(BlockingSupervisedStream::new)
    }

    /// See [`Supervisor::transitions`].
    pub fn transitions(&self) -> BlockingTransitions {
        BlockingTransitions(self.supervisor.transitions())
    }

    /// See [`Supervisor::close`].
    pub fn close(&self) {
        block_on(self.supervisor.close());
    }
}

impl From<Supervisor> for BlockingSupervisor {
    fn from(supervisor: Supervisor) -> Self {
        Self { supervisor }
    }
}

mod methods {
    use ibkr_connect_core::types::*;
    use ibkr_connect_core::{blocking_methods, operation_table};

    use super::{BlockingSupervisedStream, BlockingSupervisor};

    operation_table! { blocking_methods BlockingSupervisor {
        supervisor, BlockingSupervisedStream, "As the method of the same name on [`Supervisor`](crate::Supervisor)."
    } }
}

/// A [`SupervisedStream`] as a blocking iterator. Dropping it cancels the stream at the Gateway.
#[derive(Debug)]
pub struct BlockingSupervisedStream<T = Event>(SupervisedStream<T>);

impl<T> BlockingSupervisedStream<T> {
    fn new(stream: SupervisedStream<T>) -> Self {
        Self(stream)
    }

    /// Waits at most `timeout` for the next item: `Ok(None)` when the stream has ended.
    ///
    /// # Errors
    /// [`Elapsed`] when `timeout` passed first; the stream goes on.
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> std::result::Result<Option<Result<StreamItem<T>>>, Elapsed> {
        block_on_until(self.0.next(), Instant::now() + timeout).ok_or(Elapsed)
    }

    /// See [`SupervisedStream::merged`].
    pub fn merged(&self) -> u64 {
        self.0.merged()
    }

    /// See [`SupervisedStream::generation`].
    pub fn generation(&self) -> u64 {
        self.0.generation()
    }
}

impl<T> Iterator for BlockingSupervisedStream<T> {
    type Item = Result<StreamItem<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.0.next())
    }
}

/// [`Transitions`] as a blocking iterator.
#[derive(Debug)]
pub struct BlockingTransitions(Transitions);

impl BlockingTransitions {
    /// Waits at most `timeout` for the next transition: `Ok(None)` after the last one.
    ///
    /// # Errors
    /// [`Elapsed`] when `timeout` passed first.
    pub fn next_timeout(&mut self, timeout: Duration) -> std::result::Result<Option<Transition>, Elapsed> {
        block_on_until(self.0.next(), Instant::now() + timeout).ok_or(Elapsed)
    }

    /// See [`Transitions::from_now`].
    #[must_use]
    pub fn from_now(self) -> Self {
        Self(self.0.from_now())
    }

    /// See [`Transitions::missed`].
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }
}

impl Iterator for BlockingTransitions {
    type Item = Transition;

    fn next(&mut self) -> Option<Transition> {
        block_on(self.0.next())
    }
}
