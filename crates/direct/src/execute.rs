//! The table of operations, executed with ibapi. A new row gets its arm here, its conversion in `convert`.

mod accounts;
mod contracts;
mod depth;
mod forward;
mod history;
mod market_data;
mod ticks;

use std::sync::Arc;

use ibapi::Client;
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Reply, Request, Result, StreamRequest};

use crate::convert;
use crate::error::request_error;
use crate::notices::Notices;

pub(crate) use accounts::PositionsTurn;
pub(crate) use market_data::ChosenDataType;

/// Runs a one-shot. The caller keeps the deadline; dropping the future cancels the request at the Gateway.
pub(crate) async fn execute(
    client: &Arc<Client>,
    data_type: &ChosenDataType,
    positions: &PositionsTurn,
    request: &Request,
) -> Result<Reply> {
    let failed = |error| request_error(request.command(), error);
    Ok(match request {
        Request::ServerTime => {
            Reply::ServerTime(convert::timestamp(client.server_time().await.map_err(failed)?)?)
        }
        Request::ManagedAccounts => {
            Reply::ManagedAccounts(convert::accounts(client.managed_accounts().await.map_err(failed)?))
        }
        Request::AccountSummary(params) => {
            Reply::AccountSummary(accounts::account_summary(client, params).await?)
        }
        Request::Positions => Reply::Positions(accounts::positions(client, positions).await?),
        Request::ContractDetails(contract) => {
            Reply::ContractDetails(contracts::contract_details(client, contract).await?)
        }
        Request::HistoricalBars(params) => {
            Reply::HistoricalBars(history::historical_bars(client, params).await?)
        }
        Request::HistoricalTicks(params) => {
            Reply::HistoricalTicks(ticks::historical_ticks(client, params).await?)
        }
        Request::HistoricalSchedule(params) => {
            Reply::HistoricalSchedule(history::historical_schedule(client, params).await?)
        }
        Request::HeadTimestamp(params) => {
            Reply::HeadTimestamp(history::head_timestamp(client, params).await?)
        }
        Request::Histogram(params) => Reply::Histogram(history::histogram(client, params).await?),
        Request::QuoteSnapshot(params) => {
            Reply::QuoteSnapshot(market_data::quote_snapshot(client, data_type, params).await?)
        }
        Request::DepthExchanges => Reply::DepthExchanges(depth::depth_exchanges(client).await?),
        Request::SmartComponents(params) => {
            Reply::SmartComponents(market_data::smart_components(client, params).await?)
        }
        other => return Err(unsupported(other.command())),
    })
}

/// Runs a stream until it ends. Dropping the future cancels it at the Gateway.
pub(crate) async fn stream(
    client: &Client,
    data_type: &ChosenDataType,
    notices: &Notices,
    request: &StreamRequest,
    events: &EventSender,
) -> Result<()> {
    match request {
        StreamRequest::MarketData(params) => {
            market_data::market_data(client, data_type, params, events).await
        }
        StreamRequest::TickByTick(params) => ticks::tick_by_tick(client, params, events).await,
        StreamRequest::RealTimeBars(params) => history::real_time_bars(client, params, events).await,
        StreamRequest::HistoricalBarUpdates(params) => {
            history::historical_bar_updates(client, params, events).await
        }
        StreamRequest::MarketDepth(params) => depth::market_depth(client, params, events).await,
        StreamRequest::Notices => {
            let mut notices = notices.follow();
            while let Some(notice) = notices.recv().await {
                events.send(Event::Notices(notice));
            }
            Err(cut_short("notices"))
        }
        other => Err(unsupported(other.command())),
    }
}

fn cut_short(command: &str) -> Error {
    Error::new(ErrorKind::Disconnected, format!("{command}: the answer was cut short"))
}

fn unsupported(command: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the direct backend has no {command}"))
}
