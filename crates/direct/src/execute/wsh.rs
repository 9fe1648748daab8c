//! Wall Street Horizon.

use ibapi::subscriptions::SubscriptionItem;
use ibapi::wsh::AutoFill;
use ibkr_connect_core::Result;
use ibkr_connect_core::types::WshEventsParams;

use super::asker::Asker;
use super::cut_short;
use crate::convert;
use crate::items::next;

/// TWS refuses to give events: the connection has not asked for the metadata.
const NO_METADATA: i32 = 10282;

pub(super) async fn wsh_metadata(asker: &Asker) -> Result<String> {
    Ok(asker.ask(asker.wsh_metadata()).await?.data_json)
}

/// TWS wants to be asked for the metadata before; it is, where the session has not done so.
pub(super) async fn wsh_events(asker: &Asker, params: &WshEventsParams) -> Result<String> {
    match events(asker, params).await {
        Err(error) if error.code() == Some(NO_METADATA) => {
            wsh_metadata(asker).await?;
            events(asker, params).await
        }
        outcome => outcome,
    }
}

async fn events(asker: &Asker, params: &WshEventsParams) -> Result<String> {
    match &params.filter {
        Some(filter) => of_filter(asker, filter, params).await,
        None => of_contract(asker, params).await,
    }
}

async fn of_contract(asker: &Asker, params: &WshEventsParams) -> Result<String> {
    let mut builder = asker.wsh_event_data_by_contract(params.con_id.unwrap_or_default());
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
    Ok(asker.ask(builder.fetch()).await?.data_json)
}

/// ibapi makes a stream of it, but TWS answers once.
async fn of_filter(asker: &Asker, filter: &str, params: &WshEventsParams) -> Result<String> {
    let mut builder = asker.wsh_event_data_by_filter(filter);
    if let Some(limit) = params.total_limit {
        builder = builder.limit(limit.into());
    }
    let fill = auto_fill(params);
    if fill.is_specified() {
        builder = builder.auto_fill(fill);
    }
    let mut answers = asker.ask(builder.subscribe()).await?;
    while let Some(item) = next(&mut answers).await? {
        match item {
            SubscriptionItem::Data(events) => return Ok(events.data_json),
            SubscriptionItem::Notice(notice) => asker.notice(&notice),
        }
    }
    Err(cut_short())
}

fn auto_fill(params: &WshEventsParams) -> AutoFill {
    AutoFill {
        competitors: params.fill_competitors,
        portfolio: params.fill_portfolio,
        watchlist: params.fill_watchlist,
    }
}
