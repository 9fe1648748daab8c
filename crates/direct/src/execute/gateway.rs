//! The Gateway's own state and settings, and TWS's windows.

use ibapi::display_groups::DisplayGroupUpdate;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    AdvisorConfigParams, ConnectivityEvent, DisplayGroupEvent, DisplayGroupEventsParams, GatewayConfig,
    Notice, SoftDollarTier,
};

use super::asker::Asker;
use super::cut_short;
use super::forward::forward;
use crate::convert;

pub(super) fn notices<'a>(asker: &Asker, events: Events<'a, Notice>) -> Carrying<'a> {
    let mut notices = asker.shared.notices.follow();
    Box::pin(async move {
        while let Some(notice) = notices.next().await? {
            events.send(notice);
        }
        Err(cut_short())
    })
}

pub(super) fn connectivity<'a>(asker: &'a Asker, events: Events<'a, ConnectivityEvent>) -> Carrying<'a> {
    let mut notices = asker.shared.notices.follow();
    Box::pin(async move {
        while let Some(notice) = notices.next().await? {
            if let Some(change) = notice.connectivity() {
                events.send(ConnectivityEvent { change, time: notice.time });
            }
        }
        Err(cut_short())
    })
}

pub(super) async fn next_order_id(asker: &Asker) -> Result<i32> {
    asker.ask_unnumbered(|| asker.next_valid_order_id()).await
}

pub(super) async fn soft_dollar_tiers(asker: &Asker) -> Result<Vec<SoftDollarTier>> {
    let tiers = asker.ask(asker.soft_dollar_tiers()).await?;
    Ok(tiers.into_iter().map(convert::soft_dollar_tier).collect())
}

pub(super) async fn advisor_config(asker: &Asker, params: &AdvisorConfigParams) -> Result<String> {
    let data_type = convert::advisor_data_type(params.data_type);
    Ok(asker.ask_unnumbered(|| asker.request_fa(data_type)).await?.xml)
}

pub(super) async fn gateway_config(asker: &Asker) -> Result<GatewayConfig> {
    Ok(convert::gateway_config(asker.ask(asker.config()).await?))
}

pub(super) async fn display_groups(asker: &Asker) -> Result<Vec<i32>> {
    asker.ask(asker.display_groups()).await
}

pub(super) async fn display_group_events<'a>(
    asker: &'a Asker,
    params: &DisplayGroupEventsParams,
    events: Events<'a, DisplayGroupEvent>,
) -> Result<Carrying<'a>> {
    let shown = asker.ask(asker.subscribe_to_group_events(params.group_id)).await?;
    Ok(Box::pin(async move {
        // Whoever derefs it keeps it, for it cancels the subscription when it is dropped.
        let mut shown = shown;
        forward(&mut *shown, events, display_group_event).await
    }))
}

fn display_group_event(item: SubscriptionItem<DisplayGroupUpdate>) -> Result<DisplayGroupEvent> {
    Ok(match item {
        SubscriptionItem::Data(DisplayGroupUpdate { contract_info }) => {
            convert::display_group_event(contract_info)
        }
        SubscriptionItem::Notice(notice) => {
            DisplayGroupEvent::Notice { code: notice.code, message: notice.message }
        }
    })
}
