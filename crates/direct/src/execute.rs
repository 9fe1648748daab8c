//! The table of operations, executed with ibapi. A new row gets its arm here, its conversion in `convert`.

mod accounts;
mod contracts;
mod history;
mod market_data;

use ibapi::Client;
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Reply, Request, Result, StreamRequest};

use crate::convert;
use crate::error::request_error;
use crate::notices::Notices;

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
        Request::AccountSummary(params) => {
            Reply::AccountSummary(accounts::account_summary(client, params).await?)
        }
        Request::Positions => Reply::Positions(accounts::positions(client).await?),
        Request::ContractDetails(contract) => {
            Reply::ContractDetails(contracts::contract_details(client, contract).await?)
        }
        Request::HistoricalBars(params) => {
            Reply::HistoricalBars(history::historical_bars(client, params).await?)
        }
        other => return Err(unsupported(other.command())),
    })
}

/// Runs a stream until it ends. Dropping the future cancels it at the Gateway.
pub(crate) async fn stream(
    client: &Client,
    notices: &Notices,
    request: &StreamRequest,
    events: &EventSender,
) -> Result<()> {
    match request {
        StreamRequest::MarketData(params) => market_data::market_data(client, params, events).await,
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
