//! What is told on stderr while something takes its time, and what the log says.

use std::time::Duration;

use ibkr_connect::ConnectionMode;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;

use crate::ongoing::Ongoing;
use crate::support::PATIENCE;
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, User};
use crate::support::real_backends::REAL_BACKENDS;

fn with(fault: Fault) -> Simulator {
    Simulator::start(SimOptions { faults: vec![fault], ..SimOptions::default() }).unwrap()
}

#[test]
fn a_slow_handshake_is_told_with_its_deadline() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let gateway = with(Fault::Silent);
        let port = gateway.port().to_string();
        for (command, which) in
            [("check", ""), ("soak", ""), ("positions", " (attempt 1 of 3)"), ("probe", " (attempt 1 of 10)")]
        {
            let user = User::new();
            let arguments = [command, "--mode", mode, "--timeout", "1500ms", "--port", &port];
            let mut command = user.command(arguments);
            command.env("IBKR_CIRCUIT_FAILURES", "1");
            let finished = Finished::of(command);
            let told = format!("waiting: the handshake with 127.0.0.1:{port}{which}; it may take until ");
            assert!(finished.stderr.contains(&told), "{told:?} is missing: {finished:?}");
            assert!(!finished.stdout.contains("waiting: "), "{finished:?}");
        }
    }
}

#[test]
fn whoever_is_waited_for_is_named() {
    let gateway = with(Fault::Silent);
    let user = User::new();
    let port = gateway.port().to_string();
    let first = Ongoing::start(user.command(["watch", "--json", "--timeout", "60", "--port", &port]));
    assert!(gateway.wait_until(PATIENCE, |stats| stats.accepted == 1));
    let mut second = user.command(["positions", "--port", &port]);
    second.env("IBKR_LOCK_TIMEOUT", "2");
    let second = Finished::of(second);
    let told = format!("our turn to shake hands with 127.0.0.1:{port}; it is that of pid {} (", first.pid());
    assert!(second.stderr.contains(&told), "{told:?} is missing: {second:?}");
    assert_eq!(first.end(Signal::INT).0, 0);
}

#[test]
fn a_slow_answer_is_told() {
    // Three positions and their end.
    let gateway = with(Fault::DelayPerFrame(Duration::from_millis(400)));
    let user = User::new();
    let port = gateway.port().to_string();
    let finished = Finished::of(user.command(["positions", "--port", &port]));
    assert_eq!(finished.code, 0, "{finished:?}");
    let told = format!("waiting: the answer of 127.0.0.1:{port}; it may take until ");
    assert!(finished.stderr.contains(&told), "{finished:?}");
}

#[test]
fn warnings_are_ours_and_more_is_told_when_asked_for() {
    let gateway = with(Fault::Reject(507));
    let port = gateway.port().to_string();
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let log = |verbose: &[&str]| {
            let user = User::new();
            let arguments = [&["positions", "--mode", mode, "--port", &port], verbose].concat();
            let mut command = user.command(arguments);
            command.env("IBKR_MAX_RETRIES", "1").env("IBKR_CIRCUIT_FAILURES", "50");
            Finished::of(command).stderr
        };
        let plain = log(&[]);
        assert!(plain.contains(" WARN ") && plain.contains("connect_attempt_failed"), "{plain}");
        assert!(!plain.contains("connect_retry") && !plain.contains("ibapi::"), "{plain}");
        let more = log(&["-v"]);
        assert!(more.contains("connect_retry") && !more.contains("connect_attempt_begun"), "{more}");
        assert!(log(&["-vv"]).contains("connect_attempt_begun"));
    }
}

#[test]
fn a_restart_that_can_not_be_run_is_said_at_the_start() {
    let nobody = NobodyListens::new();
    for (how, why) in [
        ("/no/such/program --now", "/no/such/program: No such file"),
        ("/etc/passwd", "/etc/passwd is not executable"),
        ("no-such-program", "no-such-program is not in PATH"),
        ("ibc:nowhere.invalid:7462", "nowhere.invalid:7462"),
    ] {
        for command in ["watch", "soak"] {
            let user = User::new();
            let mut command = user.command([command, "--port", &nobody.port().to_string()]);
            command.env("IBKR_GATEWAY_RESTART", how);
            let refused = Finished::within(command, Duration::from_secs(15));
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(
                refused.stderr.contains(why) && refused.stderr.contains("IBKR_GATEWAY_RESTART"),
                "{refused:?}"
            );
        }
    }
}
