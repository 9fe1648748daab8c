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
//! In tests, any [`Connector`] can stand in: see [`session_over`] and the feature `mock`.

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

/// The connector that [`connect`] uses: [`connector`], which makes one attempt, and the policy around it.
///
/// # Errors
/// Those of [`connector`].
pub fn robust_connector(config: &Config) -> Result<RobustConnector> {
    Ok(RobustConnector::new(connector(config)?, Policy::from(config)))
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
    let policy = Policy { max_retries: 0, ..Policy::from(config) };
    let connector: Arc<dyn Connector> = Arc::new(RobustConnector::new(connector(config)?, policy));
    Supervisor::start(connector, config.target(), options)
}

/// Connects as `ibkr.toml`, `.env` and the environment say.
///
/// # Errors
/// `config`, or those of [`connect`].
pub async fn connect_from_env() -> Result<Session> {
    connect(&Config::load()?).await
}

/// Connects through any connector: another policy, or a mock.
///
/// # Errors
/// Those of the connector.
pub async fn session_over(connector: &dyn Connector, target: &Target) -> Result<Session> {
    connector.connect(target).await.map(Session::new)
}
