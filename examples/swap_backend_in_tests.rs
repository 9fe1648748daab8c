//! A strategy that takes `&Session` is tested without a Gateway: a mock answers in its place.
//!
//! `cargo run --example swap_backend_in_tests`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use ibkr_connect::types::{Contract, MarketDataEvent, MarketDataParams, Position, PriceAttributes, TickType};
use ibkr_connect::{Error, ErrorKind, Event, MockConnection, Reply, Request, Result, Session, literal};

/// The strategy: which holdings trade below what they cost?
async fn under_water(session: &Session) -> Result<Vec<String>> {
    let mut symbols = Vec::new();
    for held in session.positions().await? {
        let price = last_price(session, &held.contract).await?;
        if held.average_cost.zip(price).is_some_and(|(cost, price)| price < cost) {
            symbols.push(held.contract.symbol);
        }
    }
    Ok(symbols)
}

async fn last_price(session: &Session, contract: &Contract) -> Result<Option<f64>> {
    let mut ticks = session.market_data(MarketDataParams::snapshot(contract.clone())).await?;
    while let Some(tick) = ticks.next().await {
        if let MarketDataEvent::Price { tick_type: TickType::LAST, price, .. } = tick? {
            return Ok(price);
        }
    }
    Ok(None)
}

/// Its tests. In a program of yours they are `#[test]`s, and `MockConnection` comes with the feature `mock`.
fn main() -> Result<()> {
    pollster::block_on(async {
        let session = gateway_with(|| Ok(vec![bought("AAPL", 250.0), bought("IBM", 180.0)]), 215.0);
        let symbols = under_water(&session).await?;
        assert_eq!(symbols, ["AAPL"]);
        println!("under water: {symbols:?}");

        let session = gateway_with(|| Err(Error::new(ErrorKind::Disconnected, "the nightly restart")), 215.0);
        let error =
            under_water(&session).await.expect_err("the strategy must not trade on what it does not know");
        assert!(error.is_retryable());
        println!("and when the Gateway is gone: {error}");
        Ok(())
    })
}

/// A session with a Gateway that answers so when asked for positions, and quotes everything at `last`.
fn gateway_with(positions: fn() -> Result<Vec<Position>>, last: f64) -> Session {
    let mut connection = MockConnection::ready();
    connection
        .expect_request()
        .withf(|request, _| *request == Request::Positions)
        .times(1)
        .returning(move |_, _| positions().map(Reply::Positions));
    connection.expect_subscribe().returning(move |_, _| {
        let trade = MarketDataEvent::Price {
            tick_type: TickType::LAST,
            price: Some(last),
            size: None,
            attributes: PriceAttributes::default(),
        };
        Ok([trade, MarketDataEvent::SnapshotEnd {}].into_iter().map(Event::MarketData).collect())
    });
    Session::new(Box::new(connection))
}

fn bought(symbol: &str, average_cost: f64) -> Position {
    literal!(Position {
        account: "DU1".to_owned(),
        contract: Contract::stock(symbol),
        position: Some(100.0),
        average_cost: Some(average_cost),
    })
}
