//! What comes around a backend of somebody else: all that comes around those of the library, under a name of its own.

#[path = "../examples/own_backend/toy.rs"]
mod toy;

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use ibkr_connect::resilience::SupervisorOptions;
use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{Config, ConnectionMode, Connector, ErrorKind, StreamItem, connect_over, supervise_over};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use serde_json::json;

use crate::support::run;
use crate::support::shared::SharedState;
use crate::support::state::state_dir;
use crate::toy::ToyConnector;

const TOY: ConnectionMode = ConnectionMode::Other("toy");

fn toy() -> Arc<dyn Connector> {
    Arc::new(ToyConnector::default())
}

fn gateway(script: Vec<Vec<Fault>>) -> Simulator {
    Simulator::start(SimOptions { script, ..SimOptions::default() }).unwrap()
}

/// Its mode is that of no backend here: it does not matter.
fn config(gateway: &Simulator, state: &Path) -> Config {
    let mode = ConnectionMode::Mock;
    Config::default().with_mode(mode).with_port(gateway.port()).with_state_dir(state.to_owned())
}

#[test]
fn a_failed_connect_is_tried_again_with_a_client_id_that_is_leased() {
    let (state, gateway) = (state_dir(), gateway(vec![vec![Fault::ResetAfterStartApi]]));
    let config = config(&gateway, state.path());
    let shared = SharedState::new(state.path(), gateway.port());
    run(async {
        let session = connect_over(toy(), &config).await.unwrap();
        let info = session.info();
        assert_eq!((info.mode, info.attempts.len()), (TOY, 2), "{info:?}");
        assert_eq!(serde_json::to_value(info).unwrap()["mode"], json!("toy"));
        assert_eq!(shared.client_ids(), [info.client_id]);
        let zombies = info.zombies.clone().expect("the port is looked at");
        assert_eq!((zombies.found, zombies.problem), (0, None));
        session.close().await.unwrap();
    });
    shared.assert_leases(0);
    shared.assert_lock_is_free();
}

#[test]
fn a_gateway_that_fails_too_often_is_left_alone() {
    let faults = vec![Fault::ResetAfterStartApi];
    let (state, gateway) = (state_dir(), gateway(vec![faults.clone(), faults]));
    let config = config(&gateway, state.path()).with_max_retries(0).with_circuit_failures(2);
    let kinds: [_; 3] = std::array::from_fn(|_| run(connect_over(toy(), &config)).unwrap_err().kind());
    assert_eq!(kinds, [ErrorKind::Rejected, ErrorKind::Rejected, ErrorKind::CircuitOpen]);
    assert_eq!(gateway.stats().accepted, 2, "a third was not asked");
}

#[test]
fn a_session_is_kept_up() {
    let (state, gateway) = (state_dir(), gateway(Vec::new()));
    let config = config(&gateway, state.path());
    run(async {
        let supervisor = supervise_over(toy(), &config, SupervisorOptions::from(&config)).unwrap();
        let params = MarketDataParams::streaming(Contract::stock("AAPL"));
        let mut quotes = supervisor.market_data(params).await.unwrap();
        gateway.reset_all();
        while !matches!(quotes.next().await.unwrap().unwrap(), StreamItem::Gap { .. }) {}
        assert!(matches!(quotes.next().await.unwrap().unwrap(), StreamItem::Data(_)));
        assert_eq!(supervisor.generation(), 2);
        assert_eq!(supervisor.session().await.unwrap().info().mode, TOY);
        supervisor.close().await;
    });
}
