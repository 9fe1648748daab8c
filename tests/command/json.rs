//! One shape of `--json`: every command, right and wrong, is held against docs/json.schema.json. The other tests of this folder
//! read JSON through the same schema.

use std::collections::BTreeSet;

use ibkr_connect::{ErrorKind, Phase};
use ibkr_connect_sim::{SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ongoing::Ongoing;
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, User};
use crate::support::json::problem;
use crate::support::real_backends::REAL_BACKENDS;

/// Those that answer once, with what they take.
const ANSWERS: [&[&str]; 15] = [
    &["check"],
    &["accounts"],
    &["positions"],
    &["bars", "AAPL"],
    &["quote", "AAPL"],
    &["ticks", "AAPL", "--for", "200ms"],
    &["call", "server_time"],
    &["call", "notices", "--count", "1"],
    &["probe", "--attempts", "1"],
    &["soak", "--duration", "300ms", "--ping-every", "50ms", "--fetch-every", "50ms"],
    &["zombies", "list"],
    &["zombies", "clean"],
    &["status"],
    &["settings"],
    &["breaker", "reset"],
];

/// Those that connect.
fn connects(command: &[&str]) -> bool {
    !["zombies", "status", "settings", "breaker"].contains(&command[0])
}

#[test]
fn every_command_has_one_shape() {
    for mode in REAL_BACKENDS {
        let gateway = Simulator::start(SimOptions::default()).unwrap();
        let label = json!({ "host": "127.0.0.1", "port": gateway.port(), "mode": mode.as_str() });
        for command in ANSWERS {
            let finished = run(command, mode.as_str(), gateway.port());
            assert_eq!((finished.code, finished.complaints().as_str()), (0, ""), "{command:?}: {finished:?}");
            let lines: Vec<Value> = finished.stdout.lines().map(crate::support::json::line).collect();
            assert!(!lines.is_empty(), "{command:?}");
            // It is about all of them.
            let label = if command == ["status"] { &Value::Null } else { &label };
            for line in &lines {
                assert_eq!((&line["ok"], &line["gateway"]), (&true.into(), label), "{command:?}");
                let name = line["command"].as_str().unwrap();
                assert!(command.join(" ").starts_with(name), "{command:?} is called {name:?}");
            }
        }
    }
}

#[test]
fn every_failure_has_one_shape() {
    let nobody = NobodyListens::new();
    for command in ANSWERS.into_iter().filter(|command| connects(command)) {
        let finished = run(command, "direct", nobody.port());
        assert_eq!(finished.code, 3, "{command:?}: {finished:?}");
        let line = finished.json();
        assert_eq!((&line["ok"], &line["error"]["kind"]), (&false.into(), &"not_listening".into()), "{line}");
        assert_eq!(line["gateway"]["port"], nobody.port(), "{line}");
        assert_eq!(line["error"]["retryable"], true, "{line}");
    }
    for command in ANSWERS.into_iter().chain([&["watch"][..], &["breaker", "open"]]) {
        let user = User::new();
        let mut wrong = user.command(command.iter().chain(&["--json"]).copied());
        wrong.env("IBKR_TIMEOUT", "0");
        let finished = Finished::of(wrong);
        let line = finished.json();
        assert_eq!((finished.code, &line["error"]["kind"]), (2, &"config".into()), "{command:?}");
        assert_eq!((&line["gateway"], &line["data"]), (&Value::Null, &Value::Null), "{command:?}");
    }
}

#[test]
fn those_without_a_gateway_have_the_same_shape() {
    let user = User::new();
    for command in [
        &["commands"][..],
        &["commands", "positions"],
        &["commands", "--schema"],
        &["init"],
        &["completions", "fish"],
        &["man"],
    ] {
        let line = Finished::of(user.command(command.iter().chain(&["--json"]).copied())).json();
        assert_eq!((&line["ok"], &line["gateway"]), (&true.into(), &Value::Null), "{command:?}");
    }
    let worker = Finished::of(user.command(["worker", "--json"])).json();
    assert_eq!(worker["error"]["kind"], "worker_incompatible");
    let sim = Ongoing::start(user.command(["sim", "--json"]));
    assert!(sim.json()["listening"].is_string());
    assert!(sim.end(Signal::TERM).1[0]["stats"].is_object());
}

#[test]
fn the_schema_knows_every_kind_phase_and_command() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/json.schema.json")).unwrap();
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let kinds = names(&schema["$defs"]["Error"]["properties"]["kind"]["enum"]);
    assert_eq!(kinds, ErrorKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect());
    let phases = names(&schema["$defs"]["Error"]["properties"]["phase"]["enum"]);
    assert_eq!(phases, Phase::ALL.iter().map(|phase| phase.as_str().to_owned()).collect());

    let commands = names(&schema["properties"]["command"]["enum"]);
    let help = Finished::of(User::new().command(["--help"])).stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a line says about a command may go on in the next one, further to the right.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    for name in names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help") {
        let is_known = |command: &String| command.split(' ').next() == Some(name);
        assert!(commands.iter().any(is_known), "{name} is not in the schema");
    }
}

/// A schema that lets everything pass would prove nothing.
#[test]
fn the_schema_refuses_another_shape() {
    let good = json!({ "ok": true, "command": "status", "gateway": null, "data": null, "error": null });
    assert_eq!(problem(&good), None);
    let error = json!({ "kind": "config", "phase": null, "message": "", "advice": null, "code": null, "retryable": false });
    for (what, path, value) in [
        ("an unknown command", "/command", json!("stauts")),
        ("an error that is none", "/error", error),
        ("no data and no error", "/ok", json!(false)),
        ("data of another command", "/data", json!([1])),
        ("a Gateway without a mode", "/gateway", json!({ "host": "x", "port": 1 })),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        assert!(problem(&bad).is_some(), "{what}: {bad}");
    }
    let mut more = good;
    more["more"] = true.into();
    assert!(problem(&more).is_some());
}

fn run(command: &[&str], mode: &str, port: u16) -> Finished {
    let user = User::new();
    let mut command = user.command(command.iter().chain(&["--json"]).copied());
    command.env("IBKR_CONNECTION_MODE", mode).env("IBKR_PORT", port.to_string());
    command.env("IBKR_TIMEOUT", "3").env("IBKR_MAX_RETRIES", "0");
    Finished::of(command)
}
