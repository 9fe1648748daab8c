//! Quotes.

use ibapi::contracts::tick_types as ib_ticks;
use ibapi::market_data::{MarketDataType as IbMarketDataType, realtime as ib};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{MarketDataEvent, MarketDataType, PriceAttributes, TickType, set};

pub(crate) fn market_data_type(kind: MarketDataType) -> IbMarketDataType {
    match kind {
        MarketDataType::Live => IbMarketDataType::Realtime,
        MarketDataType::Frozen => IbMarketDataType::Frozen,
        MarketDataType::Delayed => IbMarketDataType::Delayed,
        MarketDataType::DelayedFrozen => IbMarketDataType::DelayedFrozen,
    }
}

/// One tick of TWS as our events; a price that came with its size stays one event.
pub(crate) fn tick(tick: ib::TickTypes) -> Option<MarketDataEvent> {
    use ib::TickTypes as Ib;
    Some(match tick {
        Ib::Price(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.tick_type),
            price: set(tick.price),
            size: None,
            attributes: attributes(tick.attributes),
        },
        // TWS says "no bid" and "no ask" with a price of -1 and a size of 0; a spread's price may well be -1.
        Ib::PriceSize(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.price_tick_type),
            price: set(tick.price).filter(|price| *price != -1.0 || tick.size != 0.0),
            size: set(tick.size),
            attributes: attributes(tick.attributes),
        },
        Ib::Size(tick) => {
            MarketDataEvent::Size { tick_type: tick_type(tick.tick_type), size: set(tick.size) }
        }
        Ib::String(tick) => MarketDataEvent::Text { tick_type: tick_type(tick.tick_type), value: tick.value },
        Ib::Generic(tick) => {
            MarketDataEvent::Generic { tick_type: tick_type(tick.tick_type), value: set(tick.value) }
        }
        Ib::OptionComputation(tick) => MarketDataEvent::OptionComputation {
            tick_type: tick_type(tick.field),
            implied_volatility: tick.implied_volatility.and_then(set),
            delta: tick.delta.and_then(set),
            option_price: tick.option_price.and_then(set),
            present_value_dividend: tick.present_value_dividend.and_then(set),
            gamma: tick.gamma.and_then(set),
            vega: tick.vega.and_then(set),
            theta: tick.theta.and_then(set),
            underlying_price: tick.underlying_price.and_then(set),
        },
        Ib::RequestParameters(parameters) => MarketDataEvent::RequestParameters {
            min_tick: set(parameters.min_tick),
            bbo_exchange: parameters.bbo_exchange,
            snapshot_permissions: Some(parameters.snapshot_permissions),
            last_price_precision: None,
            last_size_precision: None,
        },
        Ib::MarketDataType(kind) => MarketDataEvent::MarketDataType { market_data_type: kind as i32 },
        Ib::SnapshotEnd => MarketDataEvent::SnapshotEnd {},
    })
}

fn attributes(attributes: ib::TickAttribute) -> PriceAttributes {
    literal!(PriceAttributes {
        can_auto_execute: attributes.can_auto_execute,
        past_limit: attributes.past_limit,
        pre_open: attributes.pre_open,
    })
}

fn tick_type(tick_type: ib_ticks::TickType) -> TickType {
    TickType(tick_type as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_bids_at_minus_one() {
        let priced = |price, size| {
            let tick = ib::TickPriceSize {
                price_tick_type: ib_ticks::TickType::Bid,
                price,
                size_tick_type: ib_ticks::TickType::BidSize,
                size,
                ..ib::TickPriceSize::default()
            };
            match super::tick(ib::TickTypes::PriceSize(tick)) {
                Some(MarketDataEvent::Price { price, .. }) => price,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(priced(-1.0, 0.0), None);
        assert_eq!(priced(-1.0, 5.0), Some(-1.0));
        assert_eq!(priced(9.5, 0.0), Some(9.5));
    }

    #[test]
    fn what_an_option_model_did_not_compute_is_unset() {
        let computation = ibapi::contracts::OptionComputation {
            field: ib_ticks::TickType::ModelOption,
            implied_volatility: Some(0.25),
            delta: Some(-0.5),
            gamma: None,
            vega: Some(f64::MAX),
            theta: Some(f64::NAN),
            ..Default::default()
        };
        let Some(MarketDataEvent::OptionComputation {
            tick_type,
            implied_volatility,
            delta,
            gamma,
            vega,
            theta,
            ..
        }) = tick(ib::TickTypes::OptionComputation(computation))
        else {
            panic!()
        };
        assert_eq!(tick_type.to_string(), "model_option");
        assert_eq!((implied_volatility, delta), (Some(0.25), Some(-0.5)));
        assert_eq!((gamma, vega, theta), (None, None, None));
    }
}
