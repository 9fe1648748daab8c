//! Historical data.

use ibapi::market_data::TradingHours;
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    Contract, HeadTimestampParams, HistogramEntry, HistogramParams, HistoricalBarUpdatesEvent,
    HistoricalBarUpdatesParams, HistoricalBars, HistoricalBarsParams, HistoricalSchedule,
    HistoricalScheduleParams, RealTimeBarsEvent, RealTimeBarsParams,
};
use jiff::Timestamp;

use super::asker::Asker;
use super::cut_short;
use super::follow::{Following, Opening, forward_following};
use super::forward::forward;
use super::live::{is_refusal, only_live};
use crate::convert::{self, Prices};
use crate::items::next;

pub(super) async fn historical_bars(asker: &Asker, params: &HistoricalBarsParams) -> Result<HistoricalBars> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let mut builder = asker
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(TradingHours::from_use_rth(params.use_rth));
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let data = asker.ask_history(builder.fetch()).await?;
    Ok(convert::historical_bars(data, Prices::of(&params.contract)))
}

pub(super) async fn historical_bar_updates<'a>(
    asker: &'a Asker,
    params: &HistoricalBarUpdatesParams,
    events: Events<'a, HistoricalBarUpdatesEvent>,
) -> Result<Carrying<'a>> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let builder = asker
        .historical_data(&contract, convert::bar_size(params.bar_size))
        .duration(convert::duration(params.duration)?)
        .what_to_show(convert::what_to_show(params.what_to_show))
        .trading_hours(TradingHours::from_use_rth(params.use_rth));
    let (request_id, late) = asker.late();
    let mut bars = asker.ask_as(request_id, builder.stream()).await?;
    let prices = Prices::of(&params.contract);
    let event = move |item| match item {
        SubscriptionItem::Data(update) => Ok(convert::historical_bar_update(update, prices)),
        SubscriptionItem::Notice(notice) => {
            Ok(HistoricalBarUpdatesEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    Ok(Box::pin(async move {
        let begun = async {
            while let Some(item) = next(&mut bars).await? {
                let has_begun = matches!(item, SubscriptionItem::Data(_));
                events.send(event(item)?);
                if has_begun {
                    return Ok(());
                }
            }
            Err(cut_short())
        };
        asker.unless(late, begun).await?;
        forward(bars, events, event).await
    }))
}

pub(super) async fn real_time_bars<'a>(
    asker: &'a Asker,
    params: &RealTimeBarsParams,
    events: Events<'a, RealTimeBarsEvent>,
) -> Result<Carrying<'a>> {
    let what_to_show = convert::real_time_bar_kind(params.what_to_show);
    let hours = TradingHours::from_use_rth(params.use_rth);
    let open = move |contract: Contract| -> Opening<'a, _> {
        Box::pin(async move {
            let contract = convert::contract_to_ibapi(&contract)?;
            let builder = asker.realtime_bars(&contract).what_to_show(what_to_show).trading_hours(hours);
            asker.ask(builder.subscribe()).await
        })
    };
    let bars = Following::open(asker, &params.contract, open).await?;
    let prices = Prices::of(&params.contract);
    let event = move |item| match item {
        SubscriptionItem::Data(bar) => Ok(convert::real_time_bar(bar, prices)),
        SubscriptionItem::Notice(notice) if is_refusal(&notice) => Err(only_live(notice)),
        SubscriptionItem::Notice(notice) => {
            Ok(RealTimeBarsEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    Ok(forward_following(bars, events, event))
}

pub(super) async fn historical_schedule(
    asker: &Asker,
    params: &HistoricalScheduleParams,
) -> Result<HistoricalSchedule> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let mut builder = asker.historical_schedules(&contract, convert::duration(params.duration)?);
    if let Some(end) = params.end {
        builder = builder.ending(convert::offset_date_time(end)?);
    }
    let schedule = asker.ask_history(builder.fetch()).await?;
    Ok(convert::historical_schedule(schedule))
}

pub(super) async fn head_timestamp(asker: &Asker, params: &HeadTimestampParams) -> Result<Option<Timestamp>> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let what_to_show = convert::what_to_show(params.what_to_show);
    let hours = TradingHours::from_use_rth(params.use_rth);
    Ok(convert::said_time(asker.ask_history(asker.head_timestamp(&contract, what_to_show, hours)).await?))
}

pub(super) async fn histogram(asker: &Asker, params: &HistogramParams) -> Result<Vec<HistogramEntry>> {
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let hours = TradingHours::from_use_rth(params.use_rth);
    let period = convert::histogram_period(params.period);
    let entries = asker.answered(asker.ask_history(asker.histogram_data(&contract, hours, period)).await?)?;
    let prices = Prices::of(&params.contract);
    Ok(entries.into_iter().map(|entry| convert::histogram_entry(entry, prices)).collect())
}
