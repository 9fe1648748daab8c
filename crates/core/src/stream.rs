//! Streams of events from a backend to a consumer that may be slow, blocked, or gone.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_core::Stream;

use crate::budget::StreamBudget;
use crate::flow::Unread;
use crate::lag::Lag;
use crate::{ConnectionMode, Error, ErrorKind, Event, FlowControl, Result, telemetry};

/// A connected sender and stream. `cancel` ends the stream at its source: it runs once, when the consumer drops the
/// stream or has fallen too far behind.
///
/// # Behavior
/// - Sending never blocks; `flow` says what happens when the consumer is slow.
/// - No runtime is involved: a sender on any thread wakes a consumer on any runtime, or none.
/// - It has a budget of its own. A backend whose sessions have many streams shares one: [`StreamBudget::event_channel`].
pub fn event_channel(
    flow: FlowControl,
    cancel: impl FnOnce() + Send + 'static,
) -> (EventSender, EventStream) {
    StreamBudget::default().event_channel(flow, cancel)
}

impl StreamBudget {
    /// As [`event_channel`], for one of the streams that share this budget.
    pub fn event_channel(
        &self,
        flow: FlowControl,
        cancel: impl FnOnce() + Send + 'static,
    ) -> (EventSender, EventStream) {
        let state = State {
            unread: Unread::new(flow, self.clone()),
            end: End::None,
            abandoned: false,
            accepted: 0,
            cancel: Some(Box::new(cancel)),
            cancelled: None,
            consumer: None,
            source: None,
            lag: None,
            told: None,
            is_released: false,
            observer: None,
        };
        let shared = Arc::new(Shared(Mutex::new(state)));
        (EventSender { shared: Arc::clone(&shared) }, EventStream { shared, report: None })
    }
}

struct Shared(Mutex<State>);

struct State {
    unread: Unread,
    end: End,
    abandoned: bool,
    /// How many events came in, lost ones not counted.
    accepted: u64,
    cancel: Option<Box<dyn FnOnce() + Send>>,
    /// Who else wants to know that it was cancelled before its end.
    cancelled: Option<Box<dyn FnOnce() + Send>>,
    consumer: Option<Waker>,
    /// A source that waits for room.
    source: Option<Waker>,
    /// Times events, where metrics are recorded.
    lag: Option<Lag>,
    /// How the stream has ended, for its [`StreamControl`].
    told: Option<Result<()>>,
    /// The source has let go of it.
    is_released: bool,
    observer: Option<Waker>,
}

/// How a stream has ended.
enum End {
    None,
    /// Events were lost; the consumer does not know yet.
    SlowConsumer,
    /// The consumer does not know yet.
    Failed(Error),
    Over,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the consumer, and the observer of the end if that is what has changed.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let (consumer, observer, cancel) = {
            let mut state = self.lock();
            let before = (state.told.is_some(), state.is_released);
            change(&mut state);
            let cancel = if state.unread.has_overflowed() { state.take_cancel() } else { [None, None] };
            let is_over = before != (state.told.is_some(), state.is_released);
            let observer = if is_over { state.observer.take() } else { None };
            (state.consumer.take(), observer, cancel)
        };
        cancel.into_iter().flatten().for_each(|cancel| cancel());
        for waiting in [consumer, observer].into_iter().flatten() {
            waiting.wake();
        }
    }
}

impl State {
    fn receive(&mut self, event: Event) {
        if self.abandoned || !matches!(self.end, End::None | End::SlowConsumer) {
            return;
        }
        let number = self.unread.next();
        self.unread.push(event);
        if let Some(lag) = &mut self.lag
            && self.unread.next() > number
        {
            lag.came(number);
        }
        if self.unread.has_overflowed() {
            if let End::None = self.end {
                self.told = Some(Err(self.unread.slow_consumer()));
            }
            self.end = End::SlowConsumer;
        } else {
            self.accepted += 1;
        }
    }

    /// What is to be called when the stream is cancelled now.
    fn take_cancel(&mut self) -> [Option<Box<dyn FnOnce() + Send>>; 2] {
        let has_ended = matches!(self.end, End::Failed(_) | End::Over);
        [self.cancel.take(), self.cancelled.take().filter(|_| !has_ended)]
    }

    /// The first end stands.
    fn finish(&mut self, end: Result<()>) {
        if matches!(self.end, End::None) {
            self.told = Some(end.clone());
            self.end = end.map_or_else(End::Failed, |()| End::Over);
        }
    }

