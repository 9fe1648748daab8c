//! The simulator as the `ibapi` crate sees it: every request it serves, over a real socket.

use std::time::Duration;

use ibapi::accounts::types::AccountGroup;
use ibapi::market_data::historical::BarTimestamp;
use ibapi::prelude::*;
use ibkr_connect_sim::{SimOptions, Simulator};

const PATIENCE: Duration = Duration::from_secs(10);

fn simulator() -> Simulator {
    let accounts = vec!["DU1".into(), "DU2".into()];
    Simulator::start(SimOptions {
        accounts,
        tick_interval: Duration::from_millis(5),
        ..SimOptions::default()
    })
    .unwrap()
}

async fn connect(simulator: &Simulator, client_id: i32) -> Client {
    Client::connect(&simulator.addr().to_string(), client_id).await.unwrap()
}

#[tokio::test]
async fn a_handshake_and_both_clocks() {
    let accounts = vec!["DU1".into(), "DU2".into()];
    let options = SimOptions { accounts, clock_suppression: Duration::ZERO, ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let client = connect(&simulator, 7).await;
    assert_eq!(client.server_version(), 226);
    assert_eq!(client.next_order_id(), 1);
    assert!(client.connection_time().is_some());

    let now = time::OffsetDateTime::now_utc();
    assert!((client.server_time().await.unwrap() - now).abs() < time::Duration::seconds(5));
    assert!((client.server_time_millis().await.unwrap() - now).abs() < time::Duration::seconds(5));
    assert_eq!(client.managed_accounts().await.unwrap(), ["DU1", "DU2"]);

    let stats = simulator.stats();
    assert_eq!((stats.handshakes, stats.active, stats.client_ids.as_slice()), (1, 1, [7].as_slice()));
    assert_eq!((stats.requested("reqCurrentTime"), stats.orders), (1, 0));
    client.disconnect().await;
    assert!(simulator.wait_until(PATIENCE, |stats| stats.active == 0 && stats.client_ids.is_empty()));
    assert_eq!(simulator.stats().zombies_held, 0);
}

#[tokio::test]
async fn every_server_version_in_range_is_negotiated() {
    for server_version in [213, 220] {
        let simulator = Simulator::start(SimOptions { server_version, ..SimOptions::default() }).unwrap();
        assert_eq!(connect(&simulator, 1).await.server_version(), server_version);
    }
}

#[tokio::test]
async fn account_summary_and_positions_add_up() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    let tags = &["NetLiquidation", "TotalCashValue", "GrossPositionValue", "AccountType"];
    let mut rows = client.account_summary(&AccountGroup("All".into()), tags).await.unwrap().filter_data();
    let mut values = std::collections::BTreeMap::new();
    while let Some(row) = rows.next().await {
        let AccountSummaryResult::Summary(row) = row.unwrap() else { break };
        values.insert((row.account, row.tag), row.value);
    }
    assert_eq!(values.len(), 8);
    for account in ["DU1", "DU2"] {
        let value = |tag: &str| values[&(account.to_owned(), tag.to_owned())].parse::<f64>().unwrap();
        assert!(
            (value("NetLiquidation") - value("TotalCashValue") - value("GrossPositionValue")).abs() < 0.005
        );
    }

    let mut positions = client.positions().await.unwrap().filter_data();
    let mut held = Vec::new();
    while let Some(PositionUpdate::Position(position)) = positions.next().await.transpose().unwrap() {
        held.push(position);
    }
    assert!(held.len() >= 6, "{held:?}");
    assert!(held.iter().all(|p| p.position > 0.0 && p.average_cost > 0.0 && p.contract.contract_id != 0));
}

#[tokio::test]
async fn contract_details_by_symbol_and_by_id() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    let details = client.contract_details(&Contract::stock("AAPL").build()).await.unwrap();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0].contract.contract_id, 265_598);
    assert_eq!(details[0].long_name, "APPLE INC");
    let by_id = Contract { contract_id: 272_093, ..Default::default() };
    assert_eq!(client.contract_details(&by_id).await.unwrap()[0].contract.symbol.to_string(), "MSFT");

    let error = client.contract_details(&Contract::stock("NOSUCH").build()).await.unwrap_err();
    assert!(error.to_string().contains("No security definition"), "{error}");
}

