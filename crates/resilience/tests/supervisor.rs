//! A supervisor around the direct backend and a Gateway on a real socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibkr_connect_core::types::{Contract, MarketDataParams, TickByTickParams};
use ibkr_connect_core::{
    CloseReason, Config, Connection, ConnectionInfo, ConnectionMode, Connector, Error, ErrorKind,
    EventStream, Reply, Request, Result, StreamRequest, Target,
};
use ibkr_connect_direct::DirectConnector;
use ibkr_connect_resilience::{
    BreakerSettings, GatewayNotice, GiveUp, MAINTENANCE_FILE, NextAttempt, Policy, RestartLimit,
    RobustConnector, StreamItem, SupervisedSession, SupervisedStream, Supervisor, SupervisorOptions,
    SupervisorState,
};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use jiff::Timestamp;
use pollster::block_on;

/// Longer than anything takes that ends by itself.
const PATIENCE: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(10);

fn gateway(faults: Vec<Fault>) -> Simulator {
    Simulator::start(SimOptions { faults, tick_interval: TICK, ..SimOptions::default() }).unwrap()
}

/// The same Gateway again, on the same port.
fn restarted(port: u16) -> Simulator {
    Simulator::start(SimOptions { port, tick_interval: TICK, ..SimOptions::default() }).unwrap()
}

fn target(port: u16) -> Target {
    Target { port, timeout: Duration::from_secs(10), ..Target::default() }
}

/// Failed attempts and looks at the port follow each other quickly.
fn quick() -> SupervisorOptions {
    SupervisorOptions {
        schedule: vec![Duration::from_millis(20)],
        listener_poll: Duration::from_millis(5),
        ..SupervisorOptions::default()
    }
}

fn supervise(gateway: &Simulator, options: SupervisorOptions) -> Supervisor {
    Supervisor::start(Arc::new(DirectConnector) as Arc<dyn Connector>, target(gateway.port()), options)
        .unwrap()
}

fn session(supervisor: &Supervisor) -> SupervisedSession {
    block_on(supervisor.session_within(PATIENCE)).unwrap()
}

/// Waits for a state.
fn until(
    supervisor: &Supervisor,
    what: &str,
    reached: impl FnMut(&SupervisorState) -> bool,
) -> SupervisorState {
    let mut states = supervisor.states();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let wait = async {
        tokio::time::timeout(PATIENCE, states.wait_for(reached)).await.map(|state| state.unwrap().clone())
    };
    runtime.block_on(wait).unwrap_or_else(|_| panic!("in vain: {what}, but {supervisor:?}"))
}

/// Waits for a session with at least this number.
fn until_generation(supervisor: &Supervisor, generation: u64) {
    until(supervisor, "a new session", |state| {
        *state == SupervisorState::Ready && supervisor.generation() >= generation
    });
}

fn quotes() -> StreamRequest {
    StreamRequest::MarketData(MarketDataParams::streaming(Contract::stock("AAPL")))
}

fn next(stream: &mut SupervisedStream) -> Option<Result<StreamItem>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, stream.next()).await.expect("the stream hangs") })
}

fn data(stream: &mut SupervisedStream) {
    let item = next(stream).unwrap().unwrap();
    assert!(matches!(item, StreamItem::Data(_)), "{item:?}");
}

/// Reads on until the gap, then two events more.
fn gap(stream: &mut SupervisedStream) -> (Timestamp, Timestamp) {
    loop {
        match next(stream).unwrap().unwrap() {
            StreamItem::Data(_) => {}
            StreamItem::Gap { from, to } => {
                data(stream);
                data(stream);
                return (from, to);
            }
        }
    }
}

fn a_loss_is_repaired(cause: impl Fn(&Simulator)) {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    let first = session(&supervisor);
    assert_eq!((first.generation(), supervisor.generation()), (1, 1));
    let before = Timestamp::now();
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);

    cause(&gateway);
    block_on(first.closed());
    let (from, to) = gap(&mut stream);
    assert!(
        before - Duration::from_secs(1) <= from && from <= to && to <= Timestamp::now(),
        "{from} to {to}"
    );
    assert_eq!((stream.generation(), supervisor.generation()), (2, 2));
    let second = session(&supervisor);
    assert_eq!(second.generation(), 2);
    block_on(second.server_time()).unwrap();
    assert_eq!(block_on(first.server_time()).unwrap_err().kind(), ErrorKind::Disconnected);

    block_on(supervisor.close());
    assert_eq!(gateway.stats().accepted, 2, "one attempt was enough");
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
}

