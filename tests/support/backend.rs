//! The backends under test.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ibkr_connect::{Config, ConnectionMode, Connector, Target};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::state::state_dir;
use super::traces;

/// The command under test, which is also the worker.
pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_ibkr-connect");

/// A connector with a state directory of its own, whose worker, if it starts one, has a name of its own: what is left
/// of it can be found.
#[derive(Debug)]
pub(crate) struct Backend {
    connector: Box<dyn Connector>,
    worker: PrivateWorker,
    _state: TempDir,
}

impl Backend {
    pub(crate) fn new(mode: ConnectionMode) -> Self {
        let state = state_dir();
        let config = Config::default().with_mode(mode).with_state_dir(state.path().to_owned());
        Self { _state: state, ..Self::configured(config) }
    }

    /// As `config` says, but for the worker.
    pub(crate) fn configured(config: Config) -> Self {
        let worker = PrivateWorker::new();
        let config = config.with_worker_path(Some(worker.path().to_owned()));
        let connector = ibkr_connect::connector(&config).unwrap();
        Self { connector, worker, _state: tempfile::tempdir().unwrap() }
    }

    /// The program that it starts as worker.
    pub(crate) fn worker(&self) -> &PrivateWorker {
        &self.worker
    }

    /// The connection left nothing at `port` and no process behind.
    pub(crate) fn assert_left_nothing(&self, port: u16) {
        traces::assert_no_half_closed(port);
        self.worker.assert_none_runs();
    }
}

impl Deref for Backend {
    type Target = dyn Connector;

    fn deref(&self) -> &Self::Target {
        &*self.connector
    }
}

/// The worker program under a path that nobody else uses.
#[derive(Debug)]
pub(crate) struct PrivateWorker {
    path: PathBuf,
    _directory: TempDir,
}

impl PrivateWorker {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker");
        symlink(COMMAND, &path).unwrap();
        Self { path, _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn assert_none_runs(&self) {
        traces::assert_no_process(&self.path);
    }
}

/// A Gateway on this machine with a deadline that only a fault exceeds.
pub(crate) fn target(port: u16) -> Target {
    Target::default()
        .with_port(port)
        .with_timeout(Duration::from_secs(10))
        .with_request_timeout(Duration::from_secs(10))
}

/// A port that refuses connections and that nobody else can take meanwhile, but for a simulator that is given it.
#[derive(Debug)]
pub(crate) struct NobodyListens(Socket);

impl NobodyListens {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().as_socket().unwrap().port()
    }
}
