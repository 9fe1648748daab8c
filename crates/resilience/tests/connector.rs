//! The robust connector from outside: without a runtime, dropped, and side by side.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::{
    Config, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind, MockConnection, Phase,
    Result, Target,
};
use ibkr_connect_resilience::parts::{KernelClock, Leases};
use ibkr_connect_resilience::{Policy, RobustConnector};

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
        Ok(Box::new(mock(target)))
    }
}

fn mock(target: &Target) -> MockConnection {
    let mut connection = MockConnection::new();
    connection.expect_info().return_const(ibkr_connect_core::literal!(ConnectionInfo {
        client_id: target.client_id.unwrap(),
        accounts: Vec::new(),
        ..ConnectionInfo::mock()
    }));
    connection
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
        let target = Target::default().with_port(listener.local_addr().unwrap().port());
        Self { temp: tempfile::tempdir().unwrap(), _listener: listener, target }
    }

    fn policy(&self) -> Policy {
        Policy::from(&Config::default().with_state_dir(self.temp.path().to_path_buf()))
    }

    fn leases(&self) -> Leases {
        Leases::new(self.temp.path(), (&self.target).into(), "test", Arc::new(KernelClock::default()))
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
    let leases = fixture.leases();
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

/// Fails each attempt as the function does.
#[derive(Debug)]
struct Failing(fn() -> Error);

#[async_trait]
impl Connector for Failing {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>> {
        Err(self.0())
    }
}

#[test]
fn a_connect_that_panics_never_counts_for_the_breaker_of_all() {
    let fails = |fixture: &Fixture, fault: fn() -> Error| {
        let policy = fixture.policy().with_max_retries(0);
        let inner: Arc<dyn Connector> = Arc::new(Failing(fault));
        let robust = RobustConnector::new(inner, policy);
        let kind = || pollster::block_on(robust.connect(&fixture.target)).unwrap_err().kind();
        (0..20).map(|_| kind()).collect::<Vec<_>>()
    };
    let fixture = Fixture::new();
    assert_eq!(fails(&fixture, || panic!("a fault of ours")), [ErrorKind::Internal; 20]);
    let rejected: fn() -> Error = || Error::new(ErrorKind::Rejected, "closed").in_phase(Phase::Version);
    let others = fails(&fixture, rejected);
    assert_eq!(others[0], ErrorKind::Rejected, "the panics did not open it");
    assert_eq!(others[19], ErrorKind::CircuitOpen, "what the Gateway does opens it");
}

#[test]
fn dropped_inside_a_runtime_a_connection_keeps_its_client_id_until_it_is_closed() {
    let fixture = Fixture::new();
    let (closing, closes) = mpsc::channel();
    let (let_go, gate) = mpsc::channel::<()>();
    let inner: Arc<dyn Connector> = Arc::new(SlowToClose(Mutex::new(Some((closing, gate)))));
    let robust = RobustConnector::new(inner, fixture.policy());
    let leases = fixture.leases();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let connection = robust.connect(&fixture.target).await.unwrap();
        drop(connection);
    });
    closes.recv_timeout(Duration::from_secs(20)).expect("a thread closes it");
    assert_eq!(leases.slots().unwrap().len(), 1, "the id is in use until the connection is closed");
    drop(let_go);
    let given_back = || leases.slots().unwrap().is_empty();
    let until = Instant::now() + Duration::from_secs(20);
    while !given_back() {
        assert!(Instant::now() < until, "the id was not given back");
        thread::yield_now();
    }
}

/// Its connection says when it is being closed, and is closed when the gate opens.
#[derive(Debug)]
struct SlowToClose(Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>);

#[async_trait]
impl Connector for SlowToClose {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        let (closing, gate) = self.0.lock().unwrap().take().unwrap();
        let gate = Mutex::new(gate);
        let mut connection = mock(target);
        connection.expect_close().returning(move || {
            let _ = closing.send(());
            let _ = gate.lock().unwrap().recv();
            Ok(())
        });
        Ok(Box::new(connection))
    }
}

#[test]
fn an_unusable_state_directory_is_a_configuration_error() {
    let fixture = Fixture::new();
    let file = fixture.temp.path().join("file");
    std::fs::write(&file, "").unwrap();
    let policy = fixture.policy().with_state_dir(file);
    let inner: Arc<dyn Connector> = Arc::new(OneAtATime::default());
    let error: Error =
        pollster::block_on(RobustConnector::new(inner, policy).connect(&fixture.target)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.advice().unwrap().contains("IBKR_STATE_DIR"), "{error}");
}

/// Closes every connection without a byte.
#[derive(Debug, Default)]
struct ClosesAtOnce(AtomicUsize);

#[async_trait]
impl Connector for ClosesAtOnce {
    fn mode(&self) -> ConnectionMode {
        ConnectionMode::Mock
    }

    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Rejected, "closed without a byte").in_phase(Phase::Version))
    }
}

#[test]
fn a_remote_gateway_that_is_down_does_not_open_the_breaker_and_one_on_this_machine_does() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    for (host, attempts) in [("192.0.2.1", 12), ("127.0.0.1", 5)] {
        let state = tempfile::tempdir().unwrap();
        let config = Config::default().with_state_dir(state.path().to_owned());
        let policy = Policy::from(&config).with_max_retries(0);
        let inner = Arc::new(ClosesAtOnce::default());
        let connector = RobustConnector::new(Arc::clone(&inner) as Arc<dyn Connector>, policy);
        let port = listener.local_addr().unwrap().port();
        let target = Target::default().with_host(host.to_owned()).with_port(port);
        for _ in 0..12 {
            pollster::block_on(connector.connect(&target)).unwrap_err();
        }
        assert_eq!(inner.0.load(Ordering::SeqCst), attempts, "{host}");
    }
}
