//! One error type for everything that can go wrong, with a kind to act on and a phase to look at.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::phase::{Lenient, known_timings};
use crate::{Phase, PhaseTiming};

/// The result of everything in ibkr-connect.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
///
/// # Behavior
/// - [`kind`](Self::kind) is the stable name to match on; it is the same in every backend for the same fault.
/// - [`phase`](Self::phase) says where in the handshake it happened, when it happened in one.
/// - [`is_retryable`](Self::is_retryable) is independent of the kind: it says whether the same call can succeed
///   later without anybody changing anything.
/// - The serialized form is the one in the worker protocol and in the command's `--json`; the
///   [`source`](StdError::source) stays in this process.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Body>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Received")]
struct Body {
    kind: ErrorKind,
    phase: Option<Phase>,
    message: String,
    advice: Option<Cow<'static, str>>,
    code: Option<i32>,
    retryable: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phases: Vec<PhaseTiming>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waited_ms: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsent: bool,
    #[serde(skip)]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; its retryability and advice are the kind's usual ones until set otherwise.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Body {
            kind,
            phase: None,
            message: message.into(),
            advice: kind.advice().map(Cow::Borrowed),
            code: None,
            retryable: kind.is_usually_retryable(),
            phases: Vec::new(),
            waited_ms: None,
            unsent: false,
            source: None,
        }))
    }

    /// Names the phase of the handshake in which it happened.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.0.phase = Some(phase);
        self
    }

    /// Replaces the kind's usual advice.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Adds the TWS error code, e.g. 326.
    #[must_use]
    pub fn with_code(mut self, code: i32) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Adds how long each phase of the handshake took, in order, the one in which it failed included.
    #[must_use]
    pub fn with_phases(mut self, phases: Vec<PhaseTiming>) -> Self {
        self.0.phases = phases;
        self
    }

    /// Says the same in other words: all but the message stays.
    #[must_use]
    pub fn map_message(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.0.message = words(&self.0.message);
        self
    }

    /// `what` could not be started: `busy`, for the operating system refuses threads and descriptors at its limits. For
    /// backends.
    #[doc(hidden)]
    pub fn unstartable(what: impl fmt::Display, error: io::Error) -> Self {
        Self::new(ErrorKind::Busy, format!("can't start {what}: {error}"))
            .with_advice("check the limits on threads and open files (ulimit -u, ulimit -n), and try again")
            .with_source(error)
    }

    /// Says that the request was not sent: it failed while it waited for its turn, after so long.
    #[must_use]
    pub fn with_waited(mut self, waited: Duration) -> Self {
        self.0.waited_ms = Some(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Says that not a byte of the request has left this program, and that none will.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.0.unsent = true;
        self
    }

    /// Keeps what caused it; it is not serialized.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Says that the same call may succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Says that the same call will fail again until somebody changes something.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.0.retryable = false;
        self
    }

    /// The stable name of what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the handshake it happened; `None` outside of one.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// How long each phase of the handshake took, in order; empty outside of one, or where nobody knows.
    pub fn phases(&self) -> &[PhaseTiming] {
        &self.0.phases
    }

    /// How long a request had waited for its turn when it failed without having been sent; `None` for every other error.
    pub fn waited(&self) -> Option<Duration> {
        self.0.waited_ms.map(Duration::from_millis)
    }

    /// Whether it is certain that not a byte of the request has left this program: what it was to change is unchanged. Of any
    /// other error of a request that is not known, unless the kind says it.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent || self.0.waited_ms.is_some()
    }

    /// What happened, with the values involved.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the user can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The TWS error code, where TWS gave one.
    pub fn code(&self) -> Option<i32> {
        self.0.code
    }

    /// Whether the same call can succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

/// An error as another program writes it, which may be of a newer version.
#[derive(Deserialize)]
struct Received {
    kind: Lenient<ErrorKind>,
    phase: Option<Lenient<Phase>>,
    message: String,
    advice: Option<Cow<'static, str>>,
    code: Option<i32>,
    retryable: bool,
    #[serde(default, deserialize_with = "known_timings")]
    phases: Vec<PhaseTiming>,
    waited_ms: Option<u64>,
    #[serde(default)]
    unsent: bool,
}

