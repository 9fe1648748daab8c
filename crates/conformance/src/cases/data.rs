//! Each operation gives plausible data.

use std::time::Duration;

use ibkr_connect_core::types::{
    BarTime, CalculateOptionPriceParams, Contract, HistoricalBarsParams, MarketDataEvent, MarketDataParams,
    OptionRight, Position, TickType,
};
use ibkr_connect_core::{Connector, ErrorKind, Session, Target};
use ibkr_connect_sim::{SimOptions, Simulator};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Backend;
use crate::support::backend::target;
use crate::support::fake_gateway::{Behaviour, FakeGateway};

/// Each is listed once at every Gateway here.
const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "IBM", "SPY"];

pub(crate) async fn session(connector: &dyn Connector, target: &Target) -> Session {
    crate::support::backend::session_over(connector, target).await.unwrap()
}

pub(crate) async fn server_time(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let off = session.server_time().await.unwrap().duration_since(Timestamp::now()).abs();
    assert!(off < SignedDuration::from_secs(5), "{off:?}");
    assert!(session.ping().await.unwrap() < Duration::from_secs(5));
    session.close().await.unwrap();
}

pub(crate) async fn managed_accounts(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let accounts = session.managed_accounts().await.unwrap();
    assert_eq!(accounts, session.info().accounts);
    assert!(accounts[0].starts_with("DU"), "{accounts:?}");
    session.close().await.unwrap();
}

pub(crate) async fn account_summary(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let values = session.account_summary(Default::default()).await.unwrap();
    let net = values.iter().find(|value| value.tag == "NetLiquidation").unwrap();
    assert_eq!(net.account, session.info().accounts[0]);
    assert_eq!(net.currency.as_deref(), Some("USD"));
    assert!(net.value.parse::<f64>().unwrap() > 0.0, "{net:?}");
    session.close().await.unwrap();
}

pub(crate) async fn positions(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let positions = session.positions().await.unwrap();
    assert!(!positions.is_empty());
    for held in positions {
        assert!(session.info().accounts.contains(&held.account), "{held:?}");
        assert!(held.contract.con_id > 0 && !held.contract.symbol.is_empty(), "{held:?}");
        assert!(
            held.position.is_some_and(|size| size != 0.0) && held.average_cost.is_some_and(|cost| cost > 0.0),
            "{held:?}"
        );
    }
    session.close().await.unwrap();
}

/// How far apart the positions of one answer come, which names no request.
const APART: Duration = Duration::from_millis(30);

pub(crate) async fn positions_asked_for_during_an_answer_are_whole(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::SpreadsItsPositions(APART));
    let session = session(&**backend, &target(gateway.port())).await;
    let mut questions = JoinSet::new();
    for number in 0..8 {
        let session = session.clone();
        questions.spawn(async move {
            // Some fall into the answers of others.
            sleep(APART * number / 2).await;
            con_ids(&session.positions().await.unwrap())
        });
    }
    assert_eq!(questions.join_all().await, vec![[1, 2, 3]; 8]);
    session.close().await.unwrap();
}

pub(crate) async fn the_rest_of_an_abandoned_answer_is_nobody_elses(backend: &dyn Backend) {
    let gateway = FakeGateway::start(Behaviour::SpreadsItsPositions(APART));
    let session = session(&**backend, &target(gateway.port())).await;
    for halves in [1, 3, 5] {
        // In the middle of the answer.
        assert!(timeout(APART * halves / 2, session.positions()).await.is_err());
        let next = session.positions().await.unwrap();
        assert_eq!(con_ids(&next), [1, 2, 3], "abandoned after {halves} halves");
    }
    session.close().await.unwrap();
}

fn con_ids(positions: &[Position]) -> Vec<i32> {
    positions.iter().map(|held| held.contract.con_id).collect()
}

pub(crate) async fn contract_details(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let found = session.contract_details(Contract::stock("AAPL")).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let contract = &found[0].contract;
    assert_eq!(
        (contract.con_id, contract.symbol.as_str(), contract.sec_type.as_str()),
        (265_598, "AAPL", "STK")
    );
    assert_eq!(found[0].min_tick, Some(0.01));
    session.close().await.unwrap();
}

