//! `check`: an exit code per kind of failure, and always the same JSON.

use ibkr_connect::ConnectionMode;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use serde_json::{Value, json};

use crate::support::backend::{COMMAND, NobodyListens};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Finished, Running, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::traces;

const KEYS: [&str; 10] = [
    "mode",
    "connect_ms",
    "client_id",
    "server_version",
    "accounts",
    "phases",
    "zombies_after",
    "forwarder",
    "version_retirement",
    "breaker",
];

/// A test per mode and outcome: the exit code, and the error's kind, phase and TWS code in the JSON.
macro_rules! fails {
    ($mode:ident: $( $name:ident: $options:expr => $exit:literal, $kind:literal, $phase:literal, $code:expr; )+) => {
        $(
            #[test]
            fn $name() {
                let gateway = Simulator::start($options).unwrap();
                let error = failed_check(stringify!($mode), gateway.port(), $exit);
                assert_eq!((&error["kind"], &error["phase"]), (&Value::from($kind), &Value::from($phase)), "{error}");
                assert_eq!(error["code"].as_i64(), $code, "{error}");
                assert_eq!(gateway.stats().zombies_held_max, 0);
            }
        )+
    };
}

macro_rules! outcomes {
    ($mode:ident) => {
        mod $mode {
            use super::*;

            #[test]
            fn exit_0_ok() {
                succeeds(stringify!($mode));
            }

            #[test]
            fn exit_3_not_listening() {
                let error = failed_check(stringify!($mode), NobodyListens::new().port(), 3);
                assert_eq!((error["kind"].as_str(), error["phase"].as_str()), (Some("not_listening"), Some("tcp")));
            }

            fails! { $mode:
                exit_1_server_too_old: with(Fault::ServerVersion(212)) => 1, "server_too_old", "version", None;
                exit_1_protocol: with(Fault::GarbageVersion) => 1, "protocol", "version", None;
                exit_4_handshake_timeout: with(Fault::NoManagedAccounts) => 4, "handshake_timeout", "accounts", None;
                exit_5_rejected: with(Fault::Reject(507)) => 5, "rejected", "start_api", Some(507);
                exit_6_client_id_in_use: with(Fault::ClientIdInUse) => 6, "client_id_in_use", "start_api", Some(326);
                exit_8_wedged: SimOptions { wedge_after: Some(0), ..SimOptions::default() } => 8, "gateway_wedged", "version", None;
            }
        }
    };
}

outcomes!(direct);
outcomes!(subprocess);

#[test]
fn a_table_names_what_the_json_has() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let shown = Finished::of(user.command(["check", "--client-id", "77", "--port", &port]));
    assert_eq!((shown.code, shown.complaints().as_str()), (0, ""));
    for text in
        ["subprocess", "77", "226", "DU1234567", "spawn", "tcp", "version", "start_api", "accounts", "verify"]
    {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }
}

const RETIREMENT: &str = "The version of the application you are running, 1045.1, needs to be upgraded, as it will be desupported \
                          on 20261215. The minimum supported version at that time will be 1050.1.";

#[test]
fn the_end_of_the_gateways_version_is_told_with_its_day() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        for behaviour in [
            Behaviour::SaysBeforeItsAccounts(2172, RETIREMENT),
            Behaviour::SaysAfterItsAccounts(2172, RETIREMENT),
        ] {
            let gateway = FakeGateway::start(behaviour);
            let report = check(mode, gateway.port(), 0)["data"].take();
            let expected = json!({ "running": "1045.1", "date": "2026-12-15", "minimum": "1050.1" });
            assert_eq!(report["version_retirement"], expected, "{mode}, {behaviour:?}");
            let user = User::new();
            let port = gateway.port().to_string();
            let table = Finished::of(user.command(["check", "--mode", mode, "--port", &port]));
            assert!(table.stdout.contains("note: ") && table.stdout.contains("2026-12-15"), "{table:?}");
        }
    }
}

/// The simulator under the name of a forwarder: the same listener, as far as anybody can see.
fn forwarder(user: &User, faults: &[&str]) -> (Running, u16) {
    let socat = user.home().join("socat");
    std::os::unix::fs::symlink(COMMAND, &socat).unwrap();
    let arguments = ["sim", "--port", "0"].iter().chain(faults).copied();
    let (running, line) = Running::until_first_line(user.program(&socat, arguments));
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (running, port.unwrap_or_else(|| panic!("no port in {line:?}")))
}

