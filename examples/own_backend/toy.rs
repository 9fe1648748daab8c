//! A backend of somebody else's: the connection to the Gateway belongs to another thread, and the worker protocol goes there and back
//! through two pipes. With a socket in their place it would be another machine.

use std::io::{self, pipe};
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use ibkr_connect::{Connection, ConnectionMode, Connector, Error, ErrorKind, Result, Target};
use ibkr_connect_direct::DirectConnector;
use ibkr_connect_protocol::client::{self, Transport};
use ibkr_connect_protocol::server::{self, ServerOptions};
use ibkr_connect_protocol::{Timing, WriterPipe};

/// How many bytes may wait for the far side.
const LIMIT: usize = 1 << 20;

/// Starts a server of the protocol for each connection.
#[derive(Debug, Default)]
pub(crate) struct ToyConnector {
    /// Held by each server for as long as it runs.
    serving: Arc<()>,
}

impl ToyConnector {
    /// How many servers run.
    #[allow(dead_code, reason = "its tests look, the example does not")]
    pub(crate) fn servers(&self) -> usize {
        Arc::strong_count(&self.serving) - 1
    }
}

#[async_trait]
impl Connector for ToyConnector {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Other("toy")
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let transport = start_server(Arc::clone(&self.serving)).map_err(|error| {
            Error::new(ErrorKind::Busy, format!("the toy's server can't be started: {error}"))
        })?;
        client::connect(transport, self.mode(), target, Timing::default()).await
    }
}

/// A thread that serves the connector which reaches the Gateway, and the way there.
fn start_server(serving: Arc<()>) -> io::Result<Transport> {
    let (commands, to_server) = pipe()?;
    let (from_server, answers) = pipe()?;
    let answers = Arc::new(WriterPipe::new(answers, LIMIT)?);
    thread::Builder::new().name("toy-server".to_owned()).spawn(move || {
        // An error means that the client has gone before the hello.
        let _ = server::run(&DirectConnector, commands, answers, ServerOptions::new(""));
        drop(serving);
    })?;
    let pipe = Arc::new(WriterPipe::new(to_server, LIMIT)?);
    Ok(Transport { reader: Box::new(from_server), pipe, cookie: String::new() })
}
