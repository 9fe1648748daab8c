//! The seam: what a backend is. Everything above it works with any backend, everything below it is one.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::log_accounts::LogAccounts;
use crate::{
    Attempt, ConnectionMode, Error, ErrorKind, EventStream, FlowControl, Phase, PhaseTiming, Reply, Request,
    Result, StreamRequest, mask_account,
};

/// A way to reach a Gateway.
///
/// # Behavior
/// - `connect` makes one attempt with one deadline, [`Target::timeout`], and the attempt has one outcome.
/// - A failed, timed-out or abandoned (dropped) attempt leaves no socket, thread or process behind, and ends at
///   the Gateway in a reset, never in a half-closed connection.
/// - It keeps no state between attempts and knows no policy: retries, locks and breakers wrap it in another
///   `Connector`.
/// - Its futures need no particular runtime; they make progress while the caller's runtime is blocked.
///
/// # Errors
/// The same fault gives the same [`kind`](crate::Error::kind) and [`phase`](crate::Error::phase) in every backend;
/// [`Phase`](crate::Phase) says what belongs where.
#[async_trait]
pub trait Connector: Debug + Send + Sync {
    /// The value of `IBKR_CONNECTION_MODE` that chooses it.
    fn mode(&self) -> ConnectionMode;

    /// Connects once: TCP, handshake, and a round trip that proves the Gateway answers.
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>>;
}

/// An established session with a Gateway.
///
/// # Behavior
/// - [`Session`](crate::Session) checks access and parameters before it calls. Other callers must call
///   [`check_access`](crate::check_access) and [`Request::check`] themselves.
/// - Requests may run at the same time; each reply reaches the request that asked, or nobody.
/// - Every wait has a deadline: a request ends after its own, or [`Target::request_timeout`].
/// - Dropping a future or a stream cancels it at the Gateway.
/// - A consumer that is slow delays no other stream and no request, and costs a bounded memory.
/// - A lost connection has one name, whichever side notices it first and whichever way: what was waiting, a stream, and what comes later
///   fail with `disconnected`, or with `worker_crashed` when its worker is dead. It is `closed`, and [`closed`](Self::closed)
///   says [`Requested`](CloseReason::Requested), only if this side has asked for it. What comes later fails at once.
#[async_trait]
pub trait Connection: Debug + Send + Sync {
    /// What was found out while connecting.
    fn info(&self) -> &ConnectionInfo;

    /// The same, for a connector around the one that has connected: it adds what it has found out.
    fn info_mut(&mut self) -> &mut ConnectionInfo;

    /// Runs a one-shot operation. `timeout` replaces [`Target::request_timeout`] for this one.
    async fn request(&self, request: Request, timeout: Option<Duration>) -> Result<Reply>;

    /// Opens a stream; `flow` says what happens when its consumer is slow.
    async fn subscribe(&self, request: StreamRequest, flow: FlowControl) -> Result<EventStream>;

    /// Resolves when the connection is gone, at once if it already is.
    async fn closed(&self) -> CloseReason;

    /// Closes the session and waits until its socket, threads and process are gone. Idempotent. `Drop` does the same as a last
    /// defence, but inside a tokio runtime it waits for nothing: a wait would stop the runtime.
    async fn close(&self) -> Result<()>;
}

/// Where and how to connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct Target {
    /// Host name or address of TWS or the Gateway.
    #[setters(into)]
    pub host: String,
    /// Its API port.
    pub port: u16,
    /// The API client id; `None` picks a random one.
    pub client_id: Option<i32>,
    /// Refuse every operation that trades.
    pub readonly: bool,
    /// The deadline of the whole connect, worker start included.
    #[serde(rename = "timeout_ms", with = "duration_ms")]
    pub timeout: Duration,
    /// The deadline of each request.
    #[serde(rename = "request_timeout_ms", with = "duration_ms")]
    pub request_timeout: Duration,
    /// How account ids appear in the log, this process's and its worker's. It is written only where it is not `masked`, so
    /// that a worker that does not know the field masks.
    #[serde(default, skip_serializing_if = "LogAccounts::is_masked")]
    pub log_accounts: LogAccounts,
}