impl From<Received> for Body {
    /// A name that this version does not know is kept in the message.
    fn from(received: Received) -> Self {
        let Received { mut message, advice, code, retryable, phases, waited_ms, unsent, .. } = received;
        let kind = received.kind.or_else(|name| {
            message = format!("{message} (of the unknown kind {name:?})");
            Some(ErrorKind::Unrecognized)
        });
        let phase = received.phase.and_then(|phase| {
            phase.or_else(|name| {
                message = format!("{message} (in the unknown phase {name:?})");
                None
            })
        });
        let kind = kind.unwrap_or(ErrorKind::Unrecognized);
        Self { kind, phase, message, advice, code, retryable, phases, waited_ms, unsent, source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.0.message, self.0.kind)?;
        if let Some(phase) = self.0.phase {
            write!(f, " in {phase}")?;
        }
        if let Some(code) = self.0.code {
            write!(f, ", TWS code {code}")?;
        }
        f.write_str(")")
    }
}

/// What a `main` that returns the error shows: the error, then the way out.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match self.advice() {
            Some(advice) => write!(f, "; try: {advice}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

macro_rules! error_kinds {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, $retry:ident, $advice:expr; )+) => {
        /// The stable names of what can go wrong; also the strings in JSON and on the command line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum ErrorKind {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl ErrorKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The name in JSON, in the protocol and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name ),+ }
            }

            fn is_usually_retryable(self) -> bool {
                match self { $( Self::$variant => error_kinds!(@ $retry) ),+ }
            }

            fn advice(self) -> Option<&'static str> {
                match self { $( Self::$variant => $advice ),+ }
            }
        }
    };
    (@ retryable) => { true };
    (@ permanent) => { false };
}

