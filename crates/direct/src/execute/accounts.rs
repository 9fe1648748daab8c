//! Accounts and what they hold.

use std::sync::Arc;
use std::time::Duration;

use ibapi::Client;
use ibapi::accounts::types::AccountGroup;
use ibapi::accounts::{AccountSummaryResult, PositionUpdate};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{AccountSummaryParams, AccountSummaryValue, Position};
use tokio::sync::{Mutex, oneshot};
use tokio::time::sleep;

use super::cut_short;
use super::forward::next;
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

/// Questions for positions take turns: TWS's answer names no request, so of two at once each would take the other's rows for
/// its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct PositionsTurn(Arc<Mutex<()>>);

/// How long the answer to an abandoned question may still be on its way before the next one is asked.
const ABANDONED: Duration = Duration::from_secs(30);

pub(super) async fn positions(client: &Arc<Client>, turn: &PositionsTurn) -> Result<Vec<Position>> {
    let turn = Arc::clone(&turn.0).lock_owned().await;
    let client = Arc::clone(client);
    let (mut reply, answer) = oneshot::channel();
    // Whoever asked may go away; the answer is read to its end all the same, or the next one would begin with its rest.
    tokio::spawn(async move {
        let _turn = turn;
        let outcome = tokio::select! {
            outcome = all_positions(&client) => outcome,
            () = async { reply.closed().await; sleep(ABANDONED).await } => return,
        };
        let _ = reply.send(outcome);
    });
    answer.await.unwrap_or_else(|_| Err(cut_short("positions")))
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
