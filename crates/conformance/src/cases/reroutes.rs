//! Contracts whose data are another's: the Gateway names that one instead of an answer, and the question goes on there, or fails by
//! its name. Source of the conversation: a recorded one about IBM's CFD.

use std::slice;
use std::time::Duration;

use ibkr_connect_core::types::{
    Contract, HistoricalBarsParams, MarketDataEvent, MarketDataParams, MarketDepthParams,
    QuoteSnapshotParams, RealTimeBarsParams, TickByTickParams,
};
use ibkr_connect_core::{Error, ErrorKind, EventStream, Session, StreamRequest};
use serde_json::{Value, json};

use crate::Backend;
use crate::cases::played::{connected, connected_with, notice};
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::played::{PlayedGateway, Received};
use crate::support::fake_gateway::wire::{Frame, frame};

/// How long anything may take that is due.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kind of stream: its question about a contract, its cancel, and something that it is told.
struct Kind {
    request: StreamRequest,
    asks: fn(Message) -> Frame,
    cancel: Frame,
    reroute: Frame,
    told: Frame,
    gives: Value,
}

fn kinds() -> [Kind; 4] {
    let data = || frame!(91 { 1: ID, 2: 8_314, 3: "SMART" });
    [
        Kind {
            request: StreamRequest::MarketData(
                MarketDataParams::streaming(cfd()).with_generic_ticks(vec!["233".to_owned()]),
            ),
            asks: |contract| frame!(1 { 1: ID, 2: contract, 3: "233" }),
            cancel: frame!(2 { 1: ID }),
            reroute: data(),
            told: frame!(45 { 1: ID, 2: 49, 3: 0.0 }),
            gives: json!({ "generic": { "tick_type": "halted", "value": 0.0 } }),
        },
        Kind {
            request: StreamRequest::MarketDepth(MarketDepthParams::new(cfd()).with_is_smart_depth(true)),
            asks: |contract| frame!(10 { 1: ID, 2: contract, 3: 5, 4: true }),
            cancel: frame!(11 { 1: ID, 2: true }),
            reroute: frame!(92 { 1: ID, 2: 8_314, 3: "SMART" }),
            told: frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 317, 4: "RESET" }),
            gives: json!({ "reset": {} }),
        },
        Kind {
            request: StreamRequest::TickByTick(TickByTickParams::new(cfd())),
            asks: |contract| frame!(97 { 1: ID, 2: contract, 3: "Last", 4: 0 }),
            cancel: frame!(98 { 1: ID }),
            reroute: data(),
            told: frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 10_090, 4: "in part" }),
            gives: json!({ "notice": { "code": 10_090, "message": "in part" } }),
        },
        Kind {
            request: StreamRequest::RealTimeBars(RealTimeBarsParams::new(cfd())),
            asks: |contract| frame!(50 { 1: ID, 2: contract, 3: 0, 4: "TRADES" }),
            cancel: frame!(51 { 1: ID }),
            reroute: data(),
            told: frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 10_090, 4: "in part" }),
            gives: json!({ "notice": { "code": 10_090, "message": "in part" } }),
        },
    ]
}

pub(crate) async fn a_stream_goes_on_with_the_contract_that_has_its_data(backend: &dyn Backend) {
    for kind in kinds() {
        let (mut gateway, session) = connected(backend).await;
        let mut stream = session.subscribe(kind.request.clone()).await.unwrap();
        let first =
            gateway.hears_frame(&(kind.asks)(message! { 2: "IBM", 3: "CFD", 8: "SMART", 10: "USD" })).await;
        gateway.send(slice::from_ref(&kind.reroute), first);
        let second = gateway.hears_frame(&(kind.asks)(named())).await;
        assert_ne!(first, second, "{}", kind.request.command());
        gateway.send(slice::from_ref(&kind.told), second);

        let said = next(&mut stream).await.unwrap();
        let message = said["notice"]["message"].as_str().unwrap_or_default();
        assert_eq!(said["notice"]["code"], kind.reroute.message, "{said}");
        assert!(message.contains("contract 8314 at SMART"), "{said}");
        assert_eq!(next(&mut stream).await.unwrap(), kind.gives);

        // What belongs to the question that it has left is nobody's.
        gateway.send(&[kind.reroute.clone(), kind.told.clone()], first);
        drop(stream);
        assert_eq!(gateway.hears_frame(&kind.cancel).await, second, "and the other one is over");
        still_answers(&mut gateway, &session).await;
        session.close().await.unwrap();
    }
}

