//! Proof that a Gateway answers, and its clock, which answers no question that follows the last one too soon.

use std::time::{Duration, Instant};

use ibkr_connect_core::ErrorKind;
use ibkr_connect_core::types::ProofOfLife;

use crate::Backend;
use crate::cases::data::session;
use crate::cases::healthy;
use crate::support::backend::target;
use crate::support::fake_gateway::{Behaviour, FakeGateway};

/// What any answer may take beyond its time, on a busy machine.
const MARGIN: Duration = Duration::from_secs(2);

/// Between two questions for the time.
const SPACING: Duration = Duration::from_millis(4_250);

pub(crate) async fn a_gateway_is_alive_as_often_as_it_is_asked(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    session.server_time().await.expect("the connect has not asked for the time");
    for _ in 0..5 {
        assert!(session.ping().await.unwrap() < Duration::from_secs(1));
        assert_eq!(session.proof_of_life().await.unwrap(), ProofOfLife::ManagedAccounts);
    }
    let stats = gateway.stats();
    assert_eq!((stats.requested("reqManagedAccts"), stats.requested("reqCurrentTime")), (11, 1));
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn questions_for_the_time_wait_for_their_turn(backend: &dyn Backend) {
    let gateway = healthy();
    let session = session(&**backend, &target(gateway.port())).await;
    let begun = Instant::now();
    session.server_time().await.unwrap();
    let hasty = session.with_timeout(Duration::from_secs(3)).server_time_millis().await.unwrap_err();
    assert_eq!((hasty.kind(), hasty.is_retryable()), (ErrorKind::Timeout, true), "{hasty}");
    assert!(
        hasty.message().starts_with("server_time_millis: not asked, its turn would come in 4."),
        "{hasty}"
    );
    assert!(begun.elapsed() < MARGIN, "it is said at once");

    let (one, exact, other) =
        tokio::join!(session.server_time(), session.server_time_millis(), session.server_time());
    assert!((SPACING..SPACING + MARGIN).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let seconds = exact.unwrap().as_second();
    assert_eq!((one.unwrap().as_second(), other.unwrap().as_second()), (seconds, seconds));
    let stats = gateway.stats();
    let asked = (stats.requested("reqCurrentTime"), stats.requested("reqCurrentTimeInMillis"));
    assert_eq!((asked, stats.clock_suppressed), ((1, 1), 0), "one question for all three");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn the_clock_is_proof_where_nothing_else_is_answered(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::KnowsOnlyTheTime);
    let begun = Instant::now();
    let session = session(&**backend, &target(gateway.port())).await;
    let connected = begun.elapsed();
    assert!(connected >= Duration::from_secs(1), "the accounts are asked for first: {connected:?}");
    assert_eq!(session.proof_of_life().await.unwrap(), ProofOfLife::ServerTime);
    let between = begun.elapsed() - Duration::from_secs(1);
    assert!((SPACING..SPACING + MARGIN).contains(&between), "{between:?}");
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn a_complaint_about_something_else_fails_no_ping(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::ComplainsFirst(6));
    let session = session(&**backend, &target(gateway.port())).await;
    assert_eq!(session.proof_of_life().await.unwrap(), ProofOfLife::ManagedAccounts);
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());

    let gateway = FakeGateway::start(Behaviour::KnowsOnlyItsAccounts);
    let session = crate::cases::data::session(&**backend, &target(gateway.port())).await;
    let limit = Duration::from_millis(400);
    let error = session.with_timeout(limit).server_time().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    session.ping().await.expect("an unanswered clock proves nothing");
    session.close().await.unwrap();
}
