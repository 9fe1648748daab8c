//! The limits on historical data.

use std::sync::Mutex;

use ibkr_connect_core::ErrorKind;
use ibkr_connect_core::StreamRequest;
use ibkr_connect_core::types::{HeadTimestampParams, HistoricalTicksParams, RealTimeBarsParams};

use super::*;
use crate::pacing::{PacingLimit, PacingWait};

#[tokio::test(start_paused = true)]
async fn a_hundred_daily_histories_wait_for_nothing_but_the_messages() {
    let machine = Machine::new();
    let process = machine.process();
    for _ in 0..100 {
        send(&process, &bars("IBM", BarSize::Day1)).await.unwrap();
    }
    assert!(machine.clock.start.elapsed() <= Duration::from_millis(2_200));
    assert!(goes_in(&process, &small_bars("IBM"), Duration::from_millis(30)).await, "they don't count");
}

#[tokio::test(start_paused = true)]
async fn small_bars_ticks_and_real_time_bars_are_sixty_in_ten_minutes() {
    let machine = Machine::new();
    let (process, other) = (machine.process(), machine.process());
    for index in 0..20 {
        let symbol = format!("S{index}");
        send(&process, &small_bars(&symbol)).await.unwrap();
        let ticks = HistoricalTicksParams::default().with_contract(Contract::stock(&symbol));
        send(&other, &Request::HistoricalTicks(ticks)).await.unwrap();
        let real_time = RealTimeBarsParams::default().with_contract(Contract::stock(&symbol));
        process.stream(&StreamRequest::RealTimeBars(real_time)).await.unwrap();
    }
    for process in [process, other, machine.process()] {
        let error = send(&process, &small_bars("IBM")).await.unwrap_err();
        assert_eq!((error.kind(), error.waited()), (ErrorKind::Timeout, Some(Duration::ZERO)));
        assert!(error.message().contains("historical_bars: not sent, it would wait "), "{error}");
        send(&process, &bars("IBM", BarSize::Min1)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn identical_requests_wait_for_each_other_in_their_order() {
    let machine = Machine::new();
    let patient = ConnectionPacer { limit: Duration::from_secs(60), ..machine.process() };
    let (process, other) = (Arc::new(patient), machine.process());
    send(&other, &small_bars("IBM")).await.unwrap();
    let start = Instant::now();
    let mut sent = tokio::task::JoinSet::new();
    for number in 0..2 {
        let process = Arc::clone(&process);
        sent.spawn(
            async move { send(&process, &small_bars("IBM")).await.map(|()| (number, start.elapsed())) },
        );
        tokio::task::yield_now().await;
    }
    let sent: Vec<_> = sent.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        sent.iter().map(|(number, at)| (*number, at.as_secs())).collect::<Vec<_>>(),
        [(0, 15), (1, 31)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_was_never_sent_and_lets_the_next_one_go() {
    let machine = Machine::new();
    let process = Arc::new(machine.process());
    send(&process, &small_bars("IBM")).await.unwrap();
    let waits = |limit| {
        let process = Arc::clone(&process);
        async move { tokio::time::timeout(Duration::from_secs(limit), send(&process, &small_bars("IBM"))).await }
    };
    let first = tokio::spawn(waits(10));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(process.pacer.status().queued, 1);
    let start = Instant::now();
    let second = tokio::spawn(waits(60));
    first.await.unwrap().unwrap_err();
    second.await.unwrap().unwrap().unwrap();
    let took = start.elapsed();
    assert!(
        took <= Duration::from_millis(15_500),
        "it does not wait for the one that has given up: {took:?}"
    );
    assert_eq!(process.pacer.status().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_may_be_without_an_answer() {
    let machine = Machine::new();
    let process = machine.process();
    let head = Request::HeadTimestamp(HeadTimestampParams::default());
    let mut open = Vec::new();
    for _ in 0..25 {
        open.push(process.request(&bars("IBM", BarSize::Day1), None).await.unwrap());
        open.push(process.request(&head, None).await.unwrap());
    }
    assert_eq!(process.pacer.status().open_historical, 50);
    send(&process, &Request::Positions).await.unwrap();
    let error = send(&process, &head).await.unwrap_err();
    assert_eq!((error.kind(), error.waited()), (ErrorKind::Timeout, Some(LIMIT)));

    let start = Instant::now();
    let answer = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        open.pop();
    };
    let (sent, ()) = tokio::join!(send(&process, &head), answer);
    sent.unwrap();
    assert_eq!(start.elapsed().as_secs(), 3, "as soon as one is answered");
    drop(open);
    assert_eq!(process.pacer.status().open_historical, 0);
}

#[tokio::test(start_paused = true)]
async fn the_limits_on_historical_data_can_be_lifted_and_the_messages_stay() {
    let machine = Machine::new();
    let process = ConnectionPacer { limits: Limits::Messages, ..machine.process() };
    for _ in 0..94 {
        send(&process, &small_bars("IBM")).await.unwrap();
    }
    let took = machine.clock.start.elapsed().as_millis();
    assert!((1_990..2_050).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_told_with_its_limit_and_its_end() {
    let machine = Machine::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let observer = Observer::new(move |wait| seen.lock().unwrap().push(wait));
    let process = ConnectionPacer { observer, ..machine.process() };
    let take = || std::mem::take(&mut *told.lock().unwrap());
    let command = "historical_bars";
    send(&process, &small_bars("IBM")).await.unwrap();
    assert_eq!(take(), [], "it has not waited");

    send(&process, &small_bars("IBM")).await.unwrap();
    let [PacingWait::Begun { command: "historical_bars", limit, at_most }, end] = take()[..] else {
        panic!("one wait, and its end");
    };
    assert_eq!((limit, at_most.as_secs()), (PacingLimit::HistoricalRequests, 15));
    assert_eq!(end, PacingWait::Over { command });

    let small = small_bars("IBM");
    let refused = process.request(&small, Some(Duration::from_secs(1))).await.map(drop);
    assert_eq!((refused.unwrap_err().kind(), take()), (ErrorKind::Timeout, vec![]), "it never waits");

    let given_up = tokio::time::timeout(Duration::from_secs(2), send(&process, &small)).await;
    assert!(given_up.is_err() && take()[1..] == [PacingWait::Over { command }], "a dropped wait ends too");

    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(process.request(&bars("IBM", BarSize::Day1), None).await.unwrap());
    }
    assert!(
        take()
            .iter()
            .all(|wait| !matches!(wait, PacingWait::Begun { limit, .. } if *limit != PacingLimit::Messages))
    );
    let refused = send(&process, &bars("IBM", BarSize::Day1)).await;
    let limit = PacingLimit::OpenHistoricalRequests;
    let at_most = LIMIT - Duration::from_secs(1);
    assert_eq!(take(), [PacingWait::Begun { command, limit, at_most }, PacingWait::Over { command }]);
    assert!(refused.is_err());
}

/// Whether the request is sent within so long.
async fn goes_in(process: &ConnectionPacer, request: &Request, limit: Duration) -> bool {
    tokio::time::timeout(limit, send(process, request)).await.is_ok_and(|sent| sent.is_ok())
}
