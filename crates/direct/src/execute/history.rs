//! Historical data.

use ibapi::Client;
use ibapi::market_data::TradingHours;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::types::{
    HeadTimestampParams, HistogramEntry, HistogramParams, HistoricalBarUpdatesEvent,
    HistoricalBarUpdatesParams, HistoricalBars, HistoricalBarsParams, HistoricalSchedule,
    HistoricalScheduleParams, RealTimeBarsEvent, RealTimeBarsParams,
};
use ibkr_connect_core::{Event, EventSender, Result};
use jiff::Timestamp;

use super::forward::forward;
use crate::convert;
use crate::error::request_error;

pub(super) async fn historical_bars(
    client: &Client,
    params: &HistoricalBarsParams,
) -> Result<HistoricalBars> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let mut builder = client
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(TradingHours::from_use_rth(params.use_rth));
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let data = builder.fetch().await.map_err(|error| request_error("historical_bars", error))?;
    convert::historical_bars(data)
}

pub(super) async fn historical_bar_updates(
    client: &Client,
    params: &HistoricalBarUpdatesParams,
    events: &EventSender,
) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let builder = client
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(TradingHours::from_use_rth(params.use_rth));
    let bars = builder.stream().await.map_err(|error| request_error("historical_bar_updates", error))?;
    let event = |item| match item {
        SubscriptionItem::Data(update) => {
            convert::historical_bar_update(update).map(Event::HistoricalBarUpdates)
        }
        SubscriptionItem::Notice(notice) => {
            let notice = HistoricalBarUpdatesEvent::Notice { code: notice.code, message: notice.message };
            Ok(Event::HistoricalBarUpdates(notice))
        }
    };
    forward("historical_bar_updates", bars, events, event).await
}

pub(super) async fn real_time_bars(
    client: &Client,
    params: &RealTimeBarsParams,
    events: &EventSender,
) -> Result<()> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let builder = client
        .realtime_bars(&contract)
        .what_to_show(convert::real_time_bar_kind(params.what_to_show))
        .trading_hours(TradingHours::from_use_rth(params.use_rth));
    let bars = builder.subscribe().await.map_err(|error| request_error("real_time_bars", error))?;
    let event = |item| match item {
        SubscriptionItem::Data(bar) => convert::real_time_bar(bar).map(Event::RealTimeBars),
        SubscriptionItem::Notice(notice) => {
            let notice = RealTimeBarsEvent::Notice { code: notice.code, message: notice.message };
            Ok(Event::RealTimeBars(notice))
        }
    };
    forward("real_time_bars", bars, events, event).await
}

pub(super) async fn historical_schedule(
    client: &Client,
    params: &HistoricalScheduleParams,
) -> Result<HistoricalSchedule> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let mut builder = client.historical_schedules(&contract, convert::duration(params.duration)?);
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let schedule = builder.fetch().await.map_err(|error| request_error("historical_schedule", error))?;
    convert::historical_schedule(schedule)
}

pub(super) async fn head_timestamp(client: &Client, params: &HeadTimestampParams) -> Result<Timestamp> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let what_to_show = convert::what_to_show(params.what_to_show);
    let hours = TradingHours::from_use_rth(params.use_rth);
    let head = client.head_timestamp(&contract, what_to_show, hours).await;
    convert::timestamp(head.map_err(|error| request_error("head_timestamp", error))?)
}

pub(super) async fn histogram(client: &Client, params: &HistogramParams) -> Result<Vec<HistogramEntry>> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let hours = TradingHours::from_use_rth(params.use_rth);
    let period = convert::histogram_period(params.period);
    let entries = client.histogram_data(&contract, hours, period).await;
    let entries = entries.map_err(|error| request_error("histogram", error))?;
    Ok(entries.into_iter().map(convert::histogram_entry).collect())
}
