//! The ends of a session. Whichever way the Gateway ends it, and whoever notices first, it is one loss with one name.

use std::time::Duration;

use ibkr_connect_core::types::{Contract, MarketDataParams};
use ibkr_connect_core::{CloseReason, Error, ErrorKind};

use crate::Backend;
use crate::cases::played::{connected, notice};
use crate::support::fake_gateway::played::PlayedGateway;
use crate::support::fake_gateway::wire::frame;

/// A way to end a session: what the Gateway does, and what is said of it.
struct Way {
    does: fn(&PlayedGateway),
    code: Option<i32>,
    says: &'static str,
}

const READING: &str =
    "Error reading request. Unable to parse field: 'Client Req Id' for input string: 'AAPL'";

const WAYS: [Way; 6] = [
    Way { does: PlayedGateway::hang_up, code: None, says: "the Gateway closed the connection" },
    Way {
        does: |gateway| {
            gateway.says([notice(-1, 320, READING)]);
            gateway.hang_up();
        },
        code: Some(320),
        says: "the Gateway closed the connection; its last word was 320: Error reading request.",
    },
    Way {
        does: |gateway| {
            // A farm that is well is not a reason.
            gateway.says([notice(-1, 1300, "TWS socket port has been reset"), notice(-1, 2104, "OK:usfarm")]);
            gateway.hang_up();
        },
        code: Some(1300),
        says: "its last word was 1300: TWS socket port has been reset",
    },
    Way {
        does: |gateway| gateway.send_bytes(&[0, 0, 0, 3, 0, 0, 0]),
        code: None,
        says: "the Gateway sent a frame of 3 bytes",
    },
    Way {
        does: |gateway| gateway.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        code: None,
        says: "the Gateway sent a frame of 1213486160 bytes",
    },
    // ibapi takes this id for the Gateway's farewell, and gives up without a word to the Gateway.
    Way {
        does: |gateway| gateway.send_bytes(&[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe]),
        code: None,
        says: "ibapi has given the connection up",
    },
];

pub(crate) async fn a_loss_has_one_name_whichever_way_it_comes(backend: &dyn Backend) {
    for way in WAYS {
        let (mut gateway, session) = connected(backend).await;
        let mut ticks =
            session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
        gateway.is_asked(1).await;
        let (positions, orders, news, reason) =
            tokio::join!(session.positions(), session.open_orders(), session.news_providers(), async {
                for _ in 0..3 {
                    gateway.receive(Duration::from_secs(5)).await.expect("three questions");
                }
                (way.does)(&gateway);
                session.closed().await
            });
        let CloseReason::Disconnected(how) = &reason else { panic!("{}: {reason}", way.says) };
        assert!(how.contains(way.says), "{how:?}");
        let later = session.ping().await.unwrap_err();
        let stream = ticks.next().await.unwrap().unwrap_err();
        for error in [positions.unwrap_err(), orders.unwrap_err(), news.unwrap_err(), stream, later] {
            is_that_loss(&error, &way);
        }
        assert!(ticks.next().await.is_none());
        session.close().await.unwrap();
    }
}

fn is_that_loss(error: &Error, way: &Way) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Disconnected, way.code), "{error}");
    assert!(error.message().contains(way.says), "{error}");
    assert!(error.is_retryable(), "{error}");
}

pub(crate) async fn what_was_said_long_ago_is_not_the_reason(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    gateway.says([notice(-1, 320, READING)]);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let (positions, _) = tokio::join!(session.positions(), async {
        gateway.is_asked(61).await;
        gateway.hang_up();
    });
    let error = positions.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Disconnected, None), "{error}");
    session.close().await.unwrap();
}

pub(crate) async fn only_who_closes_has_closed(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();
    gateway.is_asked(1).await;
    let (positions, closed) = tokio::join!(session.positions(), async {
        gateway.is_asked(61).await;
        session.close().await
    });
    closed.unwrap();
    let later = session.ping().await.unwrap_err();
    for (error, is_unsent) in
        [(positions.unwrap_err(), false), (ticks.next().await.unwrap().unwrap_err(), false), (later, true)]
    {
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Closed, is_unsent), "{error:?}");
    }
    assert_eq!(session.closed().await, CloseReason::Requested);
}

pub(crate) async fn an_error_about_no_request_ends_none_that_is_answered(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let (providers, ()) = tokio::join!(session.news_providers(), async {
        gateway.is_asked(85).await;
        gateway.says([notice(-1, 321, "Error validating request: it was another client's")]);
        gateway.is_asked(85).await;
        gateway.says([frame!(85 { 1: { 1: "BRFG", 2: "Briefing" } })]);
    });
    assert_eq!(providers.unwrap().len(), 1);
    // One that says it again means it.
    let (rule, ()) = tokio::join!(session.market_rule(Default::default()), async {
        for _ in 0..2 {
            gateway.is_asked(91).await;
            gateway.says([notice(-1, 321, "Error validating request: there is no such rule")]);
        }
    });
    let error = rule.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(321)), "{error}");
    session.close().await.unwrap();
}
