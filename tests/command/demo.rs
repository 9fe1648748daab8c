//! `demo`: bare ibapi wedges the Gateway, ours does not, and a script sees both.

use std::time::Duration;

use serde_json::Value;

use crate::support::host::{Finished, User};

/// It takes half of it, in a debug build too: nearly all of that is waiting.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_promise_is_kept_and_every_figure_is_there() {
    let user = User::new();
    let finished = Finished::within(user.command(["demo", "--json"]), PATIENCE);
    assert_eq!(finished.code, 0, "{finished:?}");
    let report = finished.data();
    let promises = report["promises"].as_array().unwrap();
    assert!(promises.len() >= 8 && promises.iter().all(|promise| promise["kept"] == true), "{report:#}");

    let rows = report["rows"].as_array().unwrap();
    let row = |scenario: &str, mode: &str| {
        rows.iter().find(|row| row["scenario"] == scenario && row["mode"] == mode).unwrap()
    };
    let naive = row("busy_runtime", "naive");
    assert_eq!((&naive["successes"], &naive["gateway_wedged"]), (&0.into(), &true.into()), "{naive:#}");
    for mode in ["direct", "subprocess"] {
        let ours = row("busy_runtime", mode);
        assert_eq!((&ours["successes"], &ours["zombies_left"]), (&ours["attempts"], &0.into()), "{ours:#}");
        // What the connection took is not what the blocked program saw.
        assert!(ms(&ours["connect_ms"]) < ms(&ours["seen_ms"]), "{ours:#}");
        assert!(ms(&ours["connect_ms"]) >= 480.0, "six frames of 80 ms each: {ours:#}");
    }
    // Standard error is no terminal here: the progress is lines.
    for number in 1..=6 {
        assert!(finished.stderr.contains(&format!("[{number}/6] ")), "{finished:?}");
    }
    assert!(!finished.stderr.contains("WARN"), "what it shows on purpose is no warning: {finished:?}");
    user.worker().assert_none_runs();
}

fn ms(figures: &Value) -> f64 {
    figures["p50"].as_f64().unwrap_or_else(|| panic!("no figure: {figures}"))
}
