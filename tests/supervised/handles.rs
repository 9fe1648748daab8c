//! What programs hold: clones of a supervisor, its blocking form, and two supervisors in one process; over each backend.

use std::thread;
use std::time::Duration;

use ibkr_connect::config::Pacing;
use ibkr_connect::resilience::{BlockingTransitions, StreamItem, SupervisorOptions};
use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{Config, ConnectionMode, ErrorKind, Supervisor};
use ibkr_connect_sim::{SimOptions, Simulator};
use tempfile::TempDir;

use crate::support::backend::{NobodyListens, PrivateWorker};
use crate::support::real_backends::on_real_backends;
use crate::support::state::state_dir;
use crate::support::{PATIENCE, traces};

on_real_backends! {
    fn blocks_on_a_thread(mode) {
        is_used_by_a_blocking_program(mode);
    }
    fn blocks_in_a_runtime(mode) {
        in_a_runtime(|| is_used_by_a_blocking_program(mode));
    }
    fn ends_with_its_last_clone(mode) {
        ends_with_its_last_clone_in(mode);
    }
    fn is_not_another_one(mode) {
        two_do_not_mix(mode);
    }
}

/// The program's only thread is blocked all the time.
fn in_a_runtime(program: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { program() });
}

/// More items and answers than a task of tokio's gets without letting others run.
fn is_used_by_a_blocking_program(mode: ConnectionMode) {
    const MANY: usize = 300;
    let Stage { supervisor, gateway, .. } = &Stage::new(mode);
    let blocking = supervisor.blocking();
    let mut transitions = blocking.transitions();
    assert_eq!(states(&mut transitions, 2), ["connecting", "ready"]);
    assert_eq!(blocking.session_within(PATIENCE).unwrap().generation(), 1);
    assert!(blocking.positions().is_ok());
    for _ in 0..MANY / 2 {
        blocking.managed_accounts().unwrap();
    }
    let mut quotes = blocking.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).unwrap();
    for _ in 0..MANY {
        let item = quotes.next_timeout(PATIENCE).unwrap().unwrap().unwrap();
        assert!(matches!(item, StreamItem::Data(_)), "{item:?}");
    }

    gateway.reset_all();
    let is_gap = |item: &StreamItem<_>| matches!(item, StreamItem::Gap { .. });
    assert!(quotes.by_ref().map(Result::unwrap).any(|item| is_gap(&item)));
    assert_eq!(quotes.by_ref().take(MANY).map(Result::unwrap).filter(is_gap).count(), 0);
    assert_eq!(quotes.generation(), 2);
    assert_eq!(states(&mut transitions, 2), ["recovering", "ready"]);
    blocking.proof_of_life().unwrap();

    blocking.close();
    assert_eq!(transitions.by_ref().map(|last| last.state.as_str()).collect::<Vec<_>>(), ["closed"]);
    assert_eq!(quotes.last().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(blocking.session().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(blocking.positions().unwrap_err().kind(), ErrorKind::Closed);
}

fn ends_with_its_last_clone_in(mode: ConnectionMode) {
    let Stage { supervisor, gateway, worker, _port, _state } = Stage::new(mode);
    let clones = [(); 4].map(|()| supervisor.clone());
    let transitions = supervisor.blocking().transitions();
    let session = supervisor.blocking().session_within(PATIENCE).unwrap();
    drop(supervisor);
    let threads = clones.map(|clone| thread::spawn(move || clone.blocking().managed_accounts().map(drop)));
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    // The last of them waited for its end, because it was not dropped inside a runtime.
    assert_eq!(session.blocking().ping().unwrap_err().kind(), ErrorKind::Closed);
    drop(session);
    let told: Vec<_> = transitions.collect();
    let states: Vec<_> = told.iter().map(|transition| transition.state.as_str()).collect();
    assert_eq!(states, ["connecting", "ready", "closed"], "{told:?}");
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0), "{:?}", gateway.stats());
    assert_eq!(gateway.stats().handshakes, 1);
    traces::assert_no_half_closed(gateway.port());
    worker.assert_none_runs();
}

/// What happens to one is not news of the other one.
fn two_do_not_mix(mode: ConnectionMode) {
    let (calm, unlucky) = (Stage::new(mode), Stage::new(mode));
    for stage in [&calm, &unlucky] {
        stage.supervisor.blocking().session_within(PATIENCE).unwrap();
    }
    let mut transitions = unlucky.supervisor.blocking().transitions();
    assert_eq!(states(&mut transitions, 2), ["connecting", "ready"]);
    unlucky.gateway.reset_all();
    let lost = transitions.next_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((lost.generation, lost.attempt), (1, Some(1)));
    assert!(lost.cause.to_string().contains("reset"), "{lost:?}");
    assert_eq!(states(&mut transitions, 1), ["ready"]);
    for stage in [&calm, &unlucky] {
        stage.supervisor.blocking().proof_of_life().unwrap();
        stage.supervisor.blocking().close();
    }
    let calm: Vec<_> = calm.supervisor.blocking().transitions().collect();
    let told: Vec<_> = calm.iter().map(|told| (told.number, told.generation, told.state.as_str())).collect();
    assert_eq!(told, [(1, 0, "connecting"), (2, 1, "ready"), (3, 1, "closed")]);
    assert_eq!(states(&mut transitions, 1), ["closed"]);
    assert_eq!(transitions.missed(), 0);
}

/// The states of the next transitions.
fn states(transitions: &mut BlockingTransitions, count: usize) -> Vec<&'static str> {
    let next = |_| transitions.next_timeout(PATIENCE).unwrap().unwrap().state.as_str();
    (0..count).map(next).collect()
}

/// A supervisor as programs start it, with a Gateway of its own.
struct Stage {
    supervisor: Supervisor,
    gateway: Simulator,
    worker: PrivateWorker,
    _port: NobodyListens,
    _state: TempDir,
}

impl Stage {
    fn new(mode: ConnectionMode) -> Self {
        let (port, state, worker) = (NobodyListens::new(), state_dir(), PrivateWorker::new());
        let tick_interval = Duration::from_millis(2);
        let options = SimOptions { port: port.port(), tick_interval, ..SimOptions::default() };
        let gateway = Simulator::start(options).unwrap();
        let config = Config::default()
            .with_mode(mode)
            .with_port(port.port())
            .with_state_dir(state.path().to_owned())
            .with_worker_path(Some(worker.path().to_owned()))
            .with_pacing(Pacing::Unlimited);
        let options = SupervisorOptions::from(&config);
        let supervisor = ibkr_connect::supervise_with(&config, options).unwrap();
        Self { supervisor, gateway, worker, _port: port, _state: state }
    }
}
