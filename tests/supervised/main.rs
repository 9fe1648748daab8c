//! Supervised sessions over each backend: what happens to the Gateway, what the supervisor says meanwhile, and what its
//! streams show. The same scenario is the same sequence of states in both modes.

#[path = "../support/mod.rs"]
mod support;

mod handles;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ibkr_connect::resilience::{Policy, RobustConnector, StreamItem, SupervisorOptions};
use ibkr_connect::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect::{
    Config, Connection, ConnectionMode, Connector, ErrorKind, Result, SupervisedStream, Supervisor,
    SupervisorState, Target,
};
use ibkr_connect_sim::{SimOptions, Simulator};
use tempfile::TempDir;

use crate::support::backend::{Backend, NobodyListens, target};
use crate::support::real_backends::on_real_backends;
use crate::support::state::state_dir;
use crate::support::{run, traces};

/// How often the supervisor looks for a listener.
const LISTENER_POLL: Duration = Duration::from_millis(10);

on_real_backends! {
    fn outlives_resets_restarts_and_a_wedged_gateway(mode) {
        run(lives_through_a_bad_day(mode));
    }
    fn says_what_the_gateway_says(mode) {
        run(hears_the_gateway(mode));
    }
}

/// A reset, a Gateway that is gone, one that accepts nobody, and a healthy one again.
async fn lives_through_a_bad_day(mode: ConnectionMode) {
    let port = NobodyListens::new();
    let first = gateway(&port, SimOptions::default());
    let stage = Stage::new(mode, port);
    let mut ticks = stage.ticks().await;
    assert_data(&mut ticks, 1).await;

    first.reset_all();
    assert_gap(&mut ticks).await;
    assert_data(&mut ticks, 2).await;
    stage.assert_answers().await;

    drop(first);
    stage.until(|state| state.to_string().ends_with("when something listens on the port")).await;
    stage.assert_nobody_connects().await;

    let wedged = gateway(&stage.port, SimOptions { wedge_after: Some(0), ..SimOptions::default() });
    stage.until(|state| *state == SupervisorState::GatewayWedged).await;
    assert_eq!(wedged.stats().accepted, 0);
    drop(wedged);
    stage.until(|state| matches!(state, SupervisorState::Recovering { .. })).await;

    let recovered = gateway(&stage.port, SimOptions::default());
    assert_gap(&mut ticks).await;
    assert_data(&mut ticks, 3).await;
    stage.assert_answers().await;

    let day = [
        "connecting",
        "ready",
        "recovering",
        "ready",
        "recovering",
        "gateway_wedged",
        "recovering",
        "ready",
        "closed",
    ];
    stage.close(&day).await;
    assert_closed(&mut ticks).await;
    assert_eq!(recovered.stats().zombies_held_max, 0);
}

