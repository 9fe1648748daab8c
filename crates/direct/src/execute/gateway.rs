//! The Gateway's own state and settings, and TWS's windows.

use ibapi::Client;
use ibapi::display_groups::DisplayGroupUpdate;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::types::{
    AdvisorConfigParams, ConnectivityEvent, DisplayGroupEvent, DisplayGroupEventsParams, GatewayConfig,
    SoftDollarTier,
};
use ibkr_connect_core::{Event, EventSender, Result};

use super::cut_short;
use super::forward::forward;
use crate::convert;
use crate::error::request_error;
use crate::notices::Notices;

pub(super) async fn connectivity(notices: &Notices, events: &EventSender) -> Result<()> {
    let mut notices = notices.follow();
    while let Some(notice) = notices.recv().await {
        if let Some(change) = notice.connectivity() {
            events.send(Event::Connectivity(ConnectivityEvent { change, time: notice.time }));
        }
    }
    Err(cut_short("connectivity"))
}

pub(super) async fn next_order_id(client: &Client) -> Result<i32> {
    client.next_valid_order_id().await.map_err(|error| request_error("next_order_id", error))
}

pub(super) async fn soft_dollar_tiers(client: &Client) -> Result<Vec<SoftDollarTier>> {
    let tiers =
        client.soft_dollar_tiers().await.map_err(|error| request_error("soft_dollar_tiers", error))?;
    Ok(tiers.into_iter().map(convert::soft_dollar_tier).collect())
}

pub(super) async fn advisor_config(client: &Client, params: &AdvisorConfigParams) -> Result<String> {
    let config = client.request_fa(convert::advisor_data_type(params.data_type)).await;
    Ok(config.map_err(|error| request_error("advisor_config", error))?.xml)
}

pub(super) async fn gateway_config(client: &Client) -> Result<GatewayConfig> {
    let config = client.config().await.map_err(|error| request_error("gateway_config", error))?;
    Ok(convert::gateway_config(config))
}

pub(super) async fn display_groups(client: &Client) -> Result<Vec<i32>> {
    client.display_groups().await.map_err(|error| request_error("display_groups", error))
}

pub(super) async fn display_group_events(
    client: &Client,
    params: &DisplayGroupEventsParams,
    events: &EventSender,
) -> Result<()> {
    let failed = |error| request_error("display_group_events", error);
    let mut shown = client.subscribe_to_group_events(params.group_id).await.map_err(failed)?;
    let event = |item| match item {
        SubscriptionItem::Data(DisplayGroupUpdate { contract_info }) => {
            Ok(Event::DisplayGroupEvents(convert::display_group_event(contract_info)))
        }
        SubscriptionItem::Notice(notice) => {
            let notice = DisplayGroupEvent::Notice { code: notice.code, message: notice.message };
            Ok(Event::DisplayGroupEvents(notice))
        }
    };
    forward("display_group_events", &mut *shown, events, event).await
}
