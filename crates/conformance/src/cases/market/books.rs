//! Order books.

use ibkr_connect_core::types::{
    Contract, DepthOperation, DepthRow, DepthSide, HistoricalTickKind, HistoricalTicks,
    HistoricalTicksParams, MarketDepthEvent, MarketDepthParams,
};
use ibkr_connect_sim::SimOptions;

use super::{aapl, begin, failure, future, replay, seconds, take, with};
use crate::Backend;
use crate::support::until;

fn smart(contract: Contract) -> MarketDepthParams {
    MarketDepthParams::default().with_contract(contract).with_is_smart_depth(true)
}

fn row(event: MarketDepthEvent) -> DepthRow {
    match event {
        MarketDepthEvent::Row(row) => row,
        other => panic!("{other:?}"),
    }
}

/// A book as its events make it: asks and bids.
#[derive(Default)]
struct Book([Vec<DepthRow>; 2]);

impl Book {
    fn apply(&mut self, row: DepthRow) {
        let side = &mut self.0[usize::from(row.side == DepthSide::Bid)];
        let position = row.position as usize;
        match row.operation {
            DepthOperation::Insert => side.insert(position, row),
            DepthOperation::Update => side[position] = row,
            DepthOperation::Delete => drop(side.remove(position)),
        }
    }
}

pub(crate) async fn a_book_begins_with_the_quote(backend: &dyn Backend) {
    with(backend, replay(), async |gateway, session| {
        let mut events = session.market_depth(smart(aapl())).await.unwrap();
        let mut book = Book::default();
        take(&mut events, 10).await.into_iter().map(row).for_each(|row| book.apply(row));
        let ticks = HistoricalTicksParams::default()
            .with_contract(aapl())
            .with_what_to_show(HistoricalTickKind::BidAsk)
            .with_end(Some(begin() + seconds(1)))
            .with_number_of_ticks(1);
        let HistoricalTicks::BidAsk(quotes) = session.historical_ticks(ticks).await.unwrap() else {
            panic!()
        };
        let Book([asks, bids]) = &book;
        assert_eq!((asks.len(), bids.len()), (5, 5));
        assert_eq!((bids[0].price, bids[0].size), (quotes[0].bid_price, quotes[0].bid_size));
        assert_eq!((asks[0].price, asks[0].size), (quotes[0].ask_price, quotes[0].ask_size));
        assert!(asks.iter().chain(bids).all(|row| row.is_smart_depth && row.market_maker.is_some()));

        let mut operations = Vec::new();
        for row in take(&mut events, 300).await.into_iter().map(row) {
            operations.push(row.operation);
            book.apply(row);
        }
        for operation in [DepthOperation::Insert, DepthOperation::Update, DepthOperation::Delete] {
            assert!(operations.contains(&operation), "{operation:?}");
        }
        drop(events);
        until("the cancel arrives", || gateway.stats().requested("cancelMktDepth") == 1).await;
    })
    .await;
}

pub(crate) async fn a_book_of_prices_names_nobody(backend: &dyn Backend) {
    with(backend, replay(), async |_, session| {
        let params = MarketDepthParams::default()
            .with_contract(future())
            .with_number_of_rows(3)
            .with_is_smart_depth(false);
        let mut events = session.market_depth(params).await.unwrap();
        for row in take(&mut events, 6).await.into_iter().map(row) {
            assert_eq!(
                (row.operation, row.market_maker, row.is_smart_depth),
                (DepthOperation::Insert, None, false)
            );
        }
        let params = smart(aapl()).with_is_smart_depth(false);
        let refused = failure(session.market_depth(params).await).await;
        assert_eq!(refused.code(), Some(10092), "{refused}");
        let unknown = failure(session.market_depth(smart(Contract::stock("NOSUCH"))).await).await;
        assert_eq!(unknown.code(), Some(200), "{unknown}");

        let exchanges = session.depth_exchanges().await.unwrap();
        let of = |exchange: &str| exchanges.iter().find(|row| row.exchange == exchange).unwrap();
        assert_eq!((of("CME").sec_type.as_str(), of("CME").agg_group.as_deref()), ("FUT", None));
        assert_eq!((of("ISLAND").sec_type.as_str(), of("ISLAND").agg_group.as_deref()), ("STK", Some("1")));
    })
    .await;
}

pub(crate) async fn a_reset_book_is_sent_anew(backend: &dyn Backend) {
    with(backend, SimOptions { depth_reset_after: Some(3), ..replay() }, async |_, session| {
        let mut events = session.market_depth(smart(aapl())).await.unwrap();
        for _ in 0..2 {
            let mut book = Book::default();
            loop {
                match take(&mut events, 1).await.remove(0) {
                    MarketDepthEvent::Reset {} => break,
                    event => book.apply(row(event)),
                }
            }
            assert!((4..=5).contains(&book.0[0].len()));
        }
    })
    .await;
}
