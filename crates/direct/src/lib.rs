//! The `direct` backend: ibapi in this process, on a thread and a runtime of its own.
//!
//! A busy host runtime can't starve it: the thread drives the socket, the deadlines and ibapi; the host only waits
//! for answers. Between ibapi and the Gateway stands a relay: it owns the real socket, so that every phase
//! is known, a failed handshake ends in a reset, and no order leaves a read-only session.
//!
//! Reading order: [`DirectConnector`], `attempt` (one connect; the crates wire and relay have the handshake and the
//! session), `failure` (why there is none), `engine` (the thread), `connection` (the handle), `execute` and `convert` (the operations),
//! `overdue` (why nothing came), `permits` and `serial_queue` (who asks when).

#![forbid(unsafe_code)]

mod clock;
mod command;
mod connect;
mod connection;
mod convert;
mod ending;
mod engine;
mod error;
mod execute;
mod failure;
mod followers;
mod ibapi_listener;
mod items;
mod late;
mod log;
mod notes;
mod notices;
mod orders;
mod overdue;
mod permits;
mod progress;
mod retryable;
mod serial_queue;
mod standing;
mod wiretap;

use async_trait::async_trait;
use ibkr_connect_cleanup::fill_standard_descriptors;
use ibkr_connect_core::{Connection, ConnectionMode, Connector, Error, ErrorKind, Phase, Result, Target};

/// Connects with ibapi in this process.
///
/// # Behavior
/// - One thread per connection, with a current-thread runtime; ibapi's own reconnecting is off.
/// - The handshake has one deadline. When it fails, times out or its future is dropped, the socket is reset, never
///   half-closed: a FIN is what makes the Gateway's zombie.
/// - No socket gets the number of a closed stdin, stdout or stderr.
/// - A session is closed gracefully: our FIN, the Gateway's FIN; if that does not come within half a second, a reset.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectConnector;

#[async_trait]
impl Connector for DirectConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Direct
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        prepare(target)?;
        engine::start(target.clone()).await.map(|connection| Box::new(connection) as _)
    }
}

/// Connects with ibapi on the runtime of whoever awaits the connect, and starts no thread: for a process that does nothing but hold
/// the session, such as a worker. There another thread would be one to wake more for each request and each answer.
///
/// # Behavior
/// - That of [`DirectConnector`], as far as the runtime goes on: it is of tokio's, with I/O and time, and whatever blocks it blocks the
///   session, its deadlines too.
/// - The session ends with the runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostedConnector;

#[async_trait]
impl Connector for HostedConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Direct
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        prepare(target)?;
        engine::start_here(target.clone()).await.map(|connection| Box::new(connection) as _)
    }
}

/// What is to be right before the first socket is opened.
fn prepare(target: &Target) -> Result<()> {
    target.check()?;
    fill_standard_descriptors().map(drop).map_err(|error| {
        let message = format!("can't open /dev/null in the place of a closed standard descriptor: {error}");
        Error::new(ErrorKind::Unreachable, message)
            .in_phase(Phase::Preflight)
            .with_advice("start the program with stdin, stdout and stderr, or with a /dev/null")
            .with_source(error)
    })
}
