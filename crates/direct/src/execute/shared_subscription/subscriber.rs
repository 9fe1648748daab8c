//! A subscriber of a feed.

use ibkr_connect_core::Result;
use ibkr_connect_core::config::LogAccounts;
use indexmap::IndexMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Feed;
use super::state::{Change, Entry, Interest, Update};
use crate::execute::cut_short;
use crate::log;
use crate::notes::Notes;

/// A subscriber of a feed. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Subscriber<E: Entry> {
    told: mpsc::UnboundedReceiver<Result<Update<E>>>,
    feed: Arc<Feed<E>>,
}

impl<E: Entry> Subscriber<E> {
    /// One more at `feed`.
    pub(super) fn at(feed: &Arc<Feed<E>>, interest: Interest) -> Self {
        let subscriber = Self { told: feed.state().join(Instant::now(), interest), feed: Arc::clone(feed) };
        feed.changed.notify_one();
        subscriber
    }

    /// Waits until the Gateway has been asked.
    pub(crate) async fn opened(&self, notes: &Notes) {
        notes.wait();
        // The sender lives as long as the feed.
        if let Ok(asked) = self.feed.asked.subscribe().wait_for(Option::is_some).await {
            notes.share(asked.unwrap_or_else(Instant::now));
        }
    }

    /// Everything up to the end of the first download, the newest of every row. What the Gateway says meanwhile is logged.
    pub(crate) async fn download(&mut self, notes: &Notes, log_accounts: LogAccounts) -> Result<Vec<E>> {
        self.opened(notes).await;
        let mut rows = IndexMap::new();
        loop {
            match self.told().await? {
                Update::Restart => rows.clear(),
                Update::Event(event) => match event.change() {
                    Change::Row(key) | Change::Gone(key) => {
                        notes.hear();
                        rows.insert(key, event);
                    }
                    Change::End => return Ok(rows.into_values().collect()),
                    Change::None => {
                        if let Some((code, message)) = event.notice() {
                            log::request_notice(log_accounts, E::COMMAND, code, message);
                        }
                    }
                },
            }
        }
    }

    /// The next event; an error is the last.
    pub(crate) async fn next(&mut self) -> Result<E> {
        loop {
            if let Update::Event(event) = self.told().await? {
                return Ok(event);
            }
        }
    }

    async fn told(&mut self) -> Result<Update<E>> {
        self.told.recv().await.unwrap_or_else(|| Err(cut_short()))
    }
}

impl<E: Entry> Drop for Subscriber<E> {
    fn drop(&mut self) {
        self.told.close();
        self.feed.changed.notify_one();
    }
}
