//! Single ticks, past and present.

use futures_core::Stream;
use ibapi::Client;
use ibapi::prelude::{HistoricalTicksBuilder, TradingHours};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::types::{
    HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, TickByTickEvent, TickByTickParams,
    TickByTickType,
};
use ibkr_connect_core::{Event, EventSender, Result};
use jiff::Timestamp;

use super::forward::{collect, forward};
use crate::convert;
use crate::error::request_error;

pub(super) async fn historical_ticks(
    client: &Client,
    params: &HistoricalTicksParams,
) -> Result<HistoricalTicks> {
    const COMMAND: &str = "historical_ticks";
    let failed = |error| request_error(COMMAND, error);
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let number = i32::try_from(params.number_of_ticks).unwrap_or(i32::MAX);
    let builder = client.historical_ticks(&contract, number);
    let builder = within(builder, params)?.trading_hours(TradingHours::from_use_rth(params.use_rth));
    Ok(match params.what_to_show {
        HistoricalTickKind::Trades => {
            let ticks = builder.trade().await.map_err(failed)?;
            HistoricalTicks::Trades(collect(COMMAND, ticks, convert::historical_trade).await?)
        }
        HistoricalTickKind::BidAsk => {
            let ticks = builder.bid_ask(convert::ignore_size(params.ignore_size)).await.map_err(failed)?;
            HistoricalTicks::BidAsk(collect(COMMAND, ticks, convert::historical_bid_ask).await?)
        }
        HistoricalTickKind::Midpoint => {
            let ticks = builder.mid_point().await.map_err(failed)?;
            HistoricalTicks::Midpoint(collect(COMMAND, ticks, convert::historical_midpoint).await?)
        }
    })
}

pub(super) async fn tick_by_tick(
    client: &Client,
    params: &TickByTickParams,
    events: &EventSender,
) -> Result<()> {
    let failed = |error| request_error("tick_by_tick", error);
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let builder = client.tick_by_tick(&contract, 0);
    match params.tick_type {
        TickByTickType::Last => {
            stream(client, params, builder.last().await.map_err(failed)?, events, convert::trade).await
        }
        TickByTickType::AllLast => {
            stream(client, params, builder.all_last().await.map_err(failed)?, events, convert::trade).await
        }
        TickByTickType::BidAsk => {
            let ticks = builder.bid_ask(convert::ignore_size(params.ignore_size)).await.map_err(failed)?;
            stream(client, params, ticks, events, convert::bid_ask).await
        }
        TickByTickType::Midpoint => {
            let ticks = builder.mid_point().await.map_err(failed)?;
            stream(client, params, ticks, events, convert::midpoint).await
        }
    }
}

/// The past, then the present. TWS would send both itself, but ibapi drops the past; the stream is open before the
/// question for it, so that nothing is missing in between.
async fn stream<T>(
    client: &Client,
    params: &TickByTickParams,
    live: impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin,
    events: &EventSender,
    convert: impl Fn(T) -> Result<TickByTickEvent>,
) -> Result<()> {
    if params.number_of_ticks > 0 {
        let past = historical_ticks(client, &convert::past_of(params)).await?;
        for event in convert::tick_by_tick_events(past, params.tick_type) {
            events.send(Event::TickByTick(event));
        }
    }
    let event = |item| match item {
        SubscriptionItem::Data(tick) => convert(tick).map(Event::TickByTick),
        SubscriptionItem::Notice(notice) => {
            let notice = TickByTickEvent::Notice { code: notice.code, message: notice.message };
            Ok(Event::TickByTick(notice))
        }
    };
    forward("tick_by_tick", live, events, event).await
}

fn within<'a>(
    builder: HistoricalTicksBuilder<'a, Client>,
    params: &HistoricalTicksParams,
) -> Result<HistoricalTicksBuilder<'a, Client>> {
    match (params.start, params.end) {
        (None, end) => Ok(builder.ending(convert::offset_date_time(end.unwrap_or_else(Timestamp::now))?)),
        (Some(start), _) => Ok(builder.starting(convert::offset_date_time(start)?)),
    }
}
