//! The operations for callers without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::{Result, Session, Subscription};

/// A [`Session`] whose methods block the calling thread. The I/O runs on the backend's own threads, so a call is
/// answered even on a thread of a runtime that is otherwise stuck.
#[derive(Debug, Clone, Copy)]
pub struct BlockingSession<'a> {
    session: &'a Session,
}

impl<'a> BlockingSession<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    pub(crate) fn session(&self) -> &'a Session {
        self.session
    }

    /// See [`Session::ping`].
    ///
    /// # Errors
    /// Those of [`Session::ping`].
    pub fn ping(&self) -> Result<Duration> {
        pollster::block_on(self.session.ping())
    }

    /// See [`Session::close`].
    ///
    /// # Errors
    /// Those of [`Session::close`].
    pub fn close(&self) -> Result<()> {
        pollster::block_on(self.session.close())
    }
}

/// A [`Subscription`] as a blocking iterator. Dropping it cancels the stream at the Gateway.
#[derive(Debug)]
pub struct BlockingSubscription<T>(Subscription<T>);

impl<T> BlockingSubscription<T> {
    pub(crate) fn new(subscription: Subscription<T>) -> Self {
        Self(subscription)
    }

    /// Waits at most `timeout` for the next event: `Err(Elapsed)` when none came, `Ok(None)` when the stream has
    /// ended.
    ///
    /// # Errors
    /// [`Elapsed`] when `timeout` passed first; the stream goes on.
    pub fn next_timeout(&mut self, timeout: Duration) -> std::result::Result<Option<Result<T>>, Elapsed> {
        block_on_until(self.0.next(), Instant::now() + timeout).ok_or(Elapsed)
    }

    /// How many events were dropped so far because this consumer was slow.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }
}

impl<T> Iterator for BlockingSubscription<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        pollster::block_on(self.0.next())
    }
}

/// No event came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no event came in time")
    }
}

impl std::error::Error for Elapsed {}

/// Drives `future` on this thread until it is ready or `deadline` has passed.
fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MarketDataEvent;
    use crate::{Event, event_channel};

    #[test]
    fn a_wait_ends_with_the_event_or_with_the_deadline() {
        let (sender, stream) = event_channel(8, || {});
        let mut stream = BlockingSubscription::new(Subscription::new(stream, |event| match event {
            Event::MarketData(event) => Ok(event),
        }));
        assert!(matches!(stream.next_timeout(Duration::from_millis(1)), Err(Elapsed)));
        sender.send(Event::MarketData(MarketDataEvent::SnapshotEnd {}));
        let event = stream.next_timeout(Duration::from_secs(5)).unwrap().unwrap().unwrap();
        assert_eq!(event, MarketDataEvent::SnapshotEnd {});
        drop(sender);
        assert!(stream.next_timeout(Duration::from_secs(5)).unwrap().is_none());
    }
}
