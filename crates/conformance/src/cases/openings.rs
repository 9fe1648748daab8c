//! What a Gateway says between startApi and the session, and what becomes of it.

use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Phase, Session, Target};

use crate::Backend;
use crate::cases::data::session;
use crate::support::backend::target;
use crate::support::fake_gateway::{Behaviour, FakeGateway};

pub(crate) async fn a_flood_of_notices_costs_neither_accounts_nor_notices(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::FloodsWithNotices(150));
    let session = session(&**backend, &target(gateway.port())).await;
    assert_eq!(session.info().accounts, ["DU7654321", "DU7654322"]);
    let codes: Vec<_> = heard(&session, 150).await.into_iter().map(|notice| notice.code).collect();
    assert_eq!(codes, [2104; 150]);
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn what_is_no_utf_8_is_read_all_the_same(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::WritesInOtherEncodings);
    let session = session(&**backend, &target(gateway.port())).await;
    let notice = &heard(&session, 1).await[0];
    assert_eq!((notice.code, notice.message.as_str()), (2104, "Conex\u{fffd}o OK"));
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn an_order_id_beyond_the_limit_keeps_out_those_who_trade(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::SendsNextValidId(1_787_000_000));
    let reads = target(gateway.port());
    session(&**backend, &reads).await.close().await.unwrap();
    let error = refused(backend, &reads.with_readonly(false)).await;
    let found = (error.kind(), error.phase(), error.is_retryable());
    assert_eq!(found, (ErrorKind::Unsupported, Some(Phase::Accounts), false), "{error}");
    assert!(error.message().contains("1787000000"), "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("Reset API order ID sequence")), "{error:?}");
    backend.assert_left_nothing(gateway.port());
}

/// The reason is in the Gateway's words; ports and trusted addresses have nothing to do with it.
pub(crate) async fn what_was_said_instead_of_accounts_is_the_reason(backend: &dyn Backend) {
    for (code, text, advice) in [
        (1100, "Connectivity between IBKR and Trader Workstation has been lost.", "no connection to IBKR"),
        (
            10141,
            "Paper trading disclaimer must first be accepted for API connection.",
            "accept its disclaimer",
        ),
    ] {
        let gateway = FakeGateway::start(Behaviour::SaysOnly(code, text));
        let timeout = Duration::from_millis(500);
        let error = refused(backend, &target(gateway.port()).with_timeout(timeout)).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::HandshakeTimeout, Some(code)), "{error}");
        assert!(error.message().ends_with(&format!("its last word was {code}: {text}")), "{error}");
        assert!(error.advice().unwrap().contains(advice), "{error:?}");
        backend.assert_left_nothing(gateway.port());
    }
}

async fn refused(backend: &dyn Backend, target: &Target) -> Error {
    crate::support::backend::session_over(&**backend, target).await.expect_err("nobody is let in")
}

async fn heard(session: &Session, count: usize) -> Vec<Notice> {
    let mut notices = session.notices().await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < count {
        heard.push(notices.next().await.unwrap().unwrap());
    }
    heard
}
