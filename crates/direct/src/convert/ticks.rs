//! Single ticks, past and present.

use ibapi::market_data::{IgnoreSize, historical as past, realtime as live};
use ibkr_connect_core::Result;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    BidAskTick, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, MidpointTick, TickByTickEvent,
    TickByTickParams, TickByTickType, TradeTick, set,
};

use super::timestamp;

pub(crate) fn ignore_size(ignore: bool) -> IgnoreSize {
    if ignore { IgnoreSize::Yes } else { IgnoreSize::No }
}

pub(crate) fn historical_trade(tick: past::TickLast) -> Result<TradeTick> {
    Ok(literal!(TradeTick {
        time: timestamp(tick.timestamp)?,
        price: set(tick.price),
        size: tick.size.and_then(set),
        exchange: tick.exchange,
        special_conditions: tick.special_conditions,
        past_limit: tick.tick_attribute_last.past_limit,
        unreported: tick.tick_attribute_last.unreported,
    }))
}

pub(crate) fn historical_bid_ask(tick: past::TickBidAsk) -> Result<BidAskTick> {
    Ok(literal!(BidAskTick {
        time: timestamp(tick.timestamp)?,
        bid_price: quoted(tick.price_bid, tick.size_bid),
        ask_price: quoted(tick.price_ask, tick.size_ask),
        bid_size: tick.size_bid.and_then(set),
        ask_size: tick.size_ask.and_then(set),
        bid_past_low: tick.tick_attribute_bid_ask.bid_past_low,
        ask_past_high: tick.tick_attribute_bid_ask.ask_past_high,
    }))
}

pub(crate) fn historical_midpoint(tick: past::TickMidpoint) -> Result<MidpointTick> {
    Ok(literal!(MidpointTick { time: timestamp(tick.timestamp)?, price: set(tick.price) }))
}

pub(crate) fn trade(tick: live::Trade) -> Result<TickByTickEvent> {
    Ok(TickByTickEvent::Trade(literal!(TradeTick {
        time: timestamp(tick.time)?,
        price: set(tick.price),
        size: set(tick.size),
        exchange: tick.exchange,
        special_conditions: tick.special_conditions,
        past_limit: tick.trade_attribute.past_limit,
        unreported: tick.trade_attribute.unreported,
    })))
}

pub(crate) fn bid_ask(tick: live::BidAsk) -> Result<TickByTickEvent> {
    Ok(TickByTickEvent::BidAsk(literal!(BidAskTick {
        time: timestamp(tick.time)?,
        bid_price: quoted(tick.bid_price, Some(tick.bid_size)),
        ask_price: quoted(tick.ask_price, Some(tick.ask_size)),
        bid_size: set(tick.bid_size),
        ask_size: set(tick.ask_size),
        bid_past_low: tick.bid_ask_attribute.bid_past_low,
        ask_past_high: tick.bid_ask_attribute.ask_past_high,
    })))
}

pub(crate) fn midpoint(tick: live::MidPoint) -> Result<TickByTickEvent> {
    Ok(TickByTickEvent::Midpoint(literal!(MidpointTick {
        time: timestamp(tick.time)?,
        price: set(tick.mid_point)
    })))
}

/// What comes before a stream: its ticks up to now.
pub(crate) fn past_of(params: &TickByTickParams) -> HistoricalTicksParams {
    HistoricalTicksParams::default()
        .with_contract(params.contract.clone())
        .with_what_to_show(match params.tick_type {
            TickByTickType::Last | TickByTickType::AllLast => HistoricalTickKind::Trades,
            TickByTickType::BidAsk => HistoricalTickKind::BidAsk,
            TickByTickType::Midpoint => HistoricalTickKind::Midpoint,
        })
        .with_number_of_ticks(params.number_of_ticks)
        .with_ignore_size(params.ignore_size)
}

/// Past ticks as events of a stream of `kind`: the history has unreported trades too.
pub(crate) fn tick_by_tick_events(ticks: HistoricalTicks, kind: TickByTickType) -> Vec<TickByTickEvent> {
    match ticks {
        HistoricalTicks::Trades(ticks) => ticks
            .into_iter()
            .filter(|tick| kind == TickByTickType::AllLast || !tick.unreported)
            .map(TickByTickEvent::Trade)
            .collect(),
        HistoricalTicks::BidAsk(ticks) => ticks.into_iter().map(TickByTickEvent::BidAsk).collect(),
        HistoricalTicks::Midpoint(ticks) => ticks.into_iter().map(TickByTickEvent::Midpoint).collect(),
    }
}

/// TWS says "nobody bids" with a price of -1 and no size; a spread's price may well be -1.
fn quoted(price: f64, size: Option<f64>) -> Option<f64> {
    set(price).filter(|price| *price != -1.0 || size.is_some_and(|size| size != 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_without_a_quote_has_no_price() {
        assert_eq!(quoted(-1.0, Some(0.0)), None);
        assert_eq!(quoted(-1.0, None), None);
        assert_eq!(quoted(-1.0, Some(3.0)), Some(-1.0));
        assert_eq!(quoted(9.5, None), Some(9.5));
        assert_eq!(quoted(f64::MAX, Some(3.0)), None);
    }

    #[test]
    fn only_a_stream_of_all_trades_has_unreported_ones() {
        let trade = |unreported| {
            literal!(TradeTick {
                time: jiff::Timestamp::UNIX_EPOCH,
                price: Some(9.0),
                size: Some(1.0),
                exchange: String::new(),
                special_conditions: String::new(),
                past_limit: false,
                unreported,
            })
        };
        let ticks = HistoricalTicks::Trades(vec![trade(false), trade(true)]);
        assert_eq!(tick_by_tick_events(ticks.clone(), TickByTickType::AllLast).len(), 2);
        assert_eq!(tick_by_tick_events(ticks, TickByTickType::Last), [TickByTickEvent::Trade(trade(false))]);
    }
}