pub(crate) async fn a_quote_is_that_of_the_contract_that_has_one(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let params = QuoteSnapshotParams::new(cfd()).with_market_data_type(3.try_into().unwrap());
    let (quote, ()) = tokio::join!(session.quote_snapshot(params), async {
        gateway.hears_frame(&frame!(59 { 1: 3 })).await;
        let first = gateway.is_asked(1).await;
        gateway.send(&[frame!(91 { 1: ID, 2: 8_314, 3: "SMART" })], id_of(&first));
        let second = gateway.hears_frame(&frame!(1 { 1: ID, 2: named(), 4: true })).await;
        let ticks = [frame!(58 { 1: ID, 2: 3 }), frame!(1 { 1: ID, 2: 66, 3: 230.25, 4: "300" })];
        gateway.send(&[ticks.to_vec(), vec![frame!(57 { 1: ID })]].concat(), second);
    });
    let quote = quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, quote.market_data_type), (Some(230.25), Some(300.0), Some(3)));
    still_answers(&mut gateway, &session).await;
    session.close().await.unwrap();
}

pub(crate) async fn who_is_sent_in_circles_is_told_whom_to_ask(backend: &dyn Backend) {
    let circle = [(8_314, "SMART"), (8_314, "SMART")];
    let pair = [(8_314, "SMART"), (265_598, "NYSE"), (8_314, "SMART")];
    let chain = [(1, "SMART"), (2, "SMART"), (3, "SMART"), (8_314, "IBKR ATS")];
    for way in [circle.as_slice(), &pair, &chain] {
        let (mut gateway, session) = connected(backend).await;
        let mut stream = session.market_data(MarketDataParams::streaming(cfd())).await.unwrap();
        for (con_id, exchange) in way {
            let asked = gateway.is_asked(1).await;
            gateway.send(&[frame!(91 { 1: ID, 2: *con_id, 3: *exchange })], id_of(&asked));
        }
        let mut notices = 0;
        let error = loop {
            match tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap() {
                Ok(MarketDataEvent::Notice { code: 91, .. }) => notices += 1,
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(notices, way.len() - 1, "each step was told");
        names_the_contract(&error, 91);
        assert!(stream.next().await.is_none());
        still_answers(&mut gateway, &session).await;
        session.close().await.unwrap();
    }
}

pub(crate) async fn what_can_not_follow_names_the_contract_at_once(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    for message in [91, 92] {
        let (bars, ()) =
            tokio::join!(session.historical_bars(HistoricalBarsParams::last_day(cfd())), async {
                let asked = gateway.is_asked(20).await;
                let reroute = match message {
                    91 => frame!(91 { 1: ID, 2: 8_314, 3: "SMART" }),
                    _ => frame!(92 { 1: ID, 2: 8_314, 3: "SMART" }),
                };
                gateway.send(&[reroute], id_of(&asked));
            });
        names_the_contract(&bars.unwrap_err(), message);
    }
    still_answers(&mut gateway, &session).await;
    session.close().await.unwrap();
}

pub(crate) async fn a_refusal_of_the_contract_that_is_followed_says_whose_it_is(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let (quote, ()) = tokio::join!(session.quote_snapshot(QuoteSnapshotParams::new(cfd())), async {
        let first = gateway.is_asked(1).await;
        gateway.send(&[frame!(91 { 1: ID, 2: 8_314, 3: "SMART" })], id_of(&first));
        let second = id_of(&gateway.is_asked(1).await);
        gateway.send(&[notice(second, 354, "Requested market data is not subscribed.")], second);
    });
    let error = quote.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(354)), "{error}");
    assert!(error.message().contains("contract 8314 at SMART"), "{error}");
    assert!(error.advice().unwrap().contains("delayed"), "{error:?}");
    session.close().await.unwrap();
}

