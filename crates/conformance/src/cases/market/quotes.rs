//! Quotes: whole, streaming, delayed, and not subscribed.

use ibkr_connect_core::ErrorKind;
use ibkr_connect_core::types::{
    HistoricalBarsParams, MarketDataEvent, MarketDataParams, MarketDataType, MarketDepthParams,
    QuoteSnapshotParams, RealTimeBarsParams, SmartComponentsParams, TickByTickParams, TickType,
};
use ibkr_connect_sim::SimOptions;

use super::{aapl, begin, euro, failure, replay, seconds, take, with};
use crate::Backend;
use ibkr_connect_core::types::Contract;

fn snapshot(contract: Contract, market_data_type: MarketDataType) -> QuoteSnapshotParams {
    QuoteSnapshotParams::default().with_contract(contract).with_market_data_type(market_data_type)
}

pub(crate) async fn a_quote_is_whole(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let quote = session.quote_snapshot(snapshot(aapl(), MarketDataType::Live)).await.unwrap();
        let [low, last, high] = [quote.low, quote.last, quote.high].map(Option::unwrap);
        assert!(quote.bid < quote.ask && low <= last && last <= high, "{quote:?}");
        assert!(
            low <= quote.open.unwrap() && quote.open.unwrap() <= high && quote.close > Some(0.0),
            "{quote:?}"
        );
        for size in [quote.bid_size, quote.ask_size, quote.last_size, quote.volume] {
            assert!(size >= Some(100.0), "{quote:?}");
        }
        assert_eq!((quote.last_time, quote.halted, quote.min_tick), (Some(begin()), Some(false), Some(0.01)));
        assert_eq!(quote.market_data_type, None, "live data don't say so");
        assert_eq!(gateway.stats().requested("reqMarketDataType"), 0, "live is what there is anyway");

        let key = SmartComponentsParams::default().with_bbo_exchange(quote.bbo_exchange.unwrap());
        let exchanges = session.smart_components(key).await.unwrap();
        assert!(
            exchanges.iter().any(|exchange| exchange.exchange == "ISLAND" && exchange.exchange_letter == "Q")
        );

        let regulatory = snapshot(aapl(), MarketDataType::Live).with_regulatory_snapshot(true);
        assert_eq!(session.quote_snapshot(regulatory).await.unwrap().bid, quote.bid);
        let pair = session.quote_snapshot(snapshot(euro(), MarketDataType::Live)).await.unwrap();
        assert_eq!((pair.last, pair.volume), (None, None), "currencies have no trades");
        assert!(pair.bid < pair.ask, "{pair:?}");
        let unknown = session.quote_snapshot(snapshot(Contract::stock("NOSUCH"), MarketDataType::Live)).await;
        assert_eq!(unknown.unwrap_err().code(), Some(200));
    })
    .await;
}

pub(crate) async fn each_quote_has_the_type_it_asked_for(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let ask = async |wanted| session.quote_snapshot(snapshot(aapl(), wanted)).await.unwrap();
        let live = ask(MarketDataType::Live).await;
        for _ in 0..5 {
            let (delayed, again, frozen) = tokio::join!(
                ask(MarketDataType::Delayed),
                ask(MarketDataType::Live),
                ask(MarketDataType::Frozen)
            );
            assert_eq!((delayed.market_data_type, frozen.market_data_type), (Some(3), Some(2)));
            assert_eq!((&again, delayed.last_time), (&live, Some(begin() - seconds(900))));
        }
        let before = gateway.stats().requested("reqMarketDataType");
        let stream = MarketDataParams::streaming(aapl()).with_market_data_type(MarketDataType::DelayedFrozen);
        let mut ticks = session.market_data(stream).await.unwrap();
        let events = take(&mut ticks, 6).await;
        assert!(events.contains(&MarketDataEvent::MarketDataType { market_data_type: 4 }), "{events:?}");
        assert!(events.iter().any(|event| matches!(
            event,
            MarketDataEvent::Price { tick_type: TickType(66), price: Some(_), size: Some(_), .. }
        )));
        assert_eq!(gateway.stats().requested("reqMarketDataType"), before + 1);
    })
    .await;
}

pub(crate) async fn generic_ticks_come_with_the_rest(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let with = |ids: &[&str]| {
            MarketDataParams::streaming(aapl())
                .with_generic_ticks(ids.iter().map(|&id| id.to_owned()).collect())
        };
        let mut ticks = session.market_data(with(&["233", "236"])).await.unwrap();
        let events = take(&mut ticks, 40).await;
        let volume = events.iter().find_map(|event| match event {
            MarketDataEvent::Text { tick_type, value } if tick_type.to_string() == "rt_volume" => Some(value),
            _ => None,
        });
        assert_eq!(volume.unwrap().split(';').count(), 6, "{volume:?}");
        assert!(events.iter().any(|event| matches!(
            event,
            MarketDataEvent::Generic { tick_type: TickType(46), value: Some(3.0) }
        )));

        let illegal = failure(session.market_data(with(&["999"])).await).await;
        assert_eq!((illegal.kind(), illegal.code()), (ErrorKind::GatewayError, Some(321)), "{illegal}");
        let words = failure(session.market_data(with(&["RTVolume"])).await).await;
        assert_eq!(words.kind(), ErrorKind::InvalidRequest, "{words}");
    })
    .await;
}

pub(crate) async fn what_is_not_subscribed_says_so(backend: &dyn Backend) {
    let options = SimOptions { unentitled: vec!["AAPL".into()], ..replay() };
    with(backend, options, async |_, session| {
        let refused = session.quote_snapshot(snapshot(aapl(), MarketDataType::Live)).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::GatewayError, Some(10089)), "{refused}");
        let once = failure(session.market_data(MarketDataParams::snapshot(aapl())).await).await;
        assert_eq!(once.code(), Some(10089), "{once}");
        let delayed = session.quote_snapshot(snapshot(aapl(), MarketDataType::Delayed)).await.unwrap();
        assert_eq!(delayed.market_data_type, Some(3));
        assert!(delayed.bid < delayed.ask && delayed.last.is_some(), "{delayed:?}");

        let mut live = session.market_data(MarketDataParams::streaming(aapl())).await.unwrap();
        let events = take(&mut live, 2).await;
        assert!(matches!(events[1], MarketDataEvent::Notice { code: 10089, .. }), "{events:?}");
        let stream = MarketDataParams::streaming(aapl()).with_market_data_type(MarketDataType::Delayed);
        let mut late = session.market_data(stream).await.unwrap();
        assert!(matches!(take(&mut late, 1).await[0], MarketDataEvent::Notice { code: 10167, .. }));

        let bars = session.historical_bars(HistoricalBarsParams::last_day(aapl())).await.unwrap_err();
        assert_eq!(bars.code(), Some(162), "{bars}");
        let ticks = TickByTickParams::default().with_contract(aapl());
        assert_eq!(failure(session.tick_by_tick(ticks).await).await.code(), Some(10189));
        let bars = RealTimeBarsParams::default().with_contract(aapl());
        assert_eq!(failure(session.real_time_bars(bars).await).await.code(), Some(420));
        let book = MarketDepthParams::default().with_contract(aapl()).with_is_smart_depth(true);
        assert_eq!(failure(session.market_depth(book).await).await.code(), Some(354));
        session.quote_snapshot(snapshot(Contract::stock("MSFT"), MarketDataType::Live)).await.unwrap();
    })
    .await;
}
