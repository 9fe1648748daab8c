//! What is known about a worker at a moment, and who waits for what. No lock and no I/O here; see `link.rs` for those.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ibkr_connect_cleanup::ExitReport;
use ibkr_connect_core::{Error, ErrorKind, EventSender, Result, StreamRequest};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::heartbeat::Heartbeat;
use crate::wire::MAX_IN_FLIGHT;

/// The state of a [`Link`](crate::link::Link).
#[derive(Debug, Default)]
pub(crate) struct State {
    pending: HashMap<u64, Pending>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// When the supervisor wakes by itself.
    pub(crate) wakes_at: Option<Instant>,
    /// Why nothing new is taken.
    pub(crate) refused: Option<Error>,
    pub(crate) heartbeat: Heartbeat,
    /// The worker's first line.
    pub(crate) hello: Option<Vec<u8>>,
    /// The answer to `connect`.
    pub(crate) connected: Option<Result<Box<RawValue>>>,
    /// What the worker wrote that the protocol does not have.
    pub(crate) violation: Option<String>,
    /// Its stdout was read to its end.
    pub(crate) eof: bool,
    /// Its process has ended.
    pub(crate) exit: Option<ExitReport>,
    /// What the owner wants.
    pub(crate) wanted: Wanted,
}

/// What the owner of the connection wants of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wanted {
    /// That it stays.
    #[default]
    Connection,
    /// The connect was abandoned.
    Nothing,
    /// An end in order.
    Close,
    /// An end in order until this moment, then an end.
    CloseUntil(Instant),
}

impl Wanted {
    /// Whether the owner has asked for the end of the session.
    pub(crate) fn is_end(self) -> bool {
        self != Self::Connection
    }
}

/// A wait for an id.
#[derive(Debug)]
struct Pending {
    waiter: Waiter,
    deadline: Option<Instant>,
}

/// Who waits for an id.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// The supervisor, for the answer to `connect`.
    Supervisor,
    /// A request.
    Request(oneshot::Sender<Result<Box<RawValue>>>),
    /// A stream that is being opened.
    Opening(oneshot::Sender<Result<()>>, Arc<Sink>),
    /// An open stream.
    Stream(Arc<Sink>),
}

/// Where the events of a stream go.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) request: StreamRequest,
    pub(crate) sender: EventSender,
}

impl State {
    /// From here on `waiter` waits for `id`, until `deadline`.
    ///
    /// # Errors
    /// Why nothing is taken any more, or for the moment.
    pub(crate) fn register(&mut self, id: u64, waiter: Waiter, deadline: Option<Instant>) -> Result<()> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if self.pending.len() >= MAX_IN_FLIGHT {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{MAX_IN_FLIGHT} requests and streams are open at the same time already"),
            )
            .with_advice("wait for some of them, or use another session"));
        }
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
        self.pending.insert(id, Pending { waiter, deadline });
        Ok(())
    }

    /// Ends all waits.
    pub(crate) fn take_all(&mut self) -> Vec<Waiter> {
        self.deadlines.clear();
        self.pending.drain().map(|(_, pending)| pending.waiter).collect()
    }

    /// Ends the wait for `id`.
    pub(crate) fn take(&mut self, id: u64) -> Option<Waiter> {
        let pending = self.pending.remove(&id)?;
        if let Some(deadline) = pending.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(pending.waiter)
    }

    /// The stream is open: it waits without a deadline from here on.
    pub(crate) fn keep_open(&mut self, id: u64, sink: Arc<Sink>) {
        self.pending.insert(id, Pending { waiter: Waiter::Stream(sink), deadline: None });
    }

    /// The open stream `id`.
    pub(crate) fn stream(&self, id: u64) -> Option<Arc<Sink>> {
        match &self.pending.get(&id)?.waiter {
            Waiter::Stream(sink) => Some(Arc::clone(sink)),
            _ => None,
        }
    }

    /// Ends the wait for the open stream `id`.
    pub(crate) fn take_stream(&mut self, id: u64) -> Option<Arc<Sink>> {
        let sink = self.stream(id)?;
        self.take(id);
        Some(sink)
    }

    /// Takes what has waited until `now` in vain.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<(u64, Waiter)> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.remove(&(deadline, id));
        self.take(id).map(|waiter| (id, waiter))
    }

    /// When the first wait ends in vain.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

impl Waiter {
    pub(crate) fn fail(self, error: Error) {
        match self {
            Self::Supervisor => {}
            Self::Request(sender) => drop(sender.send(Err(error))),
            Self::Opening(sender, _) => drop(sender.send(Err(error))),
            Self::Stream(sink) => sink.sender.finish(Err(error)),
        }
    }
}
