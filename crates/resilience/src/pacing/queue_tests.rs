//! The queue in front of a Gateway, on a clock that stands still.

use ibkr_connect_core::types::{Contract, HistoricalBarsParams};
use ibkr_connect_state::ManualClock;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

struct Fixture {
    _temp: tempfile::TempDir,
    entrance: Entrance,
}

fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let queue = Queues::default().of(&Gateway::new("localhost", 4002), temp.path(), &clock);
    Fixture { _temp: temp, entrance: Entrance { queue, limit: LIMIT } }
}

fn bars() -> Request {
    Request::HistoricalBars(HistoricalBarsParams::last_day(Contract::stock("IBM")))
}

/// Whether the request may go at once; `None` if it waits.
fn pass(entrance: &Entrance, request: &Request) -> Option<Result<()>> {
    let mut passing = Box::pin(entrance.request(request, None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match passing.as_mut().poll(&mut context) {
        std::task::Poll::Ready(passed) => Some(passed.map(drop)),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_cancelled_wait_or_request_is_no_longer_open() {
    let Fixture { entrance, .. } = &fixture();
    let turn = pollster::block_on(entrance.request(&bars(), None)).unwrap();
    assert_eq!(entrance.queue.status().open_historical, 1);
    drop(turn);
    assert_eq!(entrance.queue.status().open_historical, 0);
    let request = bars();
    let mut identical = Box::pin(entrance.request(&request, None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(identical.as_mut().poll(&mut context).is_pending(), "it waits 15 s");
    assert_eq!(entrance.queue.status().queued, 1);
    drop(identical);
    let PacingStatus { queued, open_historical, .. } = entrance.queue.status();
    assert_eq!((queued, open_historical), (0, 0));
}

#[test]
fn one_gateway_has_one_queue() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let queues = Queues::default();
    let of = |host| queues.of(&Gateway::new(host, 4002), Path::new("/nowhere"), &clock);
    assert!(Arc::ptr_eq(&of("localhost"), &of("127.0.0.1")));
    assert!(!Arc::ptr_eq(&of("localhost"), &of("gw.example")));
}

#[test]
fn a_wait_longer_than_the_limit_fails_at_once_and_takes_nothing() {
    let Fixture { entrance, .. } = &fixture();
    // Five at once, then 45 in a second, for 30 seconds.
    let mut passed = 0;
    let error = loop {
        match pass(entrance, &Request::Positions) {
            Some(Err(error)) => break error,
            _ => passed += 1,
        }
    };
    assert_eq!(passed, 5 + 45 * 30);
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
    assert!(error.message().starts_with("positions: not sent, it would wait 30."), "{error}");
    assert!(error.message().ends_with("and may wait 30s"), "{error}");
    let before = entrance.queue.status().next_in;
    assert!(before > LIMIT, "{before:?}");
    assert!(pass(entrance, &Request::Positions).unwrap().is_err());
    assert_eq!(entrance.queue.status().next_in, before);
}

#[test]
fn a_ping_is_not_held_up_by_others_but_is_no_way_around_the_limit() {
    let Fixture { entrance, .. } = &fixture();
    for _ in 0..100 {
        pass(entrance, &Request::Positions);
    }
    pass(entrance, &Request::ServerTime).expect("it goes first").unwrap();
    assert!(pass(entrance, &Request::ServerTime).is_none(), "the second one waits");
}

#[test]
fn the_notices_cost_no_message() {
    let Fixture { entrance, .. } = &fixture();
    for _ in 0..100 {
        pollster::block_on(entrance.stream(&StreamRequest::Notices)).unwrap();
    }
    assert_eq!(entrance.queue.status().next_in, Duration::ZERO);
}
