//! Quotes.

use ibapi::contracts::tick_types as ib_ticks;
use ibapi::market_data::realtime as ib;
use ibkr_connect_core::types::{MarketDataEvent, TickType, set};

/// One tick of TWS as our events; a price that came with its size stays one event.
pub(crate) fn tick(tick: ib::TickTypes) -> Option<MarketDataEvent> {
    use ib::TickTypes as Ib;
    Some(match tick {
        Ib::Price(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.tick_type),
            price: set(tick.price),
            size: None,
        },
        // TWS says "no bid" and "no ask" with a price of -1 and a size of 0; a spread's price may well be -1.
        Ib::PriceSize(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.price_tick_type),
            price: set(tick.price).filter(|price| *price != -1.0 || tick.size != 0.0),
            size: set(tick.size),
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
            snapshot_permissions: parameters.snapshot_permissions,
        },
        Ib::MarketDataType(kind) => MarketDataEvent::MarketDataType { market_data_type: kind as i32 },
        Ib::SnapshotEnd => MarketDataEvent::SnapshotEnd {},
    })
}

fn tick_type(tick_type: ib_ticks::TickType) -> TickType {
    TickType(tick_type as i32)
}
