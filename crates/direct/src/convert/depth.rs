//! Order books, and the exchanges behind books and quotes.

use ibapi::contracts as ib_contracts;
use ibapi::market_data::realtime as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    DepthExchange, DepthOperation, DepthRow, DepthSide, MarketDepthEvent, SmartComponent,
};
use ibkr_connect_core::{Error, ErrorKind, Result};

use super::{Prices, or_zero, size};

pub(crate) fn market_depth(change: ib::MarketDepths, prices: Prices) -> Result<MarketDepthEvent> {
    let row = match change {
        ib::MarketDepths::Reset => return Ok(MarketDepthEvent::Reset {}),
        ib::MarketDepths::MarketDepth(row) => literal!(DepthRow {
            side: side(row.side)?,
            position: position(row.position)?,
            operation: operation(row.operation)?,
            price: prices.price(row.price, Some(row.size)),
            size: size(row.size),
            market_maker: None,
            is_smart_depth: false,
        }),
        ib::MarketDepths::MarketDepthL2(row) => literal!(DepthRow {
            side: side(row.side)?,
            position: position(row.position)?,
            operation: operation(row.operation)?,
            price: prices.price(row.price, Some(row.size)),
            size: size(row.size),
            market_maker: Some(row.market_maker),
            is_smart_depth: row.smart_depth,
        }),
    };
    Ok(MarketDepthEvent::Row(row))
}

pub(crate) fn depth_exchange(exchange: ib::DepthMarketDataDescription) -> DepthExchange {
    // "No group" is the largest integer.
    let no_group = i32::MAX.to_string();
    literal!(DepthExchange {
        exchange: exchange.exchange_name,
        sec_type: exchange.security_type.into(),
        listing_exchange: exchange.listing_exchange,
        service_data_type: exchange.service_data_type,
        agg_group: exchange.aggregated_group.filter(|group| *group != no_group),
    })
}

pub(crate) fn smart_component(component: ib_contracts::SmartComponent) -> SmartComponent {
    literal!(SmartComponent {
        bit_number: or_zero(component.bit_number),
        exchange: component.exchange,
        exchange_letter: component.exchange_letter,
    })
}

fn side(side: i32) -> Result<DepthSide> {
    match side {
        0 => Ok(DepthSide::Ask),
        1 => Ok(DepthSide::Bid),
        other => Err(unknown("side", other)),
    }
}

fn operation(operation: i32) -> Result<DepthOperation> {
    match operation {
        0 => Ok(DepthOperation::Insert),
        1 => Ok(DepthOperation::Update),
        2 => Ok(DepthOperation::Delete),
        other => Err(unknown("operation", other)),
    }
}

fn position(position: i32) -> Result<u32> {
    u32::try_from(position).map_err(|_| unknown("position", position))
}

fn unknown(what: &str, number: i32) -> Error {
    Error::new(ErrorKind::Protocol, format!("the Gateway sent the {what} {number} of a row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_levels_and_resets() {
        let row = |operation| ib::MarketDepth { position: 2, operation, side: 1, price: 9.5, size: 300.0 };
        let expected = literal!(DepthRow {
            side: DepthSide::Bid,
            position: 2,
            operation: DepthOperation::Update,
            price: Some(9.5),
            size: Some(300.0),
            market_maker: None,
            is_smart_depth: false,
        });
        let converted = market_depth(ib::MarketDepths::MarketDepth(row(1)), Prices::Outright).unwrap();
        assert_eq!(converted, MarketDepthEvent::Row(expected));
        assert_eq!(
            market_depth(ib::MarketDepths::Reset, Prices::Outright).unwrap(),
            MarketDepthEvent::Reset {}
        );
        let error = market_depth(ib::MarketDepths::MarketDepth(row(3)), Prices::Outright).unwrap_err();
        assert_eq!(error.message(), "the Gateway sent the operation 3 of a row");
    }
}
