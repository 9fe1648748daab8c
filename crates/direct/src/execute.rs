//! The table of operations, executed with ibapi. A new row gets its arm here and its conversion in `convert`.

use ibapi::Client;
use ibapi::accounts::types::AccountGroup;
use ibapi::accounts::{AccountSummaryResult, PositionUpdate};
use ibapi::market_data::TradingHours;
use ibapi::market_data::realtime::TickTypes;
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::types::{
    AccountSummaryParams, AccountSummaryValue, Contract, ContractDetails, HistoricalBars,
    HistoricalBarsParams, MarketDataEvent, MarketDataParams, Position,
};
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Reply, Request, Result, StreamRequest};

use crate::convert;
use crate::error::request_error;

/// Runs a one-shot. The caller keeps the deadline; dropping the future cancels the request at the Gateway.
pub(crate) async fn execute(client: &Client, request: &Request) -> Result<Reply> {
    let failed = |error| request_error(request.command(), error);
    Ok(match request {
        Request::ServerTime => {
            Reply::ServerTime(convert::timestamp(client.server_time().await.map_err(failed)?)?)
        }
        Request::ManagedAccounts => {
            Reply::ManagedAccounts(convert::accounts(client.managed_accounts().await.map_err(failed)?))
        }
        Request::AccountSummary(params) => Reply::AccountSummary(account_summary(client, params).await?),
        Request::Positions => Reply::Positions(positions(client).await?),
        Request::ContractDetails(contract) => {
            Reply::ContractDetails(contract_details(client, contract).await?)
        }
        Request::HistoricalBars(params) => Reply::HistoricalBars(historical_bars(client, params).await?),
        other => return Err(unsupported(other.command())),
    })
}

/// Runs a stream until it ends. Dropping the future cancels it at the Gateway.
pub(crate) async fn stream(client: &Client, request: &StreamRequest, events: &EventSender) -> Result<()> {
    match request {
        StreamRequest::MarketData(params) => market_data(client, params, events).await,
        other => Err(unsupported(other.command())),
    }
}

async fn account_summary(client: &Client, params: &AccountSummaryParams) -> Result<Vec<AccountSummaryValue>> {
    let failed = |error| request_error("account_summary", error);
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    let mut rows = client.account_summary(&group, &tags).await.map_err(failed)?;
    let mut values = Vec::new();
    while let Some(item) = rows.next().await {
        match item.map_err(failed)? {
            SubscriptionItem::Data(AccountSummaryResult::Summary(row)) => {
                values.push(convert::account_summary_value(row));
            }
            SubscriptionItem::Data(AccountSummaryResult::End) => return Ok(values),
            SubscriptionItem::Notice(notice) => tracing::info!(%notice, "account_summary"),
        }
    }
    Err(cut_short("account_summary"))
}

async fn positions(client: &Client) -> Result<Vec<Position>> {
    let failed = |error| request_error("positions", error);
    let mut rows = client.positions().await.map_err(failed)?;
    let mut positions = Vec::new();
    while let Some(item) = rows.next().await {
        match item.map_err(failed)? {
            SubscriptionItem::Data(PositionUpdate::Position(row)) => positions.push(convert::position(row)),
            SubscriptionItem::Data(PositionUpdate::PositionEnd) => return Ok(positions),
            SubscriptionItem::Notice(notice) => tracing::info!(%notice, "positions"),
        }
    }
    Err(cut_short("positions"))
}

async fn contract_details(client: &Client, contract: &Contract) -> Result<Vec<ContractDetails>> {
    let contract = convert::contract_to_ibapi(contract)?;
    let found =
        client.contract_details(&contract).await.map_err(|error| request_error("contract_details", error))?;
    Ok(found.into_iter().map(convert::contract_details).collect())
}

async fn historical_bars(client: &Client, params: &HistoricalBarsParams) -> Result<HistoricalBars> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let hours = if params.use_rth { TradingHours::Regular } else { TradingHours::Extended };
    let mut builder = client
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(hours);
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let data = builder.fetch().await.map_err(|error| request_error("historical_bars", error))?;
    convert::historical_bars(data)
}

async fn market_data(client: &Client, params: &MarketDataParams, events: &EventSender) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let generic_ticks: Vec<_> = params.generic_ticks.iter().map(String::as_str).collect();
    let mut builder = client.market_data(&contract).generic_ticks(&generic_ticks);
    if params.snapshot {
        builder = builder.snapshot();
    }
    let ticks = builder.subscribe().await.map_err(|error| request_error("market_data", error))?;
    forward_ticks(ticks, events).await
}

async fn forward_ticks(mut ticks: Subscription<TickTypes>, events: &EventSender) -> Result<()> {
    let send = |event| events.send(Event::MarketData(event));
    while let Some(item) = ticks.next().await {
        match item.map_err(|error| request_error("market_data", error))? {
            SubscriptionItem::Data(TickTypes::SnapshotEnd) => {
                send(MarketDataEvent::SnapshotEnd {});
                return Ok(());
            }
            SubscriptionItem::Data(tick) => convert::tick(tick).into_iter().for_each(send),
            SubscriptionItem::Notice(notice) => {
                send(MarketDataEvent::Notice { code: notice.code, message: notice.message });
            }
        }
    }
    Err(cut_short("market_data"))
}

fn cut_short(command: &str) -> Error {
    Error::new(ErrorKind::Disconnected, format!("{command}: the answer was cut short"))
}

fn unsupported(command: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the direct backend has no {command}"))
}
