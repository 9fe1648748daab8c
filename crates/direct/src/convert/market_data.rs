//! Quotes.

use ibapi::contracts::tick_types as ib_ticks;
use ibapi::market_data::{MarketDataType as IbMarketDataType, realtime as ib};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{MarketDataEvent, MarketDataType, PriceAttributes, TickType, number, set};
use ibkr_connect_wire::ids::tick;
use ibkr_connect_wire::{carried_tick, messages as wire};
use prost::Message;

use super::{Prices, amount, decimal, size, text};

pub(crate) fn market_data_type(kind: MarketDataType) -> IbMarketDataType {
    match kind {
        MarketDataType::Live => IbMarketDataType::Realtime,
        MarketDataType::Frozen => IbMarketDataType::Frozen,
        MarketDataType::Delayed => IbMarketDataType::Delayed,
        MarketDataType::DelayedFrozen => IbMarketDataType::DelayedFrozen,
    }
}

/// One tick of TWS as our events; a price that came with its size stays one event.
pub(crate) fn tick(tick: ib::TickTypes, prices: Prices) -> Option<MarketDataEvent> {
    use ib::TickTypes as Ib;
    Some(match tick {
        Ib::Price(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.tick_type),
            price: priced(tick_type(tick.tick_type), prices, tick.price, None),
            size: None,
            attributes: attributes(tick.attributes),
        },
        Ib::PriceSize(tick) => MarketDataEvent::Price {
            tick_type: tick_type(tick.price_tick_type),
            price: priced(tick_type(tick.price_tick_type), prices, tick.price, Some(tick.size)),
            size: size(tick.size),
            attributes: attributes(tick.attributes),
        },
        Ib::Size(tick) => {
            MarketDataEvent::Size { tick_type: tick_type(tick.tick_type), size: size(tick.size) }
        }
        Ib::String(tick) => match carried_tick(&tick.value) {
            Some((id, body)) => return odd_tick(id, &body, prices),
            None => MarketDataEvent::Text { tick_type: tick_type(tick.tick_type), value: tick.value },
        },
        Ib::Generic(tick) => {
            MarketDataEvent::Generic { tick_type: tick_type(tick.tick_type), value: set(tick.value) }
        }
        Ib::OptionComputation(tick) => MarketDataEvent::OptionComputation {
            tick_type: tick_type(tick.field),
            implied_volatility: tick.implied_volatility.and_then(set),
            tick_attrib: tick.tick_attribute.and_then(number),
            delta: tick.delta.and_then(set),
            option_price: tick.option_price.and_then(set),
            present_value_dividend: tick.present_value_dividend.and_then(set),
            gamma: tick.gamma.and_then(set),
            vega: tick.vega.and_then(set),
            theta: tick.theta.and_then(set),
            underlying_price: tick.underlying_price.and_then(set),
        },
        Ib::RequestParameters(parameters) => MarketDataEvent::RequestParameters {
            min_tick: set(parameters.min_tick).filter(|tick| *tick > 0.0),
            bbo_exchange: parameters.bbo_exchange,
            snapshot_permissions: number(parameters.snapshot_permissions),
            last_price_precision: None,
            last_size_precision: None,
        },
        Ib::MarketDataType(kind) => MarketDataEvent::MarketDataType { market_data_type: kind as i32 },
        Ib::SnapshotEnd => MarketDataEvent::SnapshotEnd {},
    })
}

/// A price of this type. A yield is no price: it may be -1 percent, or nothing.
fn priced(kind: TickType, prices: Prices, price: f64, at: Option<f64>) -> Option<f64> {
    match kind.0 {
        50..=52 | 103 | 104 => set(price),
        _ => prices.price(price, at),
    }
}

/// A tick that travels whole, since ibapi would lose something of it.
fn odd_tick(id: u32, body: &[u8], prices: Prices) -> Option<MarketDataEvent> {
    Some(match id {
        tick::PRICE => price(wire::TickPrice::decode(body).ok()?, prices),
        tick::SIZE => {
            let of = wire::TickSize::decode(body).ok()?;
            MarketDataEvent::Size { tick_type: odd_tick_type(of.tick_type), size: amount(of.size) }
        }
        tick::GENERIC => {
            let of = wire::TickGeneric::decode(body).ok()?;
            MarketDataEvent::Generic { tick_type: odd_tick_type(of.tick_type), value: of.value.and_then(set) }
        }
        tick::STRING => {
            let of = wire::TickString::decode(body).ok()?;
            MarketDataEvent::Text { tick_type: odd_tick_type(of.tick_type), value: text(of.value) }
        }
        tick::OPTION_COMPUTATION => option_model(wire::TickOptionComputation::decode(body).ok()?),
        tick::MARKET_DATA_TYPE => {
            let of = wire::MarketDataType::decode(body).ok()?;
            MarketDataEvent::MarketDataType { market_data_type: of.market_data_type.unwrap_or_default() }
        }
        tick::REQ_PARAMS => {
            let of = wire::TickReqParams::decode(body).ok()?;
            MarketDataEvent::RequestParameters {
                min_tick: decimal(of.min_tick).filter(|tick| *tick > 0.0),
                bbo_exchange: text(of.bbo_exchange),
                snapshot_permissions: of.snapshot_permissions.and_then(number),
                last_price_precision: decimal(of.last_price_precision),
                last_size_precision: decimal(of.last_size_precision),
            }
        }
        _ => return None,
    })
}

