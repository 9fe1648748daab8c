//! Processes that hold sockets, and the command that looks for them.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

use crate::support::host::{Finished, Running, User};

pub(crate) const PYTHON: &str = "/usr/bin/python3";
pub(crate) const JAVA: &str = "/usr/bin/java";

/// What it takes until a zombie is proved, on a busy machine.
const PROOF: Duration = Duration::from_secs(30);

const HOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zombies/holders");

/// `python3 SCRIPT ARGUMENT...`; the script is handed over as text, so that any user can run it.
pub(crate) fn python<'a>(script: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let text = std::fs::read_to_string(Path::new(HOLDERS).join(script)).unwrap();
    let mut command = program(PYTHON);
    command.args(["-c", &text]).args(arguments);
    command
}

/// `java Holder.java ARGUMENT...`
pub(crate) fn java(arguments: &[&str]) -> Command {
    let mut command = program(JAVA);
    command.arg("-XX:TieredStopAtLevel=1").arg(Path::new(HOLDERS).join("Holder.java")).args(arguments);
    command
}

#[expect(clippy::disallowed_methods, reason = "holders are strangers to this project")]
fn program(path: &str) -> Command {
    Command::new(path)
}

/// A process that holds sockets until it is dropped.
#[derive(Debug)]
pub(crate) struct Holder {
    running: Running,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Holder {
    /// Starts it and waits for its first line.
    pub(crate) fn start(mut command: Command) -> Self {
        let (running, line) = Running::until_first_line({
            command.stdin(Stdio::piped());
            command
        });
        assert!(!line.is_empty(), "the holder {running:?} has ended at once");
        Self { running, said: line.trim_end().to_owned() }
    }

    /// A process that says nothing; what it holds is its stdin.
    pub(crate) fn silent(mut command: Command, socket: TcpStream) -> Self {
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket))).stdout(Stdio::null());
        Self { running: Running(command.spawn().unwrap()), said: String::new() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// The port that it says it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.said.parse().unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn assert_lives(&mut self) {
        assert_eq!(self.running.0.try_wait().unwrap(), None, "{self:?}");
    }

    /// The signal that it died of, or will die of.
    pub(crate) fn killed_by(&mut self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.running.wait(PROOF))
    }

    /// What it prints from now on.
    pub(crate) fn output(&mut self) -> impl BufRead + Send + use<> {
        BufReader::new(self.running.0.stdout.take().unwrap())
    }

    pub(crate) fn stop(&self) {
        let pid = Pid::from_child(&self.running.0);
        kill_process(pid, Signal::STOP).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }
}

/// A Gateway whose connections are closed on its side, and only there.
#[derive(Debug)]
pub(crate) struct ClosingGateway(TcpListener);

impl ClosingGateway {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A Python process that keeps `count` connections which are closed here.
    pub(crate) fn client(&self, count: usize) -> Holder {
        self.client_of(python("hold.py", [self.port().to_string().as_str(), &count.to_string()]), count)
    }

    /// The same of another program.
    pub(crate) fn client_of(&self, program: Command, count: usize) -> Holder {
        let holder = Holder::start(program);
        for _ in 0..count {
            drop(self.0.accept().unwrap());
        }
        holder
    }

    /// The client's end of a connection that is closed here.
    pub(crate) fn socket(&self) -> TcpStream {
        let client = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        drop(self.0.accept().unwrap());
        client
    }
}

/// `zombies list --json`
pub(crate) fn list(user: &User, port: u16) -> Finished {
    Finished::of(user.command(["zombies", "list", "--json", "--port", &port.to_string()]))
}

/// Lists until `count` zombies are proved, and no more are found.
pub(crate) fn proved(user: &User, port: u16, count: usize) -> Value {
    let deadline = Instant::now() + PROOF;
    loop {
        let finished = list(user, port);
        let listed = finished.data();
        let zombies = listed["zombies"].as_array().unwrap();
        let confirmed = zombies.iter().filter(|zombie| zombie["confirmed"] == true).count();
        let is_fine = confirmed == 0 && listed["listening"]["state"] != "wedged";
        assert_eq!(finished.code, if is_fine { 0 } else { 8 }, "{finished:?}");
        if confirmed == count {
            assert_eq!(zombies.len(), count, "{listed}");
            return listed;
        }
        assert!(Instant::now() < deadline, "{confirmed} of {count} are proved: {listed}");
    }
}

/// `zombies clean --json`
pub(crate) fn clean(user: &User, port: u16, arguments: &[&str]) -> Cleaned {
    let port = port.to_string();
    let all = ["zombies", "clean", "--json", "--port", &port].into_iter().chain(arguments.iter().copied());
    Cleaned::of(user.command(all))
}

/// The report of a clean, whose exit code agrees with it.
#[derive(Debug)]
pub(crate) struct Cleaned(pub(crate) Value);

impl Cleaned {
    pub(crate) fn of(command: Command) -> Self {
        let finished = Finished::of(command);
        let report = finished.data();
        assert_eq!(finished.code, if report["remaining"] == 0 { 0 } else { 8 }, "{finished:?}");
        assert_eq!(report["verified"], true, "{report}");
        Self(report)
    }

    /// How many were found, closed, destroyed, killed, skipped and remain.
    pub(crate) fn counts(&self) -> Counts {
        let number = |key: &str| self.0[key].as_u64().unwrap() as usize;
        let length = |key: &str| self.0[key].as_array().unwrap().len();
        Counts {
            found: number("found"),
            closed: length("closed"),
            destroyed: length("destroyed"),
            killed: length("killed"),
            skipped: length("skipped"),
            remaining: number("remaining"),
        }
    }

    pub(crate) fn assert_counts(&self, expected: Counts) {
        assert_eq!(self.counts(), expected, "{}", self.0);
    }

    /// Everything was left alone, for this reason.
    pub(crate) fn assert_left_alone(&self, count: usize, reason: &str) {
        self.assert_counts(Counts { found: count, skipped: count, remaining: count, ..Counts::default() });
        for skipped in self.0["skipped"].as_array().unwrap() {
            assert!(
                skipped["reason"].as_str().unwrap().contains(reason),
                "{reason:?} is expected: {}",
                self.0
            );
        }
    }

    /// Everything was closed and nobody died; where this machine forbids that, its holder had to go.
    pub(crate) fn assert_closed(&self, count: usize, holder: &mut Holder) {
        let done = Counts { found: count, ..Counts::default() };
        if self.0["missing_rights"] == Value::Array(vec![]) {
            self.assert_counts(Counts { closed: count, ..done });
            holder.assert_lives();
        } else {
            assert!(self.0["missing_rights"][0].as_str().unwrap().contains("pidfd_getfd"), "{}", self.0);
            self.assert_counts(Counts { killed: count, ..done });
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) found: usize,
    pub(crate) closed: usize,
    pub(crate) destroyed: usize,
    pub(crate) killed: usize,
    pub(crate) skipped: usize,
    pub(crate) remaining: usize,
}

/// An executable copy of a file in `user`'s home, made by another process: one that this process still has open for
/// writing, or any child that another test is just starting, can't be run.
pub(crate) fn copy(user: &User, from: impl AsRef<Path>, name: &str) -> PathBuf {
    let to = user.home().join(name);
    let mut install = program("/usr/bin/install");
    install.args(["-m", "755"]).arg(from.as_ref()).arg(&to);
    assert_eq!(Finished::of(install).code, 0);
    to
}
