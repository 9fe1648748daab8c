//! Every frame of the worker protocol. `docs/protocol.md` describes the same for people. "Worker" is there what is a server here, and
//! "parent" a client.
//!
//! A change here is a change of the protocol: the golden test at the end fails, and wants a new row in [`VERSIONS`].

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use ibkr_connect_core::backend::known_timings;
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{CloseReason, ConnectionInfo, Error, FlowControl, PhaseTiming, Target};

/// What each protocol version added; the last row is the one we speak.
///
/// | version | added |
/// |---|---|
/// | 1 | hello, connect, requests, streams, cancel, ping, shutdown, closed |
/// | 2 | flow, credit and timeout_ms of a command, credit, log_accounts of connect, merged, error of closed; missed is gone |
pub const VERSIONS: &[(u32, &str)] = &[
    (1, "hello, connect, requests, streams, cancel, ping, shutdown, closed"),
    (
        2,
        "flow, credit and timeout_ms of a command, credit, log_accounts of connect, merged, error of closed; missed is gone",
    ),
];

/// The version that we speak.
pub const PROTOCOL: u32 = VERSIONS[VERSIONS.len() - 1].0;

/// What came later and needs no new version, because each side says first that it knows it: the word in [`Hello::features`], and what
/// it means.
pub const FEATURES: &[(&str, &str)] = &[(
    PARTS,
    "`parts` of connect: data that are too long for a line come in several, as lines with the status `part`",
)];

/// The feature of data that come in parts.
pub const PARTS: &str = "parts";

/// The longest line, its newline not counted, in either direction.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// The longest line that a server of ours writes to a client that takes parts. So long is what other frames wait for.
pub const MAX_PART: usize = 256 * 1024;

/// The longest data of an answer or an event, as JSON, all parts together. Also how much of data that are not whole yet a server sends,
/// and a client keeps.
pub const MAX_DATA: usize = 256 * 1024 * 1024;

/// How many requests and streams may be open at the same time.
pub const MAX_IN_FLIGHT: usize = 4_096;

/// The id of frames that answer no request: `closed`, and complaints about a line without a readable id.
pub const NO_ID: u64 = 0;

/// The protocol's own commands; the rest are the table of operations.
pub mod command {
    /// Connects to the Gateway; params are [`ConnectParams`](super::ConnectParams).
    pub const CONNECT: &str = "connect";
    /// Ends another request, stream or connect; params are [`CancelParams`](super::CancelParams).
    pub const CANCEL: &str = "cancel";
    /// Lets a stream send more events; params are [`CreditParams`](super::CreditParams). Not answered.
    pub const CREDIT: &str = "credit";
    /// Answered twice, by the worker's reader and by its loop.
    pub const PING: &str = "ping";
    /// Closes the session, answers, and ends the worker.
    pub const SHUTDOWN: &str = "shutdown";
    /// All of them.
    pub const ALL: [&str; 5] = [CONNECT, CANCEL, CREDIT, PING, SHUTDOWN];
}

/// The worker's first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelloFrame {
    /// Its only field, which tells it from any other line.
    pub hello: Hello,
}

/// Who the worker is. Only `protocol` must be there, so that another version can be named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version it speaks.
    pub protocol: u32,
    /// Its own version, for messages.
    #[serde(default)]
    pub version: String,
    /// Its process id.
    #[serde(default)]
    pub pid: u32,
    /// What the client has given it on another way: proves that it is the process that the parent started.
    #[serde(default)]
    pub cookie: String,
    /// Which of [`FEATURES`] it knows, besides words of a newer version.
    #[serde(default)]
    pub features: Vec<String>,
}

impl Hello {
    /// The hello of this version's server.
    pub fn ours(cookie: String) -> Self {
        Self {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            cookie,
            features: FEATURES.iter().map(|(word, _)| (*word).to_owned()).collect(),
        }
    }

    /// Whether it knows this one of [`FEATURES`].
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|word| word == feature)
    }
}

