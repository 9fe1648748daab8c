//! ibapi's types and ours. What TWS leaves unset becomes `None` here, and NaN ends here.

use ibapi::accounts as ib_accounts;
use ibapi::contracts as ib_contracts;
use ibapi::market_data::historical as ib_historical;
use ibapi::market_data::realtime as ib_realtime;
use ibkr_connect_core::types::{
    AccountSummaryValue, Bar, BarSize, BarTime, Contract, ContractDetails, HistoricalBars,
    HistoricalDuration, MarketDataEvent, Position, TickType, WhatToShow, set,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use time::OffsetDateTime;

pub(crate) fn timestamp(time: OffsetDateTime) -> Result<Timestamp> {
    Timestamp::from_nanosecond(time.unix_timestamp_nanos()).map_err(|error| {
        Error::new(ErrorKind::Protocol, format!("the Gateway sent the time {time}: {error}"))
    })
}

pub(crate) fn offset_date_time(time: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanosecond()).map_err(|error| {
        Error::new(ErrorKind::Unsupported, format!("the time {time} can't be asked for: {error}"))
    })
}

/// The accounts without the empty name that a trailing comma makes.
pub(crate) fn accounts(accounts: Vec<String>) -> Vec<String> {
    accounts.into_iter().filter(|account| !account.is_empty()).collect()
}

pub(crate) fn account_summary_value(row: ib_accounts::AccountSummary) -> AccountSummaryValue {
    AccountSummaryValue {
        account: row.account,
        tag: row.tag,
        value: row.value,
        currency: Some(row.currency).filter(|currency| !currency.is_empty()),
    }
}

pub(crate) fn position(row: ib_accounts::Position) -> Position {
    Position {
        account: row.account,
        contract: contract(row.contract),
        position: set(row.position).unwrap_or_default(),
        average_cost: set(row.average_cost),
    }
}

pub(crate) fn contract(contract: ib_contracts::Contract) -> Contract {
    Contract {
        con_id: contract.contract_id,
        symbol: contract.symbol.0,
        sec_type: contract.security_type.to_string(),
        last_trade_date_or_contract_month: contract.last_trade_date_or_contract_month,
        strike: set(contract.strike).filter(|strike| *strike != 0.0),
        right: contract.right.map(|right| right.to_string()).unwrap_or_default(),
        multiplier: contract.multiplier,
        exchange: contract.exchange.0,
        primary_exchange: contract.primary_exchange.0,
        currency: contract.currency.0,
        local_symbol: contract.local_symbol,
        trading_class: contract.trading_class,
        sec_id_type: contract.security_id_type.map(|kind| kind.to_string()).unwrap_or_default(),
        sec_id: contract.security_id,
        include_expired: contract.include_expired,
    }
}

pub(crate) fn contract_to_ibapi(contract: &Contract) -> Result<ib_contracts::Contract> {
    use ib_contracts::SecurityType;
    let unknown = |what: &str, value: &str| {
        Error::new(ErrorKind::Unsupported, format!("the contract's {what} {value:?} is none that TWS knows"))
    };
    Ok(ib_contracts::Contract {
        contract_id: contract.con_id,
        symbol: contract.symbol.as_str().into(),
        security_type: match contract.sec_type.as_str() {
            "" => SecurityType::Other(String::new()),
            name => name.parse().map_err(|_| unknown("sec_type", name))?,
        },
        last_trade_date_or_contract_month: contract.last_trade_date_or_contract_month.clone(),
        strike: contract.strike.unwrap_or_default(),
        right: match contract.right.as_str() {
            "" | "0" | "?" => None,
            "CALL" => Some(ib_contracts::OptionRight::Call),
            "PUT" => Some(ib_contracts::OptionRight::Put),
            right => Some(right.parse().map_err(|_| unknown("right", right))?),
        },
        multiplier: contract.multiplier.clone(),
        exchange: contract.exchange.as_str().into(),
        primary_exchange: contract.primary_exchange.as_str().into(),
        currency: contract.currency.as_str().into(),
        local_symbol: contract.local_symbol.clone(),
        trading_class: contract.trading_class.clone(),
        include_expired: contract.include_expired,
        security_id_type: match contract.sec_id_type.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|_| unknown("sec_id_type", name))?),
        },
        security_id: contract.sec_id.clone(),
        ..ib_contracts::Contract::default()
    })
}

pub(crate) fn contract_details(details: ib_contracts::ContractDetails) -> ContractDetails {
    ContractDetails {
        contract: contract(details.contract),
        market_name: details.market_name,
        min_tick: set(details.min_tick).filter(|tick| *tick > 0.0),
        price_magnifier: details.price_magnifier,
        order_types: details.order_types,
        valid_exchanges: details.valid_exchanges,
        under_con_id: details.under_contract_id,
        under_symbol: details.under_symbol,
        under_sec_type: details.under_security_type,
        long_name: details.long_name,
        contract_month: details.contract_month,
        industry: details.industry,
        category: details.category,
        subcategory: details.subcategory,
        time_zone_id: details.time_zone_id,
        trading_hours: details.trading_hours,
        liquid_hours: details.liquid_hours,
        market_rule_ids: details.market_rule_ids,
        stock_type: details.stock_type,
        min_size: details.min_size.and_then(set),
        size_increment: details.size_increment.and_then(set),
        suggested_size_increment: details.suggested_size_increment.and_then(set),
    }
}