fn price(of: wire::TickPrice, prices: Prices) -> MarketDataEvent {
    let (at, mask) = (amount(of.size), of.attr_mask.unwrap_or_default());
    let tick_type = odd_tick_type(of.tick_type);
    MarketDataEvent::Price {
        tick_type,
        price: of.price.and_then(|price| priced(tick_type, prices, price, at)),
        size: at,
        attributes: literal!(PriceAttributes {
            can_auto_execute: mask & 1 != 0,
            past_limit: mask & 2 != 0,
            pre_open: mask & 4 != 0,
        }),
    }
}

fn option_model(of: wire::TickOptionComputation) -> MarketDataEvent {
    // What TWS writes where it has not computed: -1 for volatility and prices, -2 for the rest.
    let price = |value: Option<f64>| value.and_then(set).filter(|value| *value != -1.0);
    let greek = |value: Option<f64>| value.and_then(set).filter(|value| *value != -2.0);
    MarketDataEvent::OptionComputation {
        tick_type: odd_tick_type(of.tick_type),
        implied_volatility: price(of.implied_vol),
        tick_attrib: of.tick_attrib.and_then(number),
        delta: greek(of.delta),
        option_price: price(of.opt_price),
        present_value_dividend: price(of.pv_dividend),
        gamma: greek(of.gamma),
        vega: greek(of.vega),
        theta: greek(of.theta),
        underlying_price: price(of.und_price),
    }
}

fn odd_tick_type(tick_type: Option<i32>) -> TickType {
    TickType(tick_type.unwrap_or_default())
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

    /// Price and size of a tick of this type, with its size and without.
    fn told(kind: ib_ticks::TickType, prices: Prices, price: f64, size: f64) -> [Option<f64>; 3] {
        let with_size = ib::TickPriceSize { price_tick_type: kind, price, size, ..Default::default() };
        let alone = ib::TickPrice { tick_type: kind, price, ..Default::default() };
        let price_of = |tick| match super::tick(tick, prices) {
            Some(MarketDataEvent::Price { price, size, .. }) => (price, size),
            other => panic!("{other:?}"),
        };
        let (price, size) = price_of(ib::TickTypes::PriceSize(with_size));
        [price, size, price_of(ib::TickTypes::Price(alone)).0]
    }

    #[test]
    fn what_nobody_offers_has_no_price() {
        use ib_ticks::TickType as Kind;
        for kind in [
            Kind::Bid,
            Kind::Ask,
            Kind::Last,
            Kind::High,
            Kind::Low,
            Kind::Close,
            Kind::Open,
            Kind::DelayedBid,
            Kind::DelayedAsk,
            Kind::DelayedLast,
            Kind::DelayedHigh,
            Kind::DelayedLow,
            Kind::DelayedClose,
            Kind::DelayedOpen,
            Kind::MarkPrice,
        ] {
            let outright = |price, size| told(kind, Prices::Outright, price, size);
            assert_eq!(outright(-1.0, 0.0), [None, Some(0.0), None], "{kind:?}");
            assert_eq!(outright(0.0, 0.0), [None, Some(0.0), None], "{kind:?}");
            assert_eq!(outright(0.0, 5.0), [Some(0.0), Some(5.0), None], "{kind:?}");
            assert_eq!(outright(-37.63, -1.0), [Some(-37.63), None, Some(-37.63)], "{kind:?}");
            let spread = told(kind, Prices::Spread, -1.0, 3.0);
            assert_eq!(spread, [Some(-1.0), Some(3.0), Some(-1.0)], "{kind:?}");
        }
        let yields = told(Kind::BidYield, Prices::Outright, -1.0, 0.0);
        assert_eq!(yields, [Some(-1.0), Some(0.0), Some(-1.0)], "a yield is no price");
    }

    #[test]
    fn a_size_below_zero_is_none() {
        let told = |size| {
            let tick = ib::TickSize { tick_type: ib_ticks::TickType::Volume, size };
            match super::tick(ib::TickTypes::Size(tick), Prices::Outright) {
                Some(MarketDataEvent::Size { size, .. }) => size,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([-1.0, 0.0, 0.5, f64::MAX].map(told), [None, Some(0.0), Some(0.5), None]);
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
        }) = tick(ib::TickTypes::OptionComputation(computation), Prices::Outright)
        else {
            panic!()
        };
        assert_eq!(tick_type.to_string(), "model_option");
        assert_eq!((implied_volatility, delta), (Some(0.25), Some(-0.5)));
        assert_eq!((gamma, vega, theta), (None, None, None));
    }
}
