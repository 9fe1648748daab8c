//! Streams of account values, positions and profit that have a request id of their own.

use ibapi::accounts::types::{AccountGroup, AccountId, ContractId, ModelCode};
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    AccountSummaryParams, AccountSummaryUpdatesEvent, AccountUpdatesMultiEvent, AccountUpdatesMultiParams,
    PnlEvent, PnlParams, PnlSingleEvent, PnlSingleParams, PositionsMultiEvent, PositionsMultiParams,
};

use super::asker::Asker;
use super::cut_short;
use super::forward::forward;
use crate::convert;
use crate::items::next;

pub(super) async fn account_summary_updates<'a>(
    asker: &'a Asker,
    params: &AccountSummaryParams,
    events: Events<'a, AccountSummaryUpdatesEvent>,
) -> Result<Carrying<'a>> {
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    let permit = asker.shared.summaries.permit_for_stream(&asker.notes).await?;
    let mut rows = asker.ask(asker.account_summary(&group, &tags)).await?;
    Ok(Box::pin(async move {
        let _permit = permit;
        while let Some(item) = next(&mut rows).await? {
            events.send(convert::account_summary_update(item));
        }
        Err(cut_short())
    }))
}

pub(super) async fn account_updates_multi<'a>(
    asker: &'a Asker,
    params: &AccountUpdatesMultiParams,
    events: Events<'a, AccountUpdatesMultiEvent>,
) -> Result<Carrying<'a>> {
    let (account, model) = (account(&params.account), model(&params.model_code));
    let rows = asker.ask(asker.account_updates_multi(account.as_ref(), model.as_ref())).await?;
    let event = |item| Ok(convert::account_update_multi(item));
    Ok(forward(rows, events, event))
}

pub(super) async fn positions_multi<'a>(
    asker: &'a Asker,
    params: &PositionsMultiParams,
    events: Events<'a, PositionsMultiEvent>,
) -> Result<Carrying<'a>> {
    let (account, model) = (account(&params.account), model(&params.model_code));
    let rows = asker.ask(asker.positions_multi(account.as_ref(), model.as_ref())).await?;
    let event = |item| Ok(convert::position_update_multi(item));
    Ok(forward(rows, events, event))
}

pub(super) async fn pnl<'a>(
    asker: &'a Asker,
    params: &PnlParams,
    events: Events<'a, PnlEvent>,
) -> Result<Carrying<'a>> {
    let account = AccountId(params.account.clone());
    let profits = asker.ask(asker.pnl(&account, model(&params.model_code).as_ref())).await?;
    Ok(forward(profits, events, |item| Ok(convert::pnl(item))))
}

pub(super) async fn pnl_single<'a>(
    asker: &'a Asker,
    params: &PnlSingleParams,
    events: Events<'a, PnlSingleEvent>,
) -> Result<Carrying<'a>> {
    let (account, model) = (AccountId(params.account.clone()), model(&params.model_code));
    let profits = asker.ask(asker.pnl_single(&account, ContractId(params.con_id), model.as_ref())).await?;
    Ok(forward(profits, events, |item| Ok(convert::pnl_single(item))))
}

fn account(name: &str) -> Option<AccountId> {
    (!name.is_empty()).then(|| AccountId(name.to_owned()))
}

fn model(code: &str) -> Option<ModelCode> {
    (!code.is_empty()).then(|| ModelCode(code.to_owned()))
}
