//! `soak`: a supervised session, measured; in seconds instead of minutes.

use std::time::Duration;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rustix::process::Signal;
use serde_json::Value;

use crate::ongoing::Ongoing;
use crate::support::PATIENCE;
use crate::support::backend::NobodyListens;
use crate::support::host::{Finished, User};
use crate::support::real_backends::on_real_backends;
use crate::support::traces;

/// Those that programs rely on come first.
const KEYS: [&str; 13] = [
    "duration_s",
    "pings_ok",
    "pings_total",
    "fetches_ok",
    "fetches_total",
    "zombies",
    "reconnects",
    "ping_ms",
    "zombies_before",
    "memory_kib",
    "failures",
    "interrupted",
    "chaos",
];
const OFTEN: [&str; 4] = ["--ping-every", "50ms", "--fetch-every", "200ms"];

on_real_backends! {
    fn a_healthy_gateway_answers_everything(mode) {
        super::a_healthy_gateway_answers_everything(mode.as_str());
    }
}

fn a_healthy_gateway_answers_everything(mode: &str) {
    let gateway = healthy();
    let report = soak(gateway.port(), &["--mode", mode, "--duration", "1s"], 0);
    assert_all_answered(&report);
    assert_eq!((&report["reconnects"], &report["zombies"]), (&0.into(), &0.into()));
    let ms: Vec<_> =
        ["p50", "p99", "max"].iter().map(|name| report["ping_ms"][name].as_f64().unwrap()).collect();
    assert!(ms[0] > 0.0 && ms.is_sorted(), "{report}");
    let memory = &report["memory_kib"];
    assert!(memory["host"]["max"].as_u64().unwrap() >= 1_000, "{report}");
    assert_eq!(memory["worker"]["first"].is_number(), mode == "subprocess", "{report}");
    let stats = gateway.stats();
    assert_eq!((stats.accepted, stats.zombies_held_max), (1, 0));
    assert!(stats.requested("reqPositions") as u64 == report["fetches_total"], "{report}");
}

#[test]
fn a_busy_runtime_costs_time_but_no_answer() {
    let gateway = healthy();
    assert_all_answered(&soak(gateway.port(), &["--busy", "--duration", "3s"], 0));
}

#[test]
fn a_session_that_is_replaced_is_counted() {
    let drop = vec![Fault::DropAfter(Duration::from_millis(300))];
    let gateway = Simulator::start(SimOptions { script: vec![drop], ..SimOptions::default() }).unwrap();
    let user = User::new();
    let arguments = ["soak", "--json", "--duration", "3s", "--port", &gateway.port().to_string()];
    let finished = Finished::of(user.command(arguments));
    let report = finished.data();
    assert_eq!(
        (finished.code, &report["reconnects"], &report["pings_ok"]),
        (0, &1.into(), &1.into()),
        "{report}"
    );
}

#[test]
fn a_gateway_that_goes_away_is_exit_1() {
    let gateway = healthy();
    let user = User::new();
    let port = gateway.port().to_string();
    let arguments = [&["soak", "--json", "--duration", "2s", "--port", &port][..], &OFTEN].concat();
    let soak = Ongoing::start(user.command(arguments));
    // Connecting asks for the time too, but for no positions.
    assert!(gateway.wait_until(PATIENCE, |stats| stats.requested("reqPositions") >= 1));
    drop(gateway);
    let report = soak.json();
    let number = |name: &str| report[name].as_u64().unwrap();
    let unanswered =
        number("pings_total") + number("fetches_total") - number("pings_ok") - number("fetches_ok");
    let failures = report["failures"].as_array().unwrap().iter();
    assert_eq!(
        failures.map(|failure| failure["count"].as_u64().unwrap()).sum::<u64>(),
        unanswered,
        "{report}"
    );
    assert!(unanswered > 0 && report["reconnects"] == 0, "{report}");
    assert_eq!(soak.end(Signal::CONT).0, 1);
    user.worker().assert_none_runs();
}

#[test]
fn a_first_connect_that_fails_is_its_exit_code() {
    let nobody = NobodyListens::new();
    let rejecting =
        Simulator::start(SimOptions { faults: vec![Fault::Reject(507)], ..SimOptions::default() }).unwrap();
    let wedged = Simulator::start(SimOptions { wedge_after: Some(0), ..SimOptions::default() }).unwrap();
    for (port, exit, kind) in [
        (nobody.port(), 3, "not_listening"),
        (rejecting.port(), 5, "rejected"),
        (wedged.port(), 8, "gateway_wedged"),
    ] {
        let user = User::new();
        let arguments = ["soak", "--json", "--timeout", "900ms", "--port", &port.to_string()];
        let finished = Finished::of(user.command(arguments));
        assert_eq!((finished.code, &finished.json()["error"]["kind"]), (exit, &kind.into()), "{finished:?}");
        user.worker().assert_none_runs();
    }
}

#[test]
fn chaos_is_survived_and_leaves_nothing() {
    let report = soak(9, &["--chaos", "--seed", "7", "--duration", "4s"], 0);
    assert_eq!((&report["chaos"]["seed"], &report["chaos"]["recovered"]), (&7.into(), &true.into()));
    assert!(report["chaos"]["blows"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["zombies"], 0);
}

#[test]
fn an_interrupt_ends_it_with_the_result_so_far() {
    let gateway = healthy();
    let user = User::new();
    let port = gateway.port().to_string();
    let soak = Ongoing::start(user.command(["soak", "--json", "--duration", "1h", "--port", &port]));
    assert!(gateway.wait_until(PATIENCE, |stats| stats.requested("reqPositions") >= 1));
    let (code, lines) = soak.end(Signal::INT);
    assert_eq!((code, &lines[0]["interrupted"]), (0, &true.into()), "{lines:?}");
    assert_all_answered(&lines[0]);
    traces::assert_no_half_closed(gateway.port());
    user.worker().assert_none_runs();
}

#[test]
fn the_table_says_the_same() {
    let gateway = healthy();
    let user = User::new();
    let shown =
        Finished::of(user.command(["soak", "--duration", "500ms", "--port", &gateway.port().to_string()]));
    assert_eq!((shown.code, shown.complaints().as_str()), (0, ""));
    for text in
        ["pings answered", "1 of 1", "p50 / p99 / max", "reconnects", "zombies before / after", "memory"]
    {
        assert!(shown.stdout.contains(text), "{text:?} is missing:\n{}", shown.stdout);
    }
}

fn healthy() -> Simulator {
    Simulator::start(SimOptions::default()).unwrap()
}

fn assert_all_answered(report: &Value) {
    for what in ["pings", "fetches"] {
        let (ok, total) = (&report[format!("{what}_ok")], &report[format!("{what}_total")]);
        assert!(ok == total && ok.as_u64().unwrap() > 0, "{report}");
    }
}

/// Runs `soak --json`; the report has every key, and nothing is left behind.
fn soak(port: u16, arguments: &[&str], exit: i32) -> Value {
    let user = User::new();
    let port_text = port.to_string();
    // The chaos brings its own Gateway.
    let gateway = if arguments.contains(&"--chaos") { &[][..] } else { &["--port", &port_text] };
    let common = ["soak", "--json"];
    let all = common.iter().chain(gateway).chain(&OFTEN).chain(arguments);
    let finished = Finished::of(user.command(all.copied()));
    assert_eq!(finished.code, exit, "{finished:?}");
    assert_eq!(finished.json()["gateway"].is_null(), gateway.is_empty(), "{finished:?}");
    let report = finished.data();
    assert_eq!(report.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    traces::assert_no_half_closed(port);
    user.worker().assert_none_runs();
    report
}
