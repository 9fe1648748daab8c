//! `watch`: every change of a supervised session's state, and an orderly end.

use std::thread;
use std::time::Duration;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::Value;

use crate::ongoing::Ongoing;
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, User};
use crate::support::{PATIENCE, traces};

#[test]
fn every_change_is_a_line_and_the_end_is_in_order() {
    for (mode, signal) in [("direct", Signal::INT), ("subprocess", Signal::TERM)] {
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
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
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

/// What the Gateway says is in the log in ibapi's words too.
#[test]
fn the_log_masks_account_ids_unless_told_otherwise() {
    thread::scope(|scope| {
        for mode in ["direct", "subprocess"] {
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
