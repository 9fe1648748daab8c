//! The contract of a [`Connector`] and its connections, as cases that run on any backend: `direct::positions`,
//! `yours::positions`.
//!
//! A backend's tests are a binary of their own, without the harness of Rust: `harness = false` in its `[[test]]`.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use ibkr_connect_conformance::{Backend, Candidate, run};
//! # use ibkr_connect_core::{Connection, ConnectionMode, Connector, Result, Target};
//! # #[derive(Debug, Default)]
//! # struct YourConnector;
//! # impl Connector for YourConnector {
//! #     fn mode(&self) -> ConnectionMode { ConnectionMode::Other("yours") }
//! #     fn connect<'a, 'b, 'c>(&'a self, _: &'b Target)
//! #         -> std::pin::Pin<Box<dyn Future<Output = Result<Box<dyn Connection>>> + Send + 'c>>
//! #     where 'a: 'c, 'b: 'c { unimplemented!() }
//! # }
//!
//! #[derive(Debug, Default)]
//! struct Yours(YourConnector);
//!
//! impl Backend for Yours {
//!     fn connector(&self) -> &(dyn Connector + 'static) {
//!         &self.0
//!     }
//!
//!     fn assert_clean(&self) {
//!         // The processes and threads that its connections had are gone.
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     run([Candidate::new("yours", Yours::default)
//!         .lacks("a_display_group_shows_a_contract_until_it_is_dropped", "it has no windows")])
//! }
//! ```
//!
//! # Behavior
//! - Each case has a Gateway of its own on a port of this machine: the simulator, or one whose bytes the case plays. It reads from it
//!   what the backend has sent, and how its connections have ended.
//! - Each case has a backend of its own, made by the candidate's function.
//! - A case knows no backend, and none is skipped silently: what a candidate lacks is in its list with a reason, and every run prints
//!   it. A list that names a case that there is not fails.
//! - It takes the arguments of `cargo test`: a filter, `--list`, `--test-threads`.
//!
//! [`Connector`]: ibkr_connect_core::Connector

#![forbid(unsafe_code)]

mod cases;
mod suite;
mod support;

use std::fmt::Debug;

use ibkr_connect_core::Connector;
pub use suite::{Candidate, run};

/// A backend as the suite sees it.
pub trait Backend: Debug + Send + Sync {
    /// What connects.
    fn connector(&self) -> &(dyn Connector + 'static);

    /// All connections that the connector made have ended, and left nothing behind. What the kernel ends in its own time may take as
    /// long as on a busy machine. The suite itself looks at the sockets of the Gateway's port.
    ///
    /// # Panics
    /// When a process, a thread or a file is left.
    fn assert_clean(&self);
}
