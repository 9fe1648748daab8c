//! Streams of account values, positions and profit that have a request id of their own.

use ibapi::Client;
use ibapi::accounts::types::{AccountGroup, AccountId, ContractId, ModelCode};
use ibkr_connect_core::types::{
    AccountSummaryParams, AccountUpdatesMultiParams, PnlParams, PnlSingleParams, PositionsMultiParams,
};
use ibkr_connect_core::{Event, EventSender, Result};

use super::forward::forward;
use super::summaries::Summaries;
use crate::convert;
use crate::error::request_error;

pub(super) async fn account_summary_updates(
    client: &Client,
    summaries: &Summaries,
    params: &AccountSummaryParams,
    events: &EventSender,
) -> Result<()> {
    const COMMAND: &str = "account_summary_updates";
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    let _place = summaries.place_for_stream().await?;
    let rows = client.account_summary(&group, &tags).await.map_err(|error| request_error(COMMAND, error))?;
    let event = |item| Ok(Event::AccountSummaryUpdates(convert::account_summary_update(item)));
    forward(COMMAND, rows, events, event).await
}

pub(super) async fn account_updates_multi(
    client: &Client,
    params: &AccountUpdatesMultiParams,
    events: &EventSender,
) -> Result<()> {
    const COMMAND: &str = "account_updates_multi";
    let (account, model) = (account(&params.account), model(&params.model_code));
    let rows = client
        .account_updates_multi(account.as_ref(), model.as_ref())
        .await
        .map_err(|error| request_error(COMMAND, error))?;
    let event = |item| Ok(Event::AccountUpdatesMulti(convert::account_update_multi(item)));
    forward(COMMAND, rows, events, event).await
}

pub(super) async fn positions_multi(
    client: &Client,
    params: &PositionsMultiParams,
    events: &EventSender,
) -> Result<()> {
    const COMMAND: &str = "positions_multi";
    let (account, model) = (account(&params.account), model(&params.model_code));
    let rows = client
        .positions_multi(account.as_ref(), model.as_ref())
        .await
        .map_err(|error| request_error(COMMAND, error))?;
    let event = |item| Ok(Event::PositionsMulti(convert::position_update_multi(item)));
    forward(COMMAND, rows, events, event).await
}

pub(super) async fn pnl(client: &Client, params: &PnlParams, events: &EventSender) -> Result<()> {
    let account = AccountId(params.account.clone());
    let profits = client
        .pnl(&account, model(&params.model_code).as_ref())
        .await
        .map_err(|error| request_error("pnl", error))?;
    forward("pnl", profits, events, |item| Ok(Event::Pnl(convert::pnl(item)))).await
}

pub(super) async fn pnl_single(
    client: &Client,
    params: &PnlSingleParams,
    events: &EventSender,
) -> Result<()> {
    let account = AccountId(params.account.clone());
    let profits = client
        .pnl_single(&account, ContractId(params.con_id), model(&params.model_code).as_ref())
        .await
        .map_err(|error| request_error("pnl_single", error))?;
    forward("pnl_single", profits, events, |item| Ok(Event::PnlSingle(convert::pnl_single(item)))).await
}

fn account(name: &str) -> Option<AccountId> {
    (!name.is_empty()).then(|| AccountId(name.to_owned()))
}

fn model(code: &str) -> Option<ModelCode> {
    (!code.is_empty()).then(|| ModelCode(code.to_owned()))
}
