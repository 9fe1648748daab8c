//! One attempt of the demo's program: connect, ping, fetch, close.

use std::time::{Duration, Instant};

use ibapi::Client;
use ibapi::prelude::{Contract as IbContract, HistoricalBarSize, ToDuration};
use ibkr_connect::types::{Contract, HistoricalBarsParams};
use ibkr_connect::{Config, ConnectionMode, Error, ErrorKind, Session};
use tokio::time::timeout;

/// How an attempt went.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// How long the connection took to be made, by its own clock; `None` if it was not.
    pub(crate) took: Option<Duration>,
    /// How long the program waited until it had the connection, or knew that it got none.
    pub(crate) seen: Duration,
    pub(crate) pinged: bool,
    pub(crate) fetched: bool,
    pub(crate) failure: Option<Failure>,
}

/// What an attempt failed with.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Ours have one.
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) message: String,
}

impl Attempt {
    pub(crate) fn failed(seen: Duration, message: String) -> Self {
        Self { seen, failure: Some(Failure { kind: None, message }), ..Self::default() }
    }

    fn refused(seen: Duration, error: &Error) -> Self {
        Self { seen, failure: Some(Failure::from(error)), ..Self::default() }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { kind: Some(error.kind()), message: error.to_string() }
    }
}

/// One attempt through ibkr-connect: without a retry, and without the lock and the breaker that a user's connects share.
pub(crate) async fn ours(mode: ConnectionMode, port: u16, deadline: Duration) -> Attempt {
    let config = Config { mode, port, timeout: deadline, ..Config::default() };
    let begun = Instant::now();
    let connected = match ibkr_connect::connector(&config) {
        Ok(connector) => ibkr_connect::session_over(connector.as_ref(), &config.target()).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(session) => used(session, begun.elapsed()).await,
        Err(error) => Attempt::refused(begun.elapsed(), &error),
    }
}

/// Connects as a user's program does: the port is looked at first. Whatever its programs share is in `config`'s state
/// directory.
pub(crate) async fn ours_with_policy(config: &Config) -> Attempt {
    let begun = Instant::now();
    match ibkr_connect::connect(config).await {
        Ok(session) => used(session, begun.elapsed()).await,
        Err(error) => Attempt::refused(begun.elapsed(), &error),
    }
}

/// Uses the session and closes it.
async fn used(session: Session, seen: Duration) -> Attempt {
    let took = Duration::from_secs_f64(session.info().connect_ms / 1_000.0);
    let pinged = session.ping().await;
    let fetched = session.historical_bars(HistoricalBarsParams::last_day(Contract::stock("AAPL"))).await;
    let closed = session.close().await;
    Attempt {
        took: Some(took),
        seen,
        pinged: pinged.is_ok(),
        fetched: fetched.as_ref().is_ok_and(|found| !found.bars.is_empty()),
        failure: pinged.err().or(fetched.err()).or(closed.err()).as_ref().map(Failure::from),
    }
}

/// What one would write without us: bare ibapi, a timeout around each step, all of it on the program's own runtime. Like
/// ours, a connect counts once the Gateway has answered a request.
pub(crate) async fn naive(port: u16, client_id: i32, deadline: Duration) -> Attempt {
    let begun = Instant::now();
    let connected = timeout(deadline, async {
        let client = Client::connect(&format!("127.0.0.1:{port}"), client_id).await?;
        client.managed_accounts().await.map(|_| client)
    });
    let client = match connected.await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Attempt::failed(begun.elapsed(), error.to_string()),
        Err(_) => {
            return Attempt::failed(
                begun.elapsed(),
                format!("no connection within {} ms", deadline.as_millis()),
            );
        }
    };
    let seen = begun.elapsed();
    let pinged = timeout(deadline, client.managed_accounts()).await;
    let contract = IbContract::stock("AAPL").build();
    let bars = client.historical_data(&contract, HistoricalBarSize::Min).duration(1.days());
    let fetched = timeout(deadline, bars.fetch()).await;
    client.disconnect().await;
    Attempt {
        // It lives where it is seen.
        took: Some(seen),
        seen,
        pinged: matches!(pinged, Ok(Ok(_))),
        fetched: matches!(&fetched, Ok(Ok(found)) if !found.bars.is_empty()),
        failure: None,
    }
}

/// The retry loop that goes with it.
pub(crate) async fn naive_with_retries(port: u16, tries: usize, deadline: Duration) -> Vec<Attempt> {
    let mut attempts = Vec::with_capacity(tries);
    for client_id in (1..).take(tries) {
        let attempt = naive(port, client_id, deadline).await;
        let is_connected = attempt.took.is_some();
        attempts.push(attempt);
        if is_connected {
            break;
        }
    }
    attempts
}
