//! The robust connector from outside: without a runtime, dropped, and side by side.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect_core::{
    Config, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, MockConnection, Result,
    Target,
};
use ibkr_connect_resilience::{Leases, MAINTENANCE_FILE, Policy, RobustConnector};

/// Shakes hands for a moment and notices if somebody else does at the same time.
#[derive(Debug, Default)]
struct OneAtATime {
    inside: AtomicUsize,
}

#[async_trait]
impl Connector for OneAtATime {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two handshakes at once");
        thread::sleep(Duration::from_millis(10));
        self.inside.fetch_sub(1, Ordering::SeqCst);
        let mut connection = MockConnection::new();
        connection.expect_info().return_const(ConnectionInfo {
            mode: ConnectionMode::Mock,
            client_id: target.client_id.unwrap(),
            server_version: 226,
            accounts: Vec::new(),
            readonly: true,
            phases: Vec::new(),
            connect_ms: 0.0,
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        });
        Ok(Box::new(connection))
    }
}

/// Never answers, and says when it begins and when it is given up.
#[derive(Debug)]
struct Mute {
    begun: mpsc::Sender<()>,
    dropped: mpsc::Sender<()>,
}

struct Tell(mpsc::Sender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[async_trait]
impl Connector for Mute {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>> {
        let _tell = Tell(self.dropped.clone());
        let _ = self.begun.send(());
        std::future::pending().await
    }
}

struct Fixture {
    temp: tempfile::TempDir,
    _listener: TcpListener,
    target: Target,
}

impl Fixture {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target { port: listener.local_addr().unwrap().port(), ..Target::default() };
        let temp = tempfile::tempdir().unwrap();
        // What a test sees must not depend on the time of day.
        std::fs::write(temp.path().join(MAINTENANCE_FILE), "").unwrap();
        Self { temp, _listener: listener, target }
    }

    fn policy(&self) -> Policy {
        Policy::from(&Config { state_dir: self.temp.path().to_path_buf(), ..Config::default() })
    }
}

#[test]
fn twenty_at_once_all_get_in_one_after_the_other() {
    let fixture = Fixture::new();
    let inner: Arc<dyn Connector> = Arc::new(OneAtATime::default());
    let outcomes: Vec<_> = thread::scope(|scope| {
        let connect = || {
            // Connectors of their own, as in processes of their own.
            let robust = RobustConnector::new(Arc::clone(&inner), fixture.policy());
            pollster::block_on(robust.connect(&fixture.target))
        };
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(connect)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let connections: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let policy = fixture.policy();
    let leases = Leases::new(
        &policy.state_dir,
        (&fixture.target).into(),
        "test",
        Arc::new(ibkr_connect_resilience::KernelClock::default()),
    );
    assert_eq!(leases.slots().unwrap().len(), 20);
    drop(connections);
    assert_eq!(leases.slots().unwrap(), []);
}

#[test]
fn dropping_the_future_gives_the_attempt_up() {
    let fixture = Fixture::new();
    let ((begun, begins), (dropped, drops)) = (mpsc::channel(), mpsc::channel());
    let inner: Arc<dyn Connector> = Arc::new(Mute { begun, dropped });
    let robust = RobustConnector::new(inner, fixture.policy());
    let mut connect = robust.connect(&fixture.target);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(connect.as_mut().poll(&mut context).is_pending());
    begins.recv_timeout(Duration::from_secs(20)).unwrap();
    drop(connect);
    drops.recv_timeout(Duration::from_secs(20)).expect("the attempt was given up");
}

#[test]
fn an_unusable_state_directory_is_a_configuration_error() {
    let fixture = Fixture::new();
    let file = fixture.temp.path().join("file");
    std::fs::write(&file, "").unwrap();
    let policy = Policy { state_dir: file, ..fixture.policy() };
    let inner: Arc<dyn Connector> = Arc::new(OneAtATime::default());
    let error: Error =
        pollster::block_on(RobustConnector::new(inner, policy).connect(&fixture.target)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.advice().unwrap().contains("IBKR_STATE_DIR"), "{error}");
}