impl Target {
    /// `host:port`, as in error messages.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Refuses what no Gateway takes. Both sides of a pipe check it: neither knows who is on the other.
    ///
    /// # Errors
    /// `invalid_request`, naming the value.
    pub fn check(&self) -> Result<()> {
        match self.client_id {
            Some(id) if id < 0 => {
                let message = format!("client_id is {id}: expected a client id from 0 to {}", i32::MAX);
                Err(Error::new(ErrorKind::InvalidRequest, message)
                    .in_phase(Phase::Preflight)
                    .with_advice("leave it out for a random one"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Target {
    /// A paper Gateway on this machine, read-only.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 4002,
            client_id: None,
            readonly: true,
            timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            log_accounts: LogAccounts::default(),
        }
    }
}

/// A client id that is unlikely to be anybody's choice: TWS gives 0 a special meaning and people count from 1.
pub fn random_client_id() -> i32 {
    rand::random_range(10_000..1_000_000)
}

/// What connecting found out. Its `Debug` masks the account ids, so that a careless log line does not show them; whoever
/// wants them whole prints `accounts`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Setters)]
#[setters(prefix = "with_")]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ConnectionInfo {
    /// The backend that made the connection.
    pub mode: ConnectionMode,
    /// The API client id in use.
    pub client_id: i32,
    /// The negotiated server version.
    pub server_version: i32,
    /// The accounts this login manages.
    pub accounts: Vec<String>,
    /// Whether trading operations are refused.
    pub readonly: bool,
    /// How long each phase took, in order.
    pub phases: Vec<PhaseTiming>,
    /// The whole connect in milliseconds, as measured by the thread that made it.
    pub connect_ms: f64,
    /// The worker process, in subprocess mode.
    pub worker_pid: Option<u32>,
    /// What was found on the port before the connect; `None` where nobody looked.
    #[serde(default)]
    pub zombies: Option<ZombieReport>,
    /// The attempts that the connect took, the last of them this one's; empty where a single one was all that was asked for.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

impl ConnectionInfo {
    /// What a test needs where there is no Gateway: a read-only session of client 1 with the account `DU1`, at the newest
    /// server version.
    pub fn mock() -> Self {
        Self {
            mode: ConnectionMode::Mock,
            client_id: 1,
            server_version: 226,
            accounts: vec!["DU1".to_owned()],
            readonly: true,
            phases: Vec::new(),
            connect_ms: 0.0,
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        }
    }
}

impl Debug for ConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionInfo")
            .field("mode", &self.mode)
            .field("client_id", &self.client_id)
            .field("server_version", &self.server_version)
            .field("accounts", &self.accounts.iter().map(|id| mask_account(id)).collect::<Vec<_>>())
            .field("readonly", &self.readonly)
            .field("phases", &self.phases)
            .field("connect_ms", &self.connect_ms)
            .field("worker_pid", &self.worker_pid)
            .field("zombies", &self.zombies)
            .field("attempts", &self.attempts)
            .finish()
    }
}

/// Half-closed connections on the API port, as seen before a connect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct ZombieReport {
    /// How many there were, on either side: all of them where they are reported, the proved ones where they are cleaned.
    pub found: usize,
    /// How many of them were removed.
    pub removed: usize,
    /// Why the look failed, if it did. It never fails a connect.
    pub problem: Option<String>,
}

/// Why a connection is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "ReceivedReason")]
#[non_exhaustive]
pub enum CloseReason {
    /// `close` was called, or the connection was dropped. Whatever else ends a connection is a loss.
    Requested,
    /// The Gateway closed, or the network between broke; the text says how.
    Disconnected(String),
    /// The worker process ended; the text says how.
    WorkerExited(String),
}

impl CloseReason {
    /// What everything fails with that was waiting, or comes later: `closed`, `disconnected` or `worker_crashed`.
    pub fn error(&self) -> Error {
        match self {
            Self::Requested => Error::new(ErrorKind::Closed, "the session was closed by this program"),
            Self::Disconnected(how) => {
                Error::new(ErrorKind::Disconnected, format!("the connection to the Gateway is gone: {how}"))
            }
            Self::WorkerExited(how) => {
                Error::new(ErrorKind::WorkerCrashed, format!("the worker is gone: {how}"))
            }
        }
    }
}

/// A reason as another program writes it, which may be of a newer version.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReceivedReason {
    Known(KnownReason),
    Unknown(serde_json::Value),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KnownReason {
    Requested,
    Disconnected(String),
    WorkerExited(String),
}

impl From<ReceivedReason> for CloseReason {
    /// A reason that this version does not know is a loss: nobody here has asked for it.
    fn from(received: ReceivedReason) -> Self {
        match received {
            ReceivedReason::Known(KnownReason::Requested) => Self::Requested,
            ReceivedReason::Known(KnownReason::Disconnected(how)) => Self::Disconnected(how),
            ReceivedReason::Known(KnownReason::WorkerExited(how)) => Self::WorkerExited(how),
            ReceivedReason::Unknown(other) => Self::Disconnected(other.to_string()),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed by this program"),
            Self::Disconnected(how) => write!(f, "disconnected: {how}"),
            Self::WorkerExited(how) => write!(f, "the worker ended: {how}"),
        }
    }
}

mod duration_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_masked_where_nobody_asked_for_them() {
        let info = ConnectionInfo {
            mode: ConnectionMode::Mock,
            client_id: 1,
            server_version: 226,
            accounts: vec!["DU1234567".to_owned()],
            readonly: true,
            phases: Vec::new(),
            connect_ms: 0.0,
            worker_pid: None,
            zombies: None,
            attempts: Vec::new(),
        };
        assert!(format!("{info:?}").contains(r#"accounts: ["DU***67"]"#), "{info:?}");
    }

    #[test]
    fn a_reason_survives_the_wire_and_one_of_a_newer_version_is_a_loss() {
        let reasons = [
            CloseReason::Requested,
            CloseReason::Disconnected("reset".to_owned()),
            CloseReason::WorkerExited("code 3".to_owned()),
        ];
        for reason in reasons {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<CloseReason>(&json).unwrap(), reason);
        }
        let newer: CloseReason = serde_json::from_str(r#"{"restarted":"nightly"}"#).unwrap();
        assert_eq!(newer, CloseReason::Disconnected(r#"{"restarted":"nightly"}"#.to_owned()));
    }

    #[test]
    fn only_what_was_asked_for_is_closed() {
        let kind = |reason: CloseReason| reason.error().kind();
        assert_eq!(kind(CloseReason::Requested), ErrorKind::Closed);
        assert_eq!(kind(CloseReason::Disconnected(String::new())), ErrorKind::Disconnected);
        assert_eq!(kind(CloseReason::WorkerExited(String::new())), ErrorKind::WorkerCrashed);
    }

    #[test]
    fn a_client_id_is_never_negative() {
        let check = |client_id| Target { client_id, ..Target::default() }.check();
        for id in [None, Some(0), Some(i32::MAX)] {
            assert!(check(id).is_ok(), "{id:?}");
        }
        let error = check(Some(-1)).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidRequest, false), "{error}");
    }

    #[test]
    fn an_ipv6_host_is_bracketed() {
        let target = Target { host: "::1".to_owned(), ..Target::default() };
        assert_eq!(target.address(), "[::1]:4002");
    }

    #[test]
    fn random_client_ids_stay_clear_of_the_ids_people_choose() {
        assert!((0..1_000).map(|_| random_client_id()).all(|id| id >= 10_000));
    }
}
