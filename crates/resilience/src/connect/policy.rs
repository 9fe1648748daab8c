//! What a robust connect may do, and how long.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use derive_setters::Setters;
use ibkr_connect_core::Config;
use ibkr_connect_core::config::{Pacing, Region};
use ibkr_connect_state::KernelClock;

use super::run::CLIENT_ID_TRIES;
use crate::breaker::{BreakerSettings, BreakerStore};
use crate::connect::backoff::Backoff;
use crate::gateway::Gateway;
use crate::ids::DEFAULT_RANGE;

/// A trial may try another client id twice.
const ATTEMPTS_PER_TRIAL: u32 = CLIENT_ID_TRIES;

/// The policy of a [`RobustConnector`](crate::RobustConnector).
#[derive(Debug, Clone, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Policy {
    /// Where state shared by processes is kept; created, mode 0700, if need be.
    #[setters(into)]
    pub state_dir: PathBuf,
    /// The file of the handshake lock; `None` for one per Gateway in the state directory.
    pub lock_file: Option<PathBuf>,
    /// How long to wait for the handshake lock.
    pub lock_timeout: Duration,
    /// How often a failed attempt is repeated, if that can help.
    pub max_retries: u32,
    /// How long to wait in between.
    pub backoff: Backoff,
    /// When to stop asking the Gateway.
    pub breaker: BreakerSettings,
    /// From which ids one is leased when the target names none.
    pub client_ids: Range<i32>,
    /// How long an id is left alone after the Gateway said that it is in use (326).
    pub client_id_hold: Duration,
    /// The name under which locks and leases are held; an application gets its client id again.
    #[setters(into)]
    pub application: String,
    /// Whether to look for a listener before connecting.
    pub port_check: PortCheck,
    /// Whether to keep IBKR's limits on messages and historical requests by queueing. A wait for a turn does not count
    /// against the deadline of the request, which begins when it is sent.
    pub pacing: Pacing,
    /// Whose server resets concern the login: while they may be going on, waits are longer and failures don't count for the
    /// breaker. `None` if that is not known; then a reset is only named as a possible cause.
    pub region: Option<Region>,
}

/// Whether to look for a listener before connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortCheck {
    /// Ask the kernel, if the Gateway is on the loopback interface.
    #[default]
    Local,
    /// Don't: for ports that are answered without a listener here, e.g. by address translation or WSL's mirrored network.
    Off,
}

impl Policy {
    /// The breaker that connects to `gateway` under this policy go by.
    pub fn breaker_of(&self, gateway: Gateway) -> BreakerStore {
        BreakerStore::new(&self.state_dir, gateway, self.breaker.clone(), Arc::new(KernelClock::default()))
    }
}

impl From<&Config> for Policy {
    /// The policy that the configuration asks for. A connect that takes more than four fifths of its deadline counts as
    /// slow.
    fn from(config: &Config) -> Self {
        let defaults = BreakerSettings::default();
        let breaker = BreakerSettings {
            failures: config.circuit_failures,
            recovery: config.circuit_recovery,
            max_recovery: config.circuit_recovery.saturating_mul(5),
            slow_connect: Some(config.timeout.saturating_mul(4) / 5),
            trial_limit: config.timeout.saturating_mul(ATTEMPTS_PER_TRIAL).max(defaults.trial_limit),
            ..defaults
        };
        Self {
            state_dir: config.state_dir.clone(),
            lock_file: config.lock_file_path.clone(),
            lock_timeout: config.lock_timeout,
            max_retries: config.max_retries,
            backoff: Backoff::default(),
            breaker,
            client_ids: DEFAULT_RANGE,
            client_id_hold: Duration::from_secs(300),
            application: program_name(),
            port_check: PortCheck::default(),
            pacing: config.pacing,
            region: config.region,
        }
    }
}

fn program_name() -> String {
    let name =
        std::env::current_exe().ok().and_then(|exe| Some(exe.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "ibkr-connect".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_configuration() {
        let config = Config::from_vars([
            ("IBKR_TIMEOUT", "30"),
            ("IBKR_CIRCUIT_FAILURES", "3"),
            ("IBKR_CIRCUIT_RECOVERY", "10"),
            ("IBKR_MAX_RETRIES", "0"),
            ("IBKR_LOCK_FILE_PATH", "/run/x.lock"),
            ("IBKR_PACING", "off"),
            ("IBKR_REGION", "asia"),
        ])
        .unwrap();
        let policy = Policy::from(&config);
        assert_eq!((policy.max_retries, policy.breaker.failures), (0, 3));
        assert_eq!(policy.breaker.max_recovery, Duration::from_secs(50));
        assert_eq!(policy.breaker.slow_connect, Some(Duration::from_secs(24)));
        assert_eq!(policy.breaker.trial_limit, Duration::from_secs(90));
        assert_eq!((policy.pacing, policy.region), (Pacing::Off, Some(Region::Asia)));
        assert_eq!(policy.lock_file, Some(PathBuf::from("/run/x.lock")));
    }
}