pub(crate) async fn a_contract_that_is_followed_has_a_deadline_too(backend: &dyn Backend) {
    const SHORT: Duration = Duration::from_millis(500);
    let (mut gateway, session) = connected_with(backend, |target| target.request_timeout = SHORT).await;
    let (quote, ()) = tokio::join!(session.quote_snapshot(QuoteSnapshotParams::new(cfd())), async {
        let first = gateway.is_asked(1).await;
        gateway.send(&[frame!(91 { 1: ID, 2: 8_314, 3: "SMART" })], id_of(&first));
        gateway.is_asked(1).await;
    });
    let error = quote.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    gateway.is_asked(2).await;
    still_answers(&mut gateway, &session).await;
    session.close().await.unwrap();
}

pub(crate) async fn a_reroute_of_nobody_harms_nobody(backend: &dyn Backend) {
    let (mut gateway, session) = connected(backend).await;
    let mut notices = session.notices().await.unwrap();
    let (providers, ()) = tokio::join!(session.news_providers(), async {
        gateway.is_asked(85).await;
        for id in [-1, 7, 1_999_999_999] {
            gateway.send(&[frame!(91 { 1: ID, 2: 8_314, 3: "SMART" })], id);
        }
        gateway.says([
            frame!(91 {}),
            frame!(92 { 2: 8_314 }),
            frame!(85 { 1: { 1: "BRFG", 2: "Briefing" } }),
        ]);
        gateway.says([notice(-1, 2104, "the last")]);
    });
    assert_eq!(providers.unwrap().len(), 1);
    loop {
        let said = tokio::time::timeout(PATIENCE, notices.next()).await.unwrap().unwrap().unwrap();
        assert_ne!(said.code, 91, "{said:?}");
        if said.message == "the last" {
            break;
        }
    }
    session.close().await.unwrap();
}

fn cfd() -> Contract {
    Contract::stock("IBM").with_sec_type("CFD")
}

/// What the Gateway names, and nothing of the contract that was asked for.
fn named() -> Message {
    message! { 1: 8_314, 8: "SMART" }
}

fn names_the_contract(error: &Error, message: i32) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(message)), "{error}");
    assert!(error.message().contains("contract 8314 at "), "{error}");
    assert!(error.advice().unwrap().contains("\"con_id\":8314,"), "{error:?}");
    assert!(!error.is_retryable());
}

/// The next event as JSON.
async fn next(stream: &mut EventStream) -> Result<Value, Error> {
    let event = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").expect("no end");
    event.map(|event| serde_json::to_value(event).unwrap())
}

/// Nothing else has been sent to the Gateway, and nothing was said that hurts the session.
async fn still_answers(gateway: &mut PlayedGateway, session: &Session) {
    let (rule, ()) = tokio::join!(session.market_rule(Default::default()), async {
        gateway.is_asked(91).await;
        gateway.says([frame!(93 { 1: 0, 2: { 2: 0.01 } })]);
    });
    rule.unwrap();
}

impl PlayedGateway {
    /// The client sends this next; returns the id of its request.
    async fn hears_frame(&mut self, frame: &Frame) -> i64 {
        let received = self.is_asked(frame.message).await;
        let id = id_of(&received);
        assert_eq!(frame.describe_like(&received), Ok(frame.describe(id)));
        id
    }
}

/// The id of a request.
fn id_of(question: &Received) -> i64 {
    message! { 1: ID }.id_in(&question.body).unwrap_or(-1)
}
