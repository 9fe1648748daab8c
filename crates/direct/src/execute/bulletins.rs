//! Bulletins: a client has one subscription to them, and cancels it for all its streams at once. So the streams of a
//! connection share it, and the last one to go cancels it.

use std::collections::VecDeque;
use std::sync::Arc;

use ibapi::Client;
use ibapi::news as ib;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::types::NewsBulletin;
use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, watch};

use super::asker::Asker;
use super::cut_short;
use crate::convert;
use crate::error::request_error;
use crate::items::next;
use crate::log;

const COMMAND: &str = "news_bulletins";

/// The subscription of a connection, while there are streams. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulletins(Arc<Mutex<Option<Arc<Publisher>>>>);

type Publisher = watch::Sender<History>;

/// How many bulletins are kept, and how many bytes of their texts: there are a few a day.
const KEPT: usize = 512;
const KEPT_BYTES: usize = 1 << 20;

/// What has come so far, the newest of it: so that each stream reads it from the beginning.
#[derive(Debug, Default)]
struct History {
    /// Whether the Gateway has been asked.
    is_open: bool,
    bulletins: VecDeque<NewsBulletin>,
    bytes: usize,
    /// How many came before those that are kept.
    gone: usize,
    end: Option<Error>,
}

impl History {
    fn add(&mut self, bulletin: NewsBulletin) {
        self.bytes += length(&bulletin);
        self.bulletins.push_back(bulletin);
        while self.bulletins.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.bulletins.pop_front() else { return };
            self.bytes -= length(&oldest);
            self.gone += 1;
        }
    }

    /// Those that have come after the first `seen`, and how many of these are not kept any more.
    fn after(&self, seen: usize) -> (Vec<NewsBulletin>, usize) {
        let missed = self.gone.saturating_sub(seen);
        let new = self.bulletins.iter().skip(seen.saturating_sub(self.gone));
        (new.cloned().collect(), missed)
    }

    /// How many have come.
    fn count(&self) -> usize {
        self.gone + self.bulletins.len()
    }
}

fn length(bulletin: &NewsBulletin) -> usize {
    bulletin.message.len() + bulletin.exchange.len()
}

pub(super) async fn news_bulletins<'a>(
    asker: &'a Asker,
    events: Events<'a, NewsBulletin>,
) -> Result<Carrying<'a>> {
    asker.notes.wait();
    let mut updates = asker.shared.bulletins.follow(asker.client(), asker.shared.log_accounts).await;
    let is_open = |history: &History| history.is_open || history.end.is_some();
    let mut seen = updates.wait_for(is_open).await.map_err(|_| cut_short())?.gone;
    if seen > 0 {
        tracing::warn!(count = seen, "bulletins_not_kept");
    }
    Ok(Box::pin(async move {
        loop {
            let (new, missed, end) = {
                let history = updates.borrow_and_update();
                let (new, missed) = history.after(seen);
                seen = history.count();
                (new, missed, history.end.clone())
            };
            if missed > 0 {
                return Err(lost(missed));
            }
            new.into_iter().for_each(|bulletin| events.send(bulletin));
            if let Some(error) = end {
                return Err(error);
            }
            updates.changed().await.map_err(|_| cut_short())?;
        }
    }))
}

fn lost(count: usize) -> Error {
    let message = format!("{count} bulletins were lost: more came at once than are kept");
    Error::new(ErrorKind::SlowConsumer, message).with_advice("ask again; what is kept comes first")
}

impl Bulletins {
    /// Joins the subscription, or begins it.
    async fn follow(&self, client: &Arc<Client>, log_accounts: LogAccounts) -> watch::Receiver<History> {
        let mut current = self.0.lock().await;
        if let Some(publisher) = &*current {
            return publisher.subscribe();
        }
        let (publisher, follower) = watch::channel(History::default());
        let publisher = Arc::new(publisher);
        *current = Some(Arc::clone(&publisher));
        tokio::spawn(self.clone().collect(Arc::clone(client), publisher, log_accounts));
        follower
    }

    /// Collects while there are streams. A stream that comes while it ends waits for the cancel, and subscribes again.
    async fn collect(self, client: Arc<Client>, publisher: Arc<Publisher>, log_accounts: LogAccounts) {
        let source = client.news_bulletins(true).await.map_err(request_error);
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return self.fail(&publisher, error).await,
        };
        publisher.send_modify(|history| history.is_open = true);
        loop {
            tokio::select! {
                error = publish(&mut source, &publisher, log_accounts) => return self.fail(&publisher, error).await,
                () = publisher.closed() => {}
            }
            let mut current = self.0.lock().await;
            if publisher.is_closed() {
                source.cancel().await;
                *current = None;
                return;
            }
        }
    }

    async fn fail(&self, publisher: &Publisher, error: Error) {
        *self.0.lock().await = None;
        publisher.send_modify(|history| history.end = Some(error));
    }
}

/// Publishes what comes until no more does.
async fn publish(
    source: &mut Subscription<ib::NewsBulletin>,
    publisher: &Publisher,
    log_accounts: LogAccounts,
) -> Error {
    loop {
        match next(source).await {
            Ok(Some(SubscriptionItem::Data(bulletin))) => {
                publisher.send_modify(|history| history.add(convert::news_bulletin(bulletin)));
            }
            Ok(Some(SubscriptionItem::Notice(notice))) => {
                log::request_notice(log_accounts, COMMAND, notice.code, &notice.message);
            }
            Ok(None) => return cut_short(),
            Err(error) => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulletin(message_id: i32, length: usize) -> NewsBulletin {
        ibkr_connect_core::literal!(NewsBulletin {
            message_id,
            message_type: 1,
            message: "x".repeat(length),
            exchange: String::new()
        })
    }

    fn ids((bulletins, missed): (Vec<NewsBulletin>, usize)) -> (Vec<i32>, usize) {
        (bulletins.iter().map(|bulletin| bulletin.message_id).collect(), missed)
    }

    #[test]
    fn whoever_has_seen_some_gets_the_rest() {
        let mut history = History::default();
        (0..3).for_each(|id| history.add(bulletin(id, 10)));
        assert_eq!(ids(history.after(0)), (vec![0, 1, 2], 0));
        assert_eq!(ids(history.after(2)), (vec![2], 0));
        assert_eq!(ids(history.after(3)), (vec![], 0));
    }

    #[test]
    fn the_newest_are_kept_and_what_is_missing_is_known() {
        let mut history = History::default();
        (0..600).for_each(|id| history.add(bulletin(id, 10)));
        assert_eq!((history.bulletins.len(), history.gone, history.count()), (KEPT, 88, 600));
        assert_eq!(history.after(50).1, 38);
        assert_eq!(ids(history.after(88)), ((88..600).collect(), 0));
        assert_eq!(ids(history.after(599)), (vec![599], 0));
    }

    #[test]
    fn long_texts_are_fewer() {
        let mut history = History::default();
        (0..100).for_each(|id| history.add(bulletin(id, 100_000)));
        assert_eq!((history.bulletins.len(), history.bytes), (10, 1_000_000));
        history.add(bulletin(100, 2 << 20));
        assert_eq!((history.bulletins.len(), history.bytes, history.count()), (0, 0, 101));
        assert_eq!(history.after(100).1, 1, "a stream is told that it has lost one");
    }
}
