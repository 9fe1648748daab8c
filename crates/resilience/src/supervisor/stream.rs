//! Streams that outlive sessions: what their consumers hold.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use ibkr_connect_core::{Error, ErrorKind, Event, EventStream, Result, StreamRequest};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::replay::{self, Replay};
use super::streams::{Content, OpeningId, StreamId};

/// What a [`SupervisedStream`] gives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamItem<T = Event> {
    /// An event of the Gateway's.
    Data(T),
    /// The stream was interrupted and goes on. Events between these times may be missing; none is repeated.
    Gap {
        /// When the Gateway was last known to serve the stream, and the consumer to have read what it gave: its last answer to a
        /// ping, a look at the stream every few seconds, or the last time the stream was opened. Events of later times may have
        /// come before the gap.
        from: Timestamp,
        /// When the stream was opened again.
        to: Timestamp,
    },
}

/// A stream of events that goes on in the next session when one is lost. Dropping it cancels it at the Gateway.
///
/// `T` is the type of its events, as the methods of [`Supervisor`](super::Supervisor) have it; without it they are any operation's.
///
/// # Behavior
/// - What was received before an interruption is given first, then one [`StreamItem::Gap`], then what follows.
/// - While there is no session it waits; [`transitions`](super::Supervisor::transitions) say why. It also waits, and is asked for
///   again after growing pauses, when IBKR's limits or a deadline keep it from being opened, when the Gateway asks for another
///   subscription (10225, 10182, 316), during a competing session (10197), and when a lively stream stays silent after an outage.
/// - It ends with the Gateway's error if the Gateway refuses the stream, also when it is opened again; without an error when it is
///   complete, as a snapshot is; and with `closed` when the supervisor is closed or gives up.
/// - A consumer that is too slow (`slow_consumer`) does not end it: the consumer gets what was kept, then a gap, then the stream is
///   opened again.
/// - A stream that begins with the past gives that once: after a gap, a history of `historical_bar_updates` begins with the newest
///   bar that was given before, if that has changed, and fills the gap; bulletins, headlines and the session's notices that were
///   given before are left out. What is a state is given again after a gap: positions, account values, last prices,
///   and an order book, which has to be emptied at the gap.
#[derive(Debug)]
pub struct SupervisedStream<T = Event> {
    reader: StreamReader,
    convert: Convert<T>,
}

/// Makes an event of this type of any operation's.
pub(crate) type Convert<T> = fn(Event) -> Result<T>;

/// Reads the subscriptions of a stream, one after the other.
#[derive(Debug)]
struct StreamReader {
    id: StreamId,
    content: Content,
    replay: Replay,
    /// The subscription that is read; `None` after its end.
    events: Option<EventStream>,
    opening: OpeningId,
    updates: Option<mpsc::UnboundedReceiver<StreamUpdate>>,
    signals: mpsc::UnboundedSender<(StreamId, Signal)>,
    merged: u64,
    generation: u64,
}

/// What the supervisor tells a stream.
#[derive(Debug)]
pub(crate) enum StreamUpdate {
    /// It goes on in this subscription, after this gap.
    Opened { opening: OpeningId, events: EventStream, generation: u64, gap: Option<(Timestamp, Timestamp)> },
    /// It is over.
    Ended(Result<()>),
}

/// What a stream tells the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// This subscription is being read.
    Taken(OpeningId),
    /// It was read to its end.
    ReadToEnd(OpeningId),
    /// Nobody reads any more.
    Dropped,
}

impl<T> SupervisedStream<T> {
    pub(crate) fn new(
        id: StreamId,
        request: &StreamRequest,
        updates: mpsc::UnboundedReceiver<StreamUpdate>,
        signals: mpsc::UnboundedSender<(StreamId, Signal)>,
        convert: Convert<T>,
    ) -> Self {
        let reader = StreamReader {
            id,
            content: Content::from(request),
            replay: Replay::from(request),
            events: None,
            opening: OpeningId(0),
            updates: Some(updates),
            signals,
            merged: 0,
            generation: 0,
        };
        Self { reader, convert }
    }