    fn take_end(&mut self) -> Option<Error> {
        match std::mem::replace(&mut self.end, End::Over) {
            End::SlowConsumer => Some(self.unread.slow_consumer()),
            End::Failed(error) => Some(error),
            End::None | End::Over => None,
        }
    }

    /// How many events have left: read, or merged into newer ones.
    fn taken(&self) -> u64 {
        self.accepted - self.unread.len() as u64
    }
}

/// The backend's end of a stream. [`finish`](Self::finish) ends the stream; dropping it unfinished ends it with an error.
pub struct EventSender {
    shared: Arc<Shared>,
}

impl EventSender {
    /// Passes an event on. After the end of the stream, or its loss to a slow consumer, it goes nowhere.
    pub fn send(&self, event: Event) {
        self.shared.update(|state| state.receive(event));
    }

    /// Passes events on and wakes the consumer once.
    pub fn send_all(&self, events: impl IntoIterator<Item = Event>) {
        let events = events.into_iter();
        self.shared.update(|state| {
            state.unread.expect(events.size_hint().0);
            events.for_each(|event| state.receive(event));
        });
    }

    /// For a source that can wait: waits until the consumer has room, and says for how many events; 0 when nobody reads
    /// any more. The session's budget is not asked. A full stream has room again when half of it was read.
    pub async fn room(&self) -> usize {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if state.abandoned || !matches!(state.end, End::None) {
                return Poll::Ready(0);
            }
            match state.unread.room() {
                0 => {
                    state.source = Some(context.waker().clone());
                    Poll::Pending
                }
                room => Poll::Ready(room),
            }
        })
        .await
    }

    /// Adds `count` events that were merged before they came here.
    pub fn add_merged(&self, count: u64) {
        self.shared.lock().unread.add_merged(count);
    }

    /// Ends the stream, with an error if it did not end by itself. What is unread stays readable. The first end
    /// stands.
    pub fn finish(&self, end: Result<()>) {
        self.shared.update(|state| state.finish(end));
    }

    /// Whether the consumer has dropped the stream.
    pub fn is_abandoned(&self) -> bool {
        self.shared.lock().abandoned
    }
}

impl Drop for EventSender {
    /// A source that reports no end has failed: a reader must not take that for the end of the data.
    fn drop(&mut self) {
        let unreported = if thread::panicking() {
            Error::new(ErrorKind::Internal, "the source of the stream panicked")
        } else {
            Error::new(ErrorKind::Disconnected, "the backend dropped the stream without reporting an end")
        };
        self.shared.update(|state| {
            state.finish(Err(unreported));
            state.is_released = true;
        });
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").field("unread", &self.shared.lock().unread.len()).finish()
    }
}

/// The consumer's end: a [`Stream`] of events. Dropping it cancels the stream at the Gateway.
pub struct EventStream {
    shared: Arc<Shared>,
    report: Option<Report>,
}

/// Who wants to know how many events have left the stream.
struct Report {
    every: u64,
    reported: u64,
    tell: Box<dyn FnMut(u64) + Send>,
}

impl EventStream {
    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits for events and moves what is unread, at most `most`, into `batch`; `None` when the stream has ended. With a
    /// `most` of 0 it waits for that end alone. Nothing is lost if the future is dropped.
    #[doc(hidden)]
    pub async fn take(&mut self, most: usize, batch: &mut Vec<Event>) -> Option<Result<()>> {
        poll_fn(|context| self.poll_take(most, batch, context)).await
    }

