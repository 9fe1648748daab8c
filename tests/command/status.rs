//! `status`: what the state directory says, without asking any Gateway.

use std::fs;
use std::time::Instant;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ongoing::Ongoing;
use crate::support::PATIENCE;
use crate::support::host::{Finished, User};

#[test]
fn a_user_who_never_connected_has_no_gateways() {
    let user = User::new();
    let before = fs::read_dir(user.home()).unwrap().count();
    let shown = status(&user);
    assert_eq!((&shown["gateways"], &shown["workers"]), (&json!([]), &json!([])));
    let table = Finished::of(user.command(["status"]));
    assert!(table.stdout.starts_with("no Gateway is known in "), "{table:?}");
    assert!(!user.state_dir().exists(), "looking makes no directory");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), before, "looking makes nothing");
}

#[test]
fn the_state_of_a_user_is_in_one_place_whatever_the_surroundings() {
    let user = User::new();
    let of = |surroundings: &[(&str, &str)]| {
        let mut command = user.command(["status", "--json"]);
        command.envs(surroundings.iter().copied());
        Finished::of(command)
    };
    let temp = user.home().to_str().unwrap();
    let own = format!("{temp}/ibkr-connect-{}", rustix::process::geteuid().as_raw());
    for (surroundings, expected) in [
        (vec![("XDG_STATE_HOME", "/elsewhere")], "/elsewhere/ibkr-connect"),
        (vec![("HOME", "/nonexistent"), ("TMPDIR", temp)], &own),
        (vec![("XDG_STATE_HOME", "here"), ("IBKR_STATE_DIR", "/there")], "/there"),
    ] {
        let shown = of(&surroundings).data();
        assert_eq!(shown["state_dir"], expected, "{surroundings:?}");
    }
    for name in ["XDG_STATE_HOME", "IBKR_STATE_DIR"] {
        let refused = of(&[(name, "here")]);
        assert_eq!(refused.code, 2);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains(name) && said.contains("an absolute path"), "{said}");
    }
    let mut nameless = user.command(["status", "--json"]);
    nameless.env_remove("HOME");
    let shown = Finished::of(nameless).data();
    let path = shown["state_dir"].as_str().unwrap();
    assert!(path.starts_with('/') && path != "/tmp/ibkr-connect", "{path}");
}

#[test]
fn a_session_has_a_client_id_a_slot_and_a_worker_as_long_as_it_lives() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let watch = Ongoing::start(user.command(["watch", "--json", "--client-id", "77", "--port", &port]));
    assert_eq!((&watch.json()["state"], &watch.json()["state"]), (&"connecting".into(), &"ready".into()));

    let shown = status(&user);
    let [known] = &shown["gateways"].as_array().unwrap()[..] else { panic!("one Gateway: {shown}") };
    assert_eq!(known["gateway"], format!("localhost:{port}"));
    assert_eq!((&known["breaker"]["state"], &known["handshake"]), (&"closed".into(), &Value::Null));
    assert_eq!(known["slots"], json!({ "used": 1, "free": 31, "total": 32 }));
    let client = &known["clients"][0];
    assert_eq!((&client["client_id"], &client["holder"]["pid"]), (&77.into(), &watch.pid().into()));
    assert_eq!(client["holder"]["program"], "ibkr-connect");
    let [worker] = &shown["workers"].as_array().unwrap()[..] else { panic!("one worker: {shown}") };
    assert_eq!(worker["port"], gateway.port());
    let table = Finished::of(user.command(["status"])).stdout;
    for text in ["1 of 32", "77", &worker["pid"].to_string(), &format!("{} ibkr-connect", watch.pid())] {
        assert!(table.contains(text), "{text:?} is missing:\n{table}");
    }
    assert_eq!(gateway.stats().accepted, 1, "nobody but the session touches the port");

    assert_eq!(watch.end(Signal::INT).0, 0);
    let shown = status(&user);
    assert_eq!((&shown["gateways"][0]["slots"]["used"], &shown["workers"]), (&0.into(), &json!([])));
}

#[test]
fn whoever_shakes_hands_is_named() {
    let gateway =
        Simulator::start(SimOptions { faults: vec![Fault::Silent], ..SimOptions::default() }).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let watch = Ongoing::start(user.command(["watch", "--json", "--timeout", "60", "--port", &port]));
    let deadline = Instant::now() + PATIENCE;
    let handshake = loop {
        let shown = status(&user);
        if shown["gateways"][0]["handshake"].is_object() {
            break shown["gateways"][0]["handshake"].clone();
        }
        assert!(Instant::now() < deadline, "nobody shakes hands: {shown}");
    };
    assert_eq!((&handshake["pid"], &handshake["program"]), (&watch.pid().into(), &"ibkr-connect".into()));
    assert!(handshake["since"].as_str().unwrap().ends_with('Z'), "{handshake}");
    assert_eq!(watch.end(Signal::INT).0, 0);
    user.worker().assert_none_runs();
}

#[test]
fn a_breaker_is_shown_for_every_gateway() {
    let user = User::new();
    for port in ["4001", "4002"] {
        assert_eq!(Finished::of(user.command(["breaker", "open", "--port", port])).code, 0);
    }
    let shown = status(&user);
    let breakers: Vec<_> =
        shown["gateways"].as_array().unwrap().iter().map(|known| &known["breaker"]["state"]).collect();
    assert_eq!(breakers, ["forced_open", "forced_open"]);
}

#[test]
fn a_stuck_file_is_named_and_hides_nothing_else() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let watch = Ongoing::start(user.command(["watch", "--json", "--client-id", "77", "--port", &port]));
    assert_eq!((&watch.json()["state"], &watch.json()["state"]), (&"connecting".into(), &"ready".into()));
    // As a stopped process holds them.
    let clients = fs::read_dir(user.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    let clients =
        clients.into_iter().find(|path| path.is_dir() && path.to_str().unwrap().contains("clients-"));
    let registry = fs::File::open(clients.unwrap().join("registry.lock")).unwrap();
    registry.lock().unwrap();
    let locks = fs::read_dir(user.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    let locks = locks.filter(|path| path.to_str().unwrap().ends_with(".lock"));
    let held: Vec<_> = locks.map(|path| fs::File::open(path).unwrap()).collect();
    held.iter().for_each(|file| file.lock().unwrap());
    let begun = Instant::now();
    let shown = status(&user);
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
    let known = &shown["gateways"][0];
    assert_eq!(
        (&known["breaker"]["state"], &known["clients"][0]["client_id"]),
        (&"closed".into(), &77.into())
    );
    let problem = known["problems"][0].as_str().unwrap();
    assert!(
        problem.contains("registry.lock has been locked for") && problem.contains("SIGSTOP"),
        "{problem}"
    );
    let table = Finished::of(user.command(["status"]));
    assert!(table.code == 0 && table.stdout.contains("registry.lock has been locked for"), "{table:?}");
    drop((registry, held));
    assert_eq!(watch.end(Signal::INT).0, 0);
}

fn status(user: &User) -> Value {
    let finished = Finished::of(user.command(["status", "--json"]));
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    finished.data()
}
