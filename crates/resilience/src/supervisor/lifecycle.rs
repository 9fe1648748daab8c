//! The session of a supervisor's thread: there is none, it is being made, or it is live; and what the thread waits for meanwhile.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{CloseReason, Connector, Error, ErrorKind, Result, Session, Target};
use ibkr_connect_state::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::notices::NoticeFeed;
use super::observed::ObservedConnection;
use super::status::SupervisedSession;
use super::time::Reading;

/// Where the session is in its life. Each job runs in a task of its own: its panic ends no other one.
#[derive(Debug)]
pub(crate) enum Lifecycle {
    /// There is no session; the last one may still be closing.
    Idle {
        closing: Option<JoinHandle<()>>,
    },
    /// The attempt, until its outcome is known.
    Connecting(Option<JoinHandle<Result<NewSession>>>),
    Connected(Box<LiveSession>),
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::Idle { closing: None }
    }
}

/// What happens in it.
#[derive(Debug)]
pub(crate) enum LifecycleEvent {
    Connected(Box<NewSession>),
    Failed(Error),
    /// The session is gone.
    Ended(CloseReason),
    /// A ping was answered, in this time.
    Answered(Duration),
    PingFailed(Error),
    Noticed(Notice),
    /// So many requests in a row got no answer in time.
    RequestsUnanswered(u32),
}

/// A new session, in which no stream is open but that of its notices.
#[derive(Debug)]
pub(crate) struct NewSession {
    session: Session,
    notices: NoticeFeed,
    unanswered: watch::Receiver<u32>,
    /// When the Gateway last answered.
    pub(crate) last_answer: Reading,
    /// What it has said so far.
    pub(crate) initial_notices: Vec<Notice>,
}

/// A session, and what is under way in it.
#[derive(Debug)]
pub(crate) struct LiveSession {
    session: SupervisedSession,
    end: Option<JoinHandle<CloseReason>>,
    ping: Option<JoinHandle<Result<Duration>>>,
    notices: NoticeFeed,
    unanswered: watch::Receiver<u32>,
}

/// Makes a session, and hears what its Gateway has said.
pub(crate) async fn establish(
    connector: &dyn Connector,
    target: &Target,
    clock: &Arc<dyn Clock>,
) -> Result<NewSession> {
    let connection = connector.connect(target).await?;
    let connected = clock.now().into();
    let (connection, unanswered) = ObservedConnection::new(connection);
    let session = Session::new(Box::new(connection));
    let mut notices = NoticeFeed::open(&session, connected, target.log_accounts).await;
    let (answer, initial_notices) = notices.notices_before(clock, session.ping()).await;
    let last_answer = if let Some(Ok(_)) = answer { clock.now().into() } else { connected };
    Ok(NewSession { session, notices, unanswered, last_answer, initial_notices })
}

impl Lifecycle {
    /// What happens next; for ever while nothing can.
    pub(crate) async fn next(&mut self, clock: &Arc<dyn Clock>) -> LifecycleEvent {
        match self {
            Self::Idle { .. } => pending().await,
            Self::Connecting(attempt) => {
                let outcome = join(attempt).await;
                *self = Self::default();
                match outcome.unwrap_or_else(|panic| Err(internal("the connector failed", &panic))) {
                    Ok(session) => LifecycleEvent::Connected(Box::new(session)),
                    Err(error) => LifecycleEvent::Failed(error),
                }
            }
            Self::Connected(up) => up.next(clock).await,
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Reading) {
        if let Self::Connected(up) = self {
            let LiveSession { session, notices, .. } = &mut **up;
            notices.tick(now, session);
        }
    }

    /// When the next [`tick`](Self::tick) is wanted.
    pub(crate) fn wake_at(&self) -> Option<Reading> {
        match self {
            Self::Connected(up) => up.notices.wake_at(),
            _ => None,
        }
    }

    /// Asks the Gateway whether it answers. A ping that is still open is given up: a late answer would not prove that it answers
    /// now.
    pub(crate) fn ping(&mut self) {
        if let Self::Connected(up) = self {
            let session = up.session.session.clone();
            let ping = tokio::spawn(async move { session.ping().await });
            if let Some(unanswered) = up.ping.replace(ping) {
                unanswered.abort();
            }
        }
    }

    pub(crate) fn session(&self) -> Option<SupervisedSession> {
        match self {
            Self::Connected(up) => Some(up.session.clone()),
            _ => None,
        }
    }
}

impl LiveSession {
    pub(crate) fn begin(new: NewSession, generation: u64) -> Self {
        let NewSession { session, notices, unanswered, .. } = new;
        let ending = session.clone();
        let end = Some(tokio::spawn(async move { ending.closed().await }));
        Self { session: SupervisedSession { session, generation }, end, ping: None, notices, unanswered }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Nobody waits for it any more.
    pub(crate) fn end(self) -> Session {
        self.session.session.clone()
    }

    async fn next(&mut self, clock: &Arc<dyn Clock>) -> LifecycleEvent {
        tokio::select! {
            biased;
            reason = join(&mut self.end) => {
                LifecycleEvent::Ended(reason.unwrap_or_else(CloseReason::Disconnected))
            }
            answer = join(&mut self.ping) => {
                match answer.unwrap_or_else(|panic| Err(internal("the ping failed", &panic))) {
                    Ok(took) => LifecycleEvent::Answered(took),
                    Err(error) => LifecycleEvent::PingFailed(error),
                }
            }
            Ok(()) = self.unanswered.changed() => {
                LifecycleEvent::RequestsUnanswered(*self.unanswered.borrow_and_update())
            }
            notice = self.notices.next(clock) => LifecycleEvent::Noticed(notice),
        }
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        self.ping.take().inspect(JoinHandle::abort);
        self.end.take().inspect(JoinHandle::abort);
    }
}

/// A panic is a fault of ours.
fn internal(what: &str, panic: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("{what}: {panic}"))
}

/// Waits for the job, for ever if there is none, and clears its place: the outcome, or what it panicked with.
pub(crate) async fn join<T>(job: &mut Option<JoinHandle<T>>) -> Result<T, String> {
    let Some(handle) = job else { return pending().await };
    let outcome = handle.await;
    *job = None;
    outcome.map_err(|error| error.to_string())
}
