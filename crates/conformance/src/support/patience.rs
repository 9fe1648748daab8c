//! Tests that hang fail.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longer than anything takes that ends by itself, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test's future, at most [`PATIENCE`] long.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    run_within(PATIENCE, test)
}

/// The same of what may take so long.
pub(crate) fn run_within<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async { tokio::time::timeout(patience, test).await });
    // A thread that blocks must not keep a failed test from ending.
    runtime.shutdown_background();
    outcome.expect("the test hangs")
}

/// Waits for something that happens elsewhere.
pub(crate) async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE / 2;
    while !happened() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
