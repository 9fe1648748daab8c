//! What becomes of an attempt or a session that does not end well.

use std::time::{Duration, Instant};

use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{CloseReason, Error, ErrorKind, Session, Subscription};
use ibkr_connect_sim::{Fault, SimOptions, Simulator, Stats};

use crate::Backend;
use crate::cases::data::session;
use crate::cases::healthy;
use crate::support::backend::target;
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::until;

pub(crate) async fn an_abandoned_connect_leaves_nothing(backend: &dyn Backend) {
    // In turn: the version never comes, the accounts never come, the verifying request stays unanswered.
    for (fault, last_message) in [
        (Fault::Silent, None),
        (Fault::NoManagedAccounts, Some("startApi")),
        (Fault::MuteAfterHandshake, Some("reqManagedAccts")),
    ] {
        let reached =
            |stats: Stats| stats.accepted == 1 && last_message.is_none_or(|name| stats.requested(name) == 1);
        let gateway =
            Simulator::start(SimOptions { faults: vec![fault.clone()], ..SimOptions::default() }).unwrap();
        let target = target(gateway.port());
        tokio::select! {
            _ = backend.connect(&target) => panic!("{fault} lets nobody in"),
            () = until("the attempt is under way", || reached(gateway.stats())) => {}
        }
        until("the Gateway sees the end", || gateway.stats().active == 0).await;
        let stats = gateway.stats();
        assert_eq!((stats.resets_seen, stats.eofs_seen, stats.zombies_held_max), (1, 0, 0), "{fault}");
        backend.assert_left_nothing(gateway.port());
    }
}

pub(crate) async fn an_unanswered_request_times_out_alone(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::KnowsOnlyItsAccounts);
    let limit = Duration::from_millis(400);
    let session = session(&**backend, &target(gateway.port()).with_request_timeout(limit)).await;
    let begun = Instant::now();
    let error = session.positions().await.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, None), "{error}");
    assert!((limit..limit * 5).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    session.ping().await.expect("the others are answered");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_request_may_have_a_deadline_of_its_own(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::KnowsOnlyItsAccounts);
    let session = session(&**backend, &target(gateway.port())).await;
    let limit = Duration::from_millis(400);
    let error = session.with_timeout(limit).positions().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("400ms"), "the backend's own deadline, not a later one: {error}");
    session.ping().await.expect("the others are answered");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn the_deadline_of_requests_is_not_that_of_the_handshake(backend: &dyn Backend) {
    let slow = vec![Fault::DelayPerFrame(Duration::from_millis(200))];
    let gateway =
        Simulator::start(SimOptions { faults: slow, notices: false, ..SimOptions::default() }).unwrap();
    let limit = Duration::from_millis(50);
    let session = session(&**backend, &target(gateway.port()).with_request_timeout(limit)).await;
    assert_eq!(session.ping().await.unwrap_err().kind(), ErrorKind::Timeout);
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_gateway_that_closes_ends_everything(backend: &dyn Backend) {
    is_lost_by(backend, Simulator::disconnect_all).await;
}

pub(crate) async fn a_gateway_that_resets_ends_everything(backend: &dyn Backend) {
    is_lost_by(backend, Simulator::reset_all).await;
}

async fn is_lost_by(backend: &dyn Backend, cause: impl Fn(&Simulator)) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let mut ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
    ticks.next().await.unwrap().unwrap();

    cause(&gateway);
    let end = loop {
        match ticks.next().await {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end.unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(ticks.next().await.is_none());
    let reason = session.closed().await;
    assert!(matches!(reason, CloseReason::Disconnected(_)), "{reason}");
    let error = session.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    assert!(error.is_retryable());
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn whoever_waits_learns_of_the_loss(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::ClosesAtAQuestion);
    let session = session(&**backend, &target(gateway.port())).await;
    let (one, other, reason) = tokio::join!(session.positions(), session.positions(), session.closed());
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    }
    assert!(matches!(reason, CloseReason::Disconnected(_)), "{reason}");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_close_has_one_name_in_every_race(backend: &dyn Backend) {
    race_with(backend, Simulator::disconnect_all).await;
}

pub(crate) async fn a_reset_has_one_name_in_every_race(backend: &dyn Backend) {
    race_with(backend, Simulator::reset_all).await;
}

/// Requests before, during and after the loss, a stream and the connection's own word, a hundred times.
async fn race_with(backend: &dyn Backend, cause: fn(&Simulator)) {
    let gateway = healthy();
    for round in 0..100 {
        let session = session(&**backend, &target(gateway.port())).await;
        let ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
        let asking = tokio::spawn(until_refused(session.clone()));
        // The loss comes at another moment of a question in each round.
        for _ in 0..round % 10 {
            tokio::task::yield_now().await;
        }
        cause(&gateway);
        let (asked, streamed, reason) = tokio::join!(asking, last_of(ticks), session.closed());
        let late = session.contract_details(Contract::stock("AAPL")).await.unwrap_err();
        for error in [asked.unwrap(), streamed, late] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Disconnected, None), "{round}: {error}");
        }
        assert!(matches!(reason, CloseReason::Disconnected(_)), "{round}: {reason}");
        session.close().await.unwrap();
    }
    backend.assert_left_nothing(gateway.port());
}

async fn until_refused(session: Session) -> Error {
    loop {
        if let Err(error) = session.contract_details(Contract::stock("AAPL")).await {
            return error;
        }
    }
}

async fn last_of(mut ticks: Subscription<MarketDataEvent>) -> Error {
    loop {
        match ticks.next().await.expect("it does not end by itself") {
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
