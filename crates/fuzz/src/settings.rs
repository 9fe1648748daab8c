//! What a run is told by the environment.

use std::time::{Duration, SystemTime};

/// How long a target runs, and from which seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Of a round without end in sight; `None` for the short one.
    pub(crate) time: Option<Duration>,
    pub(crate) seed: u64,
}

impl Settings {
    /// `IBKR_FUZZ_SECONDS` and `IBKR_FUZZ_SEED`.
    ///
    /// # Panics
    /// When one of them is not a number.
    #[expect(clippy::disallowed_methods, reason = "tests are told here how long to run")]
    pub(crate) fn of_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(
                text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is {text:?}: expected a whole number")),
            )
        };
        let time = number("IBKR_FUZZ_SECONDS").map(Duration::from_secs);
        let by_clock = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
        let seed = number("IBKR_FUZZ_SEED").unwrap_or_else(|| if time.is_some() { by_clock() } else { 0 });
        Self { time, seed }
    }
}

/// `IBKR_FUZZ_ARGS`: arguments of libFuzzer.
#[cfg(fuzzing)]
#[expect(clippy::disallowed_methods, reason = "tests are told here how long to run")]
pub(crate) fn guided_arguments() -> Vec<String> {
    let text = std::env::var("IBKR_FUZZ_ARGS").unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}
