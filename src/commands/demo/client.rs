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
    fn failed(seen: Duration, message: String) -> Self {
        Self { seen, failure: Some(Failure { kind: None, message }), ..Self::default() }
    }
}

/// An attempt of ours whose session is still open, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Used {
    attempt: Attempt,
    session: Option<Session>,
}

impl Used {
    fn refused(seen: Duration, error: &Error) -> Self {
        let attempt = Attempt { seen, failure: Some(Failure::from(error)), ..Attempt::default() };
        Self { attempt, session: None }
    }

    /// Pings and fetches at the same time.
    async fn of(session: Session, seen: Duration) -> Self {
        let took = Duration::from_secs_f64(session.info().connect_ms / 1_000.0);
        let bars = session.historical_bars(HistoricalBarsParams::last_day(Contract::stock("AAPL")));
        let (pinged, fetched) = tokio::join!(session.ping(), bars);
        let attempt = Attempt {
            took: Some(took),
            seen,
            pinged: pinged.is_ok(),
            fetched: fetched.as_ref().is_ok_and(|found| !found.bars.is_empty()),
            failure: pinged.err().or(fetched.err()).as_ref().map(Failure::from),
        };
        Self { attempt, session: Some(session) }
    }

    pub(crate) async fn close(self) -> Attempt {
        let Self { mut attempt, session } = self;
        if let Some(session) = session
            && let Err(error) = session.close().await
        {
            attempt.failure.get_or_insert_with(|| Failure::from(&error));
        }
        attempt
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { kind: Some(error.kind()), message: error.to_string() }
    }
}

/// One attempt through ibkr-connect: without a retry, and without the lock, the breaker and the leased client ids that a user's
/// connects share.
pub(crate) async fn ours(mode: ConnectionMode, port: u16, client_id: i32, deadline: Duration) -> Used {
    let config = Config::default().with_mode(mode).with_port(port).with_timeout(deadline);
    let config = config.with_client_id(Some(client_id));
    let begun = Instant::now();
    let connected = match ibkr_connect::connector(&config) {
        Ok(connector) => ibkr_connect::session_over(connector.as_ref(), &config.target()).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(session) => Used::of(session, begun.elapsed()).await,
        Err(error) => Used::refused(begun.elapsed(), &error),
    }
}

/// Connects as a user's program does: the port is looked at first. Whatever its programs share is in `config`'s state
/// directory.
pub(crate) async fn ours_with_policy(config: &Config) -> Used {
    let begun = Instant::now();
    match ibkr_connect::connect(config).await {
        Ok(session) => Used::of(session, begun.elapsed()).await,
        Err(error) => Used::refused(begun.elapsed(), &error),
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
pub(crate) async fn naive_with_retries(
    port: u16,
    client_id: i32,
    tries: usize,
    deadline: Duration,
) -> Vec<Attempt> {
    let mut attempts = Vec::with_capacity(tries);
    while attempts.len() < tries {
        attempts.push(naive(port, client_id, deadline).await);
        if attempts.last().is_some_and(|attempt| attempt.took.is_some()) {
            break;
        }
    }
    attempts
}
