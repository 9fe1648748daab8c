//! Everything a user can set, read once into checked values.
//!
//! Sources, later ones win: defaults, the user's own `ibkr.toml` (`~/.config/ibkr-connect`), `ibkr.toml` and `.env` in the
//! working directory, the environment, flags. A wrong value, an unknown key in
//! `ibkr.toml` and a near-miss of a known variable are errors that name the source and the valid choices; other
//! `IBKR_*` variables belong to other programs and are left alone. Nothing else in ibkr-connect reads the
//! environment.

mod dotenv;
mod file;
mod keys;
mod load;
mod parse;
mod process;
mod restart;
mod setting;
mod state_dir;

use std::path::PathBuf;

use std::time::Duration;

use derive_setters::Setters;

pub use keys::{KEYS, Key};
pub use load::Loader;
pub use parse::parse_duration;
/// What a worker and its parent find out about each other. Not for programs.
#[doc(hidden)]
pub use process::{
    WORKER_COOKIE, WORKER_LOG, find_in_path, inherited_by_workers, worker_cookie, worker_log_level,
};

pub use crate::choice::InvalidValue;
pub use crate::log_accounts::LogAccounts;
pub use restart::GatewayRestart;
pub use setting::{Setting, Source};

use self::state_dir::User;
use crate::choice::choices;
use crate::{ConnectionMode, Result, Target};

/// Checked configuration; [`KEYS`] documents each value.
#[derive(Debug, Clone, PartialEq, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Config {
    /// `IBKR_CONNECTION_MODE`
    pub mode: ConnectionMode,
    /// `IBKR_CONNECTION_FALLBACK`
    pub fallback: Fallback,
    /// `IBKR_HOST`
    #[setters(into)]
    pub host: String,
    /// `IBKR_PORT`
    pub port: u16,
    /// `IBKR_CLIENT_ID`
    pub client_id: Option<i32>,
    /// `IBKR_READONLY`
    pub readonly: bool,
    /// `IBKR_TIMEOUT`
    pub timeout: Duration,
    /// `IBKR_REQUEST_TIMEOUT`
    pub request_timeout: Duration,
    /// `IBKR_MAX_RETRIES`
    pub max_retries: u32,
    /// `IBKR_LOCK_FILE_PATH`
    pub lock_file_path: Option<PathBuf>,
    /// `IBKR_LOCK_TIMEOUT`
    pub lock_timeout: Duration,
    /// `IBKR_ZOMBIE_CLEANUP`
    pub zombie_cleanup: ZombieCleanup,
    /// `IBKR_CIRCUIT_FAILURES`
    pub circuit_failures: u32,
    /// `IBKR_CIRCUIT_RECOVERY`
    pub circuit_recovery: Duration,
    /// `IBKR_PING_INTERVAL`
    pub ping_interval: Duration,
    /// `IBKR_PACING`
    pub pacing: Pacing,
    /// `IBKR_REGION`; `None` if nobody said.
    pub region: Option<Region>,
    /// `IBKR_GATEWAY_RESTART`
    pub gateway_restart: Option<GatewayRestart>,
    /// `IBKR_LOG_ACCOUNTS`
    pub log_accounts: LogAccounts,
    /// `IBKR_WORKER_PATH`
    pub worker_path: Option<PathBuf>,
    /// `IBKR_STATE_DIR`
    #[setters(into)]
    pub state_dir: PathBuf,
}

impl Config {
    /// Reads the user's own `ibkr.toml`, `ibkr.toml` and `.env` in the working directory, and the environment.
    ///
    /// # Behavior
    /// A file that may be somebody else's (not ours or root's, or others can write it) is an error and not obeyed, and
    /// so is a file in the working directory that says what is run or where files are written
    /// ([`Key::counts_in_working_directory`]).
    ///
    /// # Errors
    /// `config`, naming the value, its source and the valid choices.
    pub fn load() -> Result<Self> {
        Loader::new().working_directory().environment().load()
    }

    /// Checks these variables and nothing else. What they leave open is as in [`default`](Self::default).
    ///
    /// # Errors
    /// `config`, as [`load`](Self::load).
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: Into<String>,
        V: Into<String>,
    {
        Loader::new().variables(vars.into_iter().map(|(name, value)| (name.into(), value.into()))).load()
    }

    /// Where and how a backend is to connect.
    pub fn target(&self) -> Target {
        Target {
            host: self.host.clone(),
            port: self.port,
            client_id: self.client_id,
            readonly: self.readonly,
            timeout: self.timeout,
            request_timeout: self.request_timeout,
            log_accounts: self.log_accounts,
        }
    }
}

impl Default for Config {
    /// The defaults of [`KEYS`]. The state directory is the same that [`load`](Config::load) finds when nobody sets it, so that
    /// this program takes part in what all programs of the user share.
    fn default() -> Self {
        let (target, user) = (Target::default(), User::current());
        Self {
            mode: ConnectionMode::default(),
            fallback: Fallback::default(),
            host: target.host,
            port: target.port,
            client_id: target.client_id,
            readonly: target.readonly,
            timeout: target.timeout,
            request_timeout: target.request_timeout,
            max_retries: 2,
            lock_file_path: None,
            lock_timeout: Duration::from_secs(30),
            zombie_cleanup: ZombieCleanup::default(),
            circuit_failures: 5,
            circuit_recovery: Duration::from_secs(60),
            ping_interval: Duration::from_secs(30),
            pacing: Pacing::default(),
            region: None,
            gateway_restart: None,
            log_accounts: target.log_accounts,
            worker_path: None,
            state_dir: user.state_dir().unwrap_or_else(|_| user.without_state_home()),
        }
    }
}

choices! {
    /// What to do when the worker can't be started.
    Fallback {
        /// Fail with `worker_spawn`.
        #[default]
        None = "none",
        /// Connect in this process.
        Direct = "direct",
    }
}

choices! {
    /// What to do about zombie connections on the port before a connect.
    ZombieCleanup {
        /// Look and report.
        #[default]
        Report = "report",
        /// Remove those that are ours to remove.
        Clean = "clean",
        /// Don't look.
        Off = "off",
    }
}

choices! {
    /// What to do with requests that would break IBKR's limits on messages and historical data.
    Pacing {
        /// They wait for their turn.
        #[default]
        Queue = "queue",
        /// Those for historical data go out as they come. The 50 messages per second are kept: they protect the login.
        Off = "off",
        /// All go out as they come: for simulators.
        Unlimited = "unlimited",
    }
}

choices! {
    /// Whose servers the login is on: IBKR resets those of each region at another time of day.
    Region {
        /// North and South America.
        Americas = "americas",
        /// Europe.
        Europe = "europe",
        /// Asia and the Pacific.
        Asia = "asia",
        /// A Gateway that no reset concerns, such as a simulator.
        #[default]
        None = "none",
    }
}
