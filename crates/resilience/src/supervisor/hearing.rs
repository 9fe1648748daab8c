//! Hearing what the Gateway says about itself, from the first moment of a session.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Event, EventStream, Session, StreamRequest};
use ibkr_connect_state::Moment;
use tokio::time::timeout;

use super::stream::is_loss;
use super::uptime::Uptime;

/// How long a new session may take to open its stream of notices, and then to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A connection keeps no more notices than this for those who ask later.
const KEPT: usize = 256;

/// A new session whose Gateway is heard.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) session: Session,
    /// When the Gateway last answered.
    pub(crate) proof: Moment,
    /// What it has said so far.
    pub(crate) said: Vec<Notice>,
    /// What it is going to say; `None` if the connection can't tell.
    pub(crate) notices: Option<EventStream>,
}

/// Listens to a session that has just answered, before any other stream is opened in it.
///
/// The answer to a question that is asked after the notices were subscribed to comes behind those that were kept for us. So
/// whatever comes before it was said before the first stream, and voids none; one that is late all the same costs a gap.
pub(crate) async fn listen(session: Session, uptime: Uptime, log_accounts: LogAccounts) -> Heard {
    let connected = uptime.now();
    let mut notices = open(&session, log_accounts).await;
    let answer = timeout(PATIENCE, session.ping());
    let (answer, said) = before(answer, &mut notices, log_accounts).await;
    let is_answered = matches!(answer, Some(Ok(Ok(_))));
    let proof = if is_answered { uptime.now() } else { connected };
    Heard { session, proof, said, notices }
}

async fn open(session: &Session, log_accounts: LogAccounts) -> Option<EventStream> {
    let opened = timeout(PATIENCE, session.subscribe(StreamRequest::Notices)).await;
    let late = |_| Err(Error::new(ErrorKind::Timeout, format!("notices: not open within {PATIENCE:?}")));
    opened.unwrap_or_else(late).inspect_err(|error| deaf(error, log_accounts)).ok()
}

/// The answer, and the notices that come before it; or as many of them as may have been kept.
async fn before<T>(
    answer: impl Future<Output = T>,
    notices: &mut Option<EventStream>,
    log_accounts: LogAccounts,
) -> (Option<T>, Vec<Notice>) {
    let (mut answer, mut said) = (pin!(answer), Vec::new());
    while said.len() < KEPT {
        tokio::select! {
            biased;
            notice = next_notice(notices, log_accounts) => said.push(notice),
            answer = &mut answer => return (Some(answer), said),
        }
    }
    (None, said)
}

/// The next notice; for ever if there is nobody to be heard (any more).
pub(crate) async fn next_notice(notices: &mut Option<EventStream>, log_accounts: LogAccounts) -> Notice {
    while let Some(events) = notices {
        match events.next().await {
            Some(Ok(Event::Notices(notice))) => {
                let Notice { code, message, .. } = &notice;
                tracing::debug!(code, text = %log_accounts.text(message), "gateway_notice");
                return notice;
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                *notices = None;
                deaf(&error, log_accounts);
            }
            None => *notices = None,
        }
    }
    pending().await
}

/// The session goes on without notices; its loss is told elsewhere.
fn deaf(error: &Error, log_accounts: LogAccounts) {
    let text = log_accounts.text(error);
    if error.kind() == ErrorKind::Unsupported || is_loss(error) {
        tracing::debug!(error = %text, "gateway_not_heard");
    } else {
        tracing::warn!(error = %text, "gateway_not_heard");
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::{
        Connection, ConnectionInfo, ConnectionMode, FlowControl, MockConnection, Reply, Request, Result,
        event_channel, types::ProofOfLife,
    };

    use super::*;

    fn notice(code: i32) -> Notice {
        Notice { code, message: String::new(), time: None }
    }

    fn codes(notices: &[Notice]) -> Vec<i32> {
        notices.iter().map(|notice| notice.code).collect()
    }

    fn info() -> ConnectionInfo {
        ConnectionInfo {
            mode: ConnectionMode::Mock,
            client_id: 1,
            server_version: 226,
            accounts: Vec::new(),
            readonly: true,
            phases: Vec::new(),
            connect_ms: 0.0,
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        }
    }

    /// Of a Gateway that answers.
    fn session(notices: impl FnOnce() -> Result<EventStream> + Send + 'static) -> Session {
        let mut connection = MockConnection::new();
        connection.expect_info().return_const(info());
        connection.expect_subscribe().return_once(move |request, _| {
            assert_eq!(request, StreamRequest::Notices);
            notices()
        });
        connection.expect_request().return_once(|request, _| {
            assert_eq!(request, Request::ProofOfLife);
            Ok(Reply::ProofOfLife(ProofOfLife::ManagedAccounts))
        });
        Session::new(Box::new(connection) as Box<dyn Connection>)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_kept_is_told_apart_from_what_comes_later() {
        let uptime = Uptime::start();
        let (sender, events) = event_channel(FlowControl::default(), || {});
        [1101, 2104].into_iter().for_each(|code| sender.send(Event::Notices(notice(code))));
        let mut heard = listen(session(|| Ok(events)), uptime, LogAccounts::Masked).await;
        assert_eq!(codes(&heard.said), [1101, 2104]);
        sender.send(Event::Notices(notice(1100)));
        assert_eq!(next_notice(&mut heard.notices, LogAccounts::Masked).await, notice(1100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_never_stops_talking_does_not_hold_the_session_back() {
        let talk = (0..1_000).map(|code| Event::Notices(notice(code))).collect();
        let mut heard = listen(session(|| Ok(talk)), Uptime::start(), LogAccounts::Masked).await;
        assert_eq!(codes(&heard.said), (0..256).collect::<Vec<_>>());
        assert_eq!(next_notice(&mut heard.notices, LogAccounts::Masked).await, notice(256));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_notices_is_a_session_all_the_same() {
        let unsupported = || Error::new(ErrorKind::Unsupported, "no notices");
        let refused = listen(session(move || Err(unsupported())), Uptime::start(), LogAccounts::Masked).await;
        let (sender, events) = event_channel(FlowControl::default(), || {});
        sender.finish(Err(unsupported()));
        let ended = listen(session(|| Ok(events)), Uptime::start(), LogAccounts::Masked).await;
        for heard in [refused, ended] {
            assert!(heard.notices.is_none() && heard.said.is_empty(), "{heard:?}");
        }
    }
}
