//! The lives that are told and counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ibkr_connect::config::ZombieCleanup;
use ibkr_connect::resilience::{Note, SupervisorOptions};
use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{ConnectionMode, ErrorKind, StreamRequest, Supervisor, SupervisorState, session_over};
use ibkr_connect_cleanup::half_closed;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::recorder::{self, told};
use crate::stage::{Stage, TICK, assert_told, gateway_program};
use crate::support::{run, until};

pub(crate) fn is_told_and_counted(mode: ConnectionMode) {
    let script = vec![vec![Fault::ResetBeforeVersion]];
    let gateway =
        Simulator::start(SimOptions { script, tick_interval: TICK, ..SimOptions::default() }).unwrap();
    let stage = Stage::new(mode, gateway.port());
    run(a_session_is(&stage));
    run(a_connect_that_nobody_waits_for_is(&stage, &gateway));
    run(the_breaker_is(&stage));
    run(a_supervised_session_is(&stage, &gateway));
    stage.assert_all_counted();
    recorder::assert_all_in_tables();
}

/// One that this process holds is seen, then removed.
pub(crate) fn zombies_are_told_and_counted(mode: ConnectionMode) {
    // A program of its own: a process that listens itself is spared.
    let (_gateway, port) = gateway_program();
    let stage = Stage::new(mode, port);
    let by_gateway = [("gateway", stage.address.as_str())];
    // The Gateway has closed, and this end is still open.
    let mut zombie = TcpStream::connect(("127.0.0.1", port)).unwrap();
    zombie.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    while zombie.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
    run(until("a zombie", || half_closed(&[port]).unwrap().len() == 1));
    run(async { stage.connect().await.unwrap().close().await.unwrap() });
    assert_eq!(stage.value("ibkr_connect_zombies_found", &by_gateway), 1.0);
    assert_told("zombies_found", &[("gateway", &stage.address), ("found", "1"), ("removed", "0")]);
    let cleaned = || stage.value("ibkr_connect_zombies_cleaned_total", &by_gateway);
    run(async {
        let connector = stage.connector(ZombieCleanup::Clean);
        // It has to be old enough.
        while cleaned() == 0.0 {
            session_over(&*connector, &stage.target).await.unwrap().close().await.unwrap();
        }
    });
    assert_eq!(cleaned(), 1.0);
    assert_told("zombies_found", &[("gateway", &stage.address), ("found", "1"), ("removed", "1")]);
    recorder::assert_all_in_tables();
}

async fn a_session_is(stage: &Stage) {
    let session = stage.connect().await.unwrap();
    session.positions().await.unwrap();
    session.server_time().await.unwrap();
    timeout(Duration::from_millis(100), session.server_time()).await.unwrap_err();
    if stage.mode == ConnectionMode::Direct {
        assert_told("clock_question_waits", &[("command", "server_time")]);
    }
    let error = session.contract_details(Contract::stock("NOSUCH")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GatewayError);
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    let mut quotes = session.market_data(params).await.unwrap();
    for _ in 0..3 {
        quotes.next().await.unwrap().unwrap();
    }
    session.close().await.unwrap();

    let by_mode = ("mode", stage.mode.as_str());
    assert!(stage.value("ibkr_connect_connects_total", &[by_mode, ("outcome", "ok")]) >= 1.0);
    assert!(stage.value("ibkr_connect_retries_total", &[by_mode, ("kind", "rejected")]) >= 1.0);
    assert_told("connect_retry", &[("kind", "rejected")]);
    let first = if stage.mode == ConnectionMode::Subprocess { "spawn" } else { "preflight" };
    for phase in [first, "tcp", "version", "start_api", "accounts", "verify"] {
        assert!(stage.samples("ibkr_connect_phase_seconds", &[("phase", phase)]) > 0, "{phase}");
    }
    for (command, outcome) in [("positions", "ok"), ("contract_details", "gateway_error")] {
        let labels = [("command", command), ("outcome", outcome)];
        assert!(stage.samples("ibkr_connect_request_seconds", &labels) > 0, "{command}");
    }
    assert!(stage.samples("ibkr_connect_stream_lag_seconds", &[("command", "market_data")]) > 0);
}

