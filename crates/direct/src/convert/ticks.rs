//! Single ticks, past and present.

use ibapi::market_data::{IgnoreSize, historical as past, realtime as live};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    BidAskTick, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, MidpointTick, TickByTickEvent,
    TickByTickParams, TickByTickType, TradeTick,
};

use super::{Prices, said_time, size};

pub(crate) fn ignore_size(ignore: bool) -> IgnoreSize {
    if ignore { IgnoreSize::Yes } else { IgnoreSize::No }
}

pub(crate) fn historical_trade(tick: past::TickLast, prices: Prices) -> TradeTick {
    literal!(TradeTick {
        time: said_time(tick.timestamp),
        price: prices.price(tick.price, tick.size),
        size: tick.size.and_then(size),
        exchange: tick.exchange,
        special_conditions: tick.special_conditions,
        past_limit: tick.tick_attribute_last.past_limit,
        unreported: tick.tick_attribute_last.unreported,
    })
}

pub(crate) fn historical_bid_ask(tick: past::TickBidAsk, prices: Prices) -> BidAskTick {
    literal!(BidAskTick {
        time: said_time(tick.timestamp),
        bid_price: prices.price(tick.price_bid, tick.size_bid),
        ask_price: prices.price(tick.price_ask, tick.size_ask),
        bid_size: tick.size_bid.and_then(size),
        ask_size: tick.size_ask.and_then(size),
        bid_past_low: tick.tick_attribute_bid_ask.bid_past_low,
        ask_past_high: tick.tick_attribute_bid_ask.ask_past_high,
    })
}

pub(crate) fn historical_midpoint(tick: past::TickMidpoint, prices: Prices) -> MidpointTick {
    literal!(MidpointTick { time: said_time(tick.timestamp), price: prices.price(tick.price, None) })
}

pub(crate) fn trade(tick: live::Trade, prices: Prices) -> TickByTickEvent {
    TickByTickEvent::Trade(literal!(TradeTick {
        time: said_time(tick.time),
        price: prices.price(tick.price, Some(tick.size)),
        size: size(tick.size),
        exchange: tick.exchange,
        special_conditions: tick.special_conditions,
        past_limit: tick.trade_attribute.past_limit,
        unreported: tick.trade_attribute.unreported,
    }))
}

pub(crate) fn bid_ask(tick: live::BidAsk, prices: Prices) -> TickByTickEvent {
    TickByTickEvent::BidAsk(literal!(BidAskTick {
        time: said_time(tick.time),
        bid_price: prices.price(tick.bid_price, Some(tick.bid_size)),
        ask_price: prices.price(tick.ask_price, Some(tick.ask_size)),
        bid_size: size(tick.bid_size),
        ask_size: size(tick.ask_size),
        bid_past_low: tick.bid_ask_attribute.bid_past_low,
        ask_past_high: tick.bid_ask_attribute.ask_past_high,
    }))
}

pub(crate) fn midpoint(tick: live::MidPoint, prices: Prices) -> TickByTickEvent {
    let price = prices.price(tick.mid_point, None);
    TickByTickEvent::Midpoint(literal!(MidpointTick { time: said_time(tick.time), price }))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Price and size on both sides of a quote, and of a trade: past and present are told alike.
    fn told(prices: Prices, price: f64, at: f64) -> (Option<f64>, Option<f64>) {
        let epoch = time::OffsetDateTime::UNIX_EPOCH;
        let quote = past::TickBidAsk {
            timestamp: epoch,
            tick_attribute_bid_ask: past::TickAttributeBidAsk { bid_past_low: false, ask_past_high: false },
            price_bid: price,
            price_ask: price,
            size_bid: Some(at),
            size_ask: Some(at),
        };
        let quote = historical_bid_ask(quote, prices);
        let live = live::BidAsk {
            time: epoch,
            bid_price: price,
            ask_price: price,
            bid_size: at,
            ask_size: at,
            bid_ask_attribute: live::BidAskAttribute { bid_past_low: false, ask_past_high: false },
        };
        assert_eq!(bid_ask(live, prices), TickByTickEvent::BidAsk(quote.clone()));
        assert_eq!((quote.bid_price, quote.bid_size), (quote.ask_price, quote.ask_size));
        assert_eq!(quote.time, None, "no time is no time in 1970");
        (quote.bid_price, quote.bid_size)
    }

    #[test]
    fn a_side_without_a_quote_has_no_price() {
        assert_eq!(told(Prices::Outright, -1.0, 0.0), (None, Some(0.0)));
        assert_eq!(told(Prices::Outright, 0.0, 0.0), (None, Some(0.0)));
        assert_eq!(told(Prices::Outright, 9.5, -1.0), (Some(9.5), None));
        assert_eq!(told(Prices::Outright, -37.63, 2.0), (Some(-37.63), Some(2.0)));
        assert_eq!(told(Prices::Spread, -1.0, 3.0), (Some(-1.0), Some(3.0)));
        assert_eq!(told(Prices::Spread, f64::MAX, 3.0), (None, Some(3.0)));
    }

    #[test]
    fn only_a_stream_of_all_trades_has_unreported_ones() {
        let trade = |unreported| {
            literal!(TradeTick {
                time: None,
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
