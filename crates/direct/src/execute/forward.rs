//! From ibapi's streams to ours.

use futures_core::Stream;
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::{Event, EventSender, Result};

use super::cut_short;
use crate::error::request_error;

/// Passes a stream on until it fails; one that just ends was cut short.
pub(super) async fn forward<T>(
    command: &str,
    mut items: impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin,
    events: &EventSender,
    event: impl Fn(SubscriptionItem<T>) -> Result<Event>,
) -> Result<()> {
    while let Some(item) = items.next().await {
        events.send(event(item.map_err(|error| request_error(command, error))?)?);
    }
    Err(cut_short(command))
}

/// Everything a stream has until it ends, for streams that end by themselves.
pub(super) async fn collect<T, U>(
    command: &str,
    mut items: impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin,
    convert: impl Fn(T) -> Result<U>,
) -> Result<Vec<U>> {
    let mut collected = Vec::new();
    while let Some(item) = items.next().await {
        match item.map_err(|error| request_error(command, error))? {
            SubscriptionItem::Data(data) => collected.push(convert(data)?),
            SubscriptionItem::Notice(notice) => tracing::info!(%notice, command),
        }
    }
    Ok(collected)
}
