//! Wall Street Horizon.

use ibapi::Client;
use ibapi::subscriptions::SubscriptionItem;
use ibapi::wsh::AutoFill;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::WshEventsParams;

use super::cut_short;
use super::forward::next;
use crate::convert;
use crate::error::request_error;
use crate::log;

const COMMAND: &str = "wsh_events";

/// TWS refuses to give events: the connection has not asked for the metadata.
const NO_METADATA: i32 = 10282;

pub(super) async fn wsh_metadata(client: &Client) -> Result<String> {
    let metadata = client.wsh_metadata().await.map_err(|error| request_error("wsh_metadata", error))?;
    Ok(metadata.data_json)
}

/// TWS wants to be asked for the metadata before; it is, where the session has not done so.
pub(super) async fn wsh_events(client: &Client, params: &WshEventsParams) -> Result<String> {
    match events(client, params).await {
        Err(error) if error.code() == Some(NO_METADATA) => {
            wsh_metadata(client).await?;
            events(client, params).await
        }
        outcome => outcome,
    }
}

async fn events(client: &Client, params: &WshEventsParams) -> Result<String> {
    match &params.filter {
        Some(filter) => of_filter(client, filter, params).await,
        None => of_contract(client, params).await,
    }
}

async fn of_contract(client: &Client, params: &WshEventsParams) -> Result<String> {
    let mut builder = client.wsh_event_data_by_contract(params.con_id.unwrap_or_default());
    if let Some(day) = params.start_date {
        builder = builder.starting(convert::day_to_ibapi(day)?);
    }
    if let Some(day) = params.end_date {
        builder = builder.ending(convert::day_to_ibapi(day)?);
    }
    if let Some(limit) = params.total_limit {
        builder = builder.limit(limit.into());
    }
    let fill = auto_fill(params);
    if fill.is_specified() {
        builder = builder.auto_fill(fill);
    }
    let events = builder.fetch().await.map_err(|error| request_error(COMMAND, error))?;
    Ok(events.data_json)
}

/// ibapi makes a stream of it, but TWS answers once.
async fn of_filter(client: &Client, filter: &str, params: &WshEventsParams) -> Result<String> {
    let mut builder = client.wsh_event_data_by_filter(filter);
    if let Some(limit) = params.total_limit {
        builder = builder.limit(limit.into());
    }
    let fill = auto_fill(params);
    if fill.is_specified() {
        builder = builder.auto_fill(fill);
    }
    let mut answers = builder.subscribe().await.map_err(|error| request_error(COMMAND, error))?;
    while let Some(item) = next(COMMAND, &mut answers).await? {
        match item {
            SubscriptionItem::Data(events) => return Ok(events.data_json),
            SubscriptionItem::Notice(notice) => log::request_notice(COMMAND, notice.code, &notice.message),
        }
    }
    Err(cut_short(COMMAND))
}

fn auto_fill(params: &WshEventsParams) -> AutoFill {
    AutoFill {
        competitors: params.fill_competitors,
        portfolio: params.fill_portfolio,
        watchlist: params.fill_watchlist,
    }
}
