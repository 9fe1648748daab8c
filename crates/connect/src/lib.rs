//! The connection layer for Interactive Brokers' TWS and Gateway.
//!
//! `IBKR_CONNECTION_MODE` chooses the backend: `subprocess` (default) runs ibapi in a worker process, `direct` in this
//! one. Both give the same [`Session`], the same errors, and leave no half-closed connection behind. A program that
//! uses `subprocess` either has the `ibkr-connect` command installed or calls [`worker::run_if_worker`] first in its
//! `main`.
//!
//! # Connect
//!
//! [`Config::load`] reads `ibkr.toml`, `.env` and the environment. The session has a method per operation.
//!
//! ```
//! # let gateway = ibkr_connect_sim::Simulator::start(Default::default())?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! # ])?;
//! # ibkr_connect::block_on(async {
//! let session = ibkr_connect::connect(&config).await?;
//! println!("accounts: {:?}", session.info().accounts);
//! for held in session.positions().await? {
//!     println!("{} {:?}", held.contract.symbol, held.position);
//! }
//! session.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Supervise
//!
//! A program that runs for days has a [`Supervisor`]: it replaces a session that is lost, and its streams go on after a
//! [`StreamItem::Gap`].
//!
//! ```
//! # let gateway = ibkr_connect_sim::Simulator::start(Default::default())?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! # ])?;
//! # ibkr_connect::block_on(async {
//! use ibkr_connect::StreamItem;
//! use ibkr_connect::types::{Contract, MarketDataParams};
//!
//! let supervisor = ibkr_connect::supervise(&config)?;
//! let mut quotes = supervisor.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await?;
//! # gateway.reset_all();
//! while let Some(item) = quotes.next().await {
//!     match item? {
//!         StreamItem::Data(event) => println!("{event:?}"),
//!         StreamItem::Gap { from, to } => {
//!             println!("events may be missing from {from} to {to}");
//!             break;
//!         }
//!         _ => {} // of a later version
//!     }
//! }
//! assert_eq!(quotes.generation(), 2, "it goes on in the second session");
//! supervisor.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Streams
//!
//! A [`Subscription`] is a [`futures` stream](https://docs.rs/futures) and has [`next`](Subscription::next). Dropping it
//! cancels the subscription at the Gateway.
//!
//! ```
//! # let gateway = ibkr_connect_sim::Simulator::start(Default::default())?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! # ])?;
//! # ibkr_connect::block_on(async {
//! # let session = ibkr_connect::connect(&config).await?;
//! use ibkr_connect::types::{Contract, MarketDataEvent, MarketDataParams, TickType};
//!
//! let mut ticks = session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await?;
//! while let Some(event) = ticks.next().await {
//!     if let MarketDataEvent::Price { tick_type: TickType::LAST, price: Some(price), .. } = event? {
//!         println!("the last trade was at {price}");
//!         break;
//!     }
//! }
//! # session.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Flow control
//!
//! A stream is lossless: a consumer that falls too far behind gets `slow_consumer`. With [`FlowControl::Conflate`] a newer
//! value takes the place of one that was not read yet.
//!
//! ```
//! # let gateway = ibkr_connect_sim::Simulator::start(Default::default())?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! # ])?;
//! # ibkr_connect::block_on(async {
//! # let session = ibkr_connect::connect(&config).await?;
//! use ibkr_connect::FlowControl;
//! use ibkr_connect::types::{Contract, MarketDataParams};
//!
//! let latest = session.with_flow(FlowControl::Conflate);
//! let mut ticks = latest.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await?;
//! if let Some(event) = ticks.next().await {
//!     println!("{:?}; {} older ones gave way", event?, ticks.merged());
//! }
//! # session.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//!
//! An [`Error`] has a [kind](Error::kind) to decide by, the [phase](Error::phase) of a connect in which it happened, and
//! [advice](Error::advice) for people. [`is_retryable`](Error::is_retryable) says whether another attempt may help.
//!
//! ```
//! # use ibkr_connect_sim::{Fault, SimOptions, Simulator};
//! # let gateway = Simulator::start(SimOptions { faults: vec![Fault::Silent], ..SimOptions::default() })?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! #     ("IBKR_TIMEOUT", "300ms".to_owned()),
//! #     ("IBKR_MAX_RETRIES", "0".to_owned()),
//! # ])?;
//! # ibkr_connect::block_on(async {
//! use ibkr_connect::{ErrorKind, Phase};
//!
//! // This Gateway accepts the connection and says nothing.
//! let error = ibkr_connect::connect(&config).await.unwrap_err();
//! assert_eq!((error.kind(), error.phase()), (ErrorKind::HandshakeTimeout, Some(Phase::Version)));
//! assert!(error.is_retryable());
//! println!("{error}: {}", error.advice().unwrap_or_default());
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Without a runtime, and in tests
//!
//! [`blocking`] has the same for programs without a runtime. In tests, any [`Connector`] can stand in ([`session_over`]);
//! `MockConnection::ready` (feature `mock`) is a connection that a test scripts, and the crate `ibkr-connect-sim` is a whole
//! Gateway on the wire.
//!
//! A backend of one's own is any [`Connector`] too: [`connect_over`] and [`supervise_over`] put retries, breaker, lock, leases,
//! pacing and the check for zombies around it.
//!
//! # Where the rest is
//!
//! [`types`] has what TWS is asked and says, [`config`] the settings, [`operations`] the table of operations as data,
//! [`telemetry`] the events and metrics, [`cleanup`] half-closed connections, [`resilience`] what programs share: breaker,
//! client ids, pacing. [`jiff`] is the crate whose times and days are in the types.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod backends;
pub mod blocking;
pub mod cleanup;
mod fallback;
pub mod operations;
pub mod worker;
mod zombie_check;

