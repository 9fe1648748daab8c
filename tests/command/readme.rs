//! What the README tells a user to save is run.

use std::path::Path;
use std::time::Duration;

use ibkr_connect_sim::{SimOptions, Simulator};

use crate::support::backend::{COMMAND, NobodyListens};
use crate::support::host::{Finished, User};

const README: &str = include_str!("../../README.md");

#[test]
fn the_strategys_test_is_the_one_that_runs_here() {
    assert_eq!(block("<!-- strategy:", "```rust,ignore\n"), include_str!("../strategy.rs"));
}

/// Needs python3, as the tests of foreign zombies do.
#[test]
fn the_python_program_runs() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let script = block("<!-- python:", "```python\n");
    let mut python = user.program(Path::new("/usr/bin/python3"), ["-c", script]);
    let path = Path::new(COMMAND).parent().unwrap();
    python.env("PATH", path).env("IBKR_PORT", gateway.port().to_string());
    let finished = Finished::of(python);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.starts_with("accounts ['DU1234567']\n"), "{finished:?}");
    assert!(finished.stdout.contains("\nAAPL "), "{finished:?}");
    assert_eq!(gateway.stats().zombies_held_max, 0);
}

#[test]
fn the_quickstart_shows_positions() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let finished = quickstart(gateway.port());
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.starts_with("connected to [\"DU1234567\"] through subprocess\n"), "{finished:?}");
    assert!(finished.stdout.contains(" AAPL\n"), "{finished:?}");
}

#[test]
fn without_a_gateway_the_quickstart_says_soon_what_it_needs() {
    let nobody = NobodyListens::new();
    let finished = quickstart(nobody.port());
    assert_eq!((finished.code, finished.stdout.as_str()), (1, ""), "{finished:?}");
    assert!(finished.stderr.contains("(not_listening"), "{finished:?}");
    assert!(finished.stderr.contains("\n  try: "), "{finished:?}");
    assert!(finished.took < Duration::from_secs(10), "{finished:?}");
}

/// The block of the README that follows `mark` and begins with `fence`.
fn block(mark: &str, fence: &str) -> &'static str {
    let (_, rest) = README.split_once(mark).unwrap();
    let (_, rest) = rest.split_once(fence).unwrap();
    rest.split_once("```").unwrap().0
}

/// `cargo test` builds the examples beside the command.
fn quickstart(port: u16) -> Finished {
    let program = Path::new(COMMAND).with_file_name("examples").join("quickstart");
    assert!(program.exists(), "{} is missing: cargo build --examples", program.display());
    let user = User::new();
    let mut command = user.program(&program, []);
    // It is its own worker.
    command.env_remove("IBKR_WORKER_PATH").env("IBKR_PORT", port.to_string());
    Finished::of(command)
}
