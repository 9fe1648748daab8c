//! Why a worker ended, as a type, and what that means for those who wait for it.

use std::fmt;
use std::time::Duration;

use ibkr_connect_cleanup::ExitReport;
use ibkr_connect_core::{Error, ErrorKind};
use ibkr_connect_protocol::HeartbeatLost;

/// Why a worker process is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It ended with code 0.
    Clean,
    /// It ended with another code.
    Code(i32),
    /// A Rust panic ended it.
    Panic {
        /// What the panic said, and where.
        message: String,
    },
    /// A signal ended it that we did not send.
    Signal(String),
    /// Its allocator gave up.
    OutOfMemory,
    /// We ended it.
    Killed(KillReason),
    /// Nobody can tell: its status was collected by another part of this program.
    Unknown,
}

/// Why we ended a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KillReason {
    /// The connect was abandoned: its future was dropped.
    Abandoned,
    /// The connect failed, so there is no use for it.
    ConnectFailed,
    /// It said no hello in this time.
    NoHello(Duration),
    /// What it said instead of a hello.
    NotAHello(String),
    /// Its hello has another cookie: it is not the process that we started, or no worker of ours.
    WrongCookie,
    /// It speaks another version of the protocol.
    Version {
        /// The version it speaks.
        protocol: u32,
        /// What it calls itself.
        version: String,
    },
    /// It did not answer `connect` in this time.
    HandshakeDeadline(Duration),
    /// It wrote something that the protocol does not have.
    ProtocolViolation(String),
    /// It stopped answering pings.
    Heartbeat(HeartbeatLost),
    /// It did not end when it was asked to.
    CloseDeadline,
}

impl ExitReason {
    /// Classifies a process that ended, `killed` by us or not.
    pub(crate) fn of(report: &ExitReport, killed: Option<KillReason>) -> Self {
        if let Some(reason) = killed {
            return Self::Killed(reason);
        }
        if report.out_of_memory() {
            return Self::OutOfMemory;
        }
        match (report.panic_message(), report.code, report.signal) {
            (_, Some(0), _) => Self::Clean,
            (Some(message), ..) => Self::Panic { message },
            (None, Some(code), _) => Self::Code(code),
            (None, None, Some(_)) => Self::Signal(report.to_string()),
            (None, None, None) => Self::Unknown,
        }
    }

    /// Why an attempt failed whose worker ended before its hello.
    pub(crate) fn before_hello(&self, program: &str, stderr: &str) -> Error {
        let kind = match self {
            Self::Panic { .. } | Self::Signal(_) | Self::OutOfMemory => ErrorKind::WorkerCrashed,
            _ => ErrorKind::WorkerIncompatible,
        };
        Error::new(kind, format!("{program} ended before its hello: {self}{}", said(stderr)))
    }

    /// Why everything fails that waits for a worker which ended, or was ended, after its hello.
    pub(crate) fn crashed(&self, pid: u32, stderr: &str) -> Error {
        let last_words = match self {
            Self::Code(_) | Self::Signal(_) | Self::Unknown => said(stderr),
            _ => String::new(),
        };
        Error::new(ErrorKind::WorkerCrashed, format!("the worker (pid {pid}) is gone: {self}{last_words}"))
    }
}

/// The end of what it wrote to stderr, as a part of a message.
fn said(stderr: &str) -> String {
    const MOST: usize = 400;
    let text = stderr.trim();
    if text.is_empty() {
        return String::new();
    }
    let mut start = text.len().saturating_sub(MOST);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let dots = if start > 0 { "…" } else { "" };
    format!("; its last words: {dots}{}", &text[start..])
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("exited with code 0"),
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Panic { message } => write!(f, "panicked: {message}"),
            Self::Signal(text) => f.write_str(text),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::Killed(reason) => write!(f, "killed by this program: {reason}"),
            Self::Unknown => f.write_str("ended, exit status unknown"),
        }
    }
}

impl fmt::Display for KillReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("the connect was abandoned"),
            Self::ConnectFailed => f.write_str("the connect failed"),
            Self::NoHello(waited) => write!(f, "said no hello within {waited:?}"),
            Self::NotAHello(said) => write!(f, "its first line is not a hello: {said}"),
            Self::WrongCookie => f.write_str("its hello has the wrong cookie"),
            Self::Version { protocol, version } => {
                write!(f, "it speaks protocol {protocol} (version {version:?})")
            }
            Self::HandshakeDeadline(waited) => write!(f, "did not answer connect within {waited:?}"),
            Self::ProtocolViolation(how) => write!(f, "protocol violation: {how}"),
            Self::Heartbeat(lost) => lost.fmt(f),
            Self::CloseDeadline => f.write_str("did not end when it was asked to"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(code: Option<i32>, signal: Option<i32>, stderr: &str) -> ExitReport {
        let mut report = ExitReport::default();
        (report.code, report.signal, report.stderr_tail) = (code, signal, stderr.to_owned());
        report
    }

    #[test]
    fn an_exit_is_named_by_what_caused_it() {
        let panic = "thread 'main' panicked at src/main.rs:2:5:\nboom\n";
        let memory = "memory allocation of 12 bytes failed\n";
        let cases = [
            (report(Some(0), None, ""), "exited with code 0"),
            (report(Some(3), None, ""), "exited with code 3"),
            (report(Some(101), None, panic), "panicked: boom (src/main.rs:2:5)"),
            (report(None, Some(6), panic), "panicked: boom (src/main.rs:2:5)"),
            (report(None, Some(6), memory), "out of memory"),
            (report(None, Some(11), ""), "killed by SIGSEGV (11)"),
            (report(None, None, ""), "ended, exit status unknown"),
        ];
        for (report, text) in cases {
            assert_eq!(ExitReason::of(&report, None).to_string(), text);
        }
        let ours =
            ExitReason::of(&report(None, Some(9), ""), Some(KillReason::Heartbeat(HeartbeatLost::Loop)));
        assert!(ours.to_string().contains("heartbeat lost (loop)"), "{ours}");
    }

    #[test]
    fn before_the_hello_a_crash_is_told_from_a_program_that_is_no_worker() {
        let error = ExitReason::Code(2).before_hello("/bin/false", "usage: false\n");
        assert_eq!(error.kind(), ErrorKind::WorkerIncompatible);
        assert!(error.message().ends_with("exited with code 2; its last words: usage: false"), "{error}");
        let error = ExitReason::Signal("killed by SIGSEGV (11)".into()).before_hello("w", "");
        assert_eq!(error.kind(), ErrorKind::WorkerCrashed);
    }

    #[test]
    fn last_words_are_cut_at_a_character() {
        let text = "é".repeat(500);
        assert!(said(&text).chars().count() < 300);
    }
}