/// A command as the parent writes it.
#[derive(Debug, Serialize)]
pub struct Command<'a, P> {
    /// Unique among the ids in use; greater than 0.
    pub id: u64,
    /// One of [`command::ALL`] or of the table of operations.
    pub command: &'a str,
    /// Its parameters, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<P>,
    /// Of a request: its own deadline, instead of the connection's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Of a stream: what happens when it is read too slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowControl>,
    /// Of a stream: how many events may be sent before the first [`command::CREDIT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<u64>,
}

impl<'a, P> Command<'a, P> {
    /// A command with nothing but its parameters.
    pub const fn new(id: u64, command: &'a str, params: Option<P>) -> Self {
        Self { id, command, params, timeout_ms: None, flow: None, credit: None }
    }
}

/// A command as the worker reads it: anything may be missing, so that the complaint can name what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLine<'a> {
    /// See [`Command::id`].
    pub id: Option<u64>,
    /// See [`Command::command`].
    pub command: Option<String>,
    /// See [`Command::params`]; missing means `{}`.
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
    /// See [`Command::timeout_ms`].
    pub timeout_ms: Option<u64>,
    /// See [`Command::flow`]; missing means lossless.
    pub flow: Option<FlowControl>,
    /// See [`Command::credit`]; missing means no limit.
    pub credit: Option<u64>,
}

/// The parameters of [`command::CONNECT`] as a client writes them.
#[derive(Debug, Serialize)]
pub struct Connect<'a> {
    /// Where and how.
    #[serde(flatten)]
    pub target: &'a Target,
    /// See [`ConnectParams::parts`]; for a server that knows the feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<bool>,
}

/// The parameters of [`command::CONNECT`]: a [`Target`] whose every field has its default, and what the client can read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectParams {
    /// See [`Target::host`].
    pub host: Option<String>,
    /// See [`Target::port`].
    pub port: Option<u16>,
    /// See [`Target::client_id`].
    pub client_id: Option<i32>,
    /// See [`Target::readonly`].
    pub readonly: Option<bool>,
    /// See [`Target::timeout`].
    pub timeout_ms: Option<u64>,
    /// See [`Target::request_timeout`].
    pub request_timeout_ms: Option<u64>,
    /// See [`Target::log_accounts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_accounts: Option<LogAccounts>,
    /// The client takes data in parts, see [`Status::Part`]; missing means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<bool>,
}

impl From<ConnectParams> for Target {
    fn from(params: ConnectParams) -> Self {
        let default = Self::default();
        let millis = std::time::Duration::from_millis;
        ibkr_connect_core::literal!(Self {
            host: params.host.unwrap_or(default.host),
            port: params.port.unwrap_or(default.port),
            client_id: params.client_id,
            readonly: params.readonly.unwrap_or(default.readonly),
            timeout: params.timeout_ms.map_or(default.timeout, millis),
            request_timeout: params.request_timeout_ms.map_or(default.request_timeout, millis),
            log_accounts: params.log_accounts.unwrap_or(default.log_accounts),
        })
    }
}

/// The parameters of [`command::CANCEL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id to end.
    pub target: u64,
}

/// The parameters of [`command::CREDIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditParams {
    /// The stream's id. One that has ended is not an error: the grant and the end may cross.
    pub target: u64,
    /// How many more events it may send.
    pub events: u64,
}

/// The reply to [`command::CANCEL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Whether the target was still running; its `end` came before this reply then.
    pub cancelled: bool,
}

/// The reply to [`command::CONNECT`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connected {
    /// Always true: a failed connect is an error.
    pub connected: bool,
    /// See [`ConnectionInfo::accounts`].
    pub accounts: Vec<String>,
    /// See [`ConnectionInfo::server_version`].
    pub server_version: i32,
    /// See [`ConnectionInfo::client_id`].
    pub client_id: i32,
    /// See [`ConnectionInfo::readonly`].
    pub readonly: bool,
    /// See [`ConnectionInfo::phases`].
    #[serde(deserialize_with = "known_timings")]
    pub phases: Vec<PhaseTiming>,
    /// See [`ConnectionInfo::connect_ms`].
    pub connect_ms: f64,
}

