//! A Gateway that sends ticks as fast as they are taken, over the real wire: a consumer that reads them gets each once and in
//! order, in both modes.
//!
//! `IBKR_FLOOD_TICKS=5000000 cargo test --release --test flood -- --nocapture` is the long one.

mod support;

use std::time::Instant;

use ibkr_connect::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect::{ConnectionMode, block_on};

use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::real_backends::on_real_backends;
use crate::support::{PATIENCE, setting};

on_real_backends! {
    fn gives_every_tick_once_and_in_order(mode) {
        every_tick_once_and_in_order(mode);
    }
}

#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn every_tick_once_and_in_order(mode: ConnectionMode) {
    let count = setting("IBKR_FLOOD_TICKS").unwrap_or(100_000);
    let gateway = FakeGateway::start(Behaviour::FloodsWithTicks(count));
    let backend = Backend::new(mode);
    let target = target(gateway.port());
    let session = block_on(ibkr_connect::session_over(&*backend, &target)).unwrap();
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    let mut ticks = session.blocking().market_data(params).unwrap();
    let begun = Instant::now();
    for number in 1..=count {
        match ticks.next_timeout(PATIENCE) {
            Ok(Some(Ok(MarketDataEvent::Text { value, .. }))) if value == number.to_string() => {}
            other => panic!("{mode}: instead of tick {number}: {other:?}"),
        }
    }
    println!("{mode}: {count} ticks, {:.0} ticks/s", count as f64 / begun.elapsed().as_secs_f64());
    block_on(session.close()).unwrap();
}
