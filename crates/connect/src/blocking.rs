//! For programs without a runtime: the same as the functions of the root, and each call blocks its thread.
//!
//! ```
//! # let gateway = ibkr_connect_sim::Simulator::start(Default::default())?;
//! # let state = tempfile::tempdir()?;
//! # let config = ibkr_connect::Config::from_vars([
//! #     ("IBKR_CONNECTION_MODE", "direct".to_owned()),
//! #     ("IBKR_PORT", gateway.port().to_string()),
//! #     ("IBKR_STATE_DIR", state.path().display().to_string()),
//! # ])?;
//! use ibkr_connect::types::{Contract, MarketDataParams};
//!
//! let session = ibkr_connect::blocking::connect(&config)?;
//! println!("{} positions", session.positions()?.len());
//! for event in session.market_data(MarketDataParams::streaming(Contract::stock("AAPL")))?.take(3) {
//!     println!("{:?}", event?);
//! }
//! session.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use ibkr_connect_core::{BlockingSession, Config, Result, block_on};
use ibkr_connect_resilience::{BlockingSupervisor, SupervisorOptions};

/// See [`connect`](crate::connect).
///
/// # Errors
/// Those of [`connect`](crate::connect).
pub fn connect(config: &Config) -> Result<BlockingSession> {
    block_on(crate::connect(config)).map(BlockingSession::from)
}

/// See [`connect_from_env`](crate::connect_from_env).
///
/// # Errors
/// Those of [`connect_from_env`](crate::connect_from_env).
pub fn connect_from_env() -> Result<BlockingSession> {
    block_on(crate::connect_from_env()).map(BlockingSession::from)
}

/// See [`supervise`](crate::supervise).
///
/// # Errors
/// Those of [`supervise`](crate::supervise).
pub fn supervise(config: &Config) -> Result<BlockingSupervisor> {
    crate::supervise(config).map(BlockingSupervisor::from)
}

/// See [`supervise_with`](crate::supervise_with).
///
/// # Errors
/// Those of [`supervise_with`](crate::supervise_with).
pub fn supervise_with(config: &Config, options: SupervisorOptions) -> Result<BlockingSupervisor> {
    crate::supervise_with(config, options).map(BlockingSupervisor::from)
}