#[test]
fn a_closed_session_is_replaced_and_its_stream_goes_on_after_one_gap() {
    a_loss_is_repaired(Simulator::disconnect_all);
}

#[test]
fn a_reset_session_is_replaced_and_its_stream_goes_on_after_one_gap() {
    a_loss_is_repaired(Simulator::reset_all);
}

#[test]
fn every_loss_is_one_gap() {
    const LOSSES: u64 = 20;
    let gateway = gateway(Vec::new());
    let restarts = RestartLimit { count: u32::MAX, ..RestartLimit::default() };
    let supervisor = supervise(&gateway, SupervisorOptions { restarts, ..quick() });
    session(&supervisor);
    let mut streams = [(); 3].map(|()| block_on(supervisor.subscribe(quotes())).unwrap());
    for loss in 1..=LOSSES {
        streams.iter_mut().for_each(data);
        gateway.reset_all();
        for stream in &mut streams {
            gap(stream);
            assert_eq!(stream.generation(), loss + 1);
        }
    }
    assert_eq!(supervisor.generation(), LOSSES + 1);
    assert_eq!(gateway.stats().accepted as u64, LOSSES + 1);
}

#[test]
fn a_gateway_that_is_restarted_is_waited_for_without_a_connect() {
    let gateway = gateway(Vec::new());
    let port = gateway.port();
    let connector = Arc::new(Counting::default());
    let options = SupervisorOptions { schedule: vec![Duration::from_secs(1)], ..quick() };
    let supervisor =
        Supervisor::start(Arc::clone(&connector) as Arc<dyn Connector>, target(port), options).unwrap();
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);

    drop(gateway);
    let waiting = until(&supervisor, "nothing listens", |state| {
        matches!(state, SupervisorState::Recovering { next: NextAttempt::WhenListening, .. })
    });
    assert!(waiting.to_string().contains("when something listens"), "{waiting}");
    let error = block_on(supervisor.request(Request::ServerTime)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.message().starts_with("the session is recovering"), "{error}");
    assert_eq!(block_on(supervisor.subscribe(quotes())).unwrap_err().kind(), ErrorKind::Disconnected);
    let late = block_on(supervisor.session_within(Duration::from_millis(50))).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    // The session's end can be seen before the listener's: then one attempt has been refused.
    assert!(connector.count() <= 2, "{}", connector.count());

    let attempts = connector.count();
    let gateway = restarted(port);
    gap(&mut stream);
    assert_eq!((supervisor.generation(), connector.count()), (2, attempts + 1));
    assert_eq!(gateway.stats().accepted, 1);
}

#[test]
fn a_mute_gateway_is_never_ready_and_said_to_be_wedged() {
    for fault in [Fault::Silent, Fault::MuteAfterVersion, Fault::MuteAfterHandshake] {
        let gateway = gateway(vec![fault.clone()]);
        let target = Target { timeout: Duration::from_millis(100), ..target(gateway.port()) };
        let supervisor =
            Supervisor::start(Arc::new(DirectConnector) as Arc<dyn Connector>, target, quick()).unwrap();
        let mut seen = Vec::new();
        until(&supervisor, "wedged", |state| {
            seen.push(state.as_str());
            *state == SupervisorState::GatewayWedged
        });
        assert!(!seen.iter().any(|name| ["ready", "degraded"].contains(name)), "{fault}: {seen:?}");
        assert_eq!(supervisor.generation(), 0, "{fault}");
        assert_eq!(supervisor.failure().unwrap().kind(), ErrorKind::HandshakeTimeout);
        let late = block_on(supervisor.session_within(Duration::from_millis(10))).unwrap_err();
        assert!(late.message().contains("answers nobody"), "{late}");

        gateway.set_faults(Vec::new());
        // Its deadline is tight for a loaded machine: it may need another attempt.
        assert_eq!(session(&supervisor).generation(), 1);
        assert_eq!(supervisor.failure().map(|error| error.kind()), None);
    }
}

#[test]
fn a_session_that_falls_silent_is_degraded_then_lost() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    let interval = Duration::from_millis(300);
    let options = SupervisorOptions { ping_interval: interval, ..quick() };
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), options).unwrap();
    until(&supervisor, "ready", |state| *state == SupervisorState::Ready);

    let muted = Instant::now();
    muffler.switches.muted_generation.store(1, Ordering::SeqCst);
    let degraded = until(&supervisor, "degraded", |state| matches!(state, SupervisorState::Degraded(_)));
    assert!(!degraded.is_usable());
    until_generation(&supervisor, 2);
    assert!(muted.elapsed() >= interval * 2, "{:?}", muted.elapsed());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 1), "the mute session was closed");
}

