//! What the Gateway says about itself, from the first moment of a session.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Event, EventStream, Result, Session, StreamRequest};
use ibkr_connect_state::Clock;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::replay::{self, Replay};
use super::stream::is_loss;
use super::streams::{Pace, Pauses};
use super::time::Reading;

/// How long a new session may take to open its stream of notices, and then to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// A connection keeps no more notices than this for those who ask later.
const KEPT: usize = 256;

/// The notices of a session. When their stream ends and the session does not, they are asked for again.
#[derive(Debug)]
pub(crate) struct NoticeFeed {
    source: Source,
    replay: Replay,
    pauses: Pauses,
    log_accounts: LogAccounts,
}

#[derive(Debug)]
enum Source {
    Open {
        events: EventStream,
        since: Reading,
    },
    /// It is asked for again then.
    Waiting {
        due: Reading,
    },
    Opening(JoinHandle<Result<EventStream>>),
    /// The connection has none.
    Unsupported,
}

impl NoticeFeed {
    /// Opens the notices of a session.
    pub(crate) async fn open(session: &Session, now: Reading, log_accounts: LogAccounts) -> Self {
        let replay = Replay::from(&StreamRequest::Notices);
        let mut feed = Self { source: Source::Unsupported, replay, pauses: Pauses::default(), log_accounts };
        let opened = timeout(PATIENCE, session.subscribe(StreamRequest::Notices)).await;
        let late = |_| Err(Error::new(ErrorKind::Timeout, format!("notices: not open within {PATIENCE:?}")));
        feed.opened(now, opened.unwrap_or_else(late));
        feed
    }

    /// What was said before the answer to a question that is asked now, or as much of it as may have been kept for us.
    ///
    /// The kept notices come first, and the answer behind them. So they are told apart from what is said later, which voids the
    /// streams that are opened next. Without an answer, or with one that comes too early, a kept 1101 costs a gap and no more.
    pub(crate) async fn notices_before<T>(
        &mut self,
        clock: &Arc<dyn Clock>,
        answer: impl Future<Output = T>,
    ) -> (Option<T>, Vec<Notice>) {
        let (mut answer, mut said) = (pin!(timeout(PATIENCE, answer)), Vec::new());
        while said.len() < KEPT {
            tokio::select! {
                biased;
                notice = self.next(clock) => said.push(notice),
                answer = &mut answer => return (answer.ok(), said),
            }
        }
        (None, said)
    }

    /// The next notice; for ever while there is nothing to be heard.
    pub(crate) async fn next(&mut self, clock: &Arc<dyn Clock>) -> Notice {
        loop {
            match &mut self.source {
                Source::Open { events, .. } => match events.next().await {
                    Some(Ok(event)) => {
                        if let Some(Event::Notices(notice)) = self.replay.admit(event) {
                            let Notice { code, message, .. } = &notice;
                            tracing::debug!(code, text = %self.log_accounts.text(message), "gateway_notice");
                            return notice;
                        }
                    }
                    end => {
                        let cut_short =
                            || Error::new(ErrorKind::Disconnected, "notices: the stream was cut short");
                        let error = end.and_then(Result::err).unwrap_or_else(cut_short);
                        self.failed(clock.now().into(), &error);
                    }
                },
                Source::Opening(opening) => {
                    let panicked = |panic| Err(Error::new(ErrorKind::Internal, format!("notices: {panic}")));
                    let outcome = opening.await.unwrap_or_else(panicked);
                    self.opened(clock.now().into(), outcome);
                }
                Source::Waiting { .. } | Source::Unsupported => pending().await,
            }
        }
    }

    /// Asks for the notices again, if it is time.
    pub(crate) fn tick(&mut self, now: Reading, session: &Session) {
        if let Source::Waiting { due } = self.source
            && now.has_reached(due)
        {
            let session = session.clone();
            let opening = tokio::spawn(async move { session.subscribe(StreamRequest::Notices).await });
            self.source = Source::Opening(opening);
        }
    }

    /// When the next [`tick`](Self::tick) is wanted.
    pub(crate) fn wake_at(&self) -> Option<Reading> {
        match self.source {
            Source::Waiting { due } => Some(due),
            _ => None,
        }
    }

    fn opened(&mut self, now: Reading, outcome: Result<EventStream>) {
        match outcome {
            Ok(events) => {
                self.replay.begins_again(replay::Session::Same);
                self.source = Source::Open { events, since: now };
            }
            Err(error) => self.failed(now, &error),
        }
    }

    /// The session goes on without notices for now; its loss is told elsewhere.
    fn failed(&mut self, now: Reading, error: &Error) {
        let text = self.log_accounts.text(error);
        if error.kind() == ErrorKind::Unsupported {
            tracing::debug!(error = %text, "gateway_not_heard");
            self.source = Source::Unsupported;
            return;
        }
        if is_loss(error) {
            tracing::debug!(error = %text, "gateway_not_heard");
        } else {
            tracing::warn!(error = %text, "gateway_not_heard");
        }
        if let Source::Open { since, .. } = self.source {
            self.pauses.served(now.since(since));
        }
        self.source = Source::Waiting { due: now + self.pauses.next(Pace::Soon) };
    }
}

impl Drop for NoticeFeed {
    fn drop(&mut self) {
        if let Source::Opening(opening) = &self.source {
            opening.abort();
        }
    }
}

#[cfg(test)]
#[path = "notices_tests.rs"]
mod tests;
