//! The subscriptions behind the state machine of streams: opens, cancels and observes them, and speaks to their consumers.

use std::collections::HashMap;
use std::future::pending;

use ibkr_connect_core::{
    Error, ErrorKind, EventStream, FlowControl, Result, Session, StreamControl, StreamRequest,
};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::stream::StreamUpdate;
use super::streams::{Event, OpeningId, Sample, StreamId};

/// A stream as its user has asked for it.
#[derive(Debug)]
pub(crate) struct StreamSpec {
    pub(crate) id: StreamId,
    pub(crate) request: StreamRequest,
    pub(crate) flow: FlowControl,
    pub(crate) updates: mpsc::UnboundedSender<StreamUpdate>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    streams: HashMap<StreamId, StreamEntry>,
    openings: JoinSet<Result<EventStream>>,
    /// Which stream each opening is for.
    owners: HashMap<Id, (StreamId, OpeningId)>,
    observers: JoinSet<Event>,
    /// The one that was opened just now, until it is delivered.
    unclaimed: Option<(OpeningId, EventStream)>,
}

#[derive(Debug)]
struct StreamEntry {
    spec: StreamSpec,
    current: Current,
}

#[derive(Debug)]
enum Current {
    None,
    Opening { opening: OpeningId, task: AbortHandle },
    Open { opening: OpeningId, control: StreamControl, observer: AbortHandle },
}

impl Subscriptions {
    pub(crate) fn add(&mut self, spec: StreamSpec) {
        self.streams.insert(spec.id, StreamEntry { spec, current: Current::None });
    }

    pub(crate) fn request(&self, id: StreamId) -> Option<&StreamRequest> {
        self.streams.get(&id).map(|entry| &entry.spec.request)
    }