impl From<&ConnectionInfo> for Connected {
    fn from(info: &ConnectionInfo) -> Self {
        Self {
            connected: true,
            accounts: info.accounts.clone(),
            server_version: info.server_version,
            client_id: info.client_id,
            readonly: info.readonly,
            phases: info.phases.clone(),
            connect_ms: info.connect_ms,
        }
    }
}

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The reply, or the acknowledgement that a stream is open; with `data`.
    Success,
    /// It failed, or the stream ended so; with `error`.
    Error,
    /// One event of a stream; with `data`.
    Event,
    /// A piece of data whose `success` or `event` follows with `parts` in place of `data`; with `text`. The texts one after the other
    /// are the JSON of the data. What is followed by anything else is void.
    Part,
    /// The stream ended, or what had this id was cancelled.
    End,
    /// Events of this stream gave way to newer ones because it was read too slowly; with `count`.
    Merged,
    /// A ping's answer; with `from`.
    Pong,
    /// The Gateway connection is gone; with `data`, a [`CloseReason`], and with `error`, what everything fails with from here on;
    /// its id is [`NO_ID`].
    Closed,
    /// One that this version does not know. It answers nothing.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "success" => Self::Success,
            "error" => Self::Error,
            "event" => Self::Event,
            "part" => Self::Part,
            "end" => Self::End,
            "merged" => Self::Merged,
            "pong" => Self::Pong,
            "closed" => Self::Closed,
            _ => Self::Other(word.to_owned()),
        }
    }
}

/// Which part of the worker answers a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PongFrom {
    /// The thread that reads stdin: the process lives.
    Link,
    /// The loop that runs the requests: its logic moves on.
    Loop,
    /// One that this version does not know.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for PongFrom {
    fn from(word: &str) -> Self {
        match word {
            "link" => Self::Link,
            "loop" => Self::Loop,
            _ => Self::Other(word.to_owned()),
        }
    }
}

/// Reads a word of another program's, which may be of a newer version. Known words are not copied: every answer has one.
fn word<'de, T: for<'a> From<&'a str>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Word<T>(PhantomData<T>);

    impl<T: for<'a> From<&'a str>> Visitor<'_> for Word<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, word: &str) -> Result<T, E> {
            Ok(T::from(word))
        }
    }

    deserializer.deserialize_str(Word(PhantomData))
}

/// The same, where it may be missing.
fn some_word<'de, T: for<'a> From<&'a str>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.as_deref().map(T::from))
}

/// Any line from the worker after its hello. `D` is what `data` holds: a type when written, raw JSON when read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer<D> {
    /// The command's id.
    pub id: u64,
    /// What follows.
    #[serde(deserialize_with = "word")]
    pub status: Status,
    /// With `success`, `event` and `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<D>,
    /// With `part`: a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<D>,
    /// With `success` and `event` in place of `data`: in how many parts they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// With `error` and `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// With `merged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// With `pong`.
    #[serde(default, deserialize_with = "some_word", skip_serializing_if = "Option::is_none")]
    pub from: Option<PongFrom>,
}

impl<D> Answer<D> {
    const fn empty(id: u64, status: Status) -> Self {
        Self { id, status, data: None, text: None, parts: None, error: None, count: None, from: None }
    }

    /// The reply to `id`.
    pub fn success(id: u64, data: D) -> Self {
        Self { data: Some(data), ..Self::empty(id, Status::Success) }
    }

    /// One event of the stream `id`.
    pub fn event(id: u64, data: D) -> Self {
        Self { data: Some(data), ..Self::empty(id, Status::Event) }
    }
}

impl<'a> Answer<&'a str> {
    /// A piece of the data of `id`.
    pub fn part(id: u64, text: &'a str) -> Self {
        Self { text: Some(text), ..Self::empty(id, Status::Part) }
    }
}

impl Answer<()> {
    /// The reply to `id`, or its event, whose data have come in so many parts.
    pub fn in_parts(id: u64, status: Status, parts: u64) -> Self {
        Self { parts: Some(parts), ..Self::empty(id, status) }
    }