    /// The next item; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<StreamItem<T>>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// How many events gave way so far to newer values, see [`EventStream::merged`].
    pub fn merged(&self) -> u64 {
        self.reader.merged()
    }

    /// The number of the session that the last item came from.
    pub fn generation(&self) -> u64 {
        self.reader.generation
    }

    /// Waits until it is open for the first time; `None` if the supervisor ends before.
    pub(crate) async fn opened(&mut self) -> Option<Result<()>> {
        let update = self.reader.updates.as_mut()?.recv().await?;
        Some(self.reader.take(update).map(drop))
    }

    /// An event of another operation would be a fault of the backend's. Nothing that follows it could be trusted.
    fn convert(&mut self, event: Event) -> Result<StreamItem<T>> {
        (self.convert)(event).map(StreamItem::Data).inspect_err(|_| self.reader.leave())
    }
}

impl<T> Stream for SupervisedStream<T> {
    type Item = Result<StreamItem<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = match self.reader.poll(context) {
            Poll::Ready(item) => item,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(item.map(|item| match item? {
            StreamItem::Data(event) => self.convert(event),
            StreamItem::Gap { from, to } => Ok(StreamItem::Gap { from, to }),
        }))
    }
}

impl StreamReader {
    fn merged(&self) -> u64 {
        self.merged + self.events.as_ref().map_or(0, EventStream::merged)
    }

    /// The next item of whatever type.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StreamItem>>> {
        loop {
            if let Poll::Ready(Some(event)) = self.poll_events(context) {
                return Poll::Ready(Some(Ok(StreamItem::Data(event))));
            }
            let Some(updates) = &mut self.updates else { return Poll::Ready(None) };
            let Poll::Ready(update) = updates.poll_recv(context) else { return Poll::Pending };
            let taken = match update {
                Some(update) => self.take(update),
                None => {
                    self.end();
                    Err(Error::new(ErrorKind::Closed, "the supervisor of this stream has ended"))
                }
            };
            match taken {
                Ok(Some(gap)) => return Poll::Ready(Some(Ok(gap))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Follows the supervisor; the gap, if there is one.
    fn take(&mut self, update: StreamUpdate) -> Result<Option<StreamItem>> {
        match update {
            StreamUpdate::Opened { opening, events, generation, gap } => {
                self.leave_subscription();
                let is_same = generation == self.generation;
                self.replay.begins_again(if is_same { replay::Session::Same } else { replay::Session::New });
                (self.events, self.opening, self.generation) = (Some(events), opening, generation);
                self.signal(Signal::Taken(opening));
                Ok(gap.map(|(from, to)| StreamItem::Gap { from, to }))
            }
            StreamUpdate::Ended(end) => {
                self.end();
                end.map(|()| None)
            }
        }
    }

    /// The next event that was not given before; `None` when the subscription has no more.
    fn poll_events(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let Some(events) = &mut self.events else { return Poll::Ready(None) };
            match Pin::new(events).poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(event))) => {
                    if let Some(event) = self.replay.admit(event) {
                        return Poll::Ready(Some(event));
                    }
                }
                // The supervisor decides what follows.
                Poll::Ready(Some(Err(_))) => self.leave_ended(),
                Poll::Ready(None) => {
                    self.leave_ended();
                    if self.content == Content::Snapshot {
                        self.end();
                    }
                }
            }
        }
    }

    fn leave_ended(&mut self) {
        self.leave_subscription();
        self.signal(Signal::ReadToEnd(self.opening));
    }

    fn leave_subscription(&mut self) {
        self.merged = self.merged();
        self.events = None;
    }

    fn end(&mut self) {
        self.leave_subscription();
        self.updates = None;
    }

    fn leave(&mut self) {
        // The supervisor must see it closed when it hears that it was dropped.
        self.end();
        self.signal(Signal::Dropped);
    }

    fn signal(&self, signal: Signal) {
        // An error means that the supervisor has ended, which the stream learns from its updates.
        let _ = self.signals.send((self.id, signal));
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether the error says that the session is gone, and nothing about the stream.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::WorkerCrashed | ErrorKind::Closed)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
