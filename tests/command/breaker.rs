//! `breaker`, and exit code 9: while the breaker is open, no connect touches the Gateway.

use std::time::Instant;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::host::{Finished, User};

#[test]
fn open_stops_every_connect_until_reset() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port());
    let opened = run(&user, port, &["breaker", "open", "--reason", "Gateway update"], 0);
    assert_eq!(opened["gateway"], format!("localhost:{port}"));
    assert_eq!(
        (&opened["breaker"]["state"], &opened["breaker"]["left_ms"]),
        (&"forced_open".into(), &Value::Null)
    );
    for command in [&["positions"][..], &["quote", "AAPL"], &["soak"]] {
        let error = &run(&user, port, command, 9)["error"];
        assert_eq!((&error["kind"], &error["phase"]), (&"circuit_open".into(), &"preflight".into()));
        assert!(error["message"].as_str().unwrap().contains("Gateway update"), "{error}");
        assert!(error["advice"].as_str().unwrap().contains("breaker reset"), "{error}");
    }
    assert_eq!(gateway.stats().accepted, 0);
    assert_eq!(run(&user, port, &["breaker", "reset"], 0)["breaker"]["state"], "closed");
    succeeds(&user, port);
}

#[test]
fn open_for_a_time_ends_by_itself() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port());
    let opened = run(&user, port, &["breaker", "open", "--for", "3s"], 0);
    assert!(opened["breaker"]["left_ms"].as_u64().is_some_and(|left| left <= 3_000), "{opened}");
    assert_eq!(run(&user, port, &["positions"], 9)["error"]["kind"], "circuit_open");
    let deadline = Instant::now() + PATIENCE;
    while Finished::of(user.command(["positions", "--port", &port.to_string()])).code != 0 {
        assert!(Instant::now() < deadline, "it stays open");
    }
    assert_eq!(gateway.stats().accepted, 1);
}

#[test]
fn failures_open_it_for_the_next_process_too() {
    let faults = vec![Fault::Reject(507)];
    let gateway = Simulator::start(SimOptions { faults, ..SimOptions::default() }).unwrap();
    let user = User::new();
    let positions = || {
        let mut command = user.command(["positions", "--json", "--port", &gateway.port().to_string()]);
        command.envs([("IBKR_CIRCUIT_FAILURES", "2"), ("IBKR_MAX_RETRIES", "0")]);
        Finished::of(command)
    };
    assert_eq!([positions(), positions(), positions()].map(|finished| finished.code), [5, 5, 9]);
    assert_eq!(gateway.stats().accepted, 2);
    gateway.set_faults(Vec::new());
    run(&user, gateway.port(), &["breaker", "reset"], 0);
    succeeds(&user, gateway.port());
}

#[test]
fn a_sentence_says_what_it_is() {
    let user = User::new();
    let said = |arguments: &[&str]| {
        let finished = Finished::of(user.command([arguments, &["--port", "4002"]].concat()));
        assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
        finished.stdout
    };
    let opened = said(&["breaker", "open", "--reason", "an update"]);
    let breaker = "circuit breaker of localhost:4002:";
    assert_eq!(opened, format!("{breaker} forced open by the command line, until it is reset: an update\n"));
    assert_eq!(said(&["breaker", "reset"]), format!("{breaker} closed\n"));
}

fn succeeds(user: &User, port: u16) {
    let finished = Finished::of(user.command(["positions", "--port", &port.to_string()]));
    assert_eq!(finished.code, 0, "{finished:?}");
}

fn run(user: &User, port: u16, arguments: &[&str], exit: i32) -> Value {
    let port = port.to_string();
    let finished = Finished::of(user.command([arguments, &["--json", "--port", &port]].concat()));
    assert_eq!(finished.code, exit, "{finished:?}");
    finished.json()
}