pub(crate) async fn historical_bars(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let params = HistoricalBarsParams::last_day(Contract::stock("AAPL"))
        .with_duration("2 D".parse().unwrap())
        .with_bar_size("1 hour".parse().unwrap());
    let bars = session.historical_bars(params).await.unwrap().bars;
    assert!(bars.len() > 5, "{bars:?}");
    let times: Vec<_> = bars
        .iter()
        .map(|bar| match bar.time {
            Some(BarTime::Time(time)) => time,
            other => panic!("an hourly bar at {other:?}"),
        })
        .collect();
    assert!(times.is_sorted() && times.last() <= Some(&Timestamp::now()), "{times:?}");
    for bar in bars {
        let [low, open, close, high] = [bar.low, bar.open, bar.close, bar.high].map(Option::unwrap);
        assert!(
            0.0 < low && low <= open.min(close) && open.max(close) <= high,
            "{low} {open} {close} {high}"
        );
    }
    session.close().await.unwrap();
}

pub(crate) async fn a_snapshot_ends_by_itself(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let mut ticks = session.market_data(MarketDataParams::snapshot(Contract::stock("AAPL"))).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = ticks.next().await {
        events.push(event.unwrap());
    }
    let price = |wanted| {
        events.iter().find_map(|event| match event {
            MarketDataEvent::Price { tick_type, price, .. } if *tick_type == wanted => *price,
            _ => None,
        })
    };
    let (bid, ask) = (price(TickType::BID).unwrap(), price(TickType::ASK).unwrap());
    assert!(0.0 < bid && bid < ask, "{events:?}");
    session.close().await.unwrap();
}

pub(crate) async fn an_unknown_symbol_is_error_200(connector: &dyn Connector, target: &Target) {
    let session = session(connector, target).await;
    let error = session.contract_details(Contract::stock("NOSUCH")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.phase()),
        (ErrorKind::GatewayError, Some(200), None),
        "{error}"
    );

    let error = match session.market_data(MarketDataParams::snapshot(Contract::stock("NOSUCH"))).await {
        Err(error) => error,
        Ok(mut ticks) => ticks.next().await.unwrap().unwrap_err(),
    };
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(200)), "{error}");

    session.ping().await.expect("an error of one request is nobody else's");
    session.close().await.unwrap();
}

pub(crate) async fn a_thousand_requests_at_once_get_their_own_replies(
    connector: &dyn Connector,
    target: &Target,
) {
    let session = session(connector, target).await;
    a_thousand_replies(&session).await;
    session.close().await.unwrap();
}

async fn a_thousand_replies(session: &Session) {
    let mut requests = JoinSet::new();
    for symbol in SYMBOLS.into_iter().cycle().take(1_000) {
        let session = session.clone();
        requests
            .spawn(async move { (symbol, session.contract_details(Contract::stock(symbol)).await.unwrap()) });
    }
    let replies = requests.join_all().await;
    assert_eq!(replies.len(), 1_000);
    for (symbol, found) in replies {
        assert_eq!(found.iter().map(|details| &details.contract.symbol).collect::<Vec<_>>(), [symbol]);
    }
}

/// One of the streams has a consumer that never reads.
pub(crate) async fn a_thousand_requests_go_past_a_hundred_streams(backend: &dyn Backend) {
    let options = SimOptions { tick_interval: Duration::from_millis(100), ..SimOptions::default() };
    let gateway = Simulator::start(options).unwrap();
    let session = session(&**backend, &target(gateway.port())).await;
    let mut streams = Vec::new();
    for symbol in SYMBOLS.into_iter().cycle().take(100) {
        let ticks = MarketDataParams::streaming(Contract::stock(symbol));
        streams.push(session.market_data(ticks).await.unwrap());
    }
    let _stalled = streams.pop();
    a_thousand_replies(&session).await;
    for stream in &mut streams {
        stream.next().await.unwrap().unwrap();
    }
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

pub(crate) async fn what_no_gateway_understands_is_not_sent(backend: &dyn Backend) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let session = session(&**backend, &target(gateway.port())).await;
    let option = |strike| Contract::option("AAPL", date(2027, 12, 17), OptionRight::Put, strike);
    let error = session.contract_details(option(f64::NAN)).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        error.message(),
        "contract_details: the contract's strike NaN is not a price; expected a number above 0, e.g. 250"
    );
    let priced = CalculateOptionPriceParams::default()
        .with_contract(option(200.0))
        .with_volatility(f64::INFINITY)
        .with_under_price(200.0);
    let error = session.calculate_option_price(priced).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        error.message(),
        "calculate_option_price: the volatility inf can't be computed with; expected a positive number"
    );
    let error = session.market_data(MarketDataParams::default()).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        error.message(),
        "market_data: the contract is empty; expected at least its con_id, or a symbol"
    );
    for name in ["reqContractDetails", "calculateOptionPrice", "reqMktData"] {
        assert_eq!(gateway.stats().requested(name), 0, "{name}");
    }
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}
