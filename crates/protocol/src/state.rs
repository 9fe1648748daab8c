//! What is known about the other side at a moment, and who waits for what. No lock and no I/O here; see `link.rs` for those.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ibkr_connect_core::{Access, Error, ErrorKind, EventSender, Result, StreamRequest};
use tokio::sync::oneshot;

use crate::frames::{Connected, MAX_IN_FLIGHT};
use crate::heartbeat::Heartbeat;
use crate::lines::Data;
use crate::parts::{Allowance, Joined};

/// The state of a [`Link`](crate::Link).
#[derive(Debug, Default)]
pub(crate) struct State {
    pending: HashMap<u64, Pending>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// For the parts of all pending data.
    pub(crate) allowance: Allowance,
    /// The server can send data in parts.
    pub(crate) knows_parts: bool,
    /// Why nothing new is taken.
    pub(crate) refused: Option<Error>,
    pub(crate) heartbeat: Option<Heartbeat>,
    /// The other side's first line.
    pub(crate) hello: Option<Vec<u8>>,
    /// The answer to `connect`.
    pub(crate) connected: Option<Result<Connected>>,
    /// What the other side wrote that the protocol does not have.
    pub(crate) violation: Option<String>,
    /// Everything it wrote was read.
    pub(crate) has_ended: bool,
    /// This side has asked for the end of the session.
    pub(crate) is_end_expected: bool,
}

/// A wait for an id.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) waiter: Waiter,
    /// The command of that id.
    pub(crate) command: &'static str,
    pub(crate) access: Access,
    pub(crate) deadline: Option<Instant>,
    /// The parts of its next data that have come. They go where it goes, so that none joins what comes later.
    pub(crate) joined: Joined,
}

impl Pending {
    pub(crate) fn new(
        waiter: Waiter,
        (command, access): (&'static str, Access),
        deadline: Option<Instant>,
    ) -> Self {
        Self { waiter, command, access, deadline, joined: Joined::default() }
    }
}

/// Who waits for an id.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// The keeper of the link, for the answer to `connect`.
    Keeper,
    /// A request.
    Request(oneshot::Sender<Result<Data>>),
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
    /// From here on there is a wait for `id`. Its deadline is returned if no other wait ends earlier: then whoever keeps the time has
    /// to hear of it.
    ///
    /// # Errors
    /// Why nothing is taken any more, or for the moment.
    pub(crate) fn register(&mut self, id: u64, pending: Pending) -> Result<Option<Instant>> {
        if let Some(error) = &self.refused {
            return Err(error.clone().unsent());
        }
        if self.pending.len() >= MAX_IN_FLIGHT {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{MAX_IN_FLIGHT} requests and streams are open at the same time already"),
            )
            .with_advice("wait for some of them, or use another session")
            .unsent());
        }
        let deadline = pending.deadline;
        let first =
            deadline.filter(|deadline| self.deadlines.first().is_none_or(|(first, _)| deadline < first));
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
        self.pending.insert(id, pending);
        Ok(first)
    }

    /// Ends all waits.
    pub(crate) fn take_all(&mut self) -> Vec<(u64, Pending)> {
        let ids: Vec<_> = self.pending.keys().copied().collect();
        ids.into_iter().filter_map(|id| Some((id, self.take(id)?))).collect()
    }

    /// Ends the wait for `id`.
    pub(crate) fn take(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if let Some(deadline) = pending.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        self.allowance.give_back(pending.joined.len());
        Some(pending)
    }

    /// The parts of the data of `id` that have come, to be put back or used; `None` if nobody waits for it.
    pub(crate) fn take_joined(&mut self, id: u64) -> Option<Joined> {
        let joined = std::mem::take(&mut self.pending.get_mut(&id)?.joined);
        self.allowance.give_back(joined.len());
        Some(joined)
    }

    /// Puts back what was taken; whether it may be kept. It is dropped if nobody waits for it any more.
    pub(crate) fn keep_joined(&mut self, id: u64, joined: Joined) -> bool {
        let Some(pending) = self.pending.get_mut(&id) else { return true };
        let is_allowed = self.allowance.take(joined.len());
        pending.joined = joined;
        is_allowed
    }

    /// How many parts of the data of `id` have come; `None` if nobody waits for it.
    pub(crate) fn parts(&self, id: u64) -> Option<u64> {
        self.pending.get(&id).map(|pending| pending.joined.parts())
    }

    /// What `id` does; `None` if nobody waits for it.
    pub(crate) fn access(&self, id: u64) -> Option<Access> {
        self.pending.get(&id).map(|pending| pending.access)
    }

    /// Ends the wait of a caller who is not interested any more. A trade's goes on: it runs to its end, whoever listens.
    pub(crate) fn take_abandoned(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.get(&id)?;
        if pending.access == Access::Trade { None } else { self.take(id) }
    }

    /// The stream is open: it waits without a deadline from here on. What is left of it is reading, also of a trade.
    pub(crate) fn keep_open(&mut self, id: u64, command: &'static str, sink: Arc<Sink>) {
        let pending = Pending::new(Waiter::Stream(sink), (command, Access::Read), None);
        self.pending.insert(id, pending);
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

    /// Ends the wait for `id` if it is a request's, of which no part has come.
    pub(crate) fn take_request(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.get(&id)?;
        let is_request = matches!(pending.waiter, Waiter::Request(_));
        if is_request && pending.joined.parts() == 0 { self.take(id) } else { None }
    }

    /// Takes what has waited until `now` in vain.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<(u64, Pending)> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.remove(&(deadline, id));
        self.take(id).map(|pending| (id, pending))
    }

    /// When something is due: the end of a wait, a ping.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        let ping = self.heartbeat.as_ref().map(Heartbeat::due);
        deadline.into_iter().chain(ping).min()
    }
}

impl Waiter {
    /// Whether somebody was still waiting.
    pub(crate) fn fail(self, error: Error) -> bool {
        match self {
            Self::Keeper => true,
            Self::Request(sender) => sender.send(Err(error)).is_ok(),
            Self::Opening(sender, _) => sender.send(Err(error)).is_ok(),
            Self::Stream(sink) => {
                sink.sender.finish(Err(error));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_wait_that_ends_before_all_others_is_told() {
        let mut state = State::default();
        let soon = Instant::now() + Duration::from_secs(9);
        let mut register = |id, deadline| {
            let pending = Pending::new(Waiter::Keeper, ("server_time", Access::Read), deadline);
            state.register(id, pending).unwrap()
        };
        assert_eq!(register(1, None), None);
        assert_eq!(register(2, Some(soon)), Some(soon));
        let later = soon + Duration::from_secs(1);
        assert_eq!(register(3, Some(later)), None);
        assert_eq!(register(4, Some(soon)), None);
        let earlier = soon - Duration::from_secs(1);
        assert_eq!(register(5, Some(earlier)), Some(earlier));
        state.take(5);
        state.take(2);
        state.take(4);
        assert_eq!(state.next_due(), Some(later));
    }
}
