//! One attempt of the demo's program: connect, ping, fetch, close.

use std::time::{Duration, Instant};

use ibapi::Client;
use ibapi::prelude::{Contract as IbContract, HistoricalBarSize, ToDuration};
use ibkr_connect::types::{Contract, HistoricalBarsParams};
use ibkr_connect::{Config, ConnectionMode};
use tokio::time::timeout;

use super::Way;

/// How an attempt went.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// How long the program waited for its connection; `None` if it got none.
    pub(crate) connected_in: Option<Duration>,
    pub(crate) pinged: bool,
    pub(crate) fetched: bool,
    pub(crate) failure: Option<String>,
}

impl Attempt {
    pub(crate) fn failed(failure: String) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// Connects to the simulator on `port` and uses the connection.
pub(crate) async fn attempt(way: Way, port: u16, number: usize, deadline: Duration) -> Attempt {
    match way {
        Way::Naive => naive(port, number, deadline).await,
        Way::Ours(mode) => ours(mode, port, deadline).await,
    }
}

async fn ours(mode: ConnectionMode, port: u16, deadline: Duration) -> Attempt {
    let config = Config { mode, port, timeout: deadline, ..Config::default() };
    let begun = Instant::now();
    // One attempt each, without the lock and the breaker that a program's connects share.
    let connected = match ibkr_connect::connector(&config) {
        Ok(connector) => ibkr_connect::session_over(connector.as_ref(), &config.target()).await,
        Err(error) => Err(error),
    };
    let session = match connected {
        Ok(session) => session,
        Err(error) => return Attempt::failed(error.to_string()),
    };
    let connected_in = Some(begun.elapsed());
    let pinged = session.ping().await;
    let fetched = session.historical_bars(HistoricalBarsParams::last_day(Contract::stock("AAPL"))).await;
    let closed = session.close().await;
    Attempt {
        connected_in,
        pinged: pinged.is_ok(),
        fetched: fetched.as_ref().is_ok_and(|found| !found.bars.is_empty()),
        failure: pinged.err().or(fetched.err()).or(closed.err()).map(|error| error.to_string()),
    }
}

/// What one would write today: ibapi, a timeout around each step, all of it on the program's own runtime. Like ours, a
/// connect counts once the Gateway has answered a request.
async fn naive(port: u16, number: usize, deadline: Duration) -> Attempt {
    let begun = Instant::now();
    let client_id = i32::try_from(number).unwrap_or_default() + 1;
    let connected = timeout(deadline, async {
        let client = Client::connect(&format!("127.0.0.1:{port}"), client_id).await?;
        client.managed_accounts().await.map(|_| client)
    });
    let client = match connected.await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Attempt::failed(error.to_string()),
        Err(_) => return Attempt::failed(format!("no connection within {deadline:?}")),
    };
    let connected_in = Some(begun.elapsed());
    let pinged = timeout(deadline, client.managed_accounts()).await;
    let contract = IbContract::stock("AAPL").build();
    let bars = client.historical_data(&contract, HistoricalBarSize::Min).duration(1.days());
    let fetched = timeout(deadline, bars.fetch()).await;
    client.disconnect().await;
    Attempt {
        connected_in,
        pinged: matches!(pinged, Ok(Ok(_))),
        fetched: matches!(&fetched, Ok(Ok(found)) if !found.bars.is_empty()),
        failure: None,
    }
}
