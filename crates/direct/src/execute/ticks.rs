//! Single ticks, past and present.

use futures_core::Stream;
use ibapi::Client;
use ibapi::prelude::{HistoricalTicksBuilder, TradingHours};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_connect_core::Result;
use ibkr_connect_core::backend::{Carrying, Events};
use ibkr_connect_core::types::{
    Contract, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, TickByTickEvent, TickByTickParams,
    TickByTickType,
};
use jiff::Timestamp;

use super::asker::Asker;
use super::follow::{Following, Opening, forward_following};
use super::forward::collect;
use super::live::{is_refusal, only_live};
use crate::convert::{self, Prices};

pub(super) async fn historical_ticks(
    asker: &Asker,
    params: &HistoricalTicksParams,
) -> Result<HistoricalTicks> {
    let prices = Prices::of(&params.contract);
    let contract = convert::contract_to_ibapi(&params.contract)?;
    let number = i32::try_from(params.number_of_ticks).unwrap_or(i32::MAX);
    let builder = asker.historical_ticks(&contract, number);
    let builder = within(builder, params)?.trading_hours(TradingHours::from_use_rth(params.use_rth));
    let (request_id, late) = asker.late();
    let answer = async {
        Ok(match params.what_to_show {
            HistoricalTickKind::Trades => {
                let ticks = asker.ask_as(request_id, builder.trade()).await?;
                HistoricalTicks::Trades(
                    collect(asker, ticks, |tick| Ok(convert::historical_trade(tick, prices))).await?,
                )
            }
            HistoricalTickKind::BidAsk => {
                let ticks = asker
                    .ask_as(request_id, builder.bid_ask(convert::ignore_size(params.ignore_size)))
                    .await?;
                HistoricalTicks::BidAsk(
                    collect(asker, ticks, |tick| Ok(convert::historical_bid_ask(tick, prices))).await?,
                )
            }
            HistoricalTickKind::Midpoint => {
                let ticks = asker.ask_as(request_id, builder.mid_point()).await?;
                HistoricalTicks::Midpoint(
                    collect(asker, ticks, |tick| Ok(convert::historical_midpoint(tick, prices))).await?,
                )
            }
        })
    };
    asker.unless(late, answer).await
}

pub(super) async fn tick_by_tick<'a>(
    asker: &'a Asker,
    params: &TickByTickParams,
    events: Events<'a, TickByTickEvent>,
) -> Result<Carrying<'a>> {
    // `open!(last())` is the stream whose ticks that method of ibapi's builder gives.
    macro_rules! open {
        ($kind:ident($($argument:expr)?)) => {{
            let open = move |contract: Contract| -> Opening<'a, _> {
                Box::pin(async move {
                    let contract = convert::contract_to_ibapi(&contract)?;
                    asker.ask(asker.tick_by_tick(&contract, 0).$kind($($argument)?)).await
                })
            };
            Following::open(asker, &params.contract, open).await?
        }};
    }
    let ignore_size = convert::ignore_size(params.ignore_size);
    match params.tick_type {
        TickByTickType::Last => stream(asker, params, open!(last()), events, convert::trade).await,
        TickByTickType::AllLast => stream(asker, params, open!(all_last()), events, convert::trade).await,
        TickByTickType::BidAsk => {
            stream(asker, params, open!(bid_ask(ignore_size)), events, convert::bid_ask).await
        }
        TickByTickType::Midpoint => {
            stream(asker, params, open!(mid_point()), events, convert::midpoint).await
        }
    }
}

/// The past, then the present. TWS would send both itself, but ibapi drops the past; the stream is open before the
/// question for it, so that nothing is missing in between.
async fn stream<'a, T: Send + 'a>(
    asker: &'a Asker,
    params: &TickByTickParams,
    live: Following<
        'a,
        impl Stream<Item = std::result::Result<SubscriptionItem<T>, ibapi::Error>> + Unpin + Send + 'a,
    >,
    events: Events<'a, TickByTickEvent>,
    convert: impl Fn(T, Prices) -> TickByTickEvent + Send + 'a,
) -> Result<Carrying<'a>> {
    if params.number_of_ticks > 0 {
        let past = historical_ticks(asker, &convert::past_of(params)).await?;
        for event in convert::tick_by_tick_events(past, params.tick_type) {
            events.send(event);
        }
    }
    let prices = Prices::of(&params.contract);
    let event = move |item| match item {
        SubscriptionItem::Data(tick) => Ok(convert(tick, prices)),
        SubscriptionItem::Notice(notice) if is_refusal(&notice) => Err(only_live(notice)),
        SubscriptionItem::Notice(notice) => {
            Ok(TickByTickEvent::Notice { code: notice.code, message: notice.message })
        }
    };
    Ok(forward_following(live, events, event))
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
