//! One subscription at the Gateway for all who want it: TWS's messages about positions and account updates name no request,
//! so that of two subscriptions each would take the other's rows for its own.
//!
//! The first user opens it, and a later one gets what was downloaded by then, and the rest as the others do. When the
//! last user has left it is cancelled, but not in the middle of an answer: that is read to its end, for the next user.
//!
//! A Gateway overlooks questions, and does not end every answer. So a user that finds a question about which the Gateway is silent has
//! it asked again, and one that wants the feed of another account goes first.

mod late_answers;
mod state;
mod subscriber;
#[cfg(test)]
mod tests;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{Notify, watch};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use self::late_answers::LateAnswers;
use self::state::{FeedState, Step};
use super::cut_short;
use crate::permits::{Permit, Permits};

pub(crate) use self::state::{Change, Entry, Interest};
pub(crate) use self::subscriber::Subscriber;

/// Where the events of a feed come from: a subscription at the Gateway.
pub(crate) trait Source: Send + 'static {
    type Event: Entry;

    /// The next event; `None` at the end, which it should not have. Nothing is lost if the future is dropped.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Event>>> + Send;

    /// Cancels it at the Gateway.
    fn cancel(&mut self) -> impl Future<Output = ()> + Send;
}

/// Opens a subscription, as often as it takes.
pub(crate) trait Opener: Send + Sync + 'static {
    type Source: Source;

    /// Subscribes. Everything that comes from the first poll on is in the subscription.
    fn open(&self) -> impl Future<Output = Result<Self::Source>> + Send;

    /// How many frames of what it subscribes to have come to this connection: whether something came that nobody has got.
    fn frames(&self) -> u64;
}

/// The feed of a connection, or none. Clones are the same.
#[derive(Debug)]
pub(crate) struct SharedSubscription<E: Entry> {
    /// The one that can be joined.
    open: Arc<Mutex<Option<Arc<Feed<E>>>>>,
    /// For the one that the Gateway knows of.
    permits: Permits,
    late_answers: Arc<Mutex<LateAnswers>>,
}

impl<E: Entry> Clone for SharedSubscription<E> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            permits: self.permits.clone(),
            late_answers: Arc::clone(&self.late_answers),
        }
    }
}

impl<E: Entry> Default for SharedSubscription<E> {
    fn default() -> Self {
        Self { open: Arc::default(), permits: Permits::new(1), late_answers: Arc::default() }
    }
}

#[derive(Debug)]
struct Feed<E: Entry> {
    /// What it is about: an account, or nothing in particular.
    subject: String,
    state: Mutex<FeedState<E>>,
    /// A user has come, or left.
    changed: Notify,
    /// When the Gateway was first asked.
    asked: watch::Sender<Option<Instant>>,
}

impl<E: Entry> SharedSubscription<E> {
    /// A subscriber of the feed about `subject`, which `opener` opens if there is none. While there is one about something else, it
    /// waits until all who use that have left, or the Gateway is silent about that.
    ///
    /// # Errors
    /// `busy` when one who uses that does not leave by itself.
    pub(crate) fn join<O: Opener<Source: Source<Event = E>>>(
        &self,
        subject: &str,
        interest: Interest,
        opener: O,
    ) -> Result<Subscriber<E>> {
        let mut open = self.open();
        match open.as_ref() {
            Some(feed) if feed.subject == subject && !feed.state().is_over() => {
                return Ok(Subscriber::at(feed, interest));
            }
            Some(feed) if feed.state().is_held() => return Err(taken(&feed.subject, subject)),
            _ => {}
        }
        let feed = Arc::new(Feed {
            subject: subject.to_owned(),
            state: Mutex::new(FeedState::new()),
            changed: Notify::new(),
            asked: watch::Sender::new(None),
        });
        let subscriber = Subscriber::at(&feed, interest);
        *open = Some(Arc::clone(&feed));
        tokio::spawn(self.clone().carry(feed, opener));
        Ok(subscriber)
    }

