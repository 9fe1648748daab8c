//! Single ticks of the past and the present are the same ticks.

use ibkr_connect_core::types::{
    BidAskTick, Contract, HistoricalTickKind, HistoricalTicks, HistoricalTicksParams, MidpointTick,
    TickByTickEvent, TickByTickParams, TickByTickType, TradeTick,
};
use ibkr_connect_core::{ErrorKind, Session};
use jiff::Timestamp;

use super::{aapl, begin, euro, failure, replay, seconds, take, with};
use crate::Backend;
use crate::support::until;

fn past(contract: Contract, what_to_show: HistoricalTickKind) -> HistoricalTicksParams {
    HistoricalTicksParams::default().with_contract(contract).with_what_to_show(what_to_show)
}

pub(super) async fn trades(session: &Session, params: HistoricalTicksParams) -> Vec<TradeTick> {
    match session.historical_ticks(params).await.unwrap() {
        HistoricalTicks::Trades(trades) => trades,
        other => panic!("{other:?}"),
    }
}

/// All trades of a stretch of time.
pub(super) async fn trades_between(session: &Session, start: Timestamp, end: Timestamp) -> Vec<TradeTick> {
    let (mut all, mut from) = (Vec::new(), start);
    while from < end {
        let params = past(aapl(), HistoricalTickKind::Trades).with_start(Some(from));
        let batch = trades(session, params).await;
        from = batch.last().unwrap().time.unwrap() + seconds(1);
        all.extend(batch);
    }
    all.retain(|trade| trade.time < Some(end));
    all
}

async fn quotes(session: &Session, params: HistoricalTicksParams) -> Vec<BidAskTick> {
    match session.historical_ticks(params).await.unwrap() {
        HistoricalTicks::BidAsk(quotes) => quotes,
        other => panic!("{other:?}"),
    }
}

async fn midpoints(session: &Session, params: HistoricalTicksParams) -> Vec<MidpointTick> {
    match session.historical_ticks(params).await.unwrap() {
        HistoricalTicks::Midpoint(midpoints) => midpoints,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn historical_ticks_go_from_a_start_or_to_an_end(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let params = past(aapl(), HistoricalTickKind::Trades);
        let newest = trades(session, params.clone()).await;
        assert!((1000..1010).contains(&newest.len()), "the first second is whole: {}", newest.len());
        assert!(newest.is_sorted_by_key(|trade| trade.time) && newest.last().unwrap().time == Some(begin()));
        assert!(newest.iter().any(|trade| trade.unreported) && newest.iter().any(|trade| !trade.unreported));

        let (start, end) = (newest[0].time, Some(begin() + seconds(1)));
        assert_eq!(trades(session, params.clone().with_end(end)).await, newest);
        let from = trades(session, params.clone().with_start(start).with_number_of_ticks(50)).await;
        assert!(from.len() < 60 && newest.starts_with(&from));

        let sunday = Some("2024-07-14T12:00:00Z".parse().unwrap());
        let regular = params.clone().with_end(sunday).with_use_rth(true).with_number_of_ticks(5);
        assert!(trades(session, regular).await.last().unwrap().time <= Some(begin()));
        let night = params
            .clone()
            .with_start(Some("2024-07-12T03:00:00Z".parse().unwrap()))
            .with_use_rth(true)
            .with_number_of_ticks(5);
        assert_eq!(trades(session, night).await[0].time, "2024-07-12T13:30:00Z".parse().ok());

        let both = session.historical_ticks(params.clone().with_start(start).with_end(end)).await;
        assert_eq!(both.unwrap_err().kind(), ErrorKind::InvalidRequest);
        let none = session.historical_ticks(params.with_number_of_ticks(0)).await;
        assert_eq!(
            none.unwrap_err().message(),
            "historical_ticks: number_of_ticks is 0; TWS takes 1 to 1000"
        );
        let pair = session.historical_ticks(past(euro(), HistoricalTickKind::Trades)).await.unwrap_err();
        assert_eq!(pair.code(), Some(162), "{pair}");
        let unknown = past(Contract::stock("NOSUCH"), HistoricalTickKind::Midpoint);
        assert_eq!(session.historical_ticks(unknown).await.unwrap_err().code(), Some(200));
    })
    .await;
}