async fn a_connect_that_nobody_waits_for_is(stage: &Stage, gateway: &Simulator) {
    let abandoned = || {
        stage.value("ibkr_connect_connects_total", &[("mode", stage.mode.as_str()), ("outcome", "abandoned")])
    };
    let before = abandoned();
    gateway.set_faults(vec![Fault::Silent]);
    let connector = stage.connector(ZombieCleanup::Off);
    let accepted = gateway.stats().accepted;
    let connect = connector.connect(&stage.target);
    let asked = async { until("the Gateway is asked", || gateway.stats().accepted > accepted).await };
    tokio::select! {
        outcome = connect => panic!("{outcome:?}"),
        () = asked => {}
    }
    gateway.set_faults(Vec::new());
    until("it is told", || told().iter().any(|told| told.name == "connect_abandoned")).await;
    assert!(abandoned() > before);
}

async fn the_breaker_is(stage: &Stage) {
    let by_gateway = ("gateway", stage.address.as_str());
    let state = || stage.value("ibkr_connect_breaker_state", &[by_gateway]);
    let by = Note { actor: "a test".to_owned(), reason: "to see it".to_owned() };
    stage.breaker().force_open_for(by, Duration::from_secs(2)).unwrap();
    assert_eq!(state(), 3.0);
    let refused = stage.connect().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CircuitOpen);
    assert_told("connect_refused", &[("gateway", &stage.address), ("kind", "circuit_open")]);
    until("its time is over", || stage.breaker().state().unwrap().as_str() == "closed").await;
    drop(stage.breaker().admit().unwrap());
    for (from, to) in [("closed", "forced_open"), ("forced_open", "closed")] {
        let labels = [by_gateway, ("from", from), ("to", to)];
        assert_eq!(stage.value("ibkr_connect_breaker_transitions_total", &labels), 1.0, "{from} to {to}");
        assert_told("breaker_transition", &[("gateway", &stage.address), ("from", from), ("to", to)]);
    }
}

async fn a_supervised_session_is(stage: &Stage, gateway: &Simulator) {
    let by_gateway = [("gateway", stage.address.as_str())];
    // Pings are answered soon, and none is missed on a busy machine.
    let ping_interval = Duration::from_millis(200);
    let options = SupervisorOptions::default().with_ping_interval(ping_interval).with_misses(50);
    let supervisor = stage.supervise(stage.target.clone(), options);
    supervisor.session().await.unwrap();
    let uptime = || stage.value("ibkr_connect_session_uptime_seconds", &by_gateway);
    until("a ping is answered", || uptime() > 0.0).await;
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    let mut quotes = supervisor.subscribe(StreamRequest::MarketData(params)).await.unwrap();
    quotes.next().await.unwrap().unwrap();
    gateway.broadcast_notice(1101, "Connectivity has been restored - data lost.");
    until("the market data are void", || told().iter().any(|told| told.name == "market_data_void")).await;

    gateway.reset_all();
    until("another session", || is_ready(&supervisor, 2)).await;
    assert!(stage.samples("ibkr_connect_recovery_seconds", &[("cause", "disconnected")]) > 0);
    if let Some(pid) = supervisor.session().await.unwrap().info().worker_pid {
        kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
        until("another worker", || is_ready(&supervisor, 3)).await;
        assert!(stage.samples("ibkr_connect_recovery_seconds", &[("cause", "worker_exited")]) > 0);
        assert_eq!(stage.value("ibkr_connect_worker_restarts_total", &by_gateway), 1.0);
        assert_told("worker_lost", &[("worker_pid", &pid.to_string())]);
    }
    for name in ["session_lost", "session_recovered"] {
        assert_told(name, &[("cause", "disconnected")]);
    }
    supervisor.close().await;
}

/// Not a lost socket but a Gateway that stands still: no answer to pings, and no word of it.
pub(crate) fn silence_is_told_and_counted(mode: ConnectionMode) {
    let (gateway, port) = gateway_program();
    let pid = Pid::from_child(&gateway.0);
    let stage = Stage::new(mode, port);
    let target = stage.target.clone().with_timeout(Duration::from_secs(1));
    let options = SupervisorOptions::default().with_ping_interval(Duration::from_millis(200));
    let supervisor = stage.supervise(target, options);
    run(async {
        supervisor.session().await.unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        supervisor
            .states()
            .wait_for(|state| matches!(state, SupervisorState::Recovering { .. }))
            .await
            .unwrap();
        kill_process(pid, Signal::CONT).unwrap();
        until("another session", || is_ready(&supervisor, 2)).await;
        supervisor.close().await;
    });
    for name in ["session_lost", "session_recovered"] {
        assert_told(name, &[("cause", "silence")]);
    }
    assert!(stage.samples("ibkr_connect_recovery_seconds", &[("cause", "silence")]) > 0);
    recorder::assert_all_in_tables();
}

fn is_ready(supervisor: &Supervisor, generation: u64) -> bool {
    supervisor.generation() >= generation && supervisor.state() == SupervisorState::Ready
}
