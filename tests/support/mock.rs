//! A mock that plays a small Gateway: one account, one stock.

use std::time::Duration;

use ibkr_connect::types::{
    AccountSummaryParams, AccountSummaryValue, Bar, BarTime, Contract, ContractDetails, HistoricalBars,
    MarketDataEvent, Position, PriceAttributes, ProofOfLife, TickType,
};
use ibkr_connect::{
    ConnectionInfo, ConnectionMode, Error, ErrorKind, Event, EventStream, MockConnection, MockConnector,
    Phase, PhaseTiming, Reply, Request, Result, StreamRequest, Target, random_client_id,
};
use jiff::{Timestamp, ToSpan};

const ACCOUNT: &str = "DU1";
const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "IBM", "SPY"];

/// A connector whose connections know [`ACCOUNT`] and [`SYMBOLS`].
pub(crate) fn connector() -> MockConnector {
    let mut connector = MockConnector::new();
    connector.expect_mode().return_const(ConnectionMode::Mock);
    connector.expect_connect().returning(|target| Ok(Box::new(connection(target))));
    connector
}

fn connection(target: &Target) -> MockConnection {
    let mut connection = MockConnection::new();
    connection.expect_info().return_const(ibkr_connect::literal!(ConnectionInfo {
        client_id: target.client_id.unwrap_or_else(random_client_id),
        accounts: vec![ACCOUNT.to_owned()],
        readonly: target.readonly,
        phases: Phase::ALL.iter().map(|phase| PhaseTiming::new(*phase, Duration::from_micros(500))).collect(),
        connect_ms: 4.0,
        ..ConnectionInfo::mock()
    }));
    connection.expect_request().returning(|request, _| answer(&request));
    connection.expect_subscribe().returning(|request, _| quote(&request));
    connection.expect_close().returning(|| Ok(()));
    connection
}

fn answer(request: &Request) -> Result<Reply> {
    Ok(match request {
        Request::ProofOfLife => Reply::ProofOfLife(ProofOfLife::ManagedAccounts),
        Request::ServerTime => Reply::ServerTime(Timestamp::now()),
        Request::ManagedAccounts => Reply::ManagedAccounts(vec![ACCOUNT.to_owned()]),
        Request::AccountSummary(params) => Reply::AccountSummary(summary(params)),
        Request::Positions => Reply::Positions(vec![ibkr_connect::literal!(Position {
            account: ACCOUNT.to_owned(),
            contract: ibkr_connect::literal!(Contract { con_id: 265_598, ..Contract::stock("AAPL") }),
            position: Some(100.0),
            average_cost: Some(187.5),
        })]),
        Request::ContractDetails(contract) => Reply::ContractDetails(vec![details(contract)?]),
        Request::HistoricalBars(_) => Reply::HistoricalBars(bars()),
        other => return Err(Error::new(ErrorKind::Unsupported, other.command())),
    })
}

fn summary(params: &AccountSummaryParams) -> Vec<AccountSummaryValue> {
    let value = |tag: &String| {
        ibkr_connect::literal!(AccountSummaryValue {
            account: ACCOUNT.to_owned(),
            tag: tag.clone(),
            value: "1000.00".to_owned(),
            currency: Some("USD".to_owned()),
        })
    };
    params.tags.iter().map(value).collect()
}

fn details(contract: &Contract) -> Result<ContractDetails> {
    let con_id = SYMBOLS.iter().position(|symbol| *symbol == contract.symbol).ok_or_else(no_definition)?;
    Ok(ibkr_connect::literal!(ContractDetails {
        contract: ibkr_connect::literal!(Contract { con_id: 265_598 + con_id as i32, ..contract.clone() }),
        min_tick: Some(0.01),
        ..ContractDetails::default()
    }))
}

fn bars() -> HistoricalBars {
    let end = Timestamp::now();
    let bar = |hours: i64| {
        ibkr_connect::literal!(Bar {
            time: Some(BarTime::Time(end - hours.hours())),
            open: Some(10.0),
            high: Some(12.0),
            low: Some(9.0),
            close: Some(11.0),
            volume: Some(500.0),
            wap: Some(10.5),
            count: Some(7),
        })
    };
    ibkr_connect::literal!(HistoricalBars {
        start: Some(end - 24.hours()),
        end: Some(end),
        bars: (1..=24).rev().map(bar).collect()
    })
}

fn quote(request: &StreamRequest) -> Result<EventStream> {
    let StreamRequest::MarketData(params) = request else {
        return Err(Error::new(ErrorKind::Unsupported, request.command()));
    };
    details(&params.contract)?;
    let price = |tick_type, price| MarketDataEvent::Price {
        tick_type,
        price: Some(price),
        size: Some(100.0),
        attributes: PriceAttributes::default(),
    };
    let events = [price(TickType::BID, 187.4), price(TickType::ASK, 187.5), MarketDataEvent::SnapshotEnd {}];
    Ok(events.into_iter().map(Event::MarketData).collect())
}

fn no_definition() -> Error {
    Error::new(ErrorKind::GatewayError, "No security definition has been found for the request")
        .with_code(200)
}
