//! `probe`: how often, how fast, what is left, and when it had better stop.

use std::net::TcpStream;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ongoing::Ongoing;
use crate::support::PATIENCE;
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, User};
use crate::support::real_backends::on_real_backends;
use crate::support::traces;

const KEYS: [&str; 8] = [
    "attempts",
    "successes",
    "success_rate",
    "connect_ms",
    "zombies_before",
    "zombies_after",
    "failures",
    "stopped_early",
];

on_real_backends! {
    fn every_attempt_is_one_handshake(mode) {
        super::every_attempt_is_one_handshake(mode.as_str());
    }
}

fn every_attempt_is_one_handshake(mode: &str) {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let report = probe(gateway.port(), &["--mode", mode, "--attempts", "4"], 0);
    assert_eq!((&report["attempts"], &report["successes"]), (&4.into(), &4.into()));
    assert_eq!((&report["success_rate"], &report["failures"]), (&1.0.into(), &json!([])));
    assert_eq!((&report["zombies_before"], &report["zombies_after"]), (&0.into(), &0.into()));
    let ms: Vec<_> = ["min", "p50", "p99", "max"]
        .iter()
        .map(|name| report["connect_ms"][name].as_f64().unwrap())
        .collect();
    assert!(ms[0] > 0.0 && ms.is_sorted(), "{report}");
    let stats = gateway.stats();
    assert_eq!((stats.accepted, stats.handshakes, stats.zombies_held_max), (4, 4, 0));
}

#[test]
fn a_failure_now_and_then_is_exit_1() {
    let gateway = scripted([vec![], vec![Fault::Reject(507)], vec![]]);
    let report = probe(gateway.port(), &["--attempts", "3"], 1);
    assert_eq!((&report["attempts"], &report["successes"]), (&3.into(), &2.into()));
    assert_eq!(report["failures"], json!([{ "kind": "rejected", "phase": "start_api", "count": 1 }]));
    assert_eq!(report["stopped_early"], Value::Null);
}

#[test]
fn nothing_but_failures_is_their_exit_code() {
    let port = NobodyListens::new();
    let report = probe(port.port(), &["--attempts", "3"], 3);
    assert_eq!(report["failures"], json!([{ "kind": "not_listening", "phase": "tcp", "count": 3 }]));
    assert_eq!((&report["success_rate"], &report["connect_ms"]["p99"]), (&0.0.into(), &Value::Null));
}

#[test]
fn two_unanswered_handshakes_in_a_row_are_enough() {
    let gateway = with(Fault::Silent);
    let report = probe(gateway.port(), &["--attempts", "5"], 4);
    assert_eq!((&report["attempts"], &report["stopped_early"]), (&2.into(), &"handshake_timeouts".into()));
    assert_eq!(report["failures"], json!([{ "kind": "handshake_timeout", "phase": "version", "count": 2 }]));
    assert_eq!(gateway.stats().accepted, 2);
}

#[test]
fn unanswered_handshakes_with_answers_in_between_are_not() {
    let gateway = scripted([vec![Fault::Silent], vec![], vec![Fault::Silent], vec![]]);
    let report = probe(gateway.port(), &["--attempts", "4"], 1);
    assert_eq!((&report["attempts"], &report["stopped_early"]), (&4.into(), &Value::Null));
}

#[test]
fn a_wedged_gateway_is_left_alone_at_once() {
    let gateway = Simulator::start(SimOptions { wedge_after: Some(0), ..SimOptions::default() }).unwrap();
    let report = probe(gateway.port(), &["--attempts", "5"], 8);
    assert_eq!((&report["attempts"], &report["stopped_early"]), (&1.into(), &"gateway_wedged".into()));
}

#[test]
fn zombies_that_were_there_before_are_not_its_fault() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    drop(TcpStream::connect(gateway.addr()).unwrap());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.zombies_held == 1));
    let user = User::new();
    let port = gateway.port().to_string();
    let finished = Finished::of(user.command(["probe", "--json", "--attempts", "2", "--port", &port]));
    let report = finished.data();
    assert_eq!((finished.code, &report["successes"]), (0, &2.into()), "{finished:?}");
    assert_eq!((&report["zombies_before"], &report["zombies_after"]), (&1.into(), &1.into()));
}

#[test]
fn an_interrupt_ends_it_with_the_result_so_far() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let probe = Ongoing::start(user.command(["probe", "--json", "--attempts", "1000000", "--port", &port]));
    assert!(gateway.wait_until(PATIENCE, |stats| stats.eofs_seen >= 3), "two attempts are over");
    let (code, lines) = probe.end(Signal::INT);
    let [report] = &lines[..] else { panic!("one line: {lines:?}") };
    assert_eq!((code, &report["stopped_early"]), (0, &"interrupted".into()), "{report}");
    assert!(report["successes"].as_u64().unwrap() >= 2 && report["failures"] == json!([]), "{report}");
    traces::assert_no_half_closed(gateway.port());
    user.worker().assert_none_runs();
}

#[test]
fn the_table_says_the_same() {
    let gateway = scripted([vec![], vec![Fault::Reject(507)]]);
    let user = User::new();
    let shown =
        Finished::of(user.command(["probe", "--attempts", "2", "--port", &gateway.port().to_string()]));
    assert_eq!(shown.code, 1);
    for text in
        ["1 of 2 attempts connected", "min / p50 / p99 / max", "zombies after", "rejected", "start_api"]
    {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }
    assert!(shown.stderr.contains("TWS code 507") && shown.stderr.contains("  try: "), "{shown:?}");
}

fn scripted<const N: usize>(script: [Vec<Fault>; N]) -> Simulator {
    Simulator::start(SimOptions { script: script.into(), ..SimOptions::default() }).unwrap()
}

fn with(fault: Fault) -> Simulator {
    Simulator::start(SimOptions { faults: vec![fault], ..SimOptions::default() }).unwrap()
}

/// Runs `probe --json`; the report has every key, and nothing is left behind.
fn probe(port: u16, arguments: &[&str], exit: i32) -> Value {
    let user = User::new();
    let port_text = port.to_string();
    let common = ["probe", "--json", "--timeout", "900ms", "--port", &port_text];
    let finished = Finished::of(user.command(common.iter().chain(arguments).copied()));
    assert_eq!(finished.code, exit, "{finished:?}");
    let report = finished.data();
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    traces::assert_no_half_closed(port);
    user.worker().assert_none_runs();
    report
}
