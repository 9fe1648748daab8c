//! The life of a session from connect to close.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams, MatchingSymbolsParams};
use ibkr_connect_core::{CloseReason, ConnectionMode, Connector, ErrorKind, Phase, Session, Target};

use crate::Backend;
use crate::cases::data::session;
use crate::cases::healthy;
use crate::support::backend::target;
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::{PATIENCE, traces, until};

pub(crate) async fn says_what_connecting_found_out(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let info = session.info();
    assert_eq!(info.mode, connector.mode());
    assert!((213..=226).contains(&info.server_version), "{info:?}");
    assert!(!info.accounts.is_empty() && info.readonly, "{info:?}");
    let phases: HashSet<_> = info.phases.iter().map(|timing| timing.phase).collect();
    let has_spawned = match info.mode {
        ConnectionMode::Direct => false,
        ConnectionMode::Subprocess | ConnectionMode::Mock => true,
        // Whether anything is started first is a backend's own affair.
        _ => phases.contains(&Phase::Spawn),
    };
    let expected = Phase::ALL.iter().copied().filter(|phase| *phase != Phase::Spawn || has_spawned);
    assert_eq!(phases, expected.collect());
    match info.mode {
        ConnectionMode::Subprocess => assert!(info.worker_pid.is_some(), "{info:?}"),
        ConnectionMode::Direct | ConnectionMode::Mock => assert_eq!(info.worker_pid, None),
        _ => {}
    }
    assert!(info.phases.iter().all(|timing| timing.ms >= 0.0));
    assert!(info.phases.iter().map(|timing| timing.ms).sum::<f64>() <= info.connect_ms + 1.0, "{info:?}");
    session.close().await.unwrap();
}

pub(crate) async fn uses_the_client_id_given(connector: &dyn Connector, target: &Target) {
    let session = session(connector, &target.clone().with_client_id(Some(0))).await;
    assert_eq!(session.info().client_id, 0);
    session.close().await.unwrap();
}

pub(crate) async fn picks_client_ids_that_differ(connector: &dyn Connector, target: &Target) {
    let (one, other) = (session(connector, target).await, session(connector, target).await);
    assert_ne!(one.info().client_id, other.info().client_id);
    one.close().await.unwrap();
    other.close().await.unwrap();
}

pub(crate) async fn closes_as_often_as_asked(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let (one, other) = tokio::join!(session.close(), session.close());
    one.and(other).and(session.close().await).unwrap();
}

pub(crate) async fn a_host_can_have_a_name(backend: &dyn Backend) {
    let gateway = healthy();
    // It may have an IPv6 address too, where nobody listens.
    let target = target(gateway.port()).with_host("localhost");
    session(&**backend, &target).await.close().await.unwrap();
    assert_eq!(gateway.stats().accepted, 1);
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_client_id_has_one_user(backend: &dyn Backend) {
    let gateway = healthy();
    let target = target(gateway.port()).with_client_id(Some(7));
    let first = session(&**backend, &target).await;
    assert_eq!(gateway.stats().client_ids, [7]);

    let refused = crate::support::backend::session_over(&**backend, &target).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.phase(), refused.code()),
        (ErrorKind::ClientIdInUse, Some(Phase::StartApi), Some(326)),
        "{refused}"
    );
    first.ping().await.expect("the first user keeps the id");

    first.close().await.unwrap();
    until("the id is free", || gateway.stats().client_ids.is_empty()).await;
    session(&**backend, &target).await.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_stream_ticks_until_it_is_dropped(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let mut ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
    let mut prices = 0;
    while prices < 10 {
        prices += usize::from(matches!(ticks.next().await.unwrap().unwrap(), MarketDataEvent::Price { .. }));
    }
    assert_eq!(gateway.stats().cancels, 0);
    drop(ticks);
    until("the cancel arrives", || gateway.stats().requested("cancelMktData") == 1).await;
    session.ping().await.expect("the session goes on");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn closing_ends_what_is_open(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::KnowsOnlyItsAccounts);
    let session = session(&**backend, &target(gateway.port())).await;
    let mut ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
    let (pending, closed) = tokio::join!(session.positions(), async {
        session.ping().await.expect("the question about positions has been sent by now");
        session.close().await
    });
    closed.unwrap();
    assert_eq!(pending.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(ticks.next().await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(ticks.next().await.is_none());
    assert_eq!(session.closed().await, CloseReason::Requested);
    assert_eq!(session.ping().await.unwrap_err().kind(), ErrorKind::Closed);
    backend.assert_left_nothing(gateway.port());
}

/// Whatever is still to be written: the connection ends in a reset.
pub(crate) async fn a_gateway_that_reads_nothing_is_left_in_time(backend: &dyn Backend) {
    for is_busy in [false, true] {
        let gateway = FakeGateway::start(Behaviour::StopsReading);
        let session = session(&**backend, &target(gateway.port())).await;
        let mut questions = Vec::new();
        // More than the kernel keeps for both sides.
        for _ in 0..if is_busy { 24 } else { 0 } {
            let session = session.clone();
            let pattern = "x".repeat(1 << 20);
            questions.push(tokio::spawn(async move {
                session.matching_symbols(MatchingSymbolsParams::default().with_pattern(pattern)).await
            }));
        }
        if is_busy {
            until("the Gateway takes no more", || traces::unsent(gateway.port()) > 1 << 16).await;
        }
        let begun = Instant::now();
        session.close().await.unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(3), "{is_busy}: {took:?}");
        for question in questions {
            assert_eq!(question.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
        }
        backend.assert_left_nothing(gateway.port());
    }
}

/// Reading must not change anything, and of client 0 this question would.
pub(crate) async fn what_binds_orders_is_not_asked_in_a_read_only_session(backend: &dyn Backend) {
    let gateway = healthy();
    let reads = target(gateway.port()).with_client_id(Some(0));
    let session = session(&**backend, &reads).await;
    let error = session.open_orders().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("all_open_orders")), "{error:?}");
    assert!(error.is_unsent(), "{error:?}");
    session.all_open_orders().await.expect("the session goes on");
    session.close().await.unwrap();
    assert_eq!(gateway.stats().requested("reqOpenOrders"), 0);

    let session = crate::cases::data::session(&**backend, &reads.with_readonly(false)).await;
    session.open_orders().await.unwrap();
    session.close().await.unwrap();
    assert_eq!(gateway.stats().requested("reqOpenOrders"), 1);
}

