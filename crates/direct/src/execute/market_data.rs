//! Quotes.

use ibapi::Client;
use ibapi::market_data::realtime::TickTypes;
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::{Subscription, SubscriptionItem};
use ibkr_connect_core::types::{MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{Event, EventSender, Result};

use super::cut_short;
use crate::convert;
use crate::error::request_error;

pub(super) async fn market_data(
    client: &Client,
    params: &MarketDataParams,
    events: &EventSender,
) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let generic_ticks: Vec<_> = params.generic_ticks.iter().map(String::as_str).collect();
    let mut builder = client.market_data(&contract).generic_ticks(&generic_ticks);
    if params.snapshot {
        builder = builder.snapshot();
    }
    let ticks = builder.subscribe().await.map_err(|error| request_error("market_data", error))?;
    forward_ticks(ticks, events).await
}

async fn forward_ticks(mut ticks: Subscription<TickTypes>, events: &EventSender) -> Result<()> {
    let send = |event| events.send(Event::MarketData(event));
    while let Some(item) = ticks.next().await {
        match item.map_err(|error| request_error("market_data", error))? {
            SubscriptionItem::Data(TickTypes::SnapshotEnd) => {
                send(MarketDataEvent::SnapshotEnd {});
                return Ok(());
            }
            SubscriptionItem::Data(tick) => convert::tick(tick).into_iter().for_each(send),
            SubscriptionItem::Notice(notice) => {
                send(MarketDataEvent::Notice { code: notice.code, message: notice.message });
            }
        }
    }
    Err(cut_short("market_data"))
}