    fn poll_take(
        &mut self,
        most: usize,
        batch: &mut Vec<Event>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<()>>> {
        let mut state = self.shared.lock();
        if state.unread.len() == 0 && !matches!(state.end, End::None) {
            return Poll::Ready(state.take_end().map(Err));
        }
        if state.unread.drain(most, batch) == 0 {
            state.consumer = Some(context.waker().clone());
            return Poll::Pending;
        }
        after_taking(state, self.report.as_mut());
        Poll::Ready(Some(Ok(())))
    }

    /// A second hand on the stream, for whoever looks after it while another one reads it.
    #[doc(hidden)]
    pub fn control(&self) -> StreamControl {
        StreamControl { shared: Arc::clone(&self.shared) }
    }

    /// Has the time that events wait for the consumer recorded, if metrics are.
    pub(crate) fn timed(self, mode: ConnectionMode, command: &'static str) -> Self {
        if telemetry::ON {
            self.shared.lock().lag = Some(Lag::new(mode, command));
        }
        self
    }

    /// Has `tell` called, once, when the stream is cancelled before its end: dropped, too slow, or by its control. For who
    /// counts what is sent to the Gateway.
    #[doc(hidden)]
    #[must_use]
    pub fn report_cancelled(self, tell: impl FnOnce() + Send + 'static) -> Self {
        self.shared.lock().cancelled = Some(Box::new(tell));
        self
    }

    /// How many events gave way so far to newer values of the same field, see [`FlowControl::Conflate`].
    pub fn merged(&self) -> u64 {
        self.shared.lock().unread.merged()
    }

    /// Has `tell` called, on the consumer's thread, with the number of events that have left the stream, whenever that is
    /// at least `every`. For a backend that grants credit to a source.
    #[doc(hidden)]
    #[must_use]
    pub fn report_taken(mut self, every: usize, tell: impl FnMut(u64) + Send + 'static) -> Self {
        self.report = Some(Report { every: every as u64, reported: 0, tell: Box::new(tell) });
        self
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        let Some(event) = state.unread.pop() else {
            if let End::None = state.end {
                state.consumer = Some(context.waker().clone());
                return Poll::Pending;
            }
            return Poll::Ready(state.take_end().map(Err));
        };
        after_taking(state, this.report.as_mut());
        Poll::Ready(Some(Ok(event)))
    }
}

/// Wakes a source that has waited long enough, and reports.
fn after_taking(mut state: MutexGuard<'_, State>, report: Option<&mut Report>) {
    let (taken, unread) = (state.taken(), state.unread.first());
    if let Some(lag) = &mut state.lag {
        lag.read(unread);
    }
    let source = if state.unread.is_half_read() { state.source.take() } else { None };
    drop(state);
    if let Some(source) = source {
        source.wake();
    }
    if let Some(report) = report {
        report.update(taken);
    }
}

impl Report {
    fn update(&mut self, taken: u64) {
        let news = taken - self.reported;
        if news >= self.every {
            self.reported = taken;
            (self.tell)(news);
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let (cancel, source) = {
            let mut state = self.shared.lock();
            state.abandoned = true;
            state.unread.clear();
            (state.take_cancel(), state.source.take())
        };
        cancel.into_iter().flatten().for_each(|cancel| cancel());
        if let Some(source) = source {
            source.wake();
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("EventStream")
            .field("unread", &state.unread.len())
            .field("merged", &state.unread.merged())
            .field("ended", &!matches!(state.end, End::None))
            .finish()
    }
}

impl FromIterator<Event> for EventStream {
    /// A stream that gives these events and ends, for tests.
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let all = FlowControl::Lossless { capacity: usize::MAX };
        let (sender, stream) = StreamBudget::of(usize::MAX).event_channel(all, || {});
        sender.send_all(events);
        sender.finish(Ok(()));
        stream
    }
}

/// Observes and ends a stream that somebody else reads. It is not on the way of the events, and costs them nothing.
///
/// # Behavior
/// One task at a time waits with it: of two, only the later one is woken. Clones are the same.
#[derive(Clone)]
pub struct StreamControl {
    shared: Arc<Shared>,
}

impl StreamControl {
    /// How many events have come in, those that gave way to newer ones included.
    pub fn received(&self) -> u64 {
        self.shared.lock().accepted
    }

    /// How many of them are kept for the consumer.
    pub fn unread(&self) -> usize {
        self.shared.lock().unread.len()
    }

