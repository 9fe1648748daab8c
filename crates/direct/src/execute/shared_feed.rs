//! One subscription at the Gateway for all who want it: TWS's messages about positions and account updates name no request,
//! so that of two subscriptions each would take the other's rows for its own.
//!
//! The first user opens it, and whoever comes later gets what was downloaded by then, and the rest like everybody. When the
//! last user has left it is cancelled, but not in the middle of an answer: that is read to its end, or the next one would
//! begin with its rest.

mod board;
#[cfg(test)]
mod tests;

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex as Turn, Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use self::board::Board;
use super::cut_short;

pub(crate) use self::board::{Change, Entry, Stay};

/// Where the events of a feed come from: a subscription at the Gateway.
pub(crate) trait Source: Send + 'static {
    type Event: Entry;

    /// The operation to name in errors.
    const COMMAND: &'static str;

    /// The next event; `None` at the end, which it should not have.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Event>>> + Send;

    /// Cancels it at the Gateway.
    fn cancel(&mut self) -> impl Future<Output = ()> + Send;
}

/// The feed of a connection, or none. Clones are the same.
#[derive(Debug)]
pub(crate) struct SharedFeed<E: Entry> {
    /// The one that can be joined.
    open: Arc<Mutex<Option<Arc<Feed<E>>>>>,
    /// Held by the one that the Gateway knows of.
    turn: Arc<Turn<()>>,
}

impl<E: Entry> Clone for SharedFeed<E> {
    fn clone(&self) -> Self {
        Self { open: Arc::clone(&self.open), turn: Arc::clone(&self.turn) }
    }
}

impl<E: Entry> Default for SharedFeed<E> {
    fn default() -> Self {
        Self { open: Arc::default(), turn: Arc::default() }
    }
}

#[derive(Debug)]
struct Feed<E: Entry> {
    /// What it is about: an account, or nothing in particular.
    subject: String,
    board: Mutex<Board<E>>,
    /// A user has left.
    left: Notify,
}

/// A user's place at a feed. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Seat<E: Entry> {
    events: mpsc::UnboundedReceiver<Result<E>>,
    feed: Arc<Feed<E>>,
}

impl<E: Entry> Seat<E> {
    /// The next event; an error is the last.
    pub(crate) async fn next(&mut self) -> Option<Result<E>> {
        self.events.recv().await
    }
}

impl<E: Entry> Drop for Seat<E> {
    fn drop(&mut self) {
        self.events.close();
        self.feed.left.notify_one();
    }
}

impl<E: Entry> SharedFeed<E> {
    /// A place at the feed about `subject`, which `subscribe` opens if there is none. While there is one about something
    /// else, it waits until all who use that have left.
    ///
    /// # Errors
    /// `busy` when one who uses that does not leave by itself.
    pub(crate) fn join<S: Source<Event = E>>(
        &self,
        subject: &str,
        stay: Stay,
        subscribe: impl Future<Output = Result<S>> + Send + 'static,
    ) -> Result<Seat<E>> {
        let mut open = self.open();
        match open.as_ref() {
            Some(feed) if feed.subject == subject && !feed.board().is_over() => return Ok(feed.seat(stay)),
            Some(feed) if feed.board().is_held() => return Err(taken(S::COMMAND, &feed.subject, subject)),
            _ => {}
        }
        let board = Mutex::new(Board::new());
        let feed = Arc::new(Feed { subject: subject.to_owned(), board, left: Notify::new() });
        let seat = feed.seat(stay);
        *open = Some(Arc::clone(&feed));
        tokio::spawn(self.clone().carry(feed, subscribe));
        Ok(seat)
    }

    /// Carries the events of a feed from the Gateway to its users.
    async fn carry<S: Source<Event = E>>(
        self,
        feed: Arc<Feed<E>>,
        subscribe: impl Future<Output = Result<S>> + Send,
    ) {
        let _turn = self.turn.lock().await;
        if self.close(&feed) {
            return;
        }
        let mut source = match subscribe.await {
            Ok(source) => source,
            Err(error) => return self.fail(&feed, &error),
        };
        loop {
            let ends_at = feed.board().ends_at(Instant::now());
            tokio::select! {
                event = source.next() => match event {
                    Ok(Some(event)) => feed.board().take(event),
                    // What comes all the same is read to its end, like an answer that nobody waits for.
                    Err(error) => self.fail(&feed, &error),
                    Ok(None) => {
                        self.fail(&feed, &cut_short(S::COMMAND));
                        break;
                    }
                },
                () = feed.left.notified() => {}
                () = until(ends_at) => if self.close(&feed) { break },
            }
        }
        source.cancel().await;
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
    }

    fn open(&self) -> MutexGuard<'_, Option<Arc<Feed<E>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Entry> Feed<E> {
    fn seat(self: &Arc<Self>, stay: Stay) -> Seat<E> {
        Seat { events: self.board().join(stay), feed: Arc::clone(self) }
    }

    fn board(&self) -> MutexGuard<'_, Board<E>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

fn taken(command: &str, subscribed: &str, wanted: &str) -> Error {
    let message = format!(
        "{command}: TWS has the updates of one account at a time, and a stream of {subscribed} is open: {wanted} is refused"
    );
    Error::new(ErrorKind::Busy, message).with_advice(
        "drop that stream, take account_updates_multi, or connect a second time: each connection has one of its own",
    )
}