/// Notices change what is said about the session, and nothing else about it; only 1101 opens streams again.
async fn hears_the_gateway(mode: ConnectionMode) {
    let port = NobodyListens::new();
    let first = gateway(&port, SimOptions::default());
    let stage = Stage::new(mode, port);
    let mut ticks = stage.ticks().await;
    for (code, message) in [
        (2103, "Market data farm connection is broken:usfarm"),
        (2104, "Market data farm connection is OK:usfarm"),
        (1100, "Connectivity between IBKR and Trader Workstation has been lost."),
        (1102, "Connectivity between IBKR and Trader Workstation has been restored - data maintained."),
        (1100, "Connectivity between IBKR and Trader Workstation has been lost."),
        (1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost."),
    ] {
        assert_data(&mut ticks, 1).await;
        first.broadcast_notice(code, message);
        let is_bad = matches!(code, 2103 | 1100);
        stage.until(|state| matches!(state, SupervisorState::Degraded(_)) == is_bad).await;
        stage.assert_answers().await;
    }
    assert_gap(&mut ticks).await;
    assert_data(&mut ticks, 1).await;
    assert_eq!((first.stats().handshakes, stage.connects()), (1, 1));
    assert_eq!(first.stats().requested("reqMktData"), 2);
    let day =
        ["connecting", "ready", "degraded", "ready", "degraded", "ready", "degraded", "ready", "closed"];
    stage.close(&day).await;
}

fn gateway(port: &NobodyListens, options: SimOptions) -> Simulator {
    let tick_interval = Duration::from_millis(10);
    Simulator::start(SimOptions { port: port.port(), tick_interval, ..options }).unwrap()
}

/// A supervisor, and the one port on which its Gateways come and go.
struct Stage {
    supervisor: Supervisor,
    connects: Arc<AtomicUsize>,
    backend: Arc<Backend>,
    port: NobodyListens,
    _state: TempDir,
}

impl Stage {
    fn new(mode: ConnectionMode, port: NobodyListens) -> Self {
        let state = state_dir();
        let config = ibkr_connect::literal!(Config {
            mode,
            state_dir: state.path().to_owned(),
            // The supervisor alone says when to try again.
            circuit_failures: u32::MAX,
            ..Config::default()
        });
        let backend = Arc::new(Backend::configured(config.clone()));
        let connects = Arc::new(AtomicUsize::new(0));
        let counting: Arc<dyn Connector> =
            Arc::new(Counting { backend: Arc::clone(&backend), connects: Arc::clone(&connects) });
        let policy = Policy::from(&config).with_max_retries(0);
        let robust: Arc<dyn Connector> = Arc::new(RobustConnector::new(counting, policy));
        // What a Gateway that accepts nobody costs.
        let target = target(port.port()).with_timeout(Duration::from_secs(2));
        let options = SupervisorOptions::default()
            .with_schedule(vec![Duration::from_millis(20)])
            .with_listener_poll(LISTENER_POLL);
        let supervisor = Supervisor::start(robust, target, options).unwrap();
        Self { supervisor, connects, backend, port, _state: state }
    }

    async fn ticks(&self) -> SupervisedStream<MarketDataEvent> {
        self.supervisor.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap()
    }

    async fn until(&self, is_so: impl FnMut(&SupervisorState) -> bool) {
        self.supervisor.states().wait_for(is_so).await.unwrap();
    }

    async fn assert_answers(&self) {
        self.supervisor.session().await.unwrap();
        self.supervisor.proof_of_life().await.unwrap();
    }

    /// While nothing listens, looking is all that is done.
    async fn assert_nobody_connects(&self) {
        let before = self.connects();
        let error = self.supervisor.proof_of_life().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
        tokio::time::sleep(20 * LISTENER_POLL).await;
        assert_eq!(self.connects(), before);
    }

    fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }

    /// Closes; nothing is left, and it went through exactly these states. One that was entered again with other details counts once.
    async fn close(&self, states: &[&str]) {
        self.supervisor.close().await;
        let mut seen = Vec::new();
        let mut transitions = self.supervisor.transitions();
        while let Some(transition) = transitions.next().await {
            seen.push(transition.state.as_str());
        }
        seen.dedup();
        assert_eq!(seen, states);
        traces::assert_no_half_closed(self.port.port());
        self.backend.worker().assert_none_runs();
    }
}

/// The backend under the policy: what it is asked for would reach the Gateway.
#[derive(Debug)]
struct Counting {
    backend: Arc<Backend>,
    connects: Arc<AtomicUsize>,
}

#[async_trait]
impl Connector for Counting {
    fn mode(&self) -> ConnectionMode {
        self.backend.mode()
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
        self.connects.fetch_add(1, Ordering::SeqCst);
        self.backend.connect(target).await
    }
}

/// The next item is an event of this session.
async fn assert_data(ticks: &mut SupervisedStream<MarketDataEvent>, generation: u64) {
    let item = ticks.next().await.unwrap().unwrap();
    assert!(matches!(item, StreamItem::Data(_)), "{item:?}");
    assert_eq!(ticks.generation(), generation);
}

/// After what had been received comes a gap.
async fn assert_gap(ticks: &mut SupervisedStream<MarketDataEvent>) {
    loop {
        if let StreamItem::Gap { from, to } = ticks.next().await.unwrap().unwrap() {
            return assert!(from <= to, "{from} to {to}");
        }
    }
}

/// After what had been received comes the end, which says why.
async fn assert_closed(ticks: &mut SupervisedStream<MarketDataEvent>) {
    loop {
        match ticks.next().await.unwrap() {
            Ok(item) => assert!(matches!(item, StreamItem::Data(_)), "{item:?}"),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
        }
    }
}
