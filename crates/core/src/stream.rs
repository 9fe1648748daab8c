//! Streams of events from a backend to a consumer that may be slow, blocked, or gone.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::{Event, Result};

/// How many unread events a stream keeps before it drops the oldest.
pub const STREAM_CAPACITY: usize = 16_384;

/// A connected sender and stream that keep at most `capacity` unread events; `on_drop` runs when the consumer
/// drops the stream, to cancel it at the source.
///
/// # Behavior
/// - Sending never blocks: when the consumer is slow, the oldest event goes and is counted in
///   [`EventStream::missed`]. An error, and the end, are never dropped.
/// - No runtime is involved: a sender on any thread wakes a consumer on any runtime, or none.
pub fn event_channel(capacity: usize, on_drop: impl FnOnce() + Send + 'static) -> (EventSender, EventStream) {
    let shared = Arc::new(Shared { state: Mutex::default(), capacity: capacity.max(1) });
    let stream = EventStream { shared: Arc::clone(&shared), on_drop: Some(Box::new(on_drop)) };
    (EventSender { shared }, stream)
}

struct Shared {
    state: Mutex<State>,
    capacity: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    end: Option<Result<()>>,
    missed: u64,
    abandoned: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The backend's end of a stream. Dropping it ends the stream.
pub struct EventSender {
    shared: Arc<Shared>,
}

impl EventSender {
    /// Passes an event on, dropping the oldest unread one if the consumer has fallen behind.
    pub fn send(&self, event: Event) {
        let capacity = self.shared.capacity;
        self.shared.update(|state| {
            if state.abandoned || state.end.is_some() {
                return;
            }
            if state.queue.len() >= capacity {
                state.queue.pop_front();
                state.missed += 1;
            }
            state.queue.push_back(event);
        });
    }

    /// Adds `count` events that were lost before they came here.
    pub fn add_missed(&self, count: u64) {
        self.shared.update(|state| state.missed += count);
    }

    /// Ends the stream, with an error if it did not end by itself. What is unread stays readable. The first end
    /// stands.
    pub fn finish(&self, end: Result<()>) {
        self.shared.update(|state| {
            state.end.get_or_insert(end);
        });
    }

    /// Whether the consumer has dropped the stream.
    pub fn is_abandoned(&self) -> bool {
        self.shared.state().abandoned
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        self.finish(Ok(()));
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").field("unread", &self.shared.state().queue.len()).finish()
    }
}

/// The consumer's end: a [`Stream`] of events. Dropping it cancels the stream at the Gateway.
pub struct EventStream {
    shared: Arc<Shared>,
    on_drop: Option<Box<dyn FnOnce() + Send>>,
}

impl EventStream {
    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// How many events were dropped so far because this consumer was slow.
    pub fn missed(&self) -> u64 {
        self.shared.state().missed
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.shared.state();
        if let Some(event) = state.queue.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        match &mut state.end {
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.abandoned = true;
            state.queue.clear();
        }
        if let Some(on_drop) = self.on_drop.take() {
            on_drop();
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        f.debug_struct("EventStream")
            .field("unread", &state.queue.len())
            .field("missed", &state.missed)
            .field("ended", &state.end.is_some())
            .finish()
    }
}

impl FromIterator<Event> for EventStream {
    /// A stream that gives these events and ends, for tests.
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let (sender, stream) = event_channel(usize::MAX, || {});
        for event in events {
            sender.send(event);
        }
        stream
    }
}

/// A stream of one operation's typed events.
#[derive(Debug)]
pub struct Subscription<T> {
    events: EventStream,
    convert: fn(Event) -> Result<T>,
}

impl<T> Subscription<T> {
    pub(crate) fn new(events: EventStream, convert: fn(Event) -> Result<T>) -> Self {
        Self { events, convert }
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<T>> {
        let event = self.events.next().await?;
        Some(event.and_then(self.convert))
    }

    /// How many events were dropped so far because this consumer was slow.
    pub fn missed(&self) -> u64 {
        self.events.missed()
    }
}

impl<T> Stream for Subscription<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let convert = self.convert;
        Pin::new(&mut self.events).poll_next(context).map(|event| event.map(|event| event.and_then(convert)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::types::MarketDataEvent;
    use crate::{Error, ErrorKind};

    fn event(value: i32) -> Event {
        Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
    }

    #[test]
    fn a_slow_consumer_loses_the_oldest_and_is_told_how_many() {
        let (sender, mut stream) = event_channel(2, || {});
        for value in 0..5 {
            sender.send(event(value));
        }
        sender.finish(Err(Error::new(ErrorKind::Disconnected, "gone")));
        assert_eq!(stream.missed(), 3);
        assert_eq!(pollster::block_on(stream.next()).unwrap().unwrap(), event(3));
        assert_eq!(pollster::block_on(stream.next()).unwrap().unwrap(), event(4));
        let end = pollster::block_on(stream.next()).unwrap().unwrap_err();
        assert_eq!(end.kind(), ErrorKind::Disconnected);
        assert!(pollster::block_on(stream.next()).is_none());
    }

    #[test]
    fn dropping_the_stream_cancels_it_and_stops_the_buffering() {
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        let (sender, stream) = event_channel(8, move || flag.store(true, Ordering::SeqCst));
        drop(stream);
        assert!(cancelled.load(Ordering::SeqCst));
        assert!(sender.is_abandoned());
        sender.send(event(1));
        assert_eq!(sender.shared.state().queue.len(), 0);
    }

    #[test]
    fn a_consumer_waiting_on_another_thread_is_woken() {
        let (sender, mut stream) = event_channel(8, || {});
        let consumer = std::thread::spawn(move || pollster::block_on(stream.next()).unwrap().unwrap());
        sender.send(event(7));
        assert_eq!(consumer.join().unwrap(), event(7));
    }
}
