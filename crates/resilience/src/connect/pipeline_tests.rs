//! The policy around a dialer that is not a backend: a TCP connection, and nothing behind it.

use std::io::ErrorKind as Io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::{Config, ConnectionMode, Error, ErrorKind, Phase};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::breaker::BreakerSettings;
use crate::connect::dialer::Opened;
use crate::connect::policy::PortCheck;

/// Connects, and takes a close for a refusal.
#[derive(Clone)]
struct Tcp;

#[async_trait]
impl Dialer for Tcp {
    type Connection = TcpStream;

    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn dial(&self, target: &Target) -> Result<TcpStream> {
        let refused = |error: std::io::Error| {
            Error::new(ErrorKind::Rejected, error.to_string()).in_phase(Phase::Version).permanent()
        };
        let mut stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(refused)?;
        let byte = stream.read_u8().await.map_err(refused)?;
        if byte == b'+' { Ok(stream) } else { Err(refused(Io::InvalidData.into())) }
    }

    fn opened(_: &TcpStream) -> Opened<'_> {
        Opened { mode: ConnectionMode::Mock, phases: &[], accounts: &[] }
    }
}

/// A Gateway that answers each connection with the next of these bytes.
async fn gateway(answers: &'static [u8]) -> SocketAddr {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_u8(*answer).await.unwrap();
        }
    });
    address
}

fn pipeline(state_dir: &Path) -> Pipeline {
    let state_dir = state_dir.to_path_buf();
    let policy = Policy::from(&Config::default().with_state_dir(state_dir).with_max_retries(0));
    let breaker = BreakerSettings { failures: 2, ..policy.breaker };
    Pipeline::new(Policy { breaker, port_check: PortCheck::Off, ..policy })
}

fn target(address: SocketAddr) -> Target {
    Target::default()
        .with_host(address.ip().to_string())
        .with_port(address.port())
        .with_client_id(None)
        .with_timeout(Duration::from_secs(10))
}

#[tokio::test]
async fn a_connection_of_any_kind_has_a_client_id_of_its_own_while_it_lives() {
    let temp = tempfile::tempdir().unwrap();
    let target = target(gateway(b"++").await);
    let pipeline = pipeline(temp.path());
    let first = pipeline.execute(Tcp, &target).await.unwrap();
    let second = pipeline.execute(Tcp, &target).await.unwrap();
    let id = first.held.client_id();
    assert_ne!(id, second.held.client_id());
    assert_eq!(first.attempts.len(), 1);
    let fixed = target.with_client_id(Some(id));
    let taken = pipeline.execute(Tcp, &fixed).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::ClientIdInUse);
    drop(first);
    let refused = pipeline.execute(Tcp, &fixed).await.unwrap_err();
    assert_ne!(refused.kind(), ErrorKind::ClientIdInUse, "the id is given back");
}

#[tokio::test]
async fn the_breaker_opens_for_dialers_of_any_kind() {
    let temp = tempfile::tempdir().unwrap();
    let target = target(gateway(b"--").await);
    let pipeline = pipeline(temp.path());
    for _ in 0..2 {
        assert_eq!(pipeline.execute(Tcp, &target).await.unwrap_err().kind(), ErrorKind::Rejected);
    }
    let refused = pipeline.execute(Tcp, &target).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CircuitOpen, "nobody dials: the Gateway would wait for ever");
}
