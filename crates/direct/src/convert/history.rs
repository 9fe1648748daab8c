//! Historical data.

use ibapi::market_data::{historical as ib, realtime};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    Bar, BarSize, BarTime, HistogramEntry, HistogramPeriod, HistoricalBarUpdatesEvent, HistoricalBars,
    HistoricalDuration, HistoricalSchedule, RealTimeBarKind, RealTimeBarsEvent, ScheduleSession, WhatToShow,
    number,
};
use ibkr_connect_core::{Error, ErrorKind, Result};
use jiff::civil::Date;

use super::{Prices, said_time, size};

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
        BarSize::Mins4 => Ib::Min4,
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
    let too_long =
        || Error::new(ErrorKind::InvalidRequest, format!("the duration \"{duration}\" is too long"));
    let amount = i32::try_from(duration.amount).map_err(|_| too_long())?;
    match duration.unit {
        'S' => Ok(Ib::seconds(amount)),
        'D' => Ok(Ib::days(amount)),
        'W' => Ok(Ib::weeks(amount)),
        'M' => Ok(Ib::months(amount)),
        'Y' => Ok(Ib::years(amount)),
        unit => Err(Error::new(
            ErrorKind::InvalidRequest,
            format!("{unit:?} is not a unit of a duration; use S, D, W, M or Y"),
        )),
    }
}

pub(crate) fn historical_bars(data: ib::HistoricalData, prices: Prices) -> HistoricalBars {
    literal!(HistoricalBars {
        start: said_time(data.start),
        end: said_time(data.end),
        bars: data.bars.into_iter().map(|one| bar(one, prices)).collect(),
    })
}

pub(crate) fn historical_bar_update(
    update: ib::HistoricalBarUpdate,
    prices: Prices,
) -> HistoricalBarUpdatesEvent {
    match update {
        // Its window is the epoch; the real one comes with the end.
        ib::HistoricalBarUpdate::Historical(data) => HistoricalBarUpdatesEvent::History {
            bars: data.bars.into_iter().map(|one| bar(one, prices)).collect(),
        },
        ib::HistoricalBarUpdate::End { start, end } => {
            HistoricalBarUpdatesEvent::End { start: said_time(start), end: said_time(end) }
        }
        ib::HistoricalBarUpdate::Update(updated) => HistoricalBarUpdatesEvent::Update(bar(updated, prices)),
    }
}

pub(crate) fn real_time_bar_kind(kind: RealTimeBarKind) -> realtime::WhatToShow {
    match kind {
        RealTimeBarKind::Trades => realtime::WhatToShow::Trades,
        RealTimeBarKind::Midpoint => realtime::WhatToShow::MidPoint,
        RealTimeBarKind::Bid => realtime::WhatToShow::Bid,
        RealTimeBarKind::Ask => realtime::WhatToShow::Ask,
    }
}

/// A real-time bar has the fields of a historical one.
pub(crate) fn real_time_bar(live: realtime::Bar, prices: Prices) -> RealTimeBarsEvent {
    let realtime::Bar { date, open, high, low, close, volume, wap, count } = live;
    let date = ib::BarTimestamp::DateTime(date);
    RealTimeBarsEvent::Bar(bar(ib::Bar { date, open, high, low, close, volume, wap, count }, prices))
}

pub(crate) fn historical_schedule(schedule: ib::Schedule) -> HistoricalSchedule {
    let session = |session: ib::Session| {
        literal!(ScheduleSession {
            // The relay puts the first day of 1970 in the place of one that can't be read.
            reference_date: date(session.reference).ok().filter(|day| day.year() > 1970),
            start: said_time(session.start),
            end: said_time(session.end),
        })
    };
    literal!(HistoricalSchedule {
        start: said_time(schedule.start),
        end: said_time(schedule.end),
        time_zone: schedule.time_zone,
        sessions: schedule.sessions.into_iter().map(session).collect(),
    })
}

pub(crate) fn histogram_period(period: HistogramPeriod) -> ib::BarSize {
    match period {
        HistogramPeriod::Day1 => ib::BarSize::Day,
        HistogramPeriod::Week1 => ib::BarSize::Week,
        HistogramPeriod::Month1 => ib::BarSize::Month,
    }
}

pub(crate) fn histogram_entry(entry: ib::HistogramEntry, prices: Prices) -> HistogramEntry {
    literal!(HistogramEntry { price: prices.price(entry.price, entry.size), size: entry.size.and_then(size) })
}

fn bar(bar: ib::Bar, prices: Prices) -> Bar {
    let counted = bar.count >= 0;
    literal!(Bar {
        time: bar_time(bar.date),
        open: prices.bar_price(bar.open),
        high: prices.bar_price(bar.high),
        low: prices.bar_price(bar.low),
        close: prices.bar_price(bar.close),
        volume: size(bar.volume),
        wap: prices.bar_price(bar.wap).filter(|wap| counted || *wap != -1.0),
        count: number(bar.count).filter(|_| counted),
    })
}

fn bar_time(time: ib::BarTimestamp) -> Option<BarTime> {
    match time {
        ib::BarTimestamp::DateTime(time) => said_time(time).map(BarTime::Time),
        ib::BarTimestamp::Date(day) => date(day).ok().map(BarTime::Date),
    }
}

pub(crate) fn date(day: time::Date) -> Result<Date> {
    let wrong = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Protocol, format!("the Gateway sent the day {day}: {error}"))
    };
    let year = i16::try_from(day.year()).map_err(|error| wrong(&error))?;
    let (month, day_of_month) = (u8::from(day.month()), day.day());
    Date::new(year, month.cast_signed(), day_of_month.cast_signed()).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn midpoints() -> realtime::Bar {
        let (open, high, low, close) = (9.0, 9.5, 8.5, 9.25);
        let date = time::OffsetDateTime::UNIX_EPOCH;
        realtime::Bar { date, open, high, low, close, volume: -1.0, wap: -1.0, count: -1 }
    }

    #[test]
    fn bars_of_midpoints_have_no_trades() {
        let RealTimeBarsEvent::Bar(bar) = real_time_bar(midpoints(), Prices::Outright) else { panic!() };
        assert_eq!((bar.time, bar.open, bar.close), (None, Some(9.0), Some(9.25)));
        assert_eq!((bar.volume, bar.wap, bar.count), (None, None, None));
    }

    #[test]
    fn a_bar_in_which_nothing_traded_has_volume_zero() {
        let quiet = realtime::Bar { volume: 0.0, wap: 9.0, count: 0, ..midpoints() };
        let RealTimeBarsEvent::Bar(bar) = real_time_bar(quiet, Prices::Outright) else { panic!() };
        assert_eq!((bar.volume, bar.wap, bar.count), (Some(0.0), Some(9.0), Some(0)));
    }
}
