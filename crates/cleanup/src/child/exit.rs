//! How a child process ended.

use std::fmt;

use rustix::process::WaitIdStatus;

/// How a child process ended, with the last it said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExitReport {
    /// The exit code, when it ended by itself.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// The kernel wrote (or piped) a core dump.
    pub core_dumped: bool,
    /// It ended by a signal that [`Child::terminate`](super::Child::terminate), [`Child::kill`](super::Child::kill)
    /// or the drop of the `Child` sent. A program that handles SIGTERM and exits with a code of its own is not
    /// "killed".
    pub killed_by_us: bool,
    /// The last 64 KiB of its stderr.
    pub stderr_tail: String,
}

impl ExitReport {
    pub(super) fn new(status: Option<&WaitIdStatus>) -> Self {
        let Some(status) = status else { return Self::default() };
        Self {
            code: status.exit_status(),
            signal: status.terminating_signal(),
            core_dumped: status.dumped(),
            ..Self::default()
        }
    }

    /// It exited with code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The last Rust panic on stderr: "message (src/main.rs:3:5)".
    pub fn panic_message(&self) -> Option<String> {
        let start =
            self.stderr_tail.rfind("' panicked at ").or_else(|| self.stderr_tail.rfind(") panicked at "))?;
        let text = self.stderr_tail[start..].split_once("panicked at ")?.1;
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        match head.strip_suffix(':') {
            Some(place) => Some(format!("{} ({place})", panic_body(body))),
            None => Some(head.to_owned()),
        }
    }

    /// Rust's allocator gave up: a memory limit (`RLIMIT_AS`) was reached, or the machine is out of memory. The kernel's
    /// OOM killer is not seen here: it is a bare SIGKILL.
    pub fn out_of_memory(&self) -> bool {
        self.stderr_tail.lines().any(|line| {
            line.split_once("memory allocation of ").is_some_and(|(_, rest)| rest.contains(" bytes failed"))
        })
    }
}

/// The message may have many lines; the runtime's own hints end it.
fn panic_body(body: &str) -> String {
    let ends = |line: &&str| {
        line.starts_with("note: ") || line.starts_with("stack backtrace:") || line.contains(" panicked at ")
    };
    let lines: Vec<&str> = body.lines().take_while(|line| !ends(line)).collect();
    lines.join("\n").trim_end().to_owned()
}

impl fmt::Display for ExitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exited with code {code}")?,
            (None, Some(signal)) => write!(f, "killed by {} ({signal})", signal_name(signal))?,
            (None, None) => {
                f.write_str("ended, exit status unknown (reaped by another part of this process)")?;
            }
        }
        if self.core_dumped {
            f.write_str(", core dumped")?;
        }
        if self.killed_by_us {
            f.write_str(", by us")?;
        }
        Ok(())
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGSYS => "SIGSYS",
        _ => "signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_stderr(tail: &str) -> ExitReport {
        ExitReport { stderr_tail: tail.to_owned(), ..ExitReport::default() }
    }

    #[test]
    fn says_how_it_ended() {
        let cases = [
            (ExitReport { code: Some(3), ..Default::default() }, "exited with code 3"),
            (ExitReport { signal: Some(11), ..Default::default() }, "killed by SIGSEGV (11)"),
            (
                ExitReport { signal: Some(9), killed_by_us: true, ..Default::default() },
                "killed by SIGKILL (9), by us",
            ),
            (
                ExitReport { signal: Some(6), core_dumped: true, ..Default::default() },
                "killed by SIGABRT (6), core dumped",
            ),
        ];
        for (report, text) in cases {
            assert_eq!(report.to_string(), text);
        }
    }

    #[test]
    fn finds_the_panic_in_both_formats() {
        let cases = [
            (
                "log\n\nthread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n",
                "boom (src/main.rs:2:5)",
            ),
            (
                "thread 'io' (4711) panicked at src/a.rs:9:1:\nleft: 1\nright: 2\nstack backtrace:\n 0: x\n",
                "left: 1\nright: 2 (src/a.rs:9:1)",
            ),
            ("thread 'main' panicked at 'boom', src/main.rs:2:5\nnote: x\n", "'boom', src/main.rs:2:5"),
            (
                "thread 'a' panicked at a.rs:1:1:\nfirst\nthread 'b' panicked at b.rs:1:1:\nsecond\n",
                "second (b.rs:1:1)",
            ),
        ];
        for (stderr, message) in cases {
            assert_eq!(with_stderr(stderr).panic_message().as_deref(), Some(message));
        }
        assert_eq!(with_stderr("nothing of the kind\n").panic_message(), None);
    }

    #[test]
    fn tells_out_of_memory() {
        assert!(with_stderr("x\nmemory allocation of 1099511627776 bytes failed\n").out_of_memory());
        assert!(!with_stderr("memory allocation is fine\n").out_of_memory());
    }
}
