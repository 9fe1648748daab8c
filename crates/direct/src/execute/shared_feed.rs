//! One subscription at the Gateway for all who want it: TWS's messages about positions and account updates name no request,
//! so that of two subscriptions each would take the other's rows for its own.
//!
//! The first user opens it, and whoever comes later gets what was downloaded by then, and the rest like everybody. When the
//! last user has left it is cancelled, but not in the middle of an answer: that is read to its end, for whoever comes next.
//!
//! A Gateway overlooks questions, and does not end every answer. So a user that finds a question about which the Gateway is silent has
//! it asked again, and one that wants the feed of another account goes first.

mod board;
mod doubts;
mod seat;
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

use self::board::{Board, Duty};
use self::doubts::Doubts;
use super::cut_short;
use crate::line::{Line, Place};

pub(crate) use self::board::{Change, Entry, Stay};
pub(crate) use self::seat::Seat;

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
pub(crate) struct SharedFeed<E: Entry> {
    /// The one that can be joined.
    open: Arc<Mutex<Option<Arc<Feed<E>>>>>,
    /// For the one that the Gateway knows of.
    line: Line,
    doubts: Arc<Mutex<Doubts>>,
}

impl<E: Entry> Clone for SharedFeed<E> {
    fn clone(&self) -> Self {
        Self { open: Arc::clone(&self.open), line: self.line.clone(), doubts: Arc::clone(&self.doubts) }
    }
}

impl<E: Entry> Default for SharedFeed<E> {
    fn default() -> Self {
        Self { open: Arc::default(), line: Line::new(1), doubts: Arc::default() }
    }
}

#[derive(Debug)]
struct Feed<E: Entry> {
    /// What it is about: an account, or nothing in particular.
    subject: String,
    board: Mutex<Board<E>>,
    /// A user has come, or left.
    changed: Notify,
    /// When the Gateway was first asked.
    asked: watch::Sender<Option<Instant>>,
}

impl<E: Entry> SharedFeed<E> {
    /// A place at the feed about `subject`, which `opener` opens if there is none. While there is one about something else, it
    /// waits until all who use that have left, or the Gateway is silent about that.
    ///
    /// # Errors
    /// `busy` when one who uses that does not leave by itself.
    pub(crate) fn join<O: Opener<Source: Source<Event = E>>>(
        &self,
        subject: &str,
        stay: Stay,
        opener: O,
    ) -> Result<Seat<E>> {
        let mut open = self.open();
        match open.as_ref() {
            Some(feed) if feed.subject == subject && !feed.board().is_over() => {
                return Ok(Seat::at(feed, stay));
            }
            Some(feed) if feed.board().is_held() => return Err(taken(&feed.subject, subject)),
            _ => {}
        }
        let feed = Arc::new(Feed {
            subject: subject.to_owned(),
            board: Mutex::new(Board::new()),
            changed: Notify::new(),
            asked: watch::Sender::new(None),
        });
        let seat = Seat::at(&feed, stay);
        *open = Some(Arc::clone(&feed));
        tokio::spawn(self.clone().carry(feed, opener));
        Ok(seat)
    }

    /// Carries the events of a feed from the Gateway to its users, until they have left.
    async fn carry<O: Opener<Source: Source<Event = E>>>(self, feed: Arc<Feed<E>>, opener: O) {
        loop {
            let place = match self.line.place().await {
                Ok(place) => place,
                Err(error) => return self.fail(&feed, &error),
            };
            if self.close(&feed) {
                return;
            }
            let served = self.serve(&feed, &opener, place).await;
            self.doubts().note(Instant::now(), &feed.subject, &feed.board());
            match served {
                Ok(Served::Wanted) => {}
                Ok(Served::Over) => return,
                Err(error) => return self.fail(&feed, &error),
            }
        }
    }

    /// Carries them while it has the place.
    async fn serve<O: Opener<Source: Source<Event = E>>>(
        &self,
        feed: &Arc<Feed<E>>,
        opener: &O,
        mut place: Place,
    ) -> Result<Served> {
        let mut source = self.subscribe(feed, opener).await?;
        let outcome = loop {
            let duty = feed.board().duty(Instant::now(), place.others());
            match duty {
                Duty::Wait(until) => tokio::select! {
                    biased;
                    event = source.next() => match event {
                        Ok(Some(event)) => feed.board().take(Instant::now(), event),
                        Ok(None) => break Err(cut_short()),
                        Err(error) => break Err(error),
                    },
                    () = feed.changed.notified() => {}
                    () = place.changed() => {}
                    () = sleep(until) => {}
                },
                Duty::Close if self.close(feed) => break Ok(Served::Over),
                Duty::Close => {}
                Duty::MakeRoom => break Ok(Served::Wanted),
                Duty::AskAgain => source = self.subscribe_again(feed, opener, source).await?,
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
        let is_doubtful = self.doubts().has(Instant::now(), &feed.subject);
        let source = opener.open().await?;
        feed.board().ask_anew(Instant::now());
        if is_doubtful {
            feed.board().doubt();
        }
        feed.is_asked();
        Ok(source)
    }

    /// Cancels the subscription and makes it anew, with nothing lost in between: what has come is taken before, and ibapi gets no
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
                feed.board().take(Instant::now(), event);
            }
            let before = opener.frames();
            source.cancel().await;
            let source = opener.open().await?;
            feed.board().ask_again(Instant::now());
            if opener.frames() != before {
                feed.board().doubt();
            }
            Ok(source)
        })
        .await
    }

    /// Lets nobody join any more, unless somebody has.
    fn close(&self, feed: &Arc<Feed<E>>) -> bool {
        let mut open = self.open();
        let is_used = feed.board().is_used();
        if !is_used {
            open.take_if(|open| Arc::ptr_eq(open, feed));
        }
        !is_used
    }

    fn fail(&self, feed: &Arc<Feed<E>>, error: &Error) {
        self.open().take_if(|open| Arc::ptr_eq(open, feed));
        feed.board().fail(error);
        // Who waits for the question hears of the failure instead.
        feed.is_asked();
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Feed<E>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubts(&self) -> MutexGuard<'_, Doubts> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a feed has left its place.
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

    fn board(&self) -> MutexGuard<'_, Board<E>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
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