pub use backends::connector;
pub use ibkr_connect_core::{
    Attempt, BlockingSession, BlockingSubscription, CloseReason, Config, Connection, ConnectionInfo,
    ConnectionMode, Connector, Elapsed, Error, ErrorKind, Event, EventStream, FlowControl, Phase,
    PhaseTiming, Reply, Request, Result, STREAM_CAPACITY, Session, StreamRequest, Subscription, Target,
    ZombieReport, config, literal, mask_account, mask_accounts, telemetry, types,
};
#[cfg(feature = "mock")]
pub use ibkr_connect_core::{MockConnection, MockConnector};
pub use ibkr_connect_resilience as resilience;
pub use ibkr_connect_resilience::{
    BlockingSupervisedStream, BlockingSupervisor, BlockingTransitions, Damage, Farm, FarmKind, GiveUp,
    NextAttempt, RestartHook, RestartLimit, StreamItem, SupervisedSession, SupervisedStream, Supervisor,
    SupervisorOptions, SupervisorState, Transition, TransitionCause, Transitions,
};
pub use jiff;

// What the command and the tests of the whole are made with. Not for programs.
#[doc(hidden)]
pub use ibkr_connect_core::{
    SESSION_CAPACITY, STREAM_RESERVE, StreamControl, block_on, millis, plain, plain_lines, random_client_id,
};

use ibkr_connect_resilience::{Policy, RobustConnector};
use std::sync::Arc;

/// Connects as `config` says, and holds on as long as it says: circuit breaker, handshake lock, client-id lease, retries
/// with backoff, all shared with the other processes of this user.
///
/// # Behavior
/// The future needs no particular runtime, and the attempt goes on while the caller's runtime is blocked. Dropping
/// it abandons the attempt and leaves nothing behind.
///
/// # Errors
/// An [`Error`] whose kind and phase are the same in both modes.
pub async fn connect(config: &Config) -> Result<Session> {
    session_over(&robust_connector(config)?, &config.target()).await
}

/// The same through a connector of one's own: a backend that is not of this library, around which comes all that comes around
/// those of this library. `config` says the rest; its mode and fallback concern nobody.
///
/// # Behavior
/// The session says what [`Connector::mode`] says: [`ConnectionMode::Other`] with the backend's name.
///
/// # Errors
/// Those of the connector and of the policy.
pub async fn connect_over(connector: Arc<dyn Connector>, config: &Config) -> Result<Session> {
    session_over(&robust_connector_over(connector, config), &config.target()).await
}

/// The connector that [`connect`] uses: [`connector`], which makes one attempt, and the policy around it.
///
/// # Errors
/// Those of [`connector`].
pub fn robust_connector(config: &Config) -> Result<RobustConnector> {
    Ok(RobustConnector::new(connector(config)?, Policy::from(config)))
}

/// The connector that [`connect_over`] uses: the check for zombies around one's own, and the policy around that.
pub fn robust_connector_over(connector: Arc<dyn Connector>, config: &Config) -> RobustConnector {
    RobustConnector::new(shared(backends::checked(connector, config)), Policy::from(config))
}

/// Starts to keep a session up as `config` says, and returns at once; see [`Supervisor`].
///
/// # Behavior
/// Each of its attempts is one handshake under the same policy as [`connect`]'s: what is retried, and when, is for the
/// supervisor alone to say.
///
/// # Errors
/// Those of [`connector`], and `busy` when the system refuses a thread.
pub fn supervise(config: &Config) -> Result<Supervisor> {
    supervise_with(config, SupervisorOptions::from(config))
}

/// The same with other rules than those of the configuration: begin with [`SupervisorOptions::from`] it.
///
/// # Errors
/// Those of [`supervise`].
pub fn supervise_with(config: &Config, options: SupervisorOptions) -> Result<Supervisor> {
    keep_up(connector(config)?.into(), config, options)
}

/// The same through a connector of one's own, as [`connect_over`] uses it.
///
/// # Errors
/// `busy` when the system refuses a thread.
pub fn supervise_over(
    connector: Arc<dyn Connector>,
    config: &Config,
    options: SupervisorOptions,
) -> Result<Supervisor> {
    keep_up(shared(backends::checked(connector, config)), config, options)
}

fn keep_up(connector: Arc<dyn Connector>, config: &Config, options: SupervisorOptions) -> Result<Supervisor> {
    let policy = Policy::from(config).with_max_retries(0);
    Supervisor::start(shared(RobustConnector::new(connector, policy)), config.target(), options)
}

fn shared(connector: impl Connector + 'static) -> Arc<dyn Connector> {
    Arc::new(connector)
}

/// Connects as `ibkr.toml`, `.env` and the environment say.
///
/// # Errors
/// `config`, or those of [`connect`].
pub async fn connect_from_env() -> Result<Session> {
    connect(&Config::load()?).await
}

/// Connects through any connector as it is: a mock, or a policy of one's own. [`connect_over`] puts ours around it.
///
/// # Errors
/// Those of the connector.
pub async fn session_over(connector: &dyn Connector, target: &Target) -> Result<Session> {
    connector.connect(target).await.map(Session::new)
}