    /// Carries the events of a feed from the Gateway to its users, until they have left.
    async fn carry<O: Opener<Source: Source<Event = E>>>(self, feed: Arc<Feed<E>>, opener: O) {
        loop {
            let permit = match self.permits.acquire().await {
                Ok(permit) => permit,
                Err(error) => return self.fail(&feed, &error),
            };
            if self.close(&feed) {
                return;
            }
            let served = self.serve(&feed, &opener, permit).await;
            self.late_answers().note(Instant::now(), &feed.subject, &feed.state());
            match served {
                Ok(Served::Wanted) => {}
                Ok(Served::Over) => return,
                Err(error) => return self.fail(&feed, &error),
            }
        }
    }

    /// Carries them while it has the permit.
    async fn serve<O: Opener<Source: Source<Event = E>>>(
        &self,
        feed: &Arc<Feed<E>>,
        opener: &O,
        mut permit: Permit,
    ) -> Result<Served> {
        let mut source = self.subscribe(feed, opener).await?;
        let outcome = loop {
            let step = feed.state().step(Instant::now(), permit.others());
            match step {
                Step::Wait(until) => tokio::select! {
                    biased;
                    event = source.next() => match event {
                        Ok(Some(event)) => feed.state().take(Instant::now(), event),
                        Ok(None) => break Err(cut_short()),
                        Err(error) => break Err(error),
                    },
                    () = feed.changed.notified() => {}
                    () = permit.changed() => {}
                    () = sleep(until) => {}
                },
                Step::Close if self.close(feed) => break Ok(Served::Over),
                Step::Close => {}
                Step::MakeRoom => break Ok(Served::Wanted),
                Step::AskAgain => source = self.subscribe_again(feed, opener, source).await?,
            }
        };
        source.cancel().await;
        outcome
    }

    async fn subscribe<O: Opener<Source: Source<Event = E>>>(
        &self,
        feed: &Feed<E>,
        opener: &O,
    ) -> Result<O::Source> {
        let is_doubtful = self.late_answers().has(Instant::now(), &feed.subject);
        let source = opener.open().await?;
        feed.state().ask_first(Instant::now());
        if is_doubtful {
            feed.state().doubt();
        }
        feed.is_asked();
        Ok(source)
    }

    /// Cancels the subscription and makes it again, with nothing lost in between: what has come is taken before, and ibapi gets no
    /// chance to take in more until it knows the new one. Should it get one, the relay's count tells.
    async fn subscribe_again<O: Opener<Source: Source<Event = E>>>(
        &self,
        feed: &Feed<E>,
        opener: &O,
        mut source: O::Source,
    ) -> Result<O::Source> {
        unconstrained(async move {
            while let Some(event) = at_once(source.next()).await {
                let event = event?.ok_or_else(cut_short)?;
                feed.state().take(Instant::now(), event);
            }
            let before = opener.frames();
            source.cancel().await;
            let source = opener.open().await?;
            feed.state().ask_again(Instant::now());
            if opener.frames() != before {
                feed.state().doubt();
            }
            Ok(source)
        })
        .await
    }

    /// Lets nobody join any more, unless somebody has.
    fn close(&self, feed: &Arc<Feed<E>>) -> bool {
        let mut open = self.open();
        let is_used = feed.state().is_used();
        if !is_used {
            open.take_if(|open| Arc::ptr_eq(open, feed));
        }
        !is_used
    }

    fn fail(&self, feed: &Arc<Feed<E>>, error: &Error) {
        self.open().take_if(|open| Arc::ptr_eq(open, feed));
        feed.state().fail(error);
        // Who waits for the question hears of the failure instead.
        feed.is_asked();
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Feed<E>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn late_answers(&self) -> MutexGuard<'_, LateAnswers> {
        self.late_answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a feed gives its permit back.
enum Served {
    /// Nobody uses it any more.
    Over,
    /// Another one goes first.
    Wanted,
}

impl<E: Entry> Feed<E> {
    fn is_asked(&self) {
        self.asked.send_if_modified(|asked| asked.is_none() && asked.replace(Instant::now()).is_none());
    }

    fn state(&self) -> MutexGuard<'_, FeedState<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a future gives without waiting.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

fn taken(subscribed: &str, wanted: &str) -> Error {
    let message = format!(
        "TWS has the updates of one account at a time, and a stream of {subscribed} is open: {wanted} is refused"
    );
    Error::new(ErrorKind::Busy, message).with_advice(
        "drop that stream, take account_updates_multi, or connect a second time: each connection has one of its own",
    )
}
