//! `breaker`, and exit code 9: while the breaker is open, no connect touches the Gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
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
    assert_eq!(opened["data"]["gateway"], format!("localhost:{port}"));
    assert_eq!(
        (&opened["data"]["breaker"]["state"], &opened["data"]["breaker"]["left_ms"]),
        (&"forced_open".into(), &Value::Null)
    );
    for command in [&["positions"][..], &["quote", "AAPL"], &["soak"]] {
        let error = &run(&user, port, command, 9)["error"];
        assert_eq!((&error["kind"], &error["phase"]), (&"circuit_open".into(), &"preflight".into()));
        assert!(error["message"].as_str().unwrap().contains("Gateway update"), "{error}");
        assert!(error["advice"].as_str().unwrap().contains("breaker reset"), "{error}");
    }
    assert_eq!(gateway.stats().accepted, 0);
    assert_eq!(run(&user, port, &["breaker", "reset"], 0)["data"]["breaker"]["state"], "closed");
    succeeds(&user, port);
}

#[test]
fn open_for_a_time_ends_by_itself() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port());
    let opened = run(&user, port, &["breaker", "open", "--for", "3s"], 0);
    assert!(opened["data"]["breaker"]["left_ms"].as_u64().is_some_and(|left| left <= 3_000), "{opened}");
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
        assert_eq!((finished.code, finished.complaints().as_str()), (0, ""));
        finished.stdout
    };
    let opened = said(&["breaker", "open", "--reason", "an update"]);
    let breaker = "circuit breaker of localhost:4002:";
    assert_eq!(opened, format!("{breaker} forced open by the command line, until it is reset: an update\n"));
    assert_eq!(said(&["breaker", "reset"]), format!("{breaker} closed\n"));
}

#[test]
fn forced_open_survives_whatever_happens_to_its_file() {
    type Break = fn(&Path);
    let broken: [(&str, Break); 4] = [
        ("is empty", |file| fs::write(file, "").unwrap()),
        ("makes no sense", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("newer version", |file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, text.replace("\"version\":2", "\"version\":9")).unwrap();
        }),
        ("mode 0600", |file| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap()),
    ];
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port());
    for (why, break_it) in broken {
        run(&user, port, &["breaker", "open", "--reason", "an update"], 0);
        let file = record(&user);
        break_it(&file);
        let before = fs::read(&file).unwrap();
        for command in [&["positions"][..], &["breaker", "open"]] {
            let error = &run(&user, port, command, 9)["error"];
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(why) && message.contains(file.to_str().unwrap()), "{error}");
            assert!(error["advice"].as_str().unwrap().contains("ibkr-connect breaker reset"), "{error}");
        }
        let status = Finished::of(user.command(["status", "--json"])).data();
        assert_eq!(status["gateways"][0]["breaker"]["state"], "unreadable", "{status}");
        assert_eq!(fs::read(&file).unwrap(), before, "nobody writes over it");
        assert_eq!(gateway.stats().accepted, 0, "nobody connects");
        assert_eq!(run(&user, port, &["breaker", "reset"], 0)["data"]["breaker"]["state"], "closed");
        assert_eq!(fs::read(file.with_extension("json.bad")).unwrap(), before, "it is kept aside");
    }
    succeeds(&user, port);
}

#[test]
fn on_a_full_disk_open_fails_loudly_and_what_is_open_stays_so() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port());
    run(&user, port, &["breaker", "reset"], 0);
    let failed = Finished::of(on_a_full_disk(&user, &["breaker", "open", "--port", &port.to_string()]));
    assert_eq!(failed.code, 2, "{failed:?}");
    assert!(failed.stderr.contains("could not be opened, and stays as it is"), "{failed:?}");
    assert!(failed.stderr.contains(record(&user).to_str().unwrap()), "{failed:?}");
    run(&user, port, &["breaker", "open"], 0);
    let refused = Finished::of(on_a_full_disk(&user, &["positions", "--port", &port.to_string()]));
    assert_eq!(refused.code, 9, "{refused:?}");
    assert!(refused.stderr.contains("forced open by the command line"), "{refused:?}");
    assert_eq!(gateway.stats().accepted, 0);
}

#[test]
fn a_gateway_is_its_address_whatever_it_is_called() {
    let user = User::new();
    let open = ["breaker", "open", "--port", "4002", "--host"];
    assert_eq!(Finished::of(user.command(open.into_iter().chain(["127.1"]))).code, 0);
    for host in ["localhost", "127.0.0.1", "2130706433", "::1", "[::1]", "0x7f.1", "LOCALHOST."] {
        let refused = Finished::of(user.command(["positions", "--port", "4002", "--host", host]));
        assert_eq!(refused.code, 9, "{host}: {refused:?}");
    }
    let status = Finished::of(user.command(["status", "--json"])).data();
    assert_eq!(status["gateways"].as_array().unwrap().len(), 1, "{status}");
}

/// The breaker's file.
fn record(user: &User) -> PathBuf {
    let files = fs::read_dir(user.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    let is_record = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("breaker-") && name.ends_with(".json")
    };
    files.filter(is_record).collect::<Vec<_>>().pop().expect("a breaker's file")
}

/// `ibkr-connect` where no byte can be written to a file.
fn on_a_full_disk(user: &User, arguments: &[&str]) -> Command {
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let arguments =
        ["-c", limited, crate::support::backend::COMMAND].into_iter().chain(arguments.iter().copied());
    user.program(Path::new("/bin/sh"), arguments)
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
