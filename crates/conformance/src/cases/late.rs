//! Data that are not subscribed: what the Gateway says then is either all that comes, which is an error soon, or comes before the data.

use std::time::{Duration, Instant};

use ibkr_connect_core::types::{
    Contract, HeadTimestampParams, HistogramParams, HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams,
    HistoricalBarsParams, HistoricalScheduleParams, HistoricalTicksParams, MarketDataEvent, MarketDataParams,
    RealTimeBarsParams, TickByTickParams,
};
use ibkr_connect_core::{Error, ErrorKind, Request, Session, StreamRequest};

use crate::Backend;
use crate::cases::played::{connected, connected_with, notice};
use crate::support::fake_gateway::message::{ID, message};
use crate::support::fake_gateway::played::Received;
use crate::support::fake_gateway::wire::{Frame, frame};

const LATE: &str = "Up-to-the-second historical data requires additional subscription for the API.";

/// Long before any deadline here, which is 10 s.
const SOON: Duration = Duration::from_secs(8);

/// What data that follow may take.
const A_WHILE: Duration = Duration::from_secs(2);

pub(crate) async fn history_that_is_answered_with_2188_alone_is_an_error_soon(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let of = |contract: Contract| {
        [
            Request::HistoricalBars(HistoricalBarsParams::last_day(contract.clone())),
            Request::HistoricalTicks(HistoricalTicksParams::new(contract.clone())),
            Request::HistoricalSchedule(HistoricalScheduleParams::new(contract.clone())),
            Request::HeadTimestamp(HeadTimestampParams::new(contract.clone())),
            Request::Histogram(HistogramParams::new(contract)),
        ]
    };
    let [a, b, c, d, e] = of(Contract::stock("AAPL")).map(|request| outcome(&session, request));
    let stream = async {
        let params = HistoricalBarUpdatesParams::new(Contract::stock("AAPL"));
        let mut bars = session.historical_bar_updates(params).await.unwrap();
        let said = HistoricalBarUpdatesEvent::Notice { code: 2188, message: LATE.to_owned() };
        assert_eq!(bars.next().await.unwrap().unwrap(), said);
        let error = bars.next().await.unwrap().unwrap_err();
        assert!(bars.next().await.is_none());
        (error, Instant::now())
    };
    let begun = Instant::now();
    let (a, b, c, d, e, f, ()) = tokio::join!(a, b, c, d, e, stream, async {
        for _ in 0..6 {
            let id = id_of(&gateway.receive(SOON).await.expect("six questions"));
            gateway.says([notice(id, 2188, LATE)]);
        }
    });
    for (error, at) in [a, b, c, d, e, f] {
        is_late(&error);
        assert!(at - begun < SOON, "{:?}: {error}", at - begun);
    }
    session.close().await.unwrap();
}

pub(crate) async fn so_is_2188_about_nobody_where_only_one_asks(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let bars = Request::HistoricalBars(HistoricalBarsParams::last_day(Contract::stock("AAPL")));
    let ((error, _), ()) = tokio::join!(outcome(&session, bars), async {
        gateway.is_asked(20).await;
        gateway.says([notice(-1, 2188, LATE)]);
        // It is not asked for any longer.
        gateway.is_asked(25).await;
    });
    is_late(&error);
    session.close().await.unwrap();
}

pub(crate) async fn history_that_follows_2188_is_the_answer(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let params = HistoricalBarsParams::last_day(Contract::stock("AAPL"));
    let updates = HistoricalBarUpdatesParams::new(Contract::stock("AAPL"));
    let (bars, mut stream, ()) = tokio::join!(
        session.historical_bars(params),
        async { session.historical_bar_updates(updates).await.unwrap() },
        async {
            let ids = [gateway.is_asked(20).await, gateway.is_asked(20).await].map(|asked| id_of(&asked));
            for id in ids {
                gateway.says([notice(id, 2188, LATE)]);
            }
            tokio::time::sleep(A_WHILE).await;
            for id in ids {
                gateway.send(&history(), id);
            }
        }
    );
    assert_eq!(bars.unwrap().bars.len(), 1);
    assert!(matches!(stream.next().await, Some(Ok(HistoricalBarUpdatesEvent::Notice { code: 2188, .. }))));
    assert!(matches!(stream.next().await, Some(Ok(HistoricalBarUpdatesEvent::History { .. }))));
    assert!(matches!(stream.next().await, Some(Ok(HistoricalBarUpdatesEvent::End { .. }))));
    // Nothing ends it later.
    tokio::time::timeout(A_WHILE + A_WHILE, stream.next()).await.unwrap_err();
    session.close().await.unwrap();
}

pub(crate) async fn what_is_never_delayed_fails_where_it_is_not_subscribed(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let aapl = || Contract::stock("AAPL");
    for request in [
        StreamRequest::TickByTick(TickByTickParams::new(aapl())),
        StreamRequest::RealTimeBars(RealTimeBarsParams::new(aapl())),
    ] {
        let command = request.command();
        let mut stream = session.subscribe(request).await.unwrap();
        let asked = gateway.receive(SOON).await.expect(command);
        gateway.says([notice(
            id_of(&asked),
            10_089,
            "Requested market data requires additional subscription",
        )]);
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::GatewayError, Some(10_089)),
            "{command}: {error}"
        );
        assert!(error.advice().unwrap().contains("market_data_type 3"), "{error:?}");
        assert!(stream.next().await.is_none());
        gateway.receive(SOON).await.expect("its cancel");
    }
    session.close().await.unwrap();
}

pub(crate) async fn a_snapshot_that_does_not_end_has_a_deadline(backend: &dyn Backend) {
    const SHORT: Duration = Duration::from_millis(500);
    let (mut gateway, session) = connected_with(backend, |target| target.request_timeout = SHORT).await;
    let mut stream = session.market_data(MarketDataParams::snapshot(Contract::stock("AAPL"))).await.unwrap();
    let asked = id_of(&gateway.is_asked(1).await);
    gateway.says([notice(asked, 10_091, "Part of requested market data requires additional subscription")]);
    assert!(matches!(stream.next().await, Some(Ok(MarketDataEvent::Notice { code: 10_091, .. }))));
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Some(10_091)), "{error}");
    assert!(error.advice().unwrap().contains("delayed"), "{error:?}");
    assert!(stream.next().await.is_none());
    gateway.is_asked(2).await;
    session.close().await.unwrap();
}

async fn outcome(session: &Session, request: Request) -> (Error, Instant) {
    let error = session.request(request).await.unwrap_err();
    (error, Instant::now())
}

fn is_late(error: &Error) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(2188)), "{error}");
    assert!(
        error.message().contains(LATE) && error.message().contains("all that the Gateway has sent"),
        "{error}"
    );
    assert!(error.advice().unwrap().contains("15 minutes"), "{error:?}");
}

/// The id of a request.
fn id_of(question: &Received) -> i64 {
    message! { 1: ID }.id_in(&question.body).unwrap_or(-1)
}

fn history() -> [Frame; 2] {
    [
        frame!(17 { 1: ID, 2: { 1: "1783623600", 2: 230.25, 3: 230.75, 4: 230.0, 5: 230.5, 6: "1200", 7: "230.375", 8: 8 } }),
        frame!(108 { 1: ID, 2: "20260709 15:00:00 US/Eastern", 3: "20260709 16:00:00 US/Eastern" }),
    ]
}
