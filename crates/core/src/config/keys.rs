//! The one table of configuration keys: names, defaults, documentation and how a value is read.

use std::path::{Path, PathBuf};

use super::Config;
use super::parse::{boolean, client_id, count, host, parse_duration, port};
use super::restart::gateway_restart;
use super::state_dir::absolute;

/// One thing a user can set.
pub struct Key {
    /// The key in `ibkr.toml`.
    pub name: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// The default, as a user would write it.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Whether an empty value means "unset" instead of being an error.
    pub optional: bool,
    /// Reads a value into the configuration, or says what was expected.
    pub(super) read: fn(&mut Config, &str) -> Result<(), String>,
}

/// What names a program to run, or says where files are written. Whoever can put a file into a directory where we are started
/// must not have that in their hands.
const ONLY_FROM_THE_USER: [&str; 4] = ["lock_file_path", "gateway_restart", "worker_path", "state_dir"];

impl Key {
    /// Whether it counts in a file that was found in the working directory. The others are taken from the environment, from
    /// flags, from a file that the user has named, and from the one in the user's own configuration directory.
    pub fn counts_in_working_directory(&self) -> bool {
        !ONLY_FROM_THE_USER.contains(&self.name)
    }

    /// Whether it may be left without a value: its default is a description, and an empty one means that nobody has set it.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The name of its flag on the command line, without the dashes.
    pub(super) fn flag(&self) -> String {
        self.name.trim_start_matches("connection_").replace('_', "-")
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("variable", &self.variable).field("default", &self.default).finish()
    }
}

macro_rules! keys {
    ($( $name:literal $variable:literal $default:literal $optional:literal $help:literal |$config:ident, $text:ident| $read:expr; )+) => {
        /// Every key, in the order of the documentation.
        pub const KEYS: &[Key] = &[$( Key {
            name: $name,
            variable: $variable,
            default: $default,
            help: $help,
            optional: $optional,
            read: |$config, $text| { $read; Ok(()) },
        } ),+];
    };
}

keys! {
    "connection_mode" "IBKR_CONNECTION_MODE" "subprocess" false
        "The backend: `subprocess` (an isolated worker process) or `direct` (ibapi in this process)."
        |config, text| config.mode = text.parse()?;
    "connection_fallback" "IBKR_CONNECTION_FALLBACK" "none" false
        "What to do when the worker can't be started: `none` (fail) or `direct`."
        |config, text| config.fallback = text.parse()?;
    "host" "IBKR_HOST" "127.0.0.1" false
        "Host name or address of TWS or the Gateway."
        |config, text| config.host = host(text)?;
    "port" "IBKR_PORT" "4002" false
        "Its API port: TWS 7496 live, 7497 paper; Gateway 4001 live, 4002 paper."
        |config, text| config.port = port(text)?;
    "client_id" "IBKR_CLIENT_ID" "random" true
        "The API client id, 0 to 2147483647."
        |config, text| config.client_id = Some(client_id(text)?);
    "readonly" "IBKR_READONLY" "true" false
        "Refuse every operation that trades."
        |config, text| config.readonly = boolean(text)?;
    "timeout" "IBKR_TIMEOUT" "10" false
        "The deadline of each attempt to connect in seconds, worker start included. Further attempts (`IBKR_MAX_RETRIES`) and the waits before them come on top."
        |config, text| config.timeout = parse_duration(text)?;
    "request_timeout" "IBKR_REQUEST_TIMEOUT" "30" false
        "The deadline of a request in seconds."
        |config, text| config.request_timeout = parse_duration(text)?;
    "max_retries" "IBKR_MAX_RETRIES" "2" false
        "How often a failed connect is tried again."
        |config, text| config.max_retries = count(text)?;
    "lock_file_path" "IBKR_LOCK_FILE_PATH" "in the state directory" true
        "The file that serializes handshakes across processes."
        |config, text| config.lock_file_path = Some(PathBuf::from(text));
    "lock_timeout" "IBKR_LOCK_TIMEOUT" "30" false
        "How long to wait for the handshake lock, in seconds."
        |config, text| config.lock_timeout = parse_duration(text)?;
    "zombie_cleanup" "IBKR_ZOMBIE_CLEANUP" "report" false
        "Zombie connections on the port before a connect: `report`, `clean` or `off`."
        |config, text| config.zombie_cleanup = text.parse()?;
    "circuit_failures" "IBKR_CIRCUIT_FAILURES" "5" false
        "How many failures open the circuit breaker."
        |config, text| config.circuit_failures = count(text)?;
    "circuit_recovery" "IBKR_CIRCUIT_RECOVERY" "60" false
        "How long the circuit breaker stays open, in seconds."
        |config, text| config.circuit_recovery = parse_duration(text)?;
    "ping_interval" "IBKR_PING_INTERVAL" "30" false
        "How often a supervised session pings the Gateway, in seconds."
        |config, text| config.ping_interval = parse_duration(text)?;
    "pacing" "IBKR_PACING" "queue" false
        "Requests that would break IBKR's limits: `queue` (they wait for their turn), `off` (only the 50 messages per second are kept), or `unlimited` (for simulators)."
        |config, text| config.pacing = text.parse()?;
    "region" "IBKR_REGION" "unset" true
        "Whose server resets concern the login: `americas`, `europe`, `asia` or `none`."
        |config, text| config.region = Some(text.parse()?);
    "gateway_restart" "IBKR_GATEWAY_RESTART" "off" false
        "What a supervised session does about a wedged Gateway: `off`, a command line (run without a shell), or `ibc:HOST:PORT` (IBC's command server)."
        |config, text| config.gateway_restart = gateway_restart(text)?;
    "log_accounts" "IBKR_LOG_ACCOUNTS" "masked" false
        "Account ids in the log: `masked` (`DU***67`) or `full`."
        |config, text| config.log_accounts = text.parse()?;
    "worker_path" "IBKR_WORKER_PATH" "this program, or ibkr-connect beside it or in PATH" true
        "The program to start as worker; it is run as `PROGRAM worker`."
        |config, text| config.worker_path = Some(PathBuf::from(text));
    "state_dir" "IBKR_STATE_DIR" "$XDG_STATE_HOME/ibkr-connect" true
        "Where state shared by processes is kept: locks, breaker, workers. An absolute path; without XDG_STATE_HOME ~/.local/state, without a home /tmp/ibkr-connect-UID."
        |config, text| config.state_dir = absolute(Path::new(text))?.to_path_buf();
}

