//! Which accounts there are, and what they are worth.

use ibapi::accounts::AccountSummaryResult;
use ibapi::accounts::types::AccountGroup;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::Result;
use ibkr_connect_core::types::{AccountSummaryParams, AccountSummaryValue, FamilyCode, UserInfo};

use super::asker::Asker;
use super::cut_short;
use crate::convert;
use crate::items::next;

pub(super) async fn managed_accounts(asker: &Asker) -> Result<Vec<String>> {
    let accounts = asker.ask_unnumbered(|| asker.managed_accounts()).await?;
    Ok(convert::accounts(asker.answered(accounts)?))
}

pub(super) async fn family_codes(asker: &Asker) -> Result<Vec<FamilyCode>> {
    let codes = asker.ask_unnumbered(|| asker.family_codes()).await?;
    Ok(convert::family_codes(asker.answered(codes)?))
}

pub(super) async fn user_info(asker: &Asker) -> Result<UserInfo> {
    Ok(convert::user_info(asker.ask(asker.user_info()).await?))
}

pub(super) async fn account_summary(
    asker: &Asker,
    params: &AccountSummaryParams,
) -> Result<Vec<AccountSummaryValue>> {
    let tags: Vec<_> = params.tags.iter().map(String::as_str).collect();
    let group = AccountGroup(params.group.clone());
    loop {
        let mut permit = asker.shared.summaries.permit_for_request(&asker.notes).await?;
        let mut rows = asker.ask(asker.account_summary(&group, &tags)).await?;
        let values = tokio::select! {
            biased;
            values = read(asker, &mut rows) => Some(values?),
            // The Gateway is silent, and another one waits: it is asked again after that.
            () = permit.is_due(&asker.notes) => None,
        };
        // Dropped, it would be cancelled in the background, perhaps after the next one is asked for.
        rows.cancel().await;
        if let Some(values) = values {
            return Ok(values);
        }
    }
}

async fn read(
    asker: &Asker,
    rows: &mut Subscription<AccountSummaryResult>,
) -> Result<Vec<AccountSummaryValue>> {
    let mut values = Vec::new();
    while let Some(item) = next(rows).await? {
        match item {
            SubscriptionItem::Data(AccountSummaryResult::Summary(row)) => {
                asker.notes.hear();
                values.push(convert::account_summary_value(row));
            }
            SubscriptionItem::Data(AccountSummaryResult::End) => return Ok(values),
            SubscriptionItem::Notice(notice) => asker.notice(&notice),
        }
    }
    Err(cut_short())
}
