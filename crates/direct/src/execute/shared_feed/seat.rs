//! A user's place at a feed.

use ibkr_connect_core::Result;
use indexmap::IndexMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Feed;
use super::board::{Change, Entry, Stay, Told};
use crate::execute::cut_short;
use crate::log;
use crate::notes::Notes;

/// A user's place at a feed. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Seat<E: Entry> {
    told: mpsc::UnboundedReceiver<Result<Told<E>>>,
    feed: Arc<Feed<E>>,
}

impl<E: Entry> Seat<E> {
    /// One more at `feed`.
    pub(super) fn at(feed: &Arc<Feed<E>>, stay: Stay) -> Self {
        let seat = Self { told: feed.board().join(Instant::now(), stay), feed: Arc::clone(feed) };
        feed.changed.notify_one();
        seat
    }

    /// Waits until the Gateway has been asked.
    pub(crate) async fn opened(&self, notes: &Notes) {
        notes.wait();
        // The sender lives as long as the feed.
        if let Ok(asked) = self.feed.asked.subscribe().wait_for(Option::is_some).await {
            notes.share(asked.unwrap_or_else(Instant::now));
        }
    }

    /// Everything up to the end of the first download, the newest of every row.
    pub(crate) async fn download(&mut self, notes: &Notes) -> Result<Vec<E>> {
        self.opened(notes).await;
        let mut rows = IndexMap::new();
        loop {
            match self.told().await? {
                Told::Anew => rows.clear(),
                Told::Event(event) => match event.change() {
                    Change::Row(key) | Change::Gone(key) => {
                        notes.hear();
                        rows.insert(key, event);
                    }
                    Change::End => return Ok(rows.into_values().collect()),
                    Change::None => {
                        if let Some((code, message)) = event.notice() {
                            log::request_notice(E::COMMAND, code, message);
                        }
                    }
                },
            }
        }
    }

    /// The next event; an error is the last.
    pub(crate) async fn next(&mut self) -> Result<E> {
        loop {
            if let Told::Event(event) = self.told().await? {
                return Ok(event);
            }
        }
    }

    async fn told(&mut self) -> Result<Told<E>> {
        self.told.recv().await.unwrap_or_else(|| Err(cut_short()))
    }
}

impl<E: Entry> Drop for Seat<E> {
    fn drop(&mut self) {
        self.told.close();
        self.feed.changed.notify_one();
    }
}
