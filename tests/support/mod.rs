//! What the integration tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod backend;
pub(crate) mod fake_gateway;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod mock;
pub(crate) mod real_backends;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod traces;

use std::future::Future;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Longer than anything takes that ends by itself, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test's future, at most [`PATIENCE`] long.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await });
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

/// The seed of a campaign's random choices. A failure names it.
#[derive(Debug)]
pub(crate) struct Seed {
    variable: &'static str,
    value: u64,
}

impl Seed {
    /// What `variable` says, or a new one.
    pub(crate) fn of(variable: &'static str) -> Self {
        Self { variable, value: setting(variable).unwrap_or_else(rand::random) }
    }

    pub(crate) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.value)
    }
}

impl Drop for Seed {
    #[allow(clippy::print_stderr, reason = "how to repeat a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}={} makes the same choices again", self.variable, self.value);
        }
    }
}

/// A number in the environment: the size of a campaign.
#[expect(clippy::disallowed_methods, reason = "the size of a campaign is not configuration of the product")]
pub(crate) fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}: expected a whole number")))
}