pub(crate) async fn midpoints_are_those_of_the_quotes(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let all = quotes(session, past(euro(), HistoricalTickKind::BidAsk)).await;
        let moved = past(euro(), HistoricalTickKind::BidAsk).with_ignore_size(true);
        let moved = quotes(session, moved).await;
        let midpoints = midpoints(session, past(euro(), HistoricalTickKind::Midpoint)).await;
        assert!(all.iter().all(|quote| quote.bid_price < quote.ask_price && quote.bid_size > Some(0.0)));
        assert!(moved[0].time < all[0].time, "fewer of them per second");
        assert_eq!(moved.len(), midpoints.len());
        for (quote, midpoint) in moved.iter().zip(&midpoints) {
            let middle = f64::midpoint(quote.bid_price.unwrap(), quote.ask_price.unwrap());
            assert_eq!(quote.time, midpoint.time);
            assert!((middle - midpoint.price.unwrap()).abs() < 1e-9, "{quote:?} {midpoint:?}");
        }
    })
    .await;
}

fn stream(tick_type: TickByTickType) -> TickByTickParams {
    TickByTickParams::default().with_contract(aapl()).with_tick_type(tick_type)
}

fn trade(event: TickByTickEvent) -> TradeTick {
    match event {
        TickByTickEvent::Trade(trade) => trade,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn streamed_ticks_are_those_of_history(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let mut last = session.tick_by_tick(stream(TickByTickType::Last)).await.unwrap();
        let mut all = session.tick_by_tick(stream(TickByTickType::AllLast)).await.unwrap();
        let mut bid_ask = session.tick_by_tick(stream(TickByTickType::BidAsk)).await.unwrap();
        let mut midpoint = session.tick_by_tick(stream(TickByTickType::Midpoint)).await.unwrap();
        let all: Vec<_> = take(&mut all, 60).await.into_iter().map(trade).collect();
        let last: Vec<_> = take(&mut last, 60).await.into_iter().map(trade).collect();
        let bid_ask = take(&mut bid_ask, 30).await;
        let midpoint = take(&mut midpoint, 20).await;

        let since =
            |start| past(aapl(), HistoricalTickKind::Trades).with_start(start).with_number_of_ticks(100);
        assert!(trades(session, since(all[0].time)).await.starts_with(&all));
        let mut reported = trades(session, since(last[0].time)).await;
        reported.retain(|trade| !trade.unreported);
        assert!(reported.starts_with(&last));
        let TickByTickEvent::BidAsk(first) = &bid_ask[0] else { panic!("{bid_ask:?}") };
        let what = since(first.time).with_what_to_show(HistoricalTickKind::BidAsk);
        let known = quotes(session, what).await.into_iter().map(TickByTickEvent::BidAsk);
        assert!(known.collect::<Vec<_>>().starts_with(&bid_ask));
        let TickByTickEvent::Midpoint(first) = &midpoint[0] else { panic!("{midpoint:?}") };
        let what = since(first.time).with_what_to_show(HistoricalTickKind::Midpoint);
        let known = midpoints(session, what).await.into_iter().map(TickByTickEvent::Midpoint);
        assert!(known.collect::<Vec<_>>().starts_with(&midpoint));
        assert_eq!(gateway.stats().requested("cancelTickByTickData"), 0);
    })
    .await;
}

pub(crate) async fn ticks_of_the_past_come_before_the_stream(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let params = stream(TickByTickType::AllLast).with_number_of_ticks(20);
        let mut ticks = session.tick_by_tick(params).await.unwrap();
        let ticks_taken: Vec<_> = take(&mut ticks, 200).await.into_iter().map(trade).collect();
        let newest = ticks_taken.last().unwrap().time.unwrap();
        let oldest = ticks_taken[0].time.unwrap();
        assert!(oldest < begin() + seconds(20), "it begins in the past");
        let known = trades_between(session, oldest, newest).await;
        let missing = known.iter().find(|trade| !ticks_taken.contains(trade));
        assert_eq!(missing, None, "nothing is lost between the past and the stream");

        drop(ticks);
        until("the cancel arrives", || gateway.stats().requested("cancelTickByTickData") == 1).await;
        let unknown = stream(TickByTickType::Last).with_contract(Contract::stock("NOSUCH"));
        assert_eq!(failure(session.tick_by_tick(unknown).await).await.code(), Some(200));
    })
    .await;
}