    /// Waits until no more events come, whether or not those that are kept were read: the stream has ended by itself, or with
    /// this error.
    ///
    /// # Errors
    /// Why the stream has ended, if not by itself.
    pub async fn ended(&self) -> Result<()> {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            match &state.told {
                Some(end) => Poll::Ready(end.clone()),
                None => {
                    state.observer = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Ends the stream at its source. What is unread stays readable; then comes an error of kind `closed`, unless the stream had
    /// ended before.
    pub fn cancel(&self) {
        let mut cancel = [None, None];
        self.shared.update(|state| {
            cancel = state.take_cancel();
            state.finish(Err(Error::new(ErrorKind::Closed, "the stream was cancelled")));
        });
        cancel.into_iter().flatten().for_each(|cancel| cancel());
    }

    /// Waits until the backend has let go of the stream: from then on it does nothing more for it.
    pub async fn released(&self) {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if state.is_released {
                return Poll::Ready(());
            }
            state.observer = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for StreamControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamControl").field("received", &self.received()).finish()
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

    /// See [`EventStream::merged`].
    pub fn merged(&self) -> u64 {
        self.events.merged()
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::types::MarketDataEvent;
    use crate::{ErrorKind, block_on};

    fn event(value: i32) -> Event {
        Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
    }

    /// A channel for two unread events, and how often its source was cancelled.
    fn channel() -> (EventSender, EventStream, Arc<AtomicUsize>) {
        let cancelled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&cancelled);
        let (sender, stream) = event_channel(FlowControl::Lossless { capacity: 2 }, move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        (sender, stream, cancelled)
    }

    #[test]
    fn a_source_that_panics_is_no_loss_of_the_session() {
        let (sender, mut stream) = event_channel(FlowControl::default(), || {});
        let source = thread::spawn(move || {
            let _sender = sender;
            panic!("as planned");
        });
        source.join().unwrap_err();
        assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_slow_consumer_reads_what_was_kept_and_is_told_how_many_were_lost() {
        let (sender, mut stream, cancelled) = channel();
        (0..5).for_each(|value| sender.send(event(value)));
        assert_eq!(cancelled.load(Ordering::SeqCst), 1, "at once, whenever the consumer reads");
        sender.finish(Err(Error::new(ErrorKind::Disconnected, "the first end stands")));
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(0));
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(1));
        let end = block_on(stream.next()).unwrap().unwrap_err();
        assert_eq!(end.kind(), ErrorKind::SlowConsumer);
        assert!(end.message().starts_with("3 events were lost"), "{end}");
        sender.send(event(6));
        assert!(block_on(stream.next()).is_none());
        drop(stream);
        assert_eq!(cancelled.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn streams_of_a_session_share_its_budget_and_only_those_that_are_not_read_end() {
        let budget = StreamBudget::of(1 << 20);
        let big = || Event::MarketData(MarketDataEvent::Notice { code: 1, message: "x".repeat(1_000) });
        let channel = || {
            let cancelled = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&cancelled);
            let cancel = move || {
                count.fetch_add(1, Ordering::SeqCst);
            };
            (budget.event_channel(FlowControl::default(), cancel), cancelled)
        };
        let unread: Vec<_> = (0..20).map(|_| channel()).collect();
        let ((read_sender, mut read), read_cancelled) = channel();
        for _ in 0..200 {
            for ((sender, _), _) in &unread {
                sender.send(big());
            }
            read_sender.send(big());
            assert_eq!(block_on(read.next()).unwrap().unwrap(), big());
        }
        assert!(budget.taken() <= 1 << 20);
        assert_eq!(read_cancelled.load(Ordering::SeqCst), 0);
        for ((_sender, mut stream), cancelled) in unread {
            assert_eq!(cancelled.load(Ordering::SeqCst), 1, "at once, whenever the consumer reads");
            let mut kept = 0;
            let end = loop {
                match block_on(stream.next()).unwrap() {
                    Ok(_) => kept += 1,
                    Err(error) => break error,
                }
            };
            assert!(kept >= 10, "{kept}");
            assert_eq!(end.kind(), ErrorKind::SlowConsumer);
            assert!(end.message().contains("all streams of a session"), "{end}");
        }
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn an_end_comes_after_what_is_unread() {
        let (sender, mut stream, _) = channel();
        sender.send(event(1));
        sender.finish(Err(Error::new(ErrorKind::Disconnected, "gone")));
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(1));
        assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        assert!(block_on(stream.next()).is_none());
    }

    #[test]
    fn a_control_counts_what_comes_and_sees_the_end_before_the_consumer() {
        let (sender, mut stream, cancelled) = channel();
        let control = stream.control();
        sender.send_all([event(1), event(2)]);
        assert_eq!((control.received(), control.unread()), (2, 2));
        assert!(pending(control.ended()) && pending(control.released()));
        sender.finish(Err(Error::new(ErrorKind::Timeout, "the end")));
        assert_eq!(block_on(control.ended()).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(pending(control.released()), "the source is still there");
        drop(sender);
        block_on(control.released());
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(1), "unread events stay readable");
        assert_eq!(cancelled.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_control_cancels_at_the_source_and_leaves_what_is_unread() {
        let (sender, mut stream, cancelled) = channel();
        let control = stream.control();
        sender.send(event(1));
        control.cancel();
        control.cancel();
        sender.send(event(2));
        assert_eq!(cancelled.load(Ordering::SeqCst), 1);
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(1));
        assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(block_on(stream.next()).is_none());
        drop(stream);
        assert_eq!(cancelled.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_control_is_woken_by_the_end_and_told_of_a_slow_consumer() {
        let (sender, stream, _) = channel();
        let control = stream.control();
        let waiting = thread::spawn(move || block_on(control.ended()));
        (0..3).for_each(|value| sender.send(event(value)));
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::SlowConsumer);
        let control = stream.control();
        let waiting = thread::spawn(move || block_on(control.released()));
        drop(sender);
        waiting.join().unwrap();
    }

    fn pending(wait: impl Future) -> bool {
        let mut wait = std::pin::pin!(wait);
        block_on(poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_pending())))
    }

    #[test]
    fn a_cancel_is_reported_and_an_end_is_none() {
        let reported = |use_up: fn(EventSender, EventStream)| {
            let count = Arc::new(AtomicUsize::new(0));
            let (sender, stream, _) = channel();
            let counted = Arc::clone(&count);
            let count_one = move || {
                counted.fetch_add(1, Ordering::SeqCst);
            };
            use_up(sender, stream.report_cancelled(count_one));
            count.load(Ordering::SeqCst)
        };
        assert_eq!(reported(|_sender, stream| drop(stream)), 1);
        assert_eq!(reported(|_sender, stream| stream.control().cancel()), 1);
        let ended = |sender: EventSender, stream| {
            sender.finish(Ok(()));
            drop(stream);
        };
        assert_eq!(reported(ended), 0);
        let too_slow = |sender: EventSender, stream| {
            (0..3).for_each(|value| sender.send(event(value)));
            drop(stream);
        };
        assert_eq!(reported(too_slow), 1);
    }

    #[test]
    fn dropping_the_stream_cancels_it_and_stops_the_buffering() {
        let (sender, stream, cancelled) = channel();
        drop(stream);
        assert_eq!(cancelled.load(Ordering::SeqCst), 1);
        assert!(sender.is_abandoned());
        sender.send(event(1));
        assert_eq!(block_on(sender.room()), 0);
        assert_eq!(sender.shared.lock().unread.len(), 0);
    }

    #[test]
    fn a_consumer_waiting_on_another_thread_is_woken() {
        let (sender, mut stream, _) = channel();
        let consumer = thread::spawn(move || block_on(stream.next()).unwrap().unwrap());
        sender.send(event(7));
        assert_eq!(consumer.join().unwrap(), event(7));
    }

    #[test]
    fn a_source_that_goes_without_a_word_is_an_error() {
        let (sender, mut stream, _) = channel();
        sender.send(event(7));
        drop(sender);
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(7));
        assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        assert!(block_on(stream.next()).is_none());
    }

    #[test]
    fn a_source_that_waits_for_room_loses_nothing() {
        const COUNT: i32 = 10_000;
        let (sender, mut stream, _) = channel();
        let source = thread::spawn(move || {
            let mut values = 0..COUNT;
            while !values.is_empty() {
                let room = block_on(sender.room());
                sender.send_all(values.by_ref().take(room).map(event));
            }
            sender.finish(Ok(()));
        });
        for value in 0..COUNT {
            assert_eq!(block_on(stream.next()).unwrap().unwrap(), event(value));
        }
        assert!(block_on(stream.next()).is_none());
        source.join().unwrap();
    }

    #[test]
    fn what_has_left_the_stream_is_reported_also_when_it_was_merged() {
        let price = |value| {
            Event::MarketData(MarketDataEvent::Price {
                tick_type: crate::types::TickType::BID,
                price: Some(f64::from(value)),
                size: None,
                attributes: crate::types::PriceAttributes::default(),
            })
        };
        let reports = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&reports);
        let (sender, stream) = event_channel(FlowControl::Conflate, || {});
        let mut stream = stream.report_taken(4, move |count| seen.lock().unwrap().push(count));
        for batch in [5, 1, 3] {
            (0..batch).for_each(|value| sender.send(price(value)));
            assert_eq!(block_on(stream.next()).unwrap().unwrap(), price(batch - 1));
        }
        assert_eq!((reports.lock().unwrap().clone(), stream.merged()), (vec![5, 4], 6));
    }
}
