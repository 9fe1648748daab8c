//! `zombies clean`: who is touched, and who never is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use ibkr_connect_cleanup::{Register, half_closed};
use serde_json::Value;

use crate::holder::{Cleaned, ClosingGateway, Holder, clean, copy, java, list, proved};
use crate::support::host::{Finished, User};

pub(crate) fn a_dry_run_changes_nothing() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client(2);
    let user = User::new();
    let before = proved(&user, gateway.port(), 2);
    let cleaned = clean(&user, gateway.port(), &["--kill", "python3", "--destroy-sockets"]);
    cleaned.assert_left_alone(2, "dry run");
    assert_eq!(cleaned.0["dry_run"], true);
    let skipped = &cleaned.0["skipped"][0];
    assert_eq!((&skipped["pid"], &skipped["command"]), (&holder.pid().into(), &"python3".into()));

    let port = gateway.port().to_string();
    let shown = Finished::of(user.command(["zombies", "clean", "--kill", "python3", "--port", &port]));
    assert_eq!(shown.code, 8);
    assert!(shown.stdout.contains("nothing was done; --yes does it"), "{shown:?}");
    assert_eq!(sockets(&before), sockets(&list(&user, gateway.port()).data()));
    holder.assert_lives();
}

pub(crate) fn a_holder_is_touched_only_when_named() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client(2);
    let user = User::new();
    proved(&user, gateway.port(), 2);
    for names in [&["--yes"][..], &["--yes", "--kill", "python", "ython3", "PYTHON3", "java"]] {
        clean(&user, gateway.port(), names).assert_left_alone(2, "was not named");
    }
    holder.assert_lives();
    let cleaned = clean(&user, gateway.port(), &["--yes", "--kill", "ruby", "python3"]);
    cleaned.assert_closed(2, &mut holder);
    assert_eq!(half_closed(&[gateway.port()]).unwrap(), []);
    let again = Finished::of(user.command(["zombies", "clean", "--port", &gateway.port().to_string()]));
    assert_eq!((again.code, again.stdout), (0, format!("port {}: no zombies\n", gateway.port())));
}

pub(crate) fn java_is_never_touched() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client_of(java(&["client", &gateway.port().to_string()]), 1);
    let user = User::new();
    assert_eq!(proved(&user, gateway.port(), 1)["zombies"][0]["pid"], holder.pid());
    let cleaned = clean(&user, gateway.port(), &["--yes", "--kill", "java", "--destroy-sockets"]);
    cleaned.assert_left_alone(1, "never touched, even when named");
    holder.assert_lives();
}

pub(crate) fn a_name_like_a_listed_one_is_not_listed() {
    let gateway = ClosingGateway::new();
    let user = User::new();
    let mut commands: Vec<_> = ["python3-helper", "xpython3"]
        .iter()
        .map(|name| user.program(&copy(&user, "/bin/sleep", name), ["600"]))
        .collect();
    // A script: its short name is python3, but what it runs is a shell. It stops at once.
    commands.push(user.program(&script(&user, "python3", "kill -STOP $$"), []));
    // It only calls itself so.
    let mut impostor = user.program(Path::new("/bin/sleep"), ["600"]);
    impostor.arg0("python3");
    commands.push(impostor);

    let count = commands.len();
    let mut holders: Vec<_> =
        commands.into_iter().map(|command| Holder::silent(command, gateway.socket())).collect();
    proved(&user, gateway.port(), count);
    let cleaned = clean(&user, gateway.port(), &["--yes", "--kill", "python3"]);
    cleaned.assert_left_alone(count, "was not named");
    holders.iter_mut().for_each(Holder::assert_lives);
}

pub(crate) fn a_stopped_holder_is_closed_too() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client(1);
    holder.stop();
    let user = User::new();
    proved(&user, gateway.port(), 1);
    clean(&user, gateway.port(), &["--yes", "--kill", "python3"]).assert_closed(1, &mut holder);
}

pub(crate) fn a_registered_worker_needs_no_name() {
    let gateway = ClosingGateway::new();
    let mut holder = gateway.client(1);
    let user = User::new();
    let state = user.home().join("state");
    let register = Register::open(&state).unwrap();
    let registration = register.add(holder.pid(), gateway.port()).unwrap();
    let entry = only_file(&state.join("workers"));
    let text = fs::read_to_string(&entry).unwrap();
    drop(registration);
    proved(&user, gateway.port(), 1);

    let clean = || {
        let port = gateway.port().to_string();
        let mut command = user.command(["zombies", "clean", "--yes", "--json", "--port", &port]);
        command.env("IBKR_STATE_DIR", &state);
        Cleaned::of(command)
    };
    let enter = |text: &str| {
        fs::write(&entry, text).unwrap();
        fs::set_permissions(&entry, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let stale: [fn(&mut Value); 3] = [
        |entry| entry["start_time"] = 1.into(),
        |entry| entry["boot_id"] = "another boot".into(),
        |entry| entry["pid"] = u32::MAX.into(),
    ];
    for spoil in stale {
        let mut stale: Value = serde_json::from_str(&text).unwrap();
        spoil(&mut stale);
        enter(&stale.to_string());
        clean().assert_left_alone(1, "not a worker of ibkr-connect");
        assert_eq!(fs::read_to_string(&entry).unwrap(), stale.to_string(), "a look changes nothing");
    }
    enter(&text);
    clean().assert_closed(1, &mut holder);
}

pub(crate) fn a_name_is_needed_after_kill() {
    let finished = Finished::of(User::new().command(["zombies", "clean", "--yes", "--kill"]));
    assert_eq!(finished.code, 2, "{finished:?}");
}

/// What makes each zombie this one and no other.
fn sockets(listed: &Value) -> Vec<(&Value, &Value, &Value)> {
    let zombies = listed["zombies"].as_array().unwrap().iter();
    let mut sockets: Vec<_> =
        zombies.map(|zombie| (&zombie["inode"], &zombie["fd"], &zombie["local"])).collect();
    sockets.sort_by_key(|socket| socket.0.as_u64());
    sockets
}

fn script(user: &User, name: &str, body: &str) -> PathBuf {
    let text = user.home().join("script");
    fs::write(&text, format!("#!/bin/sh\n{body}\n")).unwrap();
    copy(user, text, name)
}

fn only_file(directory: &Path) -> PathBuf {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}
