//! The connection layer for Interactive Brokers' TWS and Gateway.
//!
//! ```no_run
//! # async fn run() -> ibkr_connect::Result<()> {
//! let session = ibkr_connect::connect_from_env().await?;
//! println!("accounts: {:?}", session.info().accounts);
//! for position in session.positions().await? {
//!     println!("{} {}", position.contract.symbol, position.position);
//! }
//! session.close().await
//! # }
//! ```
//!
//! `IBKR_CONNECTION_MODE` chooses the backend: `subprocess` (default) runs ibapi in a worker process, `direct` in this
//! one. Both give the same [`Session`], the same errors, and leave no half-closed connection behind. A program that
//! uses `subprocess` either has the `ibkr-connect` command installed or calls [`worker::run_if_worker`] first in its
//! `main`.
//!
//! A backend of one's own is any [`Connector`]: [`connect_over`] and [`supervise_over`] put retries, breaker, lock, leases, pacing
//! and the check for zombies around it. In tests, a mock stands in: see [`session_over`] and the feature `mock`.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod backends;
mod fallback;
pub mod worker;
mod zombie_check;

pub use backends::connector;
pub use ibkr_connect_cleanup as cleanup;
pub use ibkr_connect_core::*;
pub use ibkr_connect_resilience as resilience;
pub use ibkr_connect_resilience::{
    BlockingSupervisedStream, BlockingSupervisor, StreamItem, SupervisedSession, SupervisedStream,
    Supervisor, SupervisorState, Transition, TransitionCause, Transitions,
};
use ibkr_connect_resilience::{Policy, RobustConnector, SupervisorOptions};
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
    let policy = Policy { max_retries: 0, ..Policy::from(config) };
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
