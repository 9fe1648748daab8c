//! Bars, past and present, are made of the ticks.

use ibkr_connect_core::ErrorKind;
use ibkr_connect_core::types::{
    Bar, BarSize, BarTime, Contract, HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams,
    HistoricalBarsParams, RealTimeBarKind, RealTimeBarsEvent, RealTimeBarsParams, WhatToShow,
};

use super::ticks::trades_between;
use super::{aapl, assert_same_bar, bar_of, begin, euro, failure, replay, seconds, take, time, with};
use crate::Backend;
use crate::support::until;

fn bars(bar_size: &str, duration: &str) -> HistoricalBarsParams {
    HistoricalBarsParams::last_day(aapl())
        .with_bar_size(bar_size.parse().unwrap())
        .with_duration(duration.parse().unwrap())
}

pub(crate) async fn bars_are_made_of_ticks(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let history = session.historical_bars(bars("2 mins", "600 S")).await.unwrap();
        assert_eq!((history.bars.len(), history.end), (5, Some(begin())));
        for bar in &history.bars {
            let ticks =
                trades_between(session, time(bar), (time(bar) + seconds(120)).min(begin() + seconds(1)))
                    .await;
            assert_same_bar(bar, &bar_of(time(bar), &ticks));
        }
        let begins: Vec<_> = history.bars.iter().map(time).collect();
        assert!(begins.windows(2).all(|pair| pair[1] == pair[0] + seconds(120)), "{begins:?}");
    })
    .await;
}

pub(crate) async fn every_bar_size_and_kind_of_data(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        for size in BarSize::ALL {
            let duration = match size {
                BarSize::Week1 => "1 M",
                BarSize::Month1 => "1 Y",
                BarSize::Secs1 | BarSize::Secs5 => "1800 S",
                _ => "2 D",
            };
            let bars = session.historical_bars(bars(size.as_str(), duration)).await.unwrap().bars;
            let dated = bars.iter().all(|bar| matches!(bar.time, Some(BarTime::Date(_))));
            assert!(bars.len() >= 2, "{size}");
            assert_eq!(dated, matches!(size, BarSize::Day1 | BarSize::Week1 | BarSize::Month1), "{size}");
        }
        for what_to_show in WhatToShow::ALL {
            let params = bars("1 hour", "1 D").with_what_to_show(*what_to_show);
            let bars = session.historical_bars(params).await.unwrap().bars;
            let traded =
                matches!(what_to_show, WhatToShow::Trades | WhatToShow::AdjustedLast | WhatToShow::AggTrades);
            for bar in &bars {
                assert_eq!(
                    [bar.volume.is_some(), bar.wap.is_some(), bar.count.is_some()],
                    [traded; 3],
                    "{bar:?}"
                );
                assert!(bar.low > Some(0.0) && bar.low <= bar.high, "{what_to_show} {bar:?}");
            }
        }
        let adjusted =
            bars("1 day", "1 D").with_what_to_show(WhatToShow::AdjustedLast).with_end(Some(begin()));
        let refused = session.historical_bars(adjusted).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{refused}");
    })
    .await;
}

pub(crate) async fn real_time_bars_are_made_of_ticks(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let params = RealTimeBarsParams::default().with_contract(aapl());
        let mut stream = session.real_time_bars(params.clone()).await.unwrap();
        let mut middles = params.clone().with_contract(euro()).with_what_to_show(RealTimeBarKind::Midpoint);
        let mut quotes = session.real_time_bars(middles.clone()).await.unwrap();
        let bar = |event| match event {
            RealTimeBarsEvent::Bar(bar) => bar,
            other => panic!("{other:?}"),
        };
        let bars: Vec<Bar> = take(&mut stream, 4).await.into_iter().map(bar).collect();
        assert_eq!(time(&bars[0]), begin() - seconds(2), "bars begin at whole five seconds");
        for bar in &bars {
            let ticks = trades_between(session, time(bar), time(bar) + seconds(5)).await;
            assert_same_bar(bar, &bar_of(time(bar), &ticks));
        }
        for bar in take(&mut quotes, 3).await.into_iter().map(bar) {
            assert!(bar.low > Some(0.0) && bar.low <= bar.high, "{bar:?}");
            assert_eq!((bar.volume, bar.wap, bar.count), (None, None, None));
        }
        drop(stream);
        until("the cancel arrives", || gateway.stats().requested("cancelRealTimeBars") == 1).await;
        middles.what_to_show = RealTimeBarKind::Trades;
        assert_eq!(failure(session.real_time_bars(middles).await).await.code(), Some(420));
        let unknown = params.with_contract(Contract::stock("NOSUCH"));
        assert_eq!(failure(session.real_time_bars(unknown).await).await.code(), Some(200));
    })
    .await;
}

pub(crate) async fn bars_are_kept_up_to_date(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let params = HistoricalBarUpdatesParams::default()
            .with_contract(aapl())
            .with_duration("300 S".parse().unwrap())
            .with_bar_size(BarSize::Secs30);
        let mut stream = session.historical_bar_updates(params.clone()).await.unwrap();
        let opening = take(&mut stream, 2).await;
        let HistoricalBarUpdatesEvent::History { bars: history } = &opening[0] else { panic!("{opening:?}") };
        assert_eq!((history.len(), time(&history[9])), (10, begin() - seconds(2)));
        let end = HistoricalBarUpdatesEvent::End { start: Some(time(&history[0])), end: Some(begin()) };
        assert_eq!(opening[1], end);

        let mut current = history.clone();
        while current.len() < 13 {
            let HistoricalBarUpdatesEvent::Update(bar) = take(&mut stream, 1).await.remove(0) else {
                panic!()
            };
            let last = current.last_mut().unwrap();
            if last.time == bar.time {
                *last = bar;
            } else {
                assert_eq!(time(&bar), time(last) + seconds(30));
                current.push(bar);
            }
        }
        for bar in &current[9..12] {
            let ticks = trades_between(session, time(bar), time(bar) + seconds(30)).await;
            assert_same_bar(bar, &bar_of(time(bar), &ticks));
        }
        drop(stream);
        until("the cancel arrives", || gateway.stats().requested("cancelHistoricalData") == 1).await;
        let unknown = params.with_contract(Contract::stock("NOSUCH"));
        assert_eq!(failure(session.historical_bar_updates(unknown).await).await.code(), Some(200));
    })
    .await;
}