#[test]
fn market_data_that_is_void_is_opened_anew_in_the_same_session() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);
    let ticks = TickByTickParams { contract: Contract::stock("AAPL"), ..TickByTickParams::default() };
    let mut ticks = block_on(supervisor.subscribe(StreamRequest::TickByTick(ticks))).unwrap();
    let notice = |code: i32, message: &str| GatewayNotice { code, message: message.to_owned() };
    supervisor.notify(notice(1100, "Connectivity between IB and Trader Workstation has been lost."));
    let degraded = until(&supervisor, "degraded", |state| matches!(state, SupervisorState::Degraded(_)));
    assert!(degraded.is_usable(), "the Gateway answers");
    supervisor.notify(notice(1101, "... restored - data lost"));
    gap(&mut stream);
    gap(&mut ticks);
    assert_eq!((stream.generation(), supervisor.state()), (1, SupervisorState::Ready));
    assert_eq!(gateway.stats().accepted, 1);
}

#[test]
fn the_end_is_told_to_everybody_and_leaves_nothing() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    let session = session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    block_on(supervisor.close());
    block_on(supervisor.close());
    assert_eq!(supervisor.state(), SupervisorState::Closed);
    assert_eq!(block_on(session.server_time()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(supervisor.session()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(supervisor.session_within(PATIENCE)).unwrap_err().kind(), ErrorKind::Closed);
    let end = loop {
        match next(&mut stream) {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(next(&mut stream).is_none());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
}

#[test]
fn dropped_in_the_middle_of_an_attempt_it_abandons_it() {
    let gateway = gateway(vec![Fault::Silent]);
    let supervisor = supervise(&gateway, quick());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 1));
    let begun = Instant::now();
    drop(supervisor);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
    assert_eq!(gateway.stats().zombies_held_max, 0);
}

#[test]
fn told_to_give_up_it_does_and_says_why() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let options = SupervisorOptions { give_up: GiveUp::AfterFailures(3), ..quick() };
    let supervisor = supervise(&gateway, options);
    let error = block_on(supervisor.session()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.message().contains("rejected in version"), "{error}");
    assert_eq!((gateway.stats().accepted, supervisor.state()), (3, SupervisorState::Closed));
}

#[test]
fn a_connector_that_panics_is_a_failed_attempt() {
    let gateway = gateway(Vec::new());
    let connector = Arc::new(PanicsOnce::default()) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    assert_eq!(session(&supervisor).generation(), 1);
}

#[test]
fn a_snapshot_ends_and_is_not_repeated_in_the_next_session() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    session(&supervisor);
    let snapshot = StreamRequest::MarketData(MarketDataParams::snapshot(Contract::stock("AAPL")));
    let mut stream = block_on(supervisor.subscribe(snapshot)).unwrap();
    while let Some(item) = next(&mut stream) {
        assert!(matches!(item.unwrap(), StreamItem::Data(_)));
    }
    gateway.disconnect_all();
    assert!(gateway.wait_until(PATIENCE, |stats| stats.accepted == 2));
    // What the new session is asked after the old streams were opened anew.
    until_generation(&supervisor, 2);
    block_on(session(&supervisor).positions()).unwrap();
    assert_eq!(gateway.stats().requested("reqMktData"), 1);
}

#[test]
fn a_stream_that_is_opened_while_its_session_is_lost_goes_on_too() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    session(&supervisor);
    let mut stream = thread::scope(|scope| {
        let hold = muffler.switches.subscribing.lock().unwrap();
        let opening = scope.spawn(|| block_on(supervisor.subscribe(quotes())).unwrap());
        assert!(gateway.wait_until(PATIENCE, |stats| stats.requested("reqMktData") == 1));
        gateway.reset_all();
        until_generation(&supervisor, 2);
        drop(hold);
        opening.join().unwrap()
    });
    assert_eq!(stream.generation(), 1);
    gap(&mut stream);
    assert_eq!(stream.generation(), 2);
}