/// The key that somebody who wrote the variable `name` most likely meant: at most one slip in five letters, or the name of its flag.
pub(super) fn near_miss(name: &str) -> Option<&'static Key> {
    let upper = name.to_ascii_uppercase();
    let stem = upper.strip_prefix("IBKR_")?;
    let slips = (stem.len() / 5).clamp(1, 3);
    let is_flag = |key: &&Key| stem.replace('_', "-").eq_ignore_ascii_case(&key.flag());
    let is_close = |key: &&Key| strsim::osa_distance(&upper, key.variable) <= slips;
    KEYS.iter().find(is_flag).or_else(|| KEYS.iter().find(is_close))
}

/// The key whose name, variable or flag is most like `wrong`.
pub(super) fn closest(wrong: &str) -> &'static Key {
    let lower = wrong.to_ascii_lowercase().replace('-', "_");
    let stem = lower.strip_prefix("ibkr_").unwrap_or(&lower);
    let likeness = |key: &Key| {
        let flag = key.flag().replace('-', "_");
        strsim::jaro_winkler(stem, key.name).max(strsim::jaro_winkler(stem, &flag))
    };
    KEYS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(&KEYS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_user_may_say_is_known() {
        for name in ONLY_FROM_THE_USER {
            assert!(KEYS.iter().any(|key| key.name == name), "{name}");
        }
    }

    #[test]
    fn every_key_is_found_by_each_of_its_names() {
        for key in KEYS {
            let flag = key.flag();
            for name in
                [key.name, key.variable, &flag, &key.variable.to_lowercase(), &key.name.to_uppercase()]
            {
                assert_eq!(closest(name).name, key.name, "{name}");
            }
            let by_flag = format!("IBKR_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(near_miss(&by_flag).unwrap().name, key.name, "{by_flag}");
        }
        for (wrong, meant) in [
            ("prot", "port"),
            ("ibkr_clientid", "client_id"),
            ("MODE", "connection_mode"),
            ("conection_mode", "connection_mode"),
        ] {
            assert_eq!(closest(wrong).name, meant, "{wrong}");
        }
    }
}
