//! A supervisor around the direct backend and a Gateway on a real socket.

mod connectors;
mod losses;
mod policy;
mod states;

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::{Contract, MarketDataParams};
use ibkr_connect_core::{Connector, ErrorKind, Result, StreamRequest, Target};
use ibkr_connect_direct::DirectConnector;
use ibkr_connect_resilience::{
    StreamItem, SupervisedSession, SupervisedStream, Supervisor, SupervisorOptions, SupervisorState,
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
    Target::default().with_port(port).with_timeout(Duration::from_secs(10))
}

/// Failed attempts and looks at the port follow each other quickly.
fn quick() -> SupervisorOptions {
    SupervisorOptions::default()
        .with_schedule(vec![Duration::from_millis(20)])
        .with_listener_poll(Duration::from_millis(5))
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
            other => panic!("neither an event nor a gap: {other:?}"),
        }
    }
}