#[test]
fn a_session_that_is_lost_while_streams_are_opened_makes_no_gap_of_its_own() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    muffler.switches.losing_generation.store(2, Ordering::SeqCst);
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);
    for generation in [2, 3] {
        gateway.reset_all();
        until_generation(&supervisor, generation);
    }
    let (from, to) = gap(&mut stream);
    assert!(from < to);
    assert_eq!(stream.generation(), 3);
}

#[test]
fn with_the_policy_a_lost_session_gets_its_client_id_again() {
    let gateway = gateway(Vec::new());
    let state = tempfile::tempdir().unwrap();
    let connector = robust(&state, BreakerSettings::default());
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    let first = session(&supervisor).info().client_id;
    gateway.reset_all();
    until_generation(&supervisor, 2);
    assert_eq!(session(&supervisor).info().client_id, first, "the lost session was closed first");
}

#[test]
fn an_open_breaker_is_shown_and_kept() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let state = tempfile::tempdir().unwrap();
    let connector = robust(&state, BreakerSettings { failures: 2, ..BreakerSettings::default() });
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    until(&supervisor, "circuit open", |state| matches!(state, SupervisorState::CircuitOpen { .. }));
    // Later questions are answered by the breaker, not by the Gateway.
    until(&supervisor, "an attempt", |state| matches!(state, SupervisorState::Recovering { .. }));
    until(&supervisor, "circuit open", |state| matches!(state, SupervisorState::CircuitOpen { .. }));
    assert_eq!(supervisor.failure().unwrap().kind(), ErrorKind::CircuitOpen);
    assert_eq!(gateway.stats().accepted, 2);
}

/// The direct backend under the policy, without retries of its own and outside of any maintenance window.
fn robust(state: &tempfile::TempDir, breaker: BreakerSettings) -> Arc<dyn Connector> {
    std::fs::write(state.path().join(MAINTENANCE_FILE), "").unwrap();
    let config = Config { state_dir: state.path().to_owned(), ..Config::default() };
    let policy = Policy { max_retries: 0, breaker, ..Policy::from(&config) };
    let inner = Arc::new(DirectConnector) as Arc<dyn Connector>;
    Arc::new(RobustConnector::new(inner, policy))
}

/// Counts attempts.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Connector for Counting {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        DirectConnector.connect(target).await
    }
}

#[derive(Debug, Default)]
struct PanicsOnce(AtomicUsize);

#[async_trait]
impl Connector for PanicsOnce {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 0, "the first attempt panics, as planned");
        DirectConnector.connect(target).await
    }
}

/// Can make a session mute without its socket being lost, which is what a stopped Gateway process looks like, hold back
/// the answer to a subscription, and lose one. Two sessions at once are a panic.
#[derive(Debug, Default)]
struct Muffler {
    connects: AtomicUsize,
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    muted_generation: AtomicUsize,
    losing_generation: AtomicUsize,
    subscribing: Mutex<()>,
    open: AtomicUsize,
}

#[async_trait]
impl Connector for Muffler {
    fn mode(&self) -> ConnectionMode {
        DirectConnector.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        assert_eq!(self.switches.open.fetch_add(1, Ordering::SeqCst), 0, "the lost session is still open");
        let generation = self.connects.fetch_add(1, Ordering::SeqCst) + 1;
        let inner = DirectConnector.connect(target).await?;
        Ok(Box::new(Muffled { inner, generation, switches: Arc::clone(&self.switches) }))
    }
}

#[derive(Debug)]
struct Muffled {
    inner: Box<dyn Connection>,
    generation: usize,
    switches: Arc<Switches>,
}

impl Muffled {
    fn is(&self, generation: &AtomicUsize) -> bool {
        generation.load(Ordering::SeqCst) == self.generation
    }
}

#[async_trait]
impl Connection for Muffled {
    fn info(&self) -> &ConnectionInfo {
        self.inner.info()
    }

    async fn request(&self, request: Request) -> Result<Reply> {
        let reply = self.inner.request(request).await;
        if self.is(&self.switches.muted_generation) {
            std::future::pending::<()>().await;
        }
        reply
    }

    async fn subscribe(&self, request: StreamRequest) -> Result<EventStream> {
        if self.is(&self.switches.losing_generation) {
            return Err(Error::new(ErrorKind::Disconnected, "lost while subscribing"));
        }
        let events = self.inner.subscribe(request).await;
        drop(self.switches.subscribing.lock().unwrap());
        events
    }

    async fn closed(&self) -> CloseReason {
        self.inner.closed().await
    }

    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        self.switches.open.fetch_sub(1, Ordering::SeqCst);
        closed
    }
}
