//! Bulletins: a client has one subscription to them, and cancels it for all its streams at once. So the streams of a
//! connection share it, and the last one to go cancels it.

use std::sync::Arc;

use ibapi::Client;
use ibapi::news as ib;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::NewsBulletin;
use ibkr_connect_core::{Error, Result};
use tokio::sync::{Mutex, watch};

use super::cut_short;
use super::forward::next;
use crate::asker::Asker;
use crate::convert;
use crate::error::request_error;
use crate::log;

const COMMAND: &str = "news_bulletins";

/// The subscription of a connection, while there are streams. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulletins(Arc<Mutex<Option<Arc<Board>>>>);

type Board = watch::Sender<Posted>;

/// What has come so far: a few a day, so that each stream reads it from the beginning.
#[derive(Debug, Default)]
struct Posted {
    /// Whether the Gateway has been asked.
    is_open: bool,
    bulletins: Vec<NewsBulletin>,
    end: Option<Error>,
}

pub(super) async fn news_bulletins<'a>(
    asker: &'a Asker,
    events: Events<'a, NewsBulletin>,
) -> Result<Carrying<'a>> {
    asker.notes.wait();
    let mut board = asker.shared.bulletins.follow(asker.client()).await;
    let is_open = |posted: &Posted| posted.is_open || posted.end.is_some();
    board.wait_for(is_open).await.map_err(|_| cut_short())?;
    Ok(Box::pin(async move {
        let mut seen = 0;
        loop {
            let (new, end) = {
                let posted = board.borrow_and_update();
                (posted.bulletins[seen..].to_vec(), posted.end.clone())
            };
            seen += new.len();
            new.into_iter().for_each(|bulletin| events.send(bulletin));
            if let Some(error) = end {
                return Err(error);
            }
            board.changed().await.map_err(|_| cut_short())?;
        }
    }))
}

impl Bulletins {
    /// Joins the subscription, or begins it.
    async fn follow(&self, client: &Arc<Client>) -> watch::Receiver<Posted> {
        let mut current = self.0.lock().await;
        if let Some(board) = &*current {
            return board.subscribe();
        }
        let (board, follower) = watch::channel(Posted::default());
        let board = Arc::new(board);
        *current = Some(Arc::clone(&board));
        tokio::spawn(self.clone().collect(Arc::clone(client), board));
        follower
    }

    /// Collects while there are streams. Whoever comes while it ends waits for the cancel, and begins anew.
    async fn collect(self, client: Arc<Client>, board: Arc<Board>) {
        let source = client.news_bulletins(true).await.map_err(request_error);
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return self.fail(&board, error).await,
        };
        board.send_modify(|posted| posted.is_open = true);
        loop {
            tokio::select! {
                error = post(&mut source, &board) => return self.fail(&board, error).await,
                () = board.closed() => {}
            }
            let mut current = self.0.lock().await;
            if board.is_closed() {
                source.cancel().await;
                *current = None;
                return;
            }
        }
    }

    async fn fail(&self, board: &Board, error: Error) {
        *self.0.lock().await = None;
        board.send_modify(|posted| posted.end = Some(error));
    }
}

/// Posts what comes until no more does.
async fn post(source: &mut Subscription<ib::NewsBulletin>, board: &Board) -> Error {
    loop {
        match next(source).await {
            Ok(Some(SubscriptionItem::Data(bulletin))) => {
                board.send_modify(|posted| posted.bulletins.push(convert::news_bulletin(bulletin)));
            }
            Ok(Some(SubscriptionItem::Notice(notice))) => {
                log::request_notice(COMMAND, notice.code, &notice.message);
            }
            Ok(None) => return cut_short(),
            Err(error) => return error,
        }
    }
}
