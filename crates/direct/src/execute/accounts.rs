//! What accounts are worth.

use ibapi::Client;
use ibapi::accounts::AccountSummaryResult;
use ibapi::accounts::types::AccountGroup;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{AccountSummaryParams, AccountSummaryValue};

use super::cut_short;
use super::forward::next;
use super::summaries::Summaries;
use crate::convert;
use crate::error::request_error;
use crate::log;

pub(super) async fn account_summary(
    client: &Client,
    summaries: &Summaries,
    params: &AccountSummaryParams,
) -> Result<Vec<AccountSummaryValue>> {
    let failed = |error| request_error("account_summary", error);
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    let _place = summaries.place_for_request().await?;
    let mut rows = client.account_summary(&group, &tags).await.map_err(failed)?;
    let mut values = Vec::new();
    while let Some(item) = next("account_summary", &mut rows).await? {
        match item {
            SubscriptionItem::Data(AccountSummaryResult::Summary(row)) => {
                values.push(convert::account_summary_value(row));
            }
            SubscriptionItem::Data(AccountSummaryResult::End) => {
                // Dropped, it would be cancelled in the background, perhaps after the next one is asked for.
                rows.cancel().await;
                return Ok(values);
            }
            SubscriptionItem::Notice(notice) => {
                log::request_notice("account_summary", notice.code, &notice.message);
            }
        }
    }
    Err(cut_short("account_summary"))
}
