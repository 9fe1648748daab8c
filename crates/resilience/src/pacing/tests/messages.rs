//! The limit on messages.

use ibkr_connect_core::types::{Notice, PnlParams};
use ibkr_connect_core::{ErrorKind, Event, EventStream, StreamRequest};
use tokio::task::JoinSet;

use super::super::waits::WaitBudget;
use super::*;

/// One message.
const ONE: Request = Request::ManagedAccounts;
const TOKEN: Duration = Duration::from_nanos(1_000_000_000 / 44);

/// Two points in time that are one, but for the clock's milliseconds.
#[track_caller]
fn assert_about(left: Duration, right: Duration) {
    assert!(left.abs_diff(right) <= Duration::from_millis(2), "{left:?}, and not {right:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_go_out_in_the_order_in_which_they_came_and_at_the_rate() {
    let machine = Machine::new();
    let process = Arc::new(machine.process());
    let start = Instant::now();
    let mut requests = JoinSet::new();
    for number in 0..92 {
        let process = Arc::clone(&process);
        requests.spawn(async move { send(&process, &ONE).await.map(|()| (number, start.elapsed())) });
        tokio::task::yield_now().await;
    }
    let sent: Vec<_> = requests.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(sent.iter().map(|(number, _)| *number).is_sorted(), "{sent:?}");
    assert_eq!(sent[3].1, Duration::ZERO);
    assert_about(sent[91].1, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn processes_take_turns() {
    let machine = Machine::new();
    let mut requests = JoinSet::new();
    for process in 0..3 {
        let pacer = Arc::new(machine.process());
        // One asks for much more than the others.
        for _ in 0..[300, 30, 30][process] {
            let pacer = Arc::clone(&pacer);
            requests.spawn(async move { send(&pacer, &ONE).await.map(|()| process) });
        }
    }
    let mut sent = [0; 3];
    while sent.iter().sum::<i32>() < 90 {
        sent[requests.join_next().await.unwrap().unwrap().unwrap()] += 1;
    }
    assert!(sent[1..].iter().all(|&sent| sent >= 25), "{sent:?}");
    let seconds = machine.clock.start.elapsed();
    assert_about(seconds, TOKEN * 86);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_gives_its_tokens_back() {
    let machine = Machine::new();
    let process = machine.process();
    while goes_at_once(&process, &ONE).await {}
    let before = next_in(&process);
    {
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(send(&process, &Request::Positions))).collect();
        for request in &mut waiting {
            assert!(futures_poll(request.as_mut()).is_pending());
        }
        assert_eq!(process.pacer.status().queued, 10);
        assert_about(next_in(&process), before + TOKEN * 20);
    }
    assert_eq!(process.pacer.status().queued, 0);
    assert_about(next_in(&process), before);
    assert_about(next_in(&machine.process()), before);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_killed_while_a_thousand_wait_takes_the_tokens_of_one_with_it() {
    let machine = Machine::new();
    let (killed, other) = (machine.process(), machine.process());
    while goes_at_once(&killed, &ONE).await {}
    let before = next_in(&other);
    for _ in 0..1_000 {
        let mut waiting = Box::pin(send(&killed, &ONE));
        assert!(futures_poll(waiting.as_mut()).is_pending());
        // Nobody cleans up after it.
        std::mem::forget(waiting);
    }
    assert_about(next_in(&other), before + TOKEN);
}

#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_the_limit_fails_at_once_and_takes_nothing() {
    let machine = Machine::new();
    let process = machine.process();
    while goes_at_once(&process, &ONE).await {}
    // One is the first in the line, the others fill thirty seconds.
    let mut waiting: Vec<_> = (0..=44 * 30).map(|_| Box::pin(send(&process, &ONE))).collect();
    waiting.iter_mut().for_each(|request| assert!(futures_poll(request.as_mut()).is_pending()));
    let (before, start) = (next_in(&process), Instant::now());
    let error = send(&process, &Request::NextOrderId).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
    assert!(error.message().starts_with("next_order_id: not sent, it would wait 30.0s"), "{error}");
    assert!(error.message().ends_with("and may wait 30s"), "{error}");
    assert_eq!((error.waited(), start.elapsed()), (Some(Duration::ZERO), Duration::ZERO));
    assert_eq!(next_in(&process), before);
}

#[tokio::test(start_paused = true)]
async fn a_first_in_line_that_would_wait_too_long_takes_nothing_either() {
    let machine = Machine::new();
    let process = machine.process();
    while goes_at_once(&process, &ONE).await {}
    let before = next_in(&process);
    let error = process.request(&ONE, Some(Duration::from_millis(5))).await.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.waited()), (ErrorKind::Timeout, Some(Duration::ZERO)));
    assert_eq!(next_in(&process), before);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_others_make_longer_fails_when_its_time_is_over() {
    let machine = Machine::new();
    let process = machine.process();
    while goes_at_once(&process, &ONE).await {}
    // A whole line of other processes, each with one request before ours.
    let others: Vec<_> = (0..40).map(|_| machine.process()).collect();
    let mut before_us: Vec<_> = others.iter().map(|other| Box::pin(send(other, &ONE))).collect();
    before_us.iter_mut().for_each(|request| assert!(futures_poll(request.as_mut()).is_pending()));
    let mut first = Box::pin(send(&process, &ONE));
    assert!(futures_poll(first.as_mut()).is_pending());
    let limit = Duration::from_millis(500);
    let second = process.request(&Request::Positions, Some(limit));
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    let error = second.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.waited()), (ErrorKind::Timeout, Some(limit)));
    assert!(error.message().contains("it has waited 500.0ms for its turn"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_held_up_by_nobody_and_pays_for_it() {
    let machine = Machine::new();
    let (process, other) = (machine.process(), machine.process());
    while goes_at_once(&process, &ONE).await {}
    let before = next_in(&process);
    assert!(goes_at_once(&process, &Request::ProofOfLife).await, "it goes first");
    assert_about(next_in(&process), before + TOKEN);
    assert_about(next_in(&other), before + TOKEN);
    assert!(!goes_at_once(&process, &Request::ProofOfLife).await, "one a second");
    assert!(!goes_at_once(&other, &Request::ProofOfLife).await, "of all processes together");
    tokio::time::sleep(Duration::from_secs(1)).await;
    while goes_at_once(&process, &ONE).await {}
    assert!(goes_at_once(&other, &Request::ProofOfLife).await);
}

#[tokio::test(start_paused = true)]
async fn streams_are_paced_too_but_for_those_that_cost_no_message() {
    let machine = Machine::new();
    let process = machine.process();
    for _ in 0..100 {
        for request in [StreamRequest::Notices, StreamRequest::Connectivity, StreamRequest::OrderUpdates] {
            process.stream(&request).await.unwrap();
        }
    }
    assert_eq!((next_in(&process), machine.clock.start.elapsed()), (Duration::ZERO, Duration::ZERO));
    for _ in 0..10 {
        process.stream(&StreamRequest::PositionUpdates).await.unwrap();
    }
    assert_about(machine.clock.start.elapsed(), TOKEN * 6);
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_stream_or_a_request_costs_a_message() {
    let machine = Machine::new();
    let process = machine.process();
    while goes_at_once(&process, &ONE).await {}
    let before = next_in(&process);
    let pnl = StreamRequest::Pnl(PnlParams::default());
    drop(process.counted(&pnl, ibkr_connect_core::event_channel(Default::default(), || {}).1));
    assert_about(next_in(&process), before + TOKEN);
    let ended: EventStream = std::iter::empty::<Event>().collect();
    drop(process.counted(&pnl, ended));
    let notice = ibkr_connect_core::literal!(Notice { code: 2104, message: String::new(), time: None });
    let notices = ibkr_connect_core::event_channel(Default::default(), || {});
    notices.0.send(Event::Notices(notice));
    drop(process.counted(&StreamRequest::Notices, notices.1));
    assert_about(next_in(&process), before + TOKEN);

    let given_up = process.request(&ONE, None).await.map(drop);
    given_up.unwrap();
    assert_about(next_in(&process), TOKEN * 2);
}

/// One poll, as of a task that nobody wakes.
fn futures_poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

/// Sends what trades, as a row with the access `trade` would be.
async fn trade(process: &ConnectionPacer, limit: Duration) -> Result<()> {
    let mut budget = WaitBudget::new(&process.pacer.waits, &process.observer, "place_order", limit);
    process.pacer.trade(&mut budget).await
}

#[tokio::test(start_paused = true)]
async fn what_trades_overtakes_all_that_reads_and_the_others_pay_for_it() {
    let machine = Machine::new();
    let process = Arc::new(machine.process());
    let mut reads = JoinSet::new();
    for _ in 0..450 {
        let process = Arc::clone(&process);
        reads.spawn(async move { send(&process, &ONE).await.map(drop) });
    }
    tokio::task::yield_now().await;
    let asked = Instant::now();
    for _ in 0..4 {
        trade(&process, LIMIT).await.unwrap();
    }
    assert_eq!(asked.elapsed(), Duration::ZERO, "a cancel waits for no read");
    reads.join_all().await.into_iter().for_each(|read| read.unwrap());
    assert_about(asked.elapsed(), TOKEN * (450 + 4 - 4));
}

#[tokio::test(start_paused = true)]
async fn trades_keep_the_rate_among_themselves() {
    let machine = Machine::new();
    let process = machine.process();
    let asked = Instant::now();
    for _ in 0..92 {
        trade(&process, LIMIT).await.unwrap();
    }
    assert_about(asked.elapsed(), Duration::from_secs(2));
    let refused = trade(&process, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
    assert!(refused.message().starts_with("place_order: not sent"), "{refused}");
}