    /// What happens next to one of them; for ever while nothing does.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            tokio::select! {
                Some(opened) = self.openings.join_next_with_id() => {
                    if let Some(event) = self.opened(opened) {
                        return event;
                    }
                }
                Some(Ok(event)) = self.observers.join_next() => return event,
                else => pending().await,
            }
        }
    }

    /// Asks for it in this session.
    pub(crate) fn open(&mut self, id: StreamId, opening: OpeningId, session: &Session) {
        let Some(entry) = self.streams.get_mut(&id) else { return };
        let (session, request) = (session.with_flow(entry.spec.flow), entry.spec.request.clone());
        let task = self.openings.spawn(async move { session.subscribe(request).await });
        self.owners.insert(task.id(), (id, opening));
        entry.current = Current::Opening { opening, task };
    }

    /// Ends it at the Gateway; its release follows as an event.
    pub(crate) fn cancel(&mut self, id: StreamId, number: OpeningId) {
        let Some(entry) = self.streams.get_mut(&id) else { return };
        match std::mem::replace(&mut entry.current, Current::None) {
            // Dropping its future cancels it; the task's end is the release.
            Current::Opening { opening, task } if opening == number => task.abort(),
            Current::Open { opening, control, observer } if opening == number => {
                observer.abort();
                control.cancel();
                self.observers.spawn(async move {
                    control.released().await;
                    Event::Released { id, opening }
                });
            }
            other => entry.current = other,
        }
    }

    /// Gives what was opened just now to its consumer.
    pub(crate) fn deliver(
        &mut self,
        id: StreamId,
        update: impl FnOnce(OpeningId, EventStream) -> StreamUpdate,
    ) {
        let (Some(entry), Some((opening, events))) = (self.streams.get(&id), self.unclaimed.take()) else {
            return;
        };
        // An error means that the consumer has gone, which is told as well.
        let _ = entry.spec.updates.send(update(opening, events));
    }

    /// Tells the consumer that the stream has ended.
    pub(crate) fn end(&mut self, id: StreamId, end: Result<()>) {
        if let Some(entry) = self.streams.remove(&id) {
            // As above.
            let _ = entry.spec.updates.send(StreamUpdate::Ended(end));
        }
    }

    pub(crate) fn forget(&mut self, id: StreamId) {
        self.streams.remove(&id);
    }

    /// A look at those that are open.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let sample = |(id, entry): (&StreamId, &StreamEntry)| match &entry.current {
            Current::Open { opening, control, .. } => Some(Sample {
                id: *id,
                opening: *opening,
                received: control.received(),
                unread: control.unread(),
            }),
            _ => None,
        };
        self.streams.iter().filter_map(sample).collect()
    }

    /// A panic in a backend is the failure of this stream alone.
    fn opened(&mut self, opened: Result<(Id, Result<EventStream>), JoinError>) -> Option<Event> {
        let (task, outcome) = match opened {
            Ok((task, outcome)) => (task, outcome),
            Err(error) => {
                let task = error.id();
                match error.try_into_panic() {
                    Ok(panic) => (task, Err(panicked(&*panic))),
                    Err(_) => {
                        let (id, opening) = self.owners.remove(&task)?;
                        return Some(Event::Released { id, opening });
                    }
                }
            }
        };
        let (id, opening) = self.owners.remove(&task)?;
        match outcome {
            Ok(events) if self.is_opening(id, opening) => {
                self.observe(id, opening, events.control());
                self.unclaimed = Some((opening, events));
                Some(Event::Opened { id, opening })
            }
            // It was cancelled when it had just opened. Dropping it here cancels it at the Gateway.
            Ok(_) => Some(Event::Released { id, opening }),
            Err(error) => Some(Event::OpenFailed { id, opening, error }),
        }
    }

    fn is_opening(&self, id: StreamId, number: OpeningId) -> bool {
        let current = self.streams.get(&id).map(|entry| &entry.current);
        matches!(current, Some(Current::Opening { opening, .. }) if *opening == number)
    }

    fn observe(&mut self, id: StreamId, number: OpeningId, control: StreamControl) {
        let Some(entry) = self.streams.get_mut(&id) else { return };
        let observed = control.clone();
        let observer = self.observers.spawn(async move {
            let end = observed.ended().await;
            Event::Ended { id, opening: number, received: observed.received(), end }
        });
        entry.current = Current::Open { opening: number, control, observer };
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(ErrorKind::Internal, format!("opening the stream panicked: {}", text.unwrap_or("no message")))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ibkr_connect_core::{Connection, EventSender, MockConnection, event_channel};

    use super::*;
    use crate::supervisor::shell_tests::info;

    /// A session in which a stream opens at once; its source is put into `source`.
    fn session(source: Arc<Mutex<Option<EventSender>>>) -> Session {
        let mut connection = MockConnection::new();
        connection.expect_info().return_const(info());
        connection.expect_subscribe().returning(move |_, flow| {
            let (sender, events) = event_channel(flow, || {});
            source.lock().unwrap().replace(sender);
            Ok(events)
        });
        Session::new(Box::new(connection) as Box<dyn Connection>)
    }

    #[tokio::test]
    async fn one_that_is_cancelled_when_it_has_just_opened_is_given_to_nobody_and_ended() {
        let source = Arc::new(Mutex::new(None));
        let (id, opening) = (StreamId(1), OpeningId(1));
        let (updates, mut receiver) = mpsc::unbounded_channel();
        let mut subscriptions = Subscriptions::default();
        let (request, flow) = (StreamRequest::Notices, FlowControl::default());
        subscriptions.add(StreamSpec { id, request, flow, updates });
        subscriptions.open(id, opening, &session(Arc::clone(&source)));
        while source.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        subscriptions.cancel(id, opening);
        let event = subscriptions.next().await;
        assert!(matches!(event, Event::Released { id: StreamId(1), opening: OpeningId(1) }), "{event:?}");
        let source = source.lock().unwrap().take().unwrap();
        assert!(source.is_abandoned(), "it is cancelled at the Gateway");
        subscriptions.deliver(id, |_, _| unreachable!("there is nothing to hand over"));
        assert!(receiver.try_recv().is_err());
    }
}
