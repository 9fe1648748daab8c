//! `watch`: every change of a supervised session's state, and an orderly end.

use std::thread;
use std::time::Duration;

use ibkr_connect::ConnectionMode;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::Value;

use crate::ongoing::Ongoing;
use crate::support::backend::NobodyListens;
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Finished, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{PATIENCE, json, traces};

#[test]
fn every_change_is_a_line_and_the_end_is_in_order() {
    let signals = [Signal::INT, Signal::TERM].into_iter().cycle();
    for (mode, signal) in REAL_BACKENDS.map(ConnectionMode::as_str).into_iter().zip(signals) {
        let drop = vec![Fault::DropAfter(Duration::from_millis(200))];
        let gateway = Simulator::start(SimOptions { script: vec![drop], ..SimOptions::default() }).unwrap();
        let user = User::new();
        let port = gateway.port().to_string();
        let watch = Ongoing::start(user.command(["watch", "--json", "--mode", mode, "--port", &port]));
        let seen = [watch.json(), watch.json(), watch.json(), watch.json()];
        assert_eq!(
            seen.each_ref().map(said),
            [("connecting", 0), ("ready", 1), ("recovering", 1), ("ready", 2)]
        );
        let keys: Vec<_> = seen[2].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["time", "state", "generation", "detail", "cause"]);
        assert_eq!(seen[2]["detail"], "recovering: attempt 1 runs");
        assert!(seen[2]["cause"].as_str().unwrap().contains("the Gateway closed the connection"), "{seen:?}");
        assert_eq!(seen[3]["cause"], Value::Null);
        let (code, rest) = watch.end(signal);
        assert_eq!((code, rest.iter().map(said).collect::<Vec<_>>()), (0, vec![("closed", 2)]));
        traces::assert_no_half_closed(gateway.port());
        user.worker().assert_none_runs();
    }
}

#[test]
fn it_waits_for_a_gateway_and_ends_when_its_time_is_over() {
    let nobody = NobodyListens::new();
    let user = User::new();
    let shown = Finished::of(user.command(["watch", "--for", "500ms", "--port", &nobody.port().to_string()]));
    assert_eq!((shown.code, shown.complaints().as_str()), (0, ""));
    let lines: Vec<_> = shown.stdout.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "session 0    connecting",
            "session 0    recovering      attempt 1 follows when something listens on the port",
            "session 0    closed",
        ]
    );
}

#[test]
fn the_end_of_the_gateways_version_is_told_once_with_its_day() {
    const TEXT: &str = "The version of the application you are running, 1045.1, needs to be upgraded, as it will be \
                        desupported on 20261215. The minimum supported version at that time will be 1050.1.";
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let gateway = Simulator::start(SimOptions::default()).unwrap();
        let user = User::new();
        let port = gateway.port().to_string();
        let watch = Ongoing::start(user.command(["watch", "--json", "--mode", mode, "--port", &port]));
        assert_eq!([watch.json(), watch.json()].each_ref().map(said), [("connecting", 0), ("ready", 1)]);
        gateway.broadcast_notice(2172, TEXT);
        gateway.broadcast_notice(2172, TEXT);
        let told = watch.json();
        assert_eq!(told["version_retirement"]["date"], "2026-12-15", "{told}");
        assert!(told["detail"].as_str().unwrap().contains("1050.1 or newer"), "{told}");
        let (code, rest) = watch.end(Signal::INT);
        assert_eq!((code, rest.iter().map(said).collect::<Vec<_>>()), (0, vec![("closed", 1)]));
    }
}

#[test]
fn a_failure_that_only_somebody_else_cures_ends_it_with_its_exit_code() {
    let too_old = FakeGateway::start(Behaviour::SendsVersion212);
    let wedged = Simulator::start(SimOptions { wedge_after: Some(0), ..SimOptions::default() }).unwrap();
    for (port, worker, code, kind) in [
        (too_old.port(), None, 1, Some("server_too_old")),
        (too_old.port(), Some("/no/such/worker"), 7, Some("worker_spawn")),
        (wedged.port(), None, 0, None),
    ] {
        let user = User::new();
        let port = port.to_string();
        let mut watch =
            user.command(["watch", "--json", "--for", "3s", "--timeout", "500ms", "--port", &port]);
        watch.envs(worker.map(|worker| ("IBKR_WORKER_PATH", worker)));
        let finished = Finished::of(watch);
        assert_eq!(finished.code, code, "{finished:?}");
        let last = json::line(finished.stdout.lines().last().unwrap());
        match kind {
            Some(kind) => assert_eq!(last["error"]["kind"], kind, "{finished:?}"),
            None => {
                assert_eq!(last["data"]["state"], "closed", "a wedged Gateway is waited for: {finished:?}");
            }
        }
    }
}

#[test]
fn a_watch_that_was_stopped_asks_before_it_gives_its_session_up() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let mut command = user.command(["watch", "--json", "--mode", "direct", "--port", &port]);
    command.env("IBKR_PING_INTERVAL", "1");
    let watch = Ongoing::start(command);
    assert_eq!([watch.json(), watch.json()].each_ref().map(said), [("connecting", 0), ("ready", 1)]);
    watch.signal(Signal::STOP);
    // Longer than the three intervals after which a silent session is given up.
    thread::sleep(Duration::from_secs(5));
    watch.signal(Signal::CONT);
    assert_eq!([watch.json(), watch.json()].each_ref().map(said), [("degraded", 1), ("ready", 1)]);
    assert_eq!(gateway.stats().accepted, 1, "the same session");
    assert_eq!(watch.end(Signal::INT).0, 0);
}

/// What the Gateway says is in the log in ibapi's words too.
#[test]
fn the_log_masks_account_ids_unless_told_otherwise() {
    thread::scope(|scope| {
        for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
            scope.spawn(move || assert_log_shows(mode, "masked", "DU***67"));
            scope.spawn(move || assert_log_shows(mode, "full", "DU1234567"));
        }
    });
}

fn assert_log_shows(mode: &str, setting: &str, account: &str) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let port = gateway.port().to_string();
    let user = User::new();
    let mut watch = user.command(["watch", "--for", "3s", "--mode", mode, "--port", &port]);
    watch.envs([("RUST_LOG", "debug"), ("IBKR_LOG_ACCOUNTS", setting)]);
    let watch = thread::spawn(|| Finished::of(watch));
    assert!(gateway.wait_until(PATIENCE, |stats| stats.handshakes == 1));
    gateway.broadcast_notice(2100, "API client has been unsubscribed from account DU1234567.");
    let log = watch.join().unwrap().stderr;
    assert!(log.contains(&format!("from account {account}.")), "{mode}, {setting}: {log}");
    assert_eq!(log.contains("DU1234567"), setting == "full", "{mode}, {setting}: {log}");
}

fn said(change: &Value) -> (&str, u64) {
    (change["state"].as_str().unwrap(), change["generation"].as_u64().unwrap())
}
