//! How far the past goes back, when it traded, and at which prices.

use ibkr_connect_core::types::{
    BarTime, Contract, HeadTimestampParams, HistogramParams, HistogramPeriod, HistoricalBarsParams,
    HistoricalScheduleParams, WhatToShow,
};

use super::{aapl, begin, replay, with};
use crate::Backend;

fn days(duration: &str) -> HistoricalBarsParams {
    HistoricalBarsParams::last_day(aapl())
        .with_bar_size("1 day".parse().unwrap())
        .with_duration(duration.parse().unwrap())
        .with_use_rth(true)
}

pub(crate) async fn a_histogram_counts_what_the_bars_count(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        for (period, duration) in [(HistogramPeriod::Day1, "1 D"), (HistogramPeriod::Week1, "1 W")] {
            let params =
                HistogramParams::default().with_contract(aapl()).with_period(period).with_use_rth(true);
            let entries = session.histogram(params).await.unwrap();
            let bars = session.historical_bars(days(duration)).await.unwrap().bars;
            let volume: f64 = bars.iter().map(|bar| bar.volume.unwrap()).sum();
            assert_eq!(entries.iter().map(|entry| entry.size.unwrap()).sum::<f64>(), volume);
            let low = bars.iter().map(|bar| bar.low.unwrap()).reduce(f64::min);
            let high = bars.iter().map(|bar| bar.high.unwrap()).reduce(f64::max);
            assert_eq!((entries[0].price, entries.last().unwrap().price), (low, high));
            assert!(entries.is_sorted_by(|a, b| a.price < b.price));
        }
        let unknown = HistogramParams::default().with_contract(Contract::stock("NOSUCH"));
        assert_eq!(session.histogram(unknown).await.unwrap_err().code(), Some(200));
    })
    .await;
}

pub(crate) async fn a_schedule_has_the_days_of_the_bars(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let params =
            HistoricalScheduleParams::default().with_contract(aapl()).with_duration("2 W".parse().unwrap());
        let schedule = session.historical_schedule(params.clone()).await.unwrap();
        let bars = session.historical_bars(days("2 W")).await.unwrap().bars;
        let dates: Vec<_> =
            schedule.sessions.iter().map(|session| BarTime::Date(session.reference_date.unwrap())).collect();
        assert_eq!(dates, bars.iter().filter_map(|bar| bar.time).collect::<Vec<_>>());
        let today = schedule.sessions.last().unwrap();
        assert!(today.start < Some(begin()) && Some(begin()) < today.end, "{schedule:?}");
        assert_eq!(schedule.end, today.end);
        assert_eq!((schedule.start, schedule.time_zone.as_str()), (schedule.sessions[0].start, "UTC"));
        let ended = params.with_end(schedule.sessions[0].end);
        let earlier = session.historical_schedule(ended).await.unwrap();
        assert_eq!(earlier.sessions.last(), schedule.sessions.first());
        let unknown = HistoricalScheduleParams::default().with_contract(Contract::stock("NOSUCH"));
        assert_eq!(session.historical_schedule(unknown).await.unwrap_err().code(), Some(200));
    })
    .await;
}

pub(crate) async fn the_first_bar_is_at_the_head_timestamp(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let params = HeadTimestampParams::default()
            .with_contract(aapl())
            .with_what_to_show(WhatToShow::Trades)
            .with_use_rth(true);
        let head = session.head_timestamp(params.clone()).await.unwrap().unwrap();
        let first = session.historical_bars(days("30 Y")).await.unwrap().bars.remove(0);
        assert_eq!(first.time, Some(BarTime::Date(jiff::tz::TimeZone::UTC.to_datetime(head).date())));
        let extended = session.head_timestamp(params.with_use_rth(false)).await.unwrap().unwrap();
        assert!(extended < head);
        let unknown = HeadTimestampParams::default().with_contract(Contract::stock("NOSUCH"));
        assert_eq!(session.head_timestamp(unknown).await.unwrap_err().code(), Some(200));
    })
    .await;
}
