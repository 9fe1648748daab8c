//! When the breaker opens and closes.

use std::time::Duration;

use derive_setters::Setters;

/// When the breaker opens and closes.
#[derive(Debug, Clone, PartialEq, Eq, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct BreakerSettings {
    /// So many failures within the window open it, if they are at least half of the attempts since the first of them.
    pub failures: u32,
    /// How far back attempts count.
    pub window: Duration,
    /// A connect that takes longer counts as a failure, although it succeeds.
    pub slow_connect: Option<Duration>,
    /// How long it stays open the first time; each failed trial doubles it.
    pub recovery: Duration,
    /// It never stays open longer without a trial.
    pub max_recovery: Duration,
    /// How many trials may run at once, and must succeed, before it closes.
    pub trials: u32,
    /// A trial without an outcome after this long is given up, and another may run.
    pub trial_limit: Duration,
    /// During maintenance failures don't open it, but attempts of all processes are at least this far apart.
    pub maintenance_pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(600),
            slow_connect: None,
            recovery: Duration::from_secs(60),
            max_recovery: Duration::from_secs(300),
            trials: 1,
            trial_limit: Duration::from_secs(60),
            maintenance_pause: Duration::from_secs(30),
        }
    }
}
