//! What a supervisor may do, and how long it waits.

use std::time::Duration;

use derive_setters::Setters;
use ibkr_connect_core::Config;

use crate::connect::PortCheck;
use crate::supervisor::restart::RestartHook;

/// The rules of a [`Supervisor`](super::Supervisor).
#[derive(Debug, Clone, PartialEq, Eq, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct SupervisorOptions {
    /// At least this often the Gateway is asked whether it answers. A question is sent a fifth earlier, so that its answer
    /// comes within the interval.
    pub ping_interval: Duration,
    /// So many intervals in a row without an answer, and the session is lost.
    pub misses: u32,
    /// The waits between failed attempts; the last one repeats. The attempt after the loss of a session needs none. Attempts that
    /// cost the Gateway nothing (refused by its machine, or closed without a byte) are at most 30 s apart.
    pub schedule: Vec<Duration>,
    /// How often sessions may be lost before attempts follow the schedule.
    pub restarts: RestartLimit,
    /// So many handshakes in a row that get no answer, and the Gateway is said to be wedged.
    pub wedged_after: u32,
    /// While the Gateway has said that it has lost IBKR's servers (1100, 2110), its silence is not held against it for this
    /// long.
    pub upstream_patience: Duration,
    /// Whether to look for a listener before an attempt, and to wait for one.
    pub port_check: PortCheck,
    /// How often to look while nothing listens. The kernel is asked; the port is not touched.
    pub listener_poll: Duration,
    /// What may be done about a Gateway that is wedged; `None` for nothing.
    pub gateway_restart: Option<RestartHook>,
    /// When to stop trying.
    pub give_up: GiveUp,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(30),
            misses: 3,
            schedule: [15, 30, 60, 120, 300].map(Duration::from_secs).to_vec(),
            restarts: RestartLimit::default(),
            wedged_after: 3,
            upstream_patience: Duration::from_secs(15 * 60),
            port_check: PortCheck::default(),
            listener_poll: Duration::from_secs(1),
            gateway_restart: None,
            give_up: GiveUp::default(),
        }
    }
}

impl From<&Config> for SupervisorOptions {
    /// The rules that the configuration asks for: `IBKR_PING_INTERVAL` and `IBKR_GATEWAY_RESTART`.
    fn from(config: &Config) -> Self {
        let gateway_restart =
            config.gateway_restart.clone().map(|how| RestartHook::new(how, &config.state_dir));
        Self { ping_interval: config.ping_interval, gateway_restart, ..Self::default() }
    }
}

/// How often sessions may be lost and replaced at once: `count` times within any `window`.
///
/// The loss after that waits for the first entry of [`SupervisorOptions::schedule`], each further one for the next entry, until
/// the window holds fewer: a Gateway that lets everybody in and throws them out again must not be logged into all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct RestartLimit {
    /// So many losses.
    pub count: u32,
    /// Within this time.
    pub window: Duration,
}

impl Default for RestartLimit {
    /// 5 in an hour.
    fn default() -> Self {
        Self { count: 5, window: Duration::from_secs(3_600) }
    }
}

/// When a supervisor stops trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GiveUp {
    /// When it is closed.
    #[default]
    Never,
    /// After this many failed attempts in a row, too.
    AfterFailures(u32),
    /// At the first failure that only another configuration, program or Gateway cures, too: `config`, `unsupported`,
    /// `server_too_old`, `protocol`, `worker_spawn` and the like. A Gateway that is wedged and a breaker that somebody has forced
    /// open are waited for: both are cured from outside.
    WhenPermanent,
}