#[test]
fn a_forwarder_is_named_and_what_it_makes_of_a_gateway_that_is_down() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let user = User::new();
        let (running, port) = forwarder(&user, &["--fault", "close-before-version"]);
        let report = check(mode, port, 5);
        let pid = running.0.id();
        assert_eq!(report["data"]["forwarder"], json!({ "command": "socat", "pid": pid }), "{report}");
        let advice = report["error"]["advice"].as_str().unwrap();
        assert!(advice.starts_with("see first whether the Gateway runs: socat (pid "), "{advice}");
        let connected =
            Finished::of(user.command(["accounts", "--json", "--mode", mode, "--port", &port.to_string()]));
        assert_eq!(connected.code, 5, "{connected:?}");
        assert!(connected.stdout.contains("see first whether the Gateway runs: socat"), "{connected:?}");
    }
}

#[test]
fn a_forwarder_before_a_gateway_that_works_is_a_note() {
    let user = User::new();
    let (_running, port) = forwarder(&user, &[]);
    let port = port.to_string();
    let table = Finished::of(user.command(["check", "--port", &port]));
    assert_eq!((table.code, table.complaints().as_str()), (0, ""), "{table:?}");
    assert!(table.stdout.contains("note: socat (pid "), "{table:?}");
    let zombies = Finished::of(user.command(["zombies", "list", "--json", "--port", &port])).data();
    assert!(zombies["limits"].to_string().contains("passes connections on"), "{zombies}");
}

/// It makes its one attempt whatever the breaker says, so it says what others would be told.
#[test]
fn an_open_breaker_is_a_note_with_the_line_that_closes_it() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let run = |arguments: &[&str]| Finished::of(user.command([arguments, &["--port", &port]].concat()));
    assert_eq!(run(&["check", "--json"]).data()["breaker"], Value::Null);
    assert_eq!(run(&["breaker", "open", "--reason", "an update"]).code, 0);
    assert_eq!(run(&["check", "--json"]).data()["breaker"]["state"], "forced_open");
    let table = run(&["check"]);
    let line = format!("`ibkr-connect breaker reset --port {port}` closes it");
    assert!(
        table.code == 0 && table.stdout.contains("note: the circuit breaker is forced open"),
        "{table:?}"
    );
    assert!(table.stdout.contains(&line), "{table:?}");
    let refused = run(&["positions"]);
    assert!(refused.code == 9 && refused.stderr.contains(&line), "{refused:?}");
    let refused = run(&["positions", "--json"]).json();
    assert!(refused["error"]["advice"].as_str().unwrap().contains(&line), "{refused}");
}

fn with(fault: Fault) -> SimOptions {
    SimOptions { faults: vec![fault], ..SimOptions::default() }
}

fn succeeds(mode: &str) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let mut report = check(mode, gateway.port(), 0);
    assert_eq!((&report["ok"], &report["error"]), (&Value::from(true), &Value::Null));
    let report = report["data"].take();
    assert_eq!((&report["forwarder"], &report["version_retirement"]), (&Value::Null, &Value::Null));
    assert_eq!(report["accounts"], Value::from(vec!["DU1234567"]));
    assert_eq!(report["server_version"], 226);
    assert!(report["client_id"].as_i64().unwrap() >= 10_000, "{report}");
    assert!(report["connect_ms"].as_f64().unwrap() > 0.0, "{report}");
    let phases: Vec<_> = report["phases"].as_array().unwrap().iter().map(|timing| &timing["phase"]).collect();
    assert_eq!(phases.contains(&&Value::from("spawn")), mode == "subprocess", "{report}");
    assert_eq!(phases.last(), Some(&&Value::from("verify")));
    let stats = gateway.stats();
    assert_eq!((stats.accepted, stats.handshakes), (1, 1), "no connection is made but for a handshake");
}

/// The error that a check reports.
fn failed_check(mode: &str, port: u16, exit: i32) -> Value {
    let report = check(mode, port, exit);
    let phases = report["data"]["phases"].as_array().unwrap();
    assert_eq!(phases.is_empty(), report["error"]["phase"] == "spawn", "{report}");
    assert_eq!((&report["ok"], &report["data"]["server_version"]), (&Value::from(false), &Value::Null));
    let error = &report["error"];
    assert_eq!(error["phases"].as_array().map_or(&[][..], Vec::as_slice), &phases[..], "{report}");
    assert!(error["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{error}");
    error.clone()
}

/// Runs `check --json`; the line has every key, and nothing is left behind.
fn check(mode: &str, port: u16, exit: i32) -> Value {
    let user = User::new();
    let arguments = ["check", "--json", "--mode", mode, "--timeout", "900ms", "--port", &port.to_string()];
    let finished = Finished::of(user.command(arguments));
    assert_eq!(finished.code, exit, "{finished:?}");
    assert!(finished.took.as_secs() < 5, "{finished:?}");
    let report = finished.json();
    let data = &report["data"];
    assert_eq!(data.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    assert_eq!((&data["mode"], &data["zombies_after"]), (&Value::from(mode), &Value::from(0)));
    assert_eq!(report["gateway"], json!({ "host": "127.0.0.1", "port": port, "mode": mode }));
    traces::assert_no_half_closed(port);
    user.worker().assert_none_runs();
    report
}
