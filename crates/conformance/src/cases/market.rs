//! Market data and history agree with each other: bars and histograms are made of the ticks, books begin with the quote.
//!
//! The Gateway here replays one Friday, so that every run sees the same.

mod bars;
mod books;
mod past;
mod quotes;
mod ticks;

pub(crate) use bars::*;
pub(crate) use books::*;
pub(crate) use past::*;
pub(crate) use quotes::*;
pub(crate) use ticks::*;

use std::time::Duration;

use ibkr_connect_core::literal;
use ibkr_connect_core::types::{Bar, BarTime, Contract, TradeTick};
use ibkr_connect_core::{Error, Session, Subscription};
use ibkr_connect_sim::{SimOptions, Simulator};
use jiff::{SignedDuration, Timestamp};

use crate::Backend;
use crate::cases::data::session;
use crate::support::backend::target;

/// In the middle of a trading day.
const BEGIN: &str = "2024-07-12T15:00:02Z";

pub(crate) fn begin() -> Timestamp {
    BEGIN.parse().unwrap()
}

pub(crate) fn replay() -> SimOptions {
    SimOptions {
        replay: Some(begin()),
        tick_interval: Duration::from_millis(2),
        seed: 7,
        ..SimOptions::default()
    }
}

/// Runs a case in a session with a replaying Gateway, and looks at what it leaves.
pub(crate) async fn with(
    backend: &dyn Backend,
    options: SimOptions,
    case: impl AsyncFn(&Simulator, &Session),
) {
    let gateway = Simulator::start(options).unwrap();
    let session = session(&**backend, &target(gateway.port())).await;
    case(&gateway, &session).await;
    session.close().await.unwrap();
    backend.assert_left_nothing(gateway.port());
}

/// The next events of a stream.
pub(crate) async fn take<T>(events: &mut Subscription<T>, count: usize) -> Vec<T> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(events.next().await.unwrap().unwrap());
    }
    taken
}

/// What a request or the stream it opened fails with.
pub(crate) async fn failure<T>(opened: Result<Subscription<T>, Error>) -> Error {
    match opened {
        Err(error) => error,
        Ok(mut events) => loop {
            if let Err(error) = events.next().await.expect("it fails before it ends") {
                return error;
            }
        },
    }
}

pub(crate) fn aapl() -> Contract {
    Contract::stock("AAPL")
}

fn euro() -> Contract {
    Contract::forex("EUR", "USD")
}

fn future() -> Contract {
    literal!(Contract { local_symbol: "ESZ7".into(), exchange: "CME".into(), ..Contract::default() })
}

pub(crate) fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

fn time(bar: &Bar) -> Timestamp {
    match bar.time {
        Some(BarTime::Time(time)) => time,
        other => panic!("a bar of no time: {other:?}"),
    }
}

/// The bar that trades make; unreported ones are in no bar.
fn bar_of(time: Timestamp, trades: &[TradeTick]) -> Bar {
    let trades: Vec<_> = trades.iter().filter(|trade| !trade.unreported).collect();
    let prices = || trades.iter().map(|trade| trade.price.unwrap());
    let volume: f64 = trades.iter().map(|trade| trade.size.unwrap()).sum();
    let value: f64 = trades.iter().map(|trade| trade.size.unwrap() * trade.price.unwrap()).sum();
    literal!(Bar {
        time: Some(BarTime::Time(time)),
        open: prices().next(),
        high: prices().reduce(f64::max),
        low: prices().reduce(f64::min),
        close: trades.last().and_then(|trade| trade.price),
        volume: Some(volume),
        wap: Some(value / volume),
        count: i32::try_from(trades.len()).ok(),
    })
}

/// Equal, but for rounding in the average price.
fn assert_same_bar(bar: &Bar, expected: &Bar) {
    let (average, expected_average) = (bar.wap.unwrap(), expected.wap.unwrap());
    assert!((average - expected_average).abs() < 1e-9 * average, "{average} {expected_average}");
    assert_eq!(&literal!(Bar { wap: expected.wap, ..bar.clone() }), expected);
}