#[tokio::test]
async fn historical_bars_daily_and_intraday() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    let contract = Contract::stock("SPY").build();
    let end = time::macros::datetime!(2026-08-21 21:00 UTC);
    let daily = client.historical_data(&contract, HistoricalBarSize::Day).duration(5.days()).ending(end);
    let daily = daily.what_to_show(HistoricalWhatToShow::Trades).fetch().await.unwrap();
    let dates: Vec<_> = daily.bars.iter().map(|bar| bar.date).collect();
    let wanted = (17..=21).map(|day| time::Date::from_calendar_date(2026, time::Month::August, day).unwrap());
    assert_eq!(dates, wanted.map(BarTimestamp::Date).collect::<Vec<_>>());

    let hourly = client.historical_data(&contract, HistoricalBarSize::Min5).duration(1.days()).ending(end);
    let hourly = hourly.what_to_show(HistoricalWhatToShow::MidPoint).fetch().await.unwrap();
    assert_eq!(hourly.bars.len(), 78, "6.5 hours of regular trading");
    for bar in daily.bars.iter().chain(&hourly.bars) {
        assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close), "{bar:?}");
        assert!(bar.low > 0.0 && bar.high < 2.0 * bar.low, "{bar:?}");
    }

    let cash = Contract::forex("EUR", "USD").build();
    let trades =
        client.historical_data(&cash, HistoricalBarSize::Day).what_to_show(HistoricalWhatToShow::Trades);
    let error = trades.duration(1.days()).ending(end).fetch().await.unwrap_err();
    assert!(error.to_string().contains("EUR.USD@IDEALPRO Trades"), "{error}");
}

#[tokio::test]
async fn quotes_stream_until_cancelled() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    let mut stream = client.market_data(&Contract::stock("AAPL").build()).subscribe().await.unwrap();
    let mut prices = 0;
    while prices < 30 {
        match stream.next().await.unwrap().unwrap() {
            SubscriptionItem::Data(TickTypes::Price(_) | TickTypes::PriceSize(_)) => prices += 1,
            SubscriptionItem::Data(_) => {}
            SubscriptionItem::Notice(notice) => panic!("{notice:?}"),
        }
    }
    stream.cancel().await;
    assert!(simulator.wait_until(PATIENCE, |stats| stats.requested("cancelMktData") == 1));
    assert_eq!(simulator.stats().cancels, 1);
}

#[tokio::test]
async fn a_snapshot_is_a_whole_quote_at_once() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    for contract in [Contract::stock("MSFT").build(), Contract::forex("EUR", "USD").build()] {
        let ticks = client.market_data(&contract).snapshot_once(PATIENCE).await.unwrap();
        let quote = Quote::from_ticks(&ticks);
        assert!(quote.bid.unwrap() < quote.ask.unwrap(), "{quote:?}");
    }
}

#[tokio::test]
async fn a_second_user_of_a_client_id_is_turned_away_until_the_first_leaves() {
    let simulator = simulator();
    let first = connect(&simulator, 5).await;
    let second = Client::connect(&simulator.addr().to_string(), 5).await;
    assert!(matches!(second.err(), Some(Error::ClientIdInUse { .. })));
    assert_eq!(simulator.stats().handshakes, 1);
    first.disconnect().await;
    assert!(simulator.wait_until(PATIENCE, |stats| stats.client_ids.is_empty()));
    connect(&simulator, 5).await;
}

#[tokio::test]
async fn an_order_is_counted_and_refused() {
    let simulator = simulator();
    let client = connect(&simulator, 1).await;
    let contract = Contract::stock("AAPL").build();
    let order = client.order(&contract).buy(1).market().build().unwrap();
    let mut updates = client.place_order(1, &contract, &order).await.unwrap();
    let answer = updates.next().await.unwrap();
    assert!(format!("{answer:?}").contains("Read-Only"), "{answer:?}");
    assert_eq!(simulator.stats().orders, 1);
}
