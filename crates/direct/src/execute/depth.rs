//! Order books.

use ibapi::Client;
use ibapi::market_data::SmartDepth;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::types::{DepthExchange, MarketDepthEvent, MarketDepthParams};
use ibkr_connect_core::{Error, ErrorKind, Event, EventSender, Result};

use super::forward::forward;
use crate::convert;
use crate::error::request_error;

pub(super) async fn market_depth(
    client: &Client,
    params: &MarketDepthParams,
    events: &EventSender,
) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let rows = i32::try_from(params.number_of_rows).map_err(|_| {
        let message = format!("market_depth: {} rows are more than TWS has", params.number_of_rows);
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    let smart = if params.is_smart_depth { SmartDepth::Yes } else { SmartDepth::No };
    let builder = client.market_depth(&contract, rows).smart_depth(smart);
    let rows = builder.subscribe().await.map_err(|error| request_error("market_depth", error))?;
    let event = |item| match item {
        SubscriptionItem::Data(row) => convert::market_depth(row).map(Event::MarketDepth),
        SubscriptionItem::Notice(notice) => {
            let notice = MarketDepthEvent::Notice { code: notice.code, message: notice.message };
            Ok(Event::MarketDepth(notice))
        }
    };
    forward("market_depth", rows, events, event).await
}

pub(super) async fn depth_exchanges(client: &Client) -> Result<Vec<DepthExchange>> {
    let exchanges =
        client.market_depth_exchanges().await.map_err(|error| request_error("depth_exchanges", error))?;
    Ok(exchanges.into_iter().map(convert::depth_exchange).collect())
}
