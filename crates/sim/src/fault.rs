//! The faults: ways in which a real Gateway fails, by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One way in which the simulated Gateway misbehaves on a connection. Several can be combined.
///
/// The text form is the variant's name in kebab case, with its argument after `=`:
/// `silent`, `delay-handshake=300ms`, `reject=507`. [`Fault::syntax_table`] lists them all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Accepts and never sends a byte: a prompt is pending, or the Gateway is wedged.
    Silent,
    /// Closes at once after accepting: an untrusted address, or the API isn't ready yet.
    CloseBeforeVersion,
    /// Resets at once after accepting: the Gateway's process is going down.
    ResetBeforeVersion,
    /// Acknowledges the version, then closes: a forwarder in front of a Gateway that is down.
    CloseAfterVersion,
    /// Acknowledges, takes startApi, then closes without an error: an untrusted address.
    CloseAfterStartApi,
    /// Acknowledges, takes startApi, then resets: the daily restart in mid-handshake.
    ResetAfterStartApi,
    /// Waits before every frame it sends: an overloaded Gateway.
    DelayPerFrame(Duration),
    /// Waits before each frame of the handshake (acknowledgement, notices, managed accounts, next valid id): a slow
    /// login.
    DelayHandshake(Duration),
    /// Sends one byte per interval.
    Drip(Duration),
    /// Pauses in the middle of each frame of the handshake.
    PauseMidFrame(Duration),
    /// Keeps its socket after the client's FIN, whenever that comes: the Gateway's CLOSE_WAIT.
    Hold,
    /// Acknowledges the version and falls silent.
    MuteAfterVersion,
    /// Completes the handshake and answers no request after it.
    MuteAfterHandshake,
    /// Closes that long after the handshake: a nightly restart.
    DropAfter(Duration),
    /// Resets that long after the handshake: the Gateway was killed.
    ResetAfter(Duration),
    /// Acknowledges with a text that is not a version.
    GarbageVersion,
    /// Answers startApi with an illegal length prefix.
    BadFrameLength,
    /// Sends managed accounts whose protobuf body can't be decoded.
    GarbageFrame,
    /// Acknowledges with this server version whatever the client offers.
    ServerVersion(i32),
    /// Never sends managed accounts.
    NoManagedAccounts,
    /// Never sends the next valid id.
    NoNextValidId,
    /// Sends an empty list of managed accounts: nobody is logged in yet.
    EmptyAccounts,
    /// Sends that many open orders and order states before the accounts: a master client id.
    Flood(usize),
    /// Answers startApi with this error code, then closes.
    Reject(i32),
    /// Answers startApi with error 326, then closes, whatever the client id.
    ClientIdInUse,
    /// Sends the next valid id before managed accounts, with the notices in between.
    Reorder,
}

impl Fault {
    /// All faults in one table: a line each with syntax and meaning, for a command's help.
    pub fn syntax_table() -> String {
        let width = ENTRIES.iter().map(|entry| entry.syntax().len()).max().unwrap_or_default();
        ENTRIES.iter().map(|entry| format!("{:width$}  {}\n", entry.syntax(), entry.help)).collect()
    }

    /// One example of every fault, in the order of [`Fault::syntax_table`].
    pub fn examples() -> Vec<Fault> {
        ENTRIES.iter().map(Entry::example).collect()
    }
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let Some(entry) = ENTRIES.iter().find(|entry| entry.name == name) else {
            return Err(ParseFaultError::UnknownName { name: name.to_owned() });
        };
        entry.parse(argument).ok_or_else(|| ParseFaultError::BadArgument {
            text: text.to_owned(),
            syntax: entry.syntax(),
            example: entry.example().to_string(),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ENTRIES.iter().find(|entry| entry.matches(self)).map_or("unlisted", |entry| entry.name);
        f.write_str(name)?;
        match self {
            Self::DelayPerFrame(d) | Self::DelayHandshake(d) | Self::Drip(d) | Self::PauseMidFrame(d) => {
                write!(f, "={}", display_duration(*d))
            }
            Self::DropAfter(d) | Self::ResetAfter(d) => write!(f, "={}", display_duration(*d)),
            Self::ServerVersion(number) | Self::Reject(number) => write!(f, "={number}"),
            Self::Flood(count) => write!(f, "={count}"),
            _ => Ok(()),
        }
    }
}

/// Why a text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFaultError {
    /// The part before `=` is not a fault's name.
    #[error("there is no fault named {name:?}; the faults are: {}", all_syntaxes())]
    UnknownName {
        /// What was given.
        name: String,
    },
    /// The part after `=` is missing, superfluous or no such value.
    #[error("the fault {text:?} should read {syntax}, for example {example}")]
    BadArgument {
        /// What was given.
        text: String,
        /// What is expected.
        syntax: String,
        /// One that works.
        example: String,
    },
}

/// One row of the table that names, parses and explains the faults.
struct Entry {
    name: &'static str,
    argument: Argument,
    help: &'static str,
}

enum Argument {
    None(Fault),
    Duration(fn(Duration) -> Fault, Duration),
    Number(fn(i32) -> Fault, i32),
    Count(fn(usize) -> Fault, usize),
}

use Argument::{Count, Duration as Time, None as Plain, Number};

const fn entry(name: &'static str, argument: Argument, help: &'static str) -> Entry {
    Entry { name, argument, help }
}

