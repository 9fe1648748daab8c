//! The cookie tells the parent that it is its own worker that speaks: nobody else learns it, from no text and no list of processes.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_sim::{SimOptions, Simulator};

use crate::support::host::{Finished, User};
use crate::support::traces;

const VARIABLE: &str = "IBKR_WORKER_COOKIE=";

#[test]
fn no_log_and_no_command_line_shows_the_cookie() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let (user, port) = (User::new(), gateway.port().to_string());
    let mut watch = user.command(["watch", "--for", "1500ms", "--mode", "subprocess", "--port", &port]);
    watch.env("RUST_LOG", "trace");
    let watch = thread::spawn(|| Finished::of(watch));
    let worker = first_worker(user.worker().path());
    let process = |file: &str| fs::read(format!("/proc/{worker}/{file}")).unwrap();
    let cookie = cookie_in(&process("environ"));
    let shown = String::from_utf8_lossy(&process("cmdline")).into_owned();
    assert!(!shown.is_empty() && !shown.contains(&cookie), "{shown}");
    let finished = watch.join().unwrap();
    assert!(finished.stderr.contains("TRACE") || finished.stderr.contains("DEBUG"), "{finished:?}");
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!text.contains(&cookie), "{finished:?}");
    }
}

#[test]
fn no_error_shows_the_cookie_that_was_expected() {
    for (name, says) in [
        ("wrong", r#"{"hello":{"protocol":2,"version":"0.0.1","pid":1,"cookie":"guessed"}}"#),
        ("none", r#"{"hello":{"protocol":2,"version":"0.0.1","pid":1}}"#),
        ("no_hello", "usage: worker"),
    ] {
        for form in [&[][..], &["--json"]] {
            let user = User::new();
            let draft = format!("#!/bin/sh\necho \"$IBKR_WORKER_COOKIE\" > seen\necho '{says}'\nsleep 1\n");
            fs::write(user.home().join("draft"), draft).unwrap();
            let install = user.program(Path::new("/usr/bin/install"), ["-m", "755", "draft", "worker"]);
            assert_eq!(Finished::of(install).code, 0);
            let worker = user.home().join("worker");
            let mut check = user.command(["check", "--mode", "subprocess", "--port", "9", "--timeout", "2s"]);
            check.args(form).env("IBKR_WORKER_PATH", &worker).env("RUST_LOG", "trace").stdin(Stdio::null());
            // Wherever the worker is started, it writes beside itself.
            let finished = Finished::of(check);
            assert_ne!(finished.code, 0, "{name}: {finished:?}");
            let seen = fs::read_to_string(user.home().join("seen")).unwrap();
            let cookie = seen.trim();
            assert!(cookie.len() >= 16, "{name}: {cookie:?}");
            for text in [&finished.stdout, &finished.stderr] {
                assert!(!text.contains(cookie), "{name}: {finished:?}");
            }
        }
    }
}

fn first_worker(program: &Path) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(worker) = traces::processes(program).into_iter().next() {
            return worker;
        }
        assert!(Instant::now() < deadline, "no worker is started");
        thread::sleep(Duration::from_millis(2));
    }
}

fn cookie_in(environment: &[u8]) -> String {
    let environment = String::from_utf8_lossy(environment);
    let cookie = environment.split('\0').find_map(|entry| entry.strip_prefix(VARIABLE));
    cookie.expect("a worker has a cookie").to_owned()
}
