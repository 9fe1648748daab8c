//! What a session's notices say, and when they are asked for again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ibkr_connect_core::literal;
use ibkr_connect_core::types::ProofOfLife;
use ibkr_connect_core::{
    Connection, ConnectionInfo, EventSender, FlowControl, MockConnection, Reply, Request, event_channel,
};
use jiff::Timestamp;

use super::*;
use crate::supervisor::shell_tests::TokioClock;

const MASKED: LogAccounts = LogAccounts::Masked;

fn notice(code: i32) -> Notice {
    let time = Timestamp::from_second(i64::from(code)).ok();
    literal!(Notice { code, message: String::new(), time })
}

fn codes(notices: &[Notice]) -> Vec<i32> {
    notices.iter().map(|notice| notice.code).collect()
}

fn channel() -> (EventSender, EventStream) {
    event_channel(FlowControl::default(), || {})
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "no notices")
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::start())
}

/// A session that opens these notices one after the other, and how often it was asked for some.
fn session(openings: Vec<Result<EventStream>>) -> (Session, Arc<AtomicUsize>) {
    let mut connection = MockConnection::new();
    connection.expect_info().return_const(info());
    let (openings, asked) = (Mutex::new(openings.into_iter()), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    connection.expect_subscribe().returning(move |request, _| {
        assert_eq!(request, StreamRequest::Notices);
        count.fetch_add(1, Ordering::SeqCst);
        let next = openings.lock().unwrap().next();
        next.unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, "not now")))
    });
    connection.expect_request().returning(|request, _| {
        assert_eq!(request, Request::ProofOfLife);
        Ok(Reply::ProofOfLife(ProofOfLife::ManagedAccounts))
    });
    (Session::new(Box::new(connection) as Box<dyn Connection>), asked)
}

fn info() -> ConnectionInfo {
    literal!(ConnectionInfo { accounts: Vec::new(), ..ConnectionInfo::mock() })
}

/// What was said before a ping was answered.
async fn said(feed: &mut NoticeFeed, session: &Session) -> Vec<i32> {
    let (answer, said) = feed.notices_before(&clock(), session.ping()).await;
    assert!(answer.is_none_or(|answer| answer.is_ok()));
    codes(&said)
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_told_apart_from_what_comes_later() {
    let (sender, events) = channel();
    [1101, 2104].into_iter().for_each(|code| sender.send(Event::Notices(notice(code))));
    let (session, _) = session(vec![Ok(events)]);
    let mut feed = NoticeFeed::open(&session, Reading::START, MASKED).await;
    assert_eq!(said(&mut feed, &session).await, [1101, 2104]);
    sender.send(Event::Notices(notice(1100)));
    assert_eq!(feed.next(&clock()).await, notice(1100));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_never_stops_talking_does_not_hold_the_session_back() {
    let talk = (0..1_000).map(|code| Event::Notices(notice(code))).collect();
    let (session, _) = session(vec![Ok(talk)]);
    let mut feed = NoticeFeed::open(&session, Reading::START, MASKED).await;
    assert_eq!(said(&mut feed, &session).await, (0..256).collect::<Vec<_>>());
    assert_eq!(feed.next(&clock()).await, notice(256));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_notices_is_not_asked_for_them_again() {
    let (sender, ended) = channel();
    sender.finish(Err(unsupported()));
    for opening in [Err(unsupported()), Ok(ended)] {
        let (session, asked) = session(vec![opening]);
        let mut feed = NoticeFeed::open(&session, Reading::START, MASKED).await;
        assert_eq!(said(&mut feed, &session).await, Vec::<i32>::new());
        assert_eq!(feed.wake_at(), None);
        feed.tick(Reading::START + Duration::from_secs(3_600), &session);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn notices_that_end_are_asked_for_again_after_growing_pauses_and_said_once() {
    let (first, events) = channel();
    first.send(Event::Notices(notice(1101)));
    first.finish(Err(Error::new(ErrorKind::SlowConsumer, "as planned")));
    let (second, again) = channel();
    let (session, asked) =
        session(vec![Ok(events), Err(Error::new(ErrorKind::Timeout, "not now")), Ok(again)]);
    let clock = clock();
    let mut feed = NoticeFeed::open(&session, clock.now().into(), MASKED).await;
    assert_eq!(feed.next(&clock).await, notice(1101));
    let begun: Reading = clock.now().into();
    // The kept ones come again, and one that was said in between.
    second.send_all([1101, 2104].map(|code| Event::Notices(notice(code))));
    let mut pauses = Vec::new();
    let heard = loop {
        let heard = timeout(Duration::from_millis(100), feed.next(&clock)).await;
        if let Ok(notice) = heard {
            break notice;
        }
        if let Some(due) = feed.wake_at()
            && pauses.last() != Some(&due)
        {
            pauses.push(due);
        }
        feed.tick(clock.now().into(), &session);
    };
    assert_eq!(heard, notice(2104));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let [one, two] = pauses[..] else { panic!("{pauses:?}") };
    assert!((1_000..1_200).contains(&one.since(begun).as_millis()), "{pauses:?}");
    assert!((2_000..2_200).contains(&two.since(one).as_millis()), "{pauses:?}");
}
