//! Typed streams of each kind go on when their session is lost, over each backend.

use ibkr_connect::resilience::StreamItem;
use ibkr_connect::types::{
    AccountSummaryParams, Contract, HistoricalBarUpdatesParams, MarketDataParams, MarketDepthParams,
    PnlParams,
};
use ibkr_connect::{ConnectionMode, SupervisedStream};
use ibkr_connect_sim::SimOptions;

use super::{Stage, gateway};
use crate::support::backend::NobodyListens;
use crate::support::real_backends::on_real_backends;
use crate::support::run;

on_real_backends! {
    fn go_on(mode) {
        run(each_goes_on(mode));
    }
}

async fn each_goes_on(mode: ConnectionMode) {
    let port = NobodyListens::new();
    let gateway = gateway(&port, SimOptions::default());
    let stage = Stage::new(mode, port);
    let supervisor = &stage.supervisor;
    let contract = || Contract::stock("AAPL");
    let account = supervisor.session().await.unwrap().info().accounts[0].clone();
    let mut quotes = supervisor.market_data(MarketDataParams::streaming(contract())).await.unwrap();
    let bars = HistoricalBarUpdatesParams::default().with_contract(contract());
    let mut bars = supervisor.historical_bar_updates(bars).await.unwrap();
    let depth = MarketDepthParams::default().with_contract(contract()).with_is_smart_depth(true);
    let mut depth = supervisor.market_depth(depth).await.unwrap();
    let mut positions = supervisor.position_updates().await.unwrap();
    let mut summary = supervisor.account_summary_updates(AccountSummaryParams::default()).await.unwrap();
    let mut pnl = supervisor.pnl(PnlParams::default().with_account(account)).await.unwrap();
    let mut notices = supervisor.notices().await.unwrap();
    for generation in [1, 2, 3] {
        if generation > 1 {
            gateway.reset_all();
        }
        gives(&mut quotes, generation).await;
        gives(&mut bars, generation).await;
        gives(&mut depth, generation).await;
        gives(&mut positions, generation).await;
        gives(&mut summary, generation).await;
        gives(&mut pnl, generation).await;
        // A session begins with what its Gateway has said.
        gives(&mut notices, generation).await;
    }
    drop((quotes, bars, depth, positions, summary, pnl, notices));
    stage.supervisor.close().await;
}

/// Gives events of this session, after one gap for each that was lost.
async fn gives<T: std::fmt::Debug>(stream: &mut SupervisedStream<T>, generation: u64) {
    let mut gaps = 0;
    loop {
        match stream.next().await.expect("it has ended").unwrap() {
            StreamItem::Gap { from, to } => {
                assert!(from <= to);
                gaps += 1;
            }
            StreamItem::Data(_) if stream.generation() == generation => break,
            StreamItem::Data(_) => {}
            other => panic!("neither an event nor a gap: {other:?}"),
        }
    }
    assert_eq!(gaps, u64::from(generation > 1), "{stream:?}");
}
