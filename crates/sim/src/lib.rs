//! A wire-level simulator of the Interactive Brokers Gateway, with faults on demand.
//!
//! It speaks the protobuf dialect of TWS's API (server versions 213 to 226) over real TCP sockets,
//! so that any client can be tested against it: handshake and client ids, server time, accounts,
//! positions, contract details, quotes, single ticks, bars and order books, past and present. It misbehaves like
//! a real Gateway where a [`Fault`] says so, and counts what it saw in [`Stats`].
//! It places no orders: it counts what could be one and answers as a read-only API does.
//!
//! It shares no code with the clients under test, and all its data follow from one seed.
//!
//! ```
//! use ibkr_connect_sim::{Fault, SimOptions, Simulator};
//!
//! let options = SimOptions { faults: vec![Fault::Silent], ..SimOptions::default() };
//! let simulator = Simulator::start(options)?;
//! let _client = std::net::TcpStream::connect(simulator.addr())?;
//! assert!(simulator.wait_until(std::time::Duration::from_secs(5), |stats| stats.accepted == 1));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The modules in reading order, as bytes travel: [`framing`] frames them, `server` accepts, `peer` owns a
//! socket, `connection` holds the conversation that `plan` made of the faults, `session` answers requests
//! through `answers` and `messages`, and `market` is the world they talk about.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use fault::{Fault, ParseFaultError};
pub use options::{CLIENT_WITH_ORDERS, Handshakes, Hold, OverLimit, SERVER_VERSIONS, SimOptions};
pub use server::Simulator;
pub use stats::Stats;

pub mod framing;

mod answers;
mod clock;
mod clock_questions;
mod connection;
mod fault;
mod limits;
mod market;
mod messages;
mod options;
mod peer;
mod plan;
mod server;
mod session;
mod stats;
