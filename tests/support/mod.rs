//! What the integration tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod backend;
#[path = "../../crates/conformance/src/support/fake_gateway/mod.rs"]
pub(crate) mod fake_gateway;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod mock;
#[path = "../../crates/conformance/src/support/patience.rs"]
mod patience;
pub(crate) mod real_backends;
pub(crate) mod shared;
pub(crate) mod state;
#[path = "../../crates/conformance/src/support/traces.rs"]
pub(crate) mod traces;

#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use patience::{PATIENCE, run, run_within, until};
use rand::SeedableRng;
use rand::rngs::StdRng;

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