const MS_300: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);
const SECONDS_5: Duration = Duration::from_secs(5);

const ENTRIES: &[Entry] = &[
    entry("silent", Plain(Fault::Silent), "accept, then never a byte"),
    entry("close-before-version", Plain(Fault::CloseBeforeVersion), "accept, then close"),
    entry("reset-before-version", Plain(Fault::ResetBeforeVersion), "accept, then reset"),
    entry("close-after-version", Plain(Fault::CloseAfterVersion), "close after the acknowledgement"),
    entry("close-after-start-api", Plain(Fault::CloseAfterStartApi), "close after the client's startApi"),
    entry("reset-after-start-api", Plain(Fault::ResetAfterStartApi), "reset after the client's startApi"),
    entry("delay-per-frame", Time(Fault::DelayPerFrame, MS_300), "wait before every frame"),
    entry("delay-handshake", Time(Fault::DelayHandshake, MS_300), "wait before each handshake frame"),
    entry("drip", Time(Fault::Drip, SECOND), "send one byte per interval"),
    entry("pause-mid-frame", Time(Fault::PauseMidFrame, SECOND), "pause amid each handshake frame"),
    entry("hold", Plain(Fault::Hold), "keep the socket after the client is gone"),
    entry("mute-after-version", Plain(Fault::MuteAfterVersion), "acknowledge, then silence"),
    entry("mute-after-handshake", Plain(Fault::MuteAfterHandshake), "answer nothing after the handshake"),
    entry("drop-after", Time(Fault::DropAfter, SECONDS_5), "close that long after the handshake"),
    entry("reset-after", Time(Fault::ResetAfter, SECONDS_5), "reset that long after the handshake"),
    entry(
        "garbage-version",
        Plain(Fault::GarbageVersion),
        "acknowledge with something that is not a version",
    ),
    entry("bad-frame-length", Plain(Fault::BadFrameLength), "answer startApi with an illegal frame length"),
    entry("garbage-frame", Plain(Fault::GarbageFrame), "send managed accounts that can't be decoded"),
    entry("server-version", Number(Fault::ServerVersion, 212), "acknowledge with this server version"),
    entry("no-managed-accounts", Plain(Fault::NoManagedAccounts), "never send managed accounts"),
    entry("no-next-valid-id", Plain(Fault::NoNextValidId), "never send the next valid id"),
    entry("empty-accounts", Plain(Fault::EmptyAccounts), "send an empty list of managed accounts"),
    entry("flood", Count(Fault::Flood, 150), "send that many open orders before the accounts"),
    entry("reject", Number(Fault::Reject, 507), "answer startApi with this error code and close"),
    entry("client-id-in-use", Plain(Fault::ClientIdInUse), "answer startApi with error 326 and close"),
    entry("reorder", Plain(Fault::Reorder), "send next valid id first, then notices, then accounts"),
];

impl Entry {
    fn syntax(&self) -> String {
        match self.argument {
            Plain(_) => self.name.to_owned(),
            Time(..) => format!("{}=TIME", self.name),
            Number(..) => format!("{}=CODE", self.name),
            Count(..) => format!("{}=COUNT", self.name),
        }
    }

    fn example(&self) -> Fault {
        match &self.argument {
            Plain(fault) => fault.clone(),
            Time(make, duration) => make(*duration),
            Number(make, number) => make(*number),
            Count(make, count) => make(*count),
        }
    }

    fn parse(&self, argument: Option<&str>) -> Option<Fault> {
        match (&self.argument, argument) {
            (Plain(fault), None) => Some(fault.clone()),
            (Time(make, _), Some(text)) => parse_duration(text).map(make),
            (Number(make, _), Some(text)) => text.parse().ok().map(make),
            (Count(make, _), Some(text)) => text.parse().ok().map(make),
            _ => None,
        }
    }

    fn matches(&self, fault: &Fault) -> bool {
        std::mem::discriminant(&self.example()) == std::mem::discriminant(fault)
    }
}

fn all_syntaxes() -> String {
    ENTRIES.iter().map(Entry::syntax).collect::<Vec<_>>().join(", ")
}

/// Reads `300ms`, `5s` or `2m`.
fn parse_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

fn display_duration(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_survives_its_text_form() {
        for fault in Fault::examples() {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, ms) in [("300ms", 300), ("5s", 5_000), ("2m", 120_000)] {
            assert_eq!(format!("drip={text}").parse(), Ok(Fault::Drip(Duration::from_millis(ms))));
        }
        for text in ["drip", "drip=", "drip=5", "drip=5h", "drip=-1s", "drip=99999999999999999999m"] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("drip=TIME, for example drip=1s"), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_all_of_them() {
        let error = "sielnt".parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("\"sielnt\"") && error.contains("silent, close-before-version"), "{error}");
        assert!(error.contains("delay-handshake=TIME") && error.contains("reject=CODE"), "{error}");
    }

    #[test]
    fn an_argument_too_many_is_an_error() {
        assert!(matches!("silent=1s".parse::<Fault>(), Err(ParseFaultError::BadArgument { .. })));
    }

    #[test]
    fn the_table_has_a_line_per_fault() {
        let table = Fault::syntax_table();
        assert_eq!(table.lines().count(), ENTRIES.len());
        assert!(table.lines().any(|line| line.starts_with("reject=CODE ")), "{table}");
    }
}