pub(crate) fn bar_size(size: BarSize) -> ib_historical::BarSize {
    use ib_historical::BarSize as Ib;
    match size {
        BarSize::Secs1 => Ib::Sec,
        BarSize::Secs5 => Ib::Sec5,
        BarSize::Secs10 => Ib::Sec10,
        BarSize::Secs15 => Ib::Sec15,
        BarSize::Secs30 => Ib::Sec30,
        BarSize::Min1 => Ib::Min,
        BarSize::Mins2 => Ib::Min2,
        BarSize::Mins3 => Ib::Min3,
        BarSize::Mins5 => Ib::Min5,
        BarSize::Mins10 => Ib::Min10,
        BarSize::Mins15 => Ib::Min15,
        BarSize::Mins20 => Ib::Min20,
        BarSize::Mins30 => Ib::Min30,
        BarSize::Hour1 => Ib::Hour,
        BarSize::Hours2 => Ib::Hour2,
        BarSize::Hours3 => Ib::Hour3,
        BarSize::Hours4 => Ib::Hour4,
        BarSize::Hours8 => Ib::Hour8,
        BarSize::Day1 => Ib::Day,
        BarSize::Week1 => Ib::Week,
        BarSize::Month1 => Ib::Month,
    }
}

pub(crate) fn what_to_show(what: WhatToShow) -> ib_historical::WhatToShow {
    use ib_historical::WhatToShow as Ib;
    match what {
        WhatToShow::Trades => Ib::Trades,
        WhatToShow::Midpoint => Ib::MidPoint,
        WhatToShow::Bid => Ib::Bid,
        WhatToShow::Ask => Ib::Ask,
        WhatToShow::BidAsk => Ib::BidAsk,
        WhatToShow::HistoricalVolatility => Ib::HistoricalVolatility,
        WhatToShow::OptionImpliedVolatility => Ib::OptionImpliedVolatility,
        WhatToShow::FeeRate => Ib::FeeRate,
        WhatToShow::AdjustedLast => Ib::AdjustedLast,
        WhatToShow::AggTrades => Ib::AggTrades,
    }
}

pub(crate) fn duration(duration: HistoricalDuration) -> Result<ib_historical::Duration> {
    use ib_historical::Duration as Ib;
    let too_long = || Error::new(ErrorKind::Unsupported, format!("the duration \"{duration}\" is too long"));
    let amount = i32::try_from(duration.amount).map_err(|_| too_long())?;
    match duration.unit {
        'S' => Ok(Ib::seconds(amount)),
        'D' => Ok(Ib::days(amount)),
        'W' => Ok(Ib::weeks(amount)),
        'M' => Ok(Ib::months(amount)),
        'Y' => Ok(Ib::years(amount)),
        unit => Err(Error::new(
            ErrorKind::Unsupported,
            format!("{unit:?} is no unit of a duration; use S, D, W, M or Y"),
        )),
    }
}

pub(crate) fn historical_bars(data: ib_historical::HistoricalData) -> Result<HistoricalBars> {
    Ok(HistoricalBars {
        start: Some(timestamp(data.start)?),
        end: Some(timestamp(data.end)?),
        bars: data.bars.into_iter().map(bar).collect::<Result<_>>()?,
    })
}

fn bar(bar: ib_historical::Bar) -> Result<Bar> {
    let counted = bar.count >= 0;
    Ok(Bar {
        time: bar_time(bar.date)?,
        open: set(bar.open),
        high: set(bar.high),
        low: set(bar.low),
        close: set(bar.close),
        volume: set(bar.volume).filter(|volume| *volume >= 0.0),
        wap: set(bar.wap).filter(|wap| counted || *wap != -1.0),
        count: counted.then_some(bar.count),
    })
}

fn bar_time(time: ib_historical::BarTimestamp) -> Result<BarTime> {
    match time {
        ib_historical::BarTimestamp::DateTime(time) => timestamp(time).map(BarTime::Time),
        ib_historical::BarTimestamp::Date(date) => {
            let wrong = |error: &dyn std::fmt::Display| {
                Error::new(ErrorKind::Protocol, format!("the Gateway sent a bar of {date}: {error}"))
            };
            let year = i16::try_from(date.year()).map_err(|error| wrong(&error))?;
            let (month, day) = (u8::from(date.month()), date.day());
            Date::new(year, month.cast_signed(), day.cast_signed())
                .map(BarTime::Date)
                .map_err(|error| wrong(&error))
        }
    }
}

/// One tick of TWS as our events; a price that came with its size stays one event.
pub(crate) fn tick(tick: ib_realtime::TickTypes) -> Option<MarketDataEvent> {
    use ib_realtime::TickTypes as Ib;
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

fn tick_type(tick_type: ib_contracts::tick_types::TickType) -> TickType {
    TickType(tick_type as i32)
}