error_kinds! {
    /// A value from a flag, the environment, `.env` or `ibkr.toml` is wrong.
    Config = "config", permanent, None;
    /// Nothing listens on the port: the connection was refused.
    NotListening = "not_listening", retryable,
        Some("start TWS or IB Gateway, or check the port: TWS 7496 live / 7497 paper, Gateway 4001 live / 4002 paper");
    /// The host cannot be found or reached.
    Unreachable = "unreachable", retryable,
        Some("check the host name and the network; a firewall that drops packets looks like this");
    /// The handshake did not finish within its deadline.
    HandshakeTimeout = "handshake_timeout", retryable,
        Some("look at the Gateway's window for a dialog that waits for a click, and at `ibkr-connect check`; a Gateway that stays silent needs a restart");
    /// The Gateway closed or reset the connection during the handshake.
    Rejected = "rejected", retryable,
        Some("enable the API in the Gateway's settings and add this host to its trusted IPs");
    /// Another client holds the client id (TWS code 326).
    ClientIdInUse = "client_id_in_use", retryable,
        Some("leave IBKR_CLIENT_ID unset to get a random id, or close the other client");
    /// The Gateway is older than the API dialect that we speak.
    ServerTooOld = "server_too_old", permanent,
        Some("update TWS or IB Gateway: server version 213 or newer is needed");
    /// The other side sent something that is not the TWS protocol.
    Protocol = "protocol", permanent,
        Some("check that the port is the API port of TWS or IB Gateway and not another service's");
    /// The Gateway does not take connections from its accept queue any more.
    GatewayWedged = "gateway_wedged", permanent,
        Some("restart the Gateway: its accept queue is stuck and only a restart clears it");
    /// The circuit breaker is open: recent attempts failed, so none is made.
    CircuitOpen = "circuit_open", retryable, None;
    /// Another process holds the handshake lock.
    LockTimeout = "lock_timeout", retryable, None;
    /// The worker process could not be started.
    WorkerSpawn = "worker_spawn", permanent,
        Some("set IBKR_WORKER_PATH to the ibkr-connect command, call ibkr_connect::worker::run_if_worker() first in main, or set IBKR_CONNECTION_MODE=direct");
    /// The worker process ended or had to be ended.
    WorkerCrashed = "worker_crashed", retryable,
        Some("connect again; the message and the log carry the worker's last words");
    /// The program is not a worker, or a worker of another protocol version.
    WorkerIncompatible = "worker_incompatible", permanent,
        Some("point IBKR_WORKER_PATH at an ibkr-connect of this version, or unset it");
    /// A trading operation was refused because the session is read-only.
    ReadOnly = "read_only", permanent,
        Some("set IBKR_READONLY=false if this program is meant to trade");
    /// No operation, account, state or parameter makes this request possible: it is wrong for every Gateway.
    InvalidRequest = "invalid_request", permanent, None;
    /// As much as fits is open or running already, here, at the Gateway or on this machine; nothing was sent.
    Busy = "busy", retryable, Some("try again when some of what is open has ended");
    /// A request got no answer within its deadline.
    Timeout = "timeout", retryable, None;
    /// The consumer of a stream fell so far behind that events were lost; the stream has ended.
    SlowConsumer = "slow_consumer", retryable,
        Some("read faster or ask for more capacity, or take FlowControl::Conflate where the newest value is enough; then subscribe again");
    /// The Gateway answered a request with an error; the code says which.
    GatewayError = "gateway_error", permanent, None;
    /// The connection was lost.
    Disconnected = "disconnected", retryable, Some("connect again");
    /// The connection was closed by this program.
    Closed = "closed", permanent, None;
    /// This build or this backend does not have the operation or the mode.
    Unsupported = "unsupported", permanent, None;
    /// A fault of ours, such as a panic. It says nothing about the Gateway.
    Internal = "internal", permanent,
        Some("report it with the message and the log: it is a fault of ibkr-connect, and neither the Gateway nor the configuration is to blame");
    /// A worker of another version gave a kind that this version does not know; the message names it.
    Unrecognized = "unrecognized", permanent, None;
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialized_kind_is_its_name() {
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn other_words_change_nothing_else() {
        let error = Error::new(ErrorKind::Rejected, "closed")
            .in_phase(Phase::StartApi)
            .with_code(326)
            .with_advice("a")
            .with_phases(vec![PhaseTiming { phase: Phase::Tcp, ms: 0.5 }])
            .with_source(io::Error::other("cause"))
            .permanent();
        let other = error.clone().map_message(|message| format!("it {message}"));
        assert_eq!(other.message(), "it closed");
        let rest = |error: &Error| {
            let phases = error.phases().to_vec();
            (error.kind(), error.phase(), error.code(), error.is_retryable(), phases)
        };
        assert_eq!(rest(&other), rest(&error));
        assert_eq!((other.advice(), other.source().is_some()), (Some("a"), true));
    }

    #[test]
    fn only_what_may_pass_by_itself_is_retryable() {
        for (kind, retryable) in
            [(ErrorKind::Busy, true), (ErrorKind::InvalidRequest, false), (ErrorKind::Internal, false)]
        {
            assert_eq!(Error::new(kind, "").is_retryable(), retryable, "{kind}");
        }
        let refused = Error::unstartable("a thread", io::Error::other("EAGAIN"));
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Busy, true));
    }

    #[test]
    fn names_of_a_newer_version_are_kept_as_text() {
        let json = r#"{"kind":"in_doubt","phase":"warm_up","message":"no answer","retryable":true,
            "phases":[{"phase":"tcp","ms":0.5},{"phase":"warm_up","ms":1.0}]}"#;
        let error: Error = serde_json::from_str(json).unwrap();
        assert_eq!(
            (error.kind(), error.phase(), error.is_retryable()),
            (ErrorKind::Unrecognized, None, true)
        );
        assert_eq!(
            error.message(),
            r#"no answer (of the unknown kind "in_doubt") (in the unknown phase "warm_up")"#
        );
        assert_eq!(error.phases(), [PhaseTiming { phase: Phase::Tcp, ms: 0.5 }]);
        serde_json::from_str::<Error>(r#"{"kind":7,"message":"","retryable":true}"#).map(drop).unwrap_err();
    }

    #[test]
    fn what_was_certainly_not_sent_says_so() {
        let error = Error::new(ErrorKind::Timeout, "no answer");
        assert!(!error.is_unsent());
        assert!(!serde_json::to_string(&error).unwrap().contains("unsent"));
        let waited = error.clone().with_waited(Duration::from_secs(1));
        assert!(waited.is_unsent(), "it failed while it waited for its turn");
        let json = serde_json::to_string(&error.unsent()).unwrap();
        assert!(serde_json::from_str::<Error>(&json).unwrap().is_unsent(), "{json}");
    }

    #[test]
    fn an_error_survives_the_wire_without_its_source() {
        let error = Error::new(ErrorKind::ClientIdInUse, "client id 7 is taken")
            .in_phase(Phase::StartApi)
            .with_code(326)
            .with_phases(vec![PhaseTiming { phase: Phase::Tcp, ms: 0.5 }])
            .with_waited(Duration::from_millis(1_500))
            .with_source(io::Error::other("cause"));
        let json = serde_json::to_string(&error).unwrap();
        let back: Error = serde_json::from_str(&json).unwrap();
        assert_eq!(back.to_string(), "client id 7 is taken (client_id_in_use in start_api, TWS code 326)");
        assert!(back.is_retryable());
        assert_eq!((back.advice(), back.phases()), (error.advice(), error.phases()));
        assert_eq!(back.waited(), Some(Duration::from_millis(1_500)));
        assert!(back.source().is_none());
    }
}
