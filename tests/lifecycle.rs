//! Processes that die at a bad moment, and what may not survive them: workers and half-closed connections.

mod support;

use std::time::{Duration, Instant};

use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{CloseReason, ConnectionMode, ErrorKind, Session};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::backend::{Backend, PrivateWorker, target};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Running, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::traces::{self, Identity};
use crate::support::{PATIENCE, run, until};

#[test]
fn whoever_waits_for_a_killed_worker_learns_of_it() {
    run(async {
        let gateway = FakeGateway::start(Behaviour::KnowsOnlyItsAccounts);
        let backend = Backend::new(ConnectionMode::Subprocess);
        let session = Session::new(backend.connect(&target(gateway.port())).await.unwrap());
        let worker = Identity::of(session.info().worker_pid.unwrap()).unwrap();
        let mut ticks =
            session.market_data(MarketDataParams::streaming(Contract::stock("AAPL"))).await.unwrap();

        let (pending, reason) = tokio::join!(session.positions(), async {
            session.ping().await.expect("the question about positions has been sent by now");
            send(worker.pid, Signal::KILL);
            session.closed().await
        });
        let later = session.ping().await;
        for error in [pending.unwrap_err(), ticks.next().await.unwrap().unwrap_err(), later.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::WorkerCrashed, "{error}");
            assert!(error.is_retryable() && error.message().contains("SIGKILL"), "{error}");
        }
        assert!(matches!(reason, CloseReason::WorkerExited(_)), "{reason}");
        session.close().await.unwrap();
        worker.assert_ends();
        backend.assert_left_nothing(gateway.port());
    });
}

#[test]
fn a_worker_killed_in_mid_handshake_leaves_no_zombie() {
    run(async {
        let gateway = simulator(Fault::NoManagedAccounts);
        let backend = Backend::new(ConnectionMode::Subprocess);
        let target = target(gateway.port());
        let begun = Instant::now();
        let (outcome, ()) = tokio::join!(backend.connect(&target), async {
            until("startApi is sent", || gateway.stats().requested("startApi") == 1).await;
            send(only_worker(backend.worker()).pid, Signal::KILL);
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerCrashed, "{error}");
        assert!(begun.elapsed() < target.timeout / 2, "{error} after {:?}", begun.elapsed());
        assert_no_zombie(&gateway);
        backend.assert_left_nothing(gateway.port());
    });
}

#[test]
fn a_worker_that_hangs_in_mid_handshake_is_ended_at_the_deadline() {
    run(async {
        let gateway = simulator(Fault::NoManagedAccounts);
        let backend = Backend::new(ConnectionMode::Subprocess);
        let target = target(gateway.port()).with_timeout(Duration::from_secs(1));
        let begun = Instant::now();
        let (outcome, ()) = tokio::join!(backend.connect(&target), async {
            until("startApi is sent", || gateway.stats().requested("startApi") == 1).await;
            send(only_worker(backend.worker()).pid, Signal::STOP);
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HandshakeTimeout, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{error} after {:?}", begun.elapsed());
        assert_no_zombie(&gateway);
        backend.assert_left_nothing(gateway.port());
    });
}

#[test]
fn a_worker_holds_the_session_on_the_thread_that_serves_its_parent() {
    run(async {
        let gateway = simulator(Fault::Reorder);
        let backend = Backend::new(ConnectionMode::Subprocess);
        let session = Session::new(backend.connect(&target(gateway.port())).await.unwrap());
        let tasks = std::fs::read_dir(format!("/proc/{}/task", session.info().worker_pid.unwrap())).unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim().to_owned()
        };
        let names: Vec<_> = tasks.map(name).collect();
        assert!(names.contains(&"ibkr-worker-inp".to_owned()), "{names:?}");
        assert!(!names.contains(&"ibkr-direct".to_owned()), "{names:?}");
        session.close().await.unwrap();
        backend.assert_left_nothing(gateway.port());
    });
}

#[test]
fn a_worker_dies_with_its_killed_host() {
    let gateway = simulator(Fault::Reorder);
    let user = User::new();
    let (mut host, tick) = Running::until_first_line(ticks(&user, ConnectionMode::Subprocess, &gateway));
    assert!(tick.starts_with('{'), "{tick}");
    let worker = only_worker(user.worker());
    host.kill();
    worker.assert_ends();
    assert!(gateway.wait_until(PATIENCE / 2, |stats| stats.active == 0));
    traces::assert_no_half_closed(gateway.port());
}

#[test]
fn an_interrupted_host_ends_in_order() {
    for mode in REAL_BACKENDS {
        let gateway = simulator(Fault::Reorder);
        let user = User::new();
        let (mut host, _) = Running::until_first_line(ticks(&user, mode, &gateway));
        send(host.0.id(), Signal::INT);
        assert!(host.wait(PATIENCE / 2).success(), "{mode}");
        assert!(gateway.wait_until(PATIENCE / 2, |stats| stats.active == 0));
        assert_eq!((gateway.stats().eofs_seen, gateway.stats().resets_seen), (1, 0), "{mode}");
        traces::assert_no_half_closed(gateway.port());
        user.worker().assert_none_runs();
    }
}

#[test]
fn a_host_killed_in_mid_handshake_leaves_no_zombie() {
    for mode in REAL_BACKENDS {
        for (fault, reached) in [(Fault::Silent, 0), (Fault::NoManagedAccounts, 1), (Fault::NoNextValidId, 1)]
        {
            let gateway = simulator(fault);
            let user = User::new();
            let port = gateway.port().to_string();
            let mut host =
                Running(user.command(["check", "--mode", mode.as_str(), "--port", &port]).spawn().unwrap());
            let underway = gateway.wait_until(PATIENCE / 2, |stats| {
                stats.accepted == 1 && stats.requested("startApi") == reached
            });
            assert!(underway, "{mode}: {:?}", gateway.stats());
            host.kill();
            assert_no_zombie(&gateway);
            traces::assert_no_half_closed(gateway.port());
            user.worker().assert_none_runs();
        }
    }
}

fn simulator(fault: Fault) -> Simulator {
    Simulator::start(SimOptions { faults: vec![fault], ..SimOptions::default() }).unwrap()
}

fn ticks(user: &User, mode: ConnectionMode, gateway: &Simulator) -> std::process::Command {
    let port = gateway.port().to_string();
    user.command(["ticks", "AAPL", "--for", "1m", "--json", "--mode", mode.as_str(), "--port", &port])
}

fn only_worker(worker: &PrivateWorker) -> Identity {
    let running = traces::processes(worker.path());
    assert_eq!(running.len(), 1, "{running:?}");
    Identity::of(running[0]).unwrap()
}

fn assert_no_zombie(gateway: &Simulator) {
    let left = gateway.wait_until(PATIENCE / 2, |stats| stats.resets_seen == 1 && stats.active == 0);
    let stats = gateway.stats();
    assert!(left && stats.eofs_seen == 0 && stats.zombies_held_max == 0, "{stats:?}");
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}
