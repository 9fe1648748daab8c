//! Historical data.

use ibapi::market_data::historical as ib;
use ibkr_connect_core::types::{Bar, BarSize, BarTime, HistoricalBars, HistoricalDuration, WhatToShow, set};
use ibkr_connect_core::{Error, ErrorKind, Result};
use jiff::civil::Date;

use super::timestamp;

pub(crate) fn bar_size(size: BarSize) -> ib::BarSize {
    use ib::BarSize as Ib;
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

pub(crate) fn what_to_show(what: WhatToShow) -> ib::WhatToShow {
    use ib::WhatToShow as Ib;
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

pub(crate) fn duration(duration: HistoricalDuration) -> Result<ib::Duration> {
    use ib::Duration as Ib;
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

pub(crate) fn historical_bars(data: ib::HistoricalData) -> Result<HistoricalBars> {
    Ok(HistoricalBars {
        start: Some(timestamp(data.start)?),
        end: Some(timestamp(data.end)?),
        bars: data.bars.into_iter().map(bar).collect::<Result<_>>()?,
    })
}

fn bar(bar: ib::Bar) -> Result<Bar> {
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

fn bar_time(time: ib::BarTimestamp) -> Result<BarTime> {
    match time {
        ib::BarTimestamp::DateTime(time) => timestamp(time).map(BarTime::Time),
        ib::BarTimestamp::Date(date) => {
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