pub(crate) async fn dropping_a_session_closes_it(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let clone = session.clone();
    drop(session);
    clone.ping().await.expect("the last one closes");
    drop(clone);
    until("the Gateway sees the end", || gateway.stats().active == 0).await;
    assert_eq!((gateway.stats().eofs_seen, gateway.stats().resets_seen), (1, 0), "a session ends in order");
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn dropping_a_session_inside_a_runtime_stops_nothing(backend: &dyn Backend) {
    // It keeps its socket, so that closing a session takes half a second.
    let gateway = FakeGateway::start(Behaviour::NeverCloses);
    let target = target(gateway.port());
    let (inside, outside, closed) = tokio::join!(
        session(&**backend, &target),
        session(&**backend, &target),
        session(&**backend, &target)
    );
    let waits = Duration::from_millis(400);

    let begun = Instant::now();
    drop(inside);
    assert!(begun.elapsed() < waits, "the runtime stood still for {:?}", begun.elapsed());

    let user = thread::spawn(move || {
        let begun = Instant::now();
        drop(outside);
        begun.elapsed()
    });
    assert!(user.join().unwrap() > waits, "without a runtime the end is waited for");

    let begun = Instant::now();
    closed.close().await.unwrap();
    assert!(begun.elapsed() > waits, "a close waits in both");
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn connects_while_the_caller_is_blocked(backend: &dyn Backend) {
    let gateway = healthy();
    let target = target(gateway.port());
    let mut connect = backend.connect(&target);
    // The first poll starts it.
    tokio::select! {
        biased;
        _ = &mut connect => panic!("nothing connects within one poll"),
        () = std::future::ready(()) => {}
    }
    // This blocks the one thread of the test's runtime.
    assert!(gateway.wait_until(PATIENCE / 2, |stats| stats.requested("reqManagedAccts") == 1));
    connect.await.unwrap().close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

/// Everything a program without a runtime does.
fn use_without_runtime(session: &Session) {
    let blocking = session.blocking();
    assert!(blocking.ping().unwrap() < Duration::from_secs(5));
    assert!(!blocking.positions().unwrap().is_empty());
    let mut ticks = blocking.market_data(MarketDataParams::streaming(Contract::stock("IBM"))).unwrap();
    assert!(ticks.next_timeout(PATIENCE / 2).unwrap().unwrap().is_ok());
    assert!(ticks.by_ref().take(5).all(|event| event.is_ok()));
    drop(ticks);
    blocking.close().unwrap();
}

pub(crate) async fn blocking_calls_need_no_runtime(backend: &dyn Backend) {
    let gateway = healthy();
    let target = target(gateway.port());
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            let connection = pollster::block_on(backend.connect(&target)).unwrap();
            use_without_runtime(&Session::new(connection));
        });
        user.join().unwrap();
    });
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn blocking_calls_are_answered_while_the_runtime_is_blocked(backend: &dyn Backend) {
    let gateway = healthy();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let target = target(gateway.port());
    let session = Session::new(pollster::block_on(backend.connect(&target)).unwrap());

    let (blocked, both_blocked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let releases = std::sync::Arc::new(std::sync::Mutex::new(released));
    for _ in 0..2 {
        let (blocked, releases) = (blocked.clone(), releases.clone());
        runtime.spawn(async move {
            blocked.send(()).unwrap();
            drop(releases.lock().map(|released| released.recv()));
        });
    }
    both_blocked.recv().unwrap();
    both_blocked.recv().unwrap();
    let begun = Instant::now();
    use_without_runtime(&session);
    assert!(begun.elapsed() < PATIENCE / 2);
    drop(release);
    runtime.shutdown_background();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn notices_begin_with_those_of_the_handshake(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let mut notices = session.notices().await.unwrap();
    let mut codes = Vec::new();
    while codes.len() < 3 {
        codes.push(notices.next().await.unwrap().unwrap().code);
    }
    assert_eq!(codes, [2104, 2106, 2158]);

    gateway.broadcast_notice(1100, "Connectivity between IBKR and Trader Workstation has been lost.");
    let lost = notices.next().await.unwrap().unwrap();
    assert_eq!((lost.code, lost.time.is_some()), (1100, true), "{lost}");
    assert!(lost.message.starts_with("Connectivity between"), "{lost}");
    session.ping().await.expect("a notice is nobody's error");

    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}
