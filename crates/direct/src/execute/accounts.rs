//! Accounts and what they hold.

use std::sync::Arc;

use ibapi::Client;
use ibapi::accounts::types::AccountGroup;
use ibapi::accounts::{AccountSummaryResult, PositionUpdate};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{AccountSummaryParams, AccountSummaryValue, Position};

use super::forward::next;
use super::{Shared, cut_short};
use crate::convert;
use crate::error::request_error;

pub(super) async fn account_summary(
    client: &Client,
    params: &AccountSummaryParams,
) -> Result<Vec<AccountSummaryValue>> {
    let failed = |error| request_error("account_summary", error);
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    let mut rows = client.account_summary(&group, &tags).await.map_err(failed)?;
    let mut values = Vec::new();
    while let Some(item) = next("account_summary", &mut rows).await? {
        match item {
            SubscriptionItem::Data(AccountSummaryResult::Summary(row)) => {
                values.push(convert::account_summary_value(row));
            }
            SubscriptionItem::Data(AccountSummaryResult::End) => return Ok(values),
            SubscriptionItem::Notice(notice) => tracing::info!(%notice, "account_summary"),
        }
    }
    Err(cut_short("account_summary"))
}

pub(super) async fn positions(client: &Arc<Client>, shared: &Shared) -> Result<Vec<Position>> {
    let client = Arc::clone(client);
    shared.positions.ask(async move { all_positions(&client).await }).await
}

async fn all_positions(client: &Client) -> Result<Vec<Position>> {
    let mut rows = client.positions().await.map_err(|error| request_error("positions", error))?;
    let mut positions = Vec::new();
    while let Some(item) = next("positions", &mut rows).await? {
        match item {
            SubscriptionItem::Data(PositionUpdate::Position(row)) => positions.push(convert::position(row)),
            SubscriptionItem::Data(PositionUpdate::PositionEnd) => {
                // Dropped, it would be cancelled in the background, perhaps after the next question.
                rows.cancel().await;
                return Ok(positions);
            }
            SubscriptionItem::Notice(notice) => tracing::info!(%notice, "positions"),
        }
    }
    Err(cut_short("positions"))
}
