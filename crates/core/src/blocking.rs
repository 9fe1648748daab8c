//! The operations for callers without a runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::task::unconstrained;

use crate::{
    CloseReason, ConnectionInfo, Event, FlowControl, Reply, Request, Result, Session, StreamRequest,
    Subscription,
};

/// A [`Session`] whose methods block the calling thread. The I/O runs on the backend's own threads, so a call is
/// answered even on a thread of a runtime that is otherwise stuck.
///
/// # Behavior
/// It is a clone of its session: the connection is closed when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct BlockingSession {
    session: Session,
}

impl BlockingSession {
    /// The same session for callers with a runtime.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// See [`Session::info`].
    pub fn info(&self) -> &ConnectionInfo {
        self.session.info()
    }

    /// See [`Session::with_flow`].
    #[must_use]
    pub fn with_flow(&self, flow: FlowControl) -> Self {
        self.session.with_flow(flow).into()
    }

    /// See [`Session::with_timeout`].
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.session.with_timeout(timeout).into()
    }

    /// See [`Session::request`].
    ///
    /// # Errors
    /// Those of [`Session::request`].
    pub fn request(&self, request: Request) -> Result<Reply> {
        block_on(self.session.request(request))
    }

    /// See [`Session::subscribe`].
    ///
    /// # Errors
    /// Those of [`Session::subscribe`].
    pub fn subscribe(&self, request: StreamRequest) -> Result<BlockingSubscription<Event>> {
        let events = block_on(self.session.subscribe(request))?;
        Ok(BlockingSubscription::new(Subscription::new(events, Ok)))
    }

    /// Waits until the connection is gone; see [`Session::closed`].
    pub fn closed(&self) -> CloseReason {
        block_on(self.session.closed())
    }

    /// See [`Session::ping`].
    ///
    /// # Errors
    /// Those of [`Session::ping`].
    pub fn ping(&self) -> Result<Duration> {
        block_on(self.session.ping())
    }

    /// See [`Session::close`].
    ///
    /// # Errors
    /// Those of [`Session::close`].
    pub fn close(&self) -> Result<()> {
        block_on(self.session.close())
    }
}

/// A method per row of the table for callers without a runtime. The type `$Blocking` has in its field `$asked` what it asks, `$Stream`
/// makes a blocking stream of that one's, and `$as_there` is a link to it.
#[doc(hidden)]
#[macro_export]
macro_rules! blocking_methods {
    (
        $Blocking:ident { $asked:ident, $Stream:ident, $as_there:literal }
        requests { $( $(#[doc = $doc:literal])+
            $access:ident fn $method:ident($($param:ident: $Params:ty)?) -> $Reply:ty = $Variant:ident
            $(as $Shown:ident)?; )+ }
        streams { $( $(#[doc = $sdoc:literal])+
            $saccess:ident $content:ident fn $smethod:ident($($sparam:ident: $SParams:ty)?) -> $Event:ty = $SVariant:ident
            $(as $SShown:ident)?; )+ }
    ) => {
        impl $Blocking {
            $( $(#[doc = $doc])+
            ///
            /// # Errors
            #[doc = $as_there]
            pub fn $method(&self $(, $param: $Params)?) -> $crate::Result<$Reply> {
                $crate::block_on(self.$asked.$method($($param)?))
            } )+

            $( $(#[doc = $sdoc])+
            ///
            /// # Errors
            #[doc = $as_there]
            pub fn $smethod(&self $(, $sparam: $SParams)?) -> $crate::Result<$Stream<$Event>> {
                $crate::block_on(self.$asked.$smethod($($sparam)?)).map($Stream::new)
            } )+
        }
    };
}

mod methods {
    use super::{BlockingSession, BlockingSubscription};
    use crate::operation_table;
    use crate::types::*;

    operation_table! { blocking_methods BlockingSession {
        session, BlockingSubscription, "As the method of the same name on [`Session`](crate::Session)."
    } }
}

impl From<Session> for BlockingSession {
    fn from(session: Session) -> Self {
        Self { session }
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

    /// See [`EventStream::merged`](crate::EventStream::merged).
    pub fn merged(&self) -> u64 {
        self.0.merged()
    }
}

impl<T> Iterator for BlockingSubscription<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.0.next())
    }
}

/// No event came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing else to say")]
pub struct Elapsed;

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no event came in time")
    }
}

impl std::error::Error for Elapsed {}

/// How long a blocked thread stays runnable before it sleeps. An answer from a nearby thread or process is mostly there
/// by then, and waking a sleeping thread on an idle core can cost more than the whole round trip.
const STAY_AWAKE: Duration = Duration::from_micros(50);

/// Drives `future` on this thread until it is ready. Enough for every future of ours: none needs a runtime.
///
/// In a task of tokio's, a channel of tokio's gives 128 answers and then wants the task to let others run. A thread that is blocked
/// never does, and the answers would end there: so what is driven here is exempt.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(unconstrained(future));
    let parker = Arc::new(Parker::new());
    loop {
        if let Poll::Ready(output) = parker.poll(future.as_mut()) {
            return output;
        }
        parker.wait(None);
    }
}

/// Drives `future` on this thread until it is ready or `deadline` has passed, as [`block_on`] does.
pub fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(unconstrained(future));
    let parker = Arc::new(Parker::new());
    loop {
        if let Poll::Ready(output) = parker.poll(future.as_mut()) {
            return Some(output);
        }
        if Instant::now() >= deadline {
            return None;
        }
        parker.wait(Some(deadline));
    }
}

/// The waker of a blocked thread.
struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    fn new() -> Self {
        Self { thread: thread::current(), woken: AtomicBool::new(false) }
    }

    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    /// Waits until it is woken or `deadline` has passed.
    fn wait(&self, deadline: Option<Instant>) {
        let asleep = Instant::now() + STAY_AWAKE;
        while !self.woken.swap(false, Ordering::Acquire) {
            let now = Instant::now();
            if now < asleep {
                thread::yield_now();
                continue;
            }
            match deadline {
                None => thread::park(),
                Some(deadline) if now < deadline => thread::park_timeout(deadline - now),
                Some(_) => return,
            }
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MarketDataEvent;
    use crate::{Event, FlowControl, event_channel};

    #[test]
    fn a_blocked_task_of_a_runtime_gets_every_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (answers, mut asked) = tokio::sync::mpsc::unbounded_channel();
        (0..1_000).for_each(|answer| answers.send(answer).unwrap());
        let soon = || Instant::now() + Duration::from_secs(5);
        runtime.block_on(async {
            assert!((0..500).all(|answer| block_on_until(asked.recv(), soon()) == Some(Some(answer))));
            assert!((500..1_000).all(|answer| block_on(asked.recv()) == Some(answer)));
        });
    }

    #[test]
    fn a_wait_ends_with_the_event_or_with_the_deadline() {
        let (sender, stream) = event_channel(FlowControl::default(), || {});
        let mut stream = BlockingSubscription::new(Subscription::new(stream, |event| match event {
            Event::MarketData(event) => Ok(event),
            other => unreachable!("{other:?}"),
        }));
        assert!(matches!(stream.next_timeout(Duration::from_millis(1)), Err(Elapsed)));
        sender.send(Event::MarketData(MarketDataEvent::SnapshotEnd {}));
        let event = stream.next_timeout(Duration::from_secs(5)).unwrap().unwrap().unwrap();
        assert_eq!(event, MarketDataEvent::SnapshotEnd {});
        sender.finish(Ok(()));
        assert!(stream.next_timeout(Duration::from_secs(5)).unwrap().is_none());
    }
}