    /// `id` failed.
    pub fn error(id: u64, error: Error) -> Self {
        Self { error: Some(error), ..Self::empty(id, Status::Error) }
    }

    /// The stream `id` ended, or `id` was cancelled.
    pub fn end(id: u64) -> Self {
        Self::empty(id, Status::End)
    }

    /// `count` events of the stream `id` gave way to newer ones.
    pub fn merged(id: u64, count: u64) -> Self {
        Self { count: Some(count), ..Self::empty(id, Status::Merged) }
    }

    /// The ping `id` has reached `from`.
    pub fn pong(id: u64, from: PongFrom) -> Self {
        Self { from: Some(from), ..Self::empty(id, Status::Pong) }
    }
}

impl Answer<CloseReason> {
    /// The Gateway connection is gone.
    pub fn closed(reason: CloseReason, error: Error) -> Self {
        Self { data: Some(reason), error: Some(error), ..Self::empty(NO_ID, Status::Closed) }
    }
}

/// The stream and the data of an event's line as [`Answer`] writes it. Most lines are of this kind, and cutting them is
/// several times faster than parsing them twice; `None`, and data that is no JSON, mean that the line is to be parsed.
pub fn event_data(line: &[u8]) -> Option<(u64, &str)> {
    written_as(line, br#","status":"event","data":"#)
}

/// The same of a part: the id, and its text, a JSON string.
pub fn part_text(line: &[u8]) -> Option<(u64, &str)> {
    written_as(line, br#","status":"part","text":"#)
}

fn written_as<'a>(line: &'a [u8], infix: &[u8]) -> Option<(u64, &'a str)> {
    let rest = line.strip_prefix(br#"{"id":"#)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (id, rest) = rest.split_at(digits);
    // JSON has no such number, and the parser that reads every other line refuses it.
    if id.len() > 1 && id.starts_with(b"0") {
        return None;
    }
    let value = rest.strip_prefix(infix)?.strip_suffix(b"}")?;
    Some((str::from_utf8(id).ok()?.parse().ok()?, str::from_utf8(value).ok()?))
}

/// Data that is an empty object: the acknowledgement of a stream or of a shutdown, or no parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use ibkr_connect_core::{ErrorKind, Phase};

    /// Every field of every frame is spelled out here, so a field more does not compile, and a field renamed or
    /// written differently does not match. Such a change needs a new version: add a row to [`VERSIONS`] and to
    /// docs/protocol.md, then put right what this test expects. What the other side has asked for before it comes needs only a row in
    /// [`FEATURES`].
    #[test]
    fn the_frames_are_those_of_version_2() {
        assert_eq!(VERSIONS.last().map(|version| version.0), Some(2));
        let features = vec!["parts".into()];
        let hello = Hello { protocol: 2, version: "0.1.0".into(), pid: 4711, cookie: "c".into(), features };
        let connect = ConnectParams {
            host: Some("127.0.0.1".into()),
            port: Some(4002),
            client_id: Some(7),
            readonly: Some(true),
            timeout_ms: Some(10_000),
            request_timeout_ms: Some(30_000),
            log_accounts: Some(LogAccounts::Full),
            parts: Some(true),
        };
        let connected = Connected {
            connected: true,
            accounts: vec!["DU1".into()],
            server_version: 226,
            client_id: 7,
            readonly: true,
            phases: vec![PhaseTiming::new(Phase::Tcp, Duration::from_micros(500))],
            connect_ms: 12.5,
        };
        let error = Error::new(ErrorKind::ClientIdInUse, "taken")
            .in_phase(Phase::StartApi)
            .with_code(326)
            .with_advice("a");
        let timed = Error::new(ErrorKind::Rejected, "closed")
            .with_advice("a")
            .with_phases(vec![PhaseTiming::new(Phase::Tcp, Duration::from_micros(500))]);
        let disconnected = CloseReason::Disconnected("reset".into());
        let lost = Error::new(ErrorKind::Disconnected, "reset").with_code(320);
        for (frame, golden) in [
            (
                json(HelloFrame { hello }),
                r#"{"hello":{"protocol":2,"version":"0.1.0","pid":4711,"cookie":"c","features":["parts"]}}"#,
            ),
            (
                json(Command::new(1, command::CONNECT, Some(connect))),
                r#"{"id":1,"command":"connect","params":{"host":"127.0.0.1","port":4002,"client_id":7,"readonly":true,"timeout_ms":10000,"request_timeout_ms":30000,"log_accounts":"full","parts":true}}"#,
            ),
            (
                json(Command::new(9, command::CANCEL, Some(CancelParams { target: 3 }))),
                r#"{"id":9,"command":"cancel","params":{"target":3}}"#,
            ),
            (json(Command::<()>::new(10, command::PING, None)), r#"{"id":10,"command":"ping"}"#),
            (json(Command::<()>::new(11, command::SHUTDOWN, None)), r#"{"id":11,"command":"shutdown"}"#),
            (
                json(Command::new(12, command::CREDIT, Some(CreditParams { target: 3, events: 64 }))),
                r#"{"id":12,"command":"credit","params":{"target":3,"events":64}}"#,
            ),
            (
                json(Command {
                    timeout_ms: Some(500),
                    flow: Some(FlowControl::Conflate),
                    credit: Some(64),
                    ..Command::new(13, "any", Some(Empty {}))
                }),
                r#"{"id":13,"command":"any","params":{},"timeout_ms":500,"flow":"conflate","credit":64}"#,
            ),
            (
                json(Answer::success(1, connected)),
                r#"{"id":1,"status":"success","data":{"connected":true,"accounts":["DU1"],"server_version":226,"client_id":7,"readonly":true,"phases":[{"phase":"tcp","ms":0.5}],"connect_ms":12.5}}"#,
            ),
            (
                json(Answer::error(2, error)),
                r#"{"id":2,"status":"error","error":{"kind":"client_id_in_use","phase":"start_api","message":"taken","advice":"a","code":326,"retryable":true}}"#,
            ),
            (
                json(Answer::error(2, timed)),
                r#"{"id":2,"status":"error","error":{"kind":"rejected","phase":null,"message":"closed","advice":"a","code":null,"retryable":true,"phases":[{"phase":"tcp","ms":0.5}]}}"#,
            ),
            (json(Answer::success(3, Empty {})), r#"{"id":3,"status":"success","data":{}}"#),
            (json(Answer::event(3, 7)), r#"{"id":3,"status":"event","data":7}"#),
            (json(Answer::part(7, r#"[{"a":"#)), r#"{"id":7,"status":"part","text":"[{\"a\":"}"#),
            (json(Answer::in_parts(7, Status::Success, 2)), r#"{"id":7,"status":"success","parts":2}"#),
            (json(Answer::in_parts(3, Status::Event, 2)), r#"{"id":3,"status":"event","parts":2}"#),
            (json(Answer::merged(3, 5)), r#"{"id":3,"status":"merged","count":5}"#),
            (json(Answer::end(3)), r#"{"id":3,"status":"end"}"#),
            (
                json(Answer::success(9, Cancelled { cancelled: true })),
                r#"{"id":9,"status":"success","data":{"cancelled":true}}"#,
            ),
            (json(Answer::pong(10, PongFrom::Link)), r#"{"id":10,"status":"pong","from":"link"}"#),
            (json(Answer::pong(10, PongFrom::Loop)), r#"{"id":10,"status":"pong","from":"loop"}"#),
            (
                json(Answer::closed(disconnected, lost)),
                r#"{"id":0,"status":"closed","data":{"disconnected":"reset"},"error":{"kind":"disconnected","phase":null,"message":"reset","advice":"connect again","code":320,"retryable":true}}"#,
            ),
        ] {
            assert_eq!(frame, golden);
        }
    }

    #[test]
    fn account_ids_are_masked_unless_the_connect_clearly_says_otherwise() {
        let read = |line: &str| {
            serde_json::from_str::<ConnectParams>(line).map(|params| Target::from(params).log_accounts)
        };
        assert_eq!(read("{}").unwrap(), LogAccounts::Masked);
        assert_eq!(read(r#"{"log_accounts":null}"#).unwrap(), LogAccounts::Masked);
        assert_eq!(read(r#"{"log_accounts":"masked"}"#).unwrap(), LogAccounts::Masked);
        assert_eq!(read(r#"{"log_accounts":"full"}"#).unwrap(), LogAccounts::Full);
        let error = read(r#"{"log_accounts":"some"}"#).unwrap_err().to_string();
        assert!(error.contains("expected one of: masked, full"), "{error}");
    }

    /// A worker that does not know the field refuses it, so one is named only to who wants more than it would show.
    #[test]
    fn a_connect_names_log_accounts_only_where_they_are_not_masked() {
        let target = |log_accounts| {
            let target = Target::default().with_log_accounts(log_accounts);
            json(Connect { target: &target, parts: None })
        };
        assert!(!target(LogAccounts::Masked).contains("log_accounts"));
        let full = target(LogAccounts::Full);
        assert!(full.contains(r#""log_accounts":"full""#), "{full}");
        let read: ConnectParams = serde_json::from_str(&full).unwrap();
        assert_eq!(Target::from(read).log_accounts, LogAccounts::Full);
    }

    #[test]
    fn words_of_a_newer_version_are_kept_as_text() {
        let read = |line: &str| serde_json::from_str::<Answer<()>>(line).unwrap();
        let newer = read(r#"{"id":3,"status":"progress","data":null,"percent":7}"#);
        assert_eq!((newer.id, newer.status), (3, Status::Other("progress".to_owned())));
        let newer = read(r#"{"id":3,"status":"pong","from":"watchdog"}"#);
        assert_eq!(newer.from, Some(PongFrom::Other("watchdog".to_owned())));
        for (status, word) in [
            (Status::Success, "success"),
            (Status::Error, "error"),
            (Status::Event, "event"),
            (Status::Part, "part"),
            (Status::End, "end"),
            (Status::Merged, "merged"),
            (Status::Pong, "pong"),
            (Status::Closed, "closed"),
            (Status::Other("progress".to_owned()), "progress"),
        ] {
            assert_eq!((json(&status), Status::from(word)), (format!("\"{word}\""), status));
        }
        for (from, word) in [
            (PongFrom::Link, "link"),
            (PongFrom::Loop, "loop"),
            (PongFrom::Other("watchdog".to_owned()), "watchdog"),
        ] {
            assert_eq!((json(&from), PongFrom::from(word)), (format!("\"{word}\""), from));
        }
    }

    #[test]
    fn the_data_of_an_event_is_cut_out_of_its_line_as_we_write_it() {
        let cut = |line: &str| event_data(line.as_bytes()).map(|(id, data)| (id, data.to_owned()));
        assert_eq!(cut(&json(Answer::event(37, "{}"))), Some((37, r#""{}""#.to_owned())));
        for other in [json(Answer::success(3, 7)), json(Answer::end(3)), r#"{"id": 3}"#.to_owned()] {
            assert_eq!(cut(&other), None, "{other}");
        }
        let zeros = r#"{"id":007,"status":"event","data":7}"#;
        assert_eq!(cut(zeros), None, "parsed instead, which refuses it");
        let shuffled = r#"{"status":"event","id":3,"data":7}"#;
        assert_eq!(cut(shuffled), None, "parsed instead");
    }

    fn json(frame: impl Serialize) -> String {
        serde_json::to_string(&frame).unwrap()
    }

    #[test]
    fn a_target_goes_over_as_the_parameters_of_connect() {
        let target = Target::default().with_host("gateway").with_client_id(Some(3));
        for parts in [None, Some(true)] {
            let sent = json(Connect { target: &target, parts });
            assert_eq!(sent.contains("parts"), parts.is_some(), "a server that does not know it refuses it");
            let params: ConnectParams = serde_json::from_str(&sent).unwrap();
            assert_eq!((params.parts, Target::from(params)), (parts, target.clone()));
        }
        assert_eq!(Target::from(serde_json::from_str::<ConnectParams>("{}").unwrap()), Target::default());
        assert!(serde_json::from_str::<ConnectParams>(r#"{"hots":"x"}"#).is_err());
    }
}
