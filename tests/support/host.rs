//! The command as a user runs it: a scratch directory, a scrubbed environment, and never for ever.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::backend::{COMMAND, PrivateWorker};
use super::{PATIENCE, json};

/// A user whose home directory is empty.
#[derive(Debug)]
pub(crate) struct User {
    home: TempDir,
    worker: PrivateWorker,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), worker: PrivateWorker::new() }
    }

    /// Where the user works.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the user's programs keep what they share, unless told otherwise.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.home().join(".local/state/ibkr-connect")
    }

    /// The worker that the user's commands start, unless told otherwise.
    pub(crate) fn worker(&self) -> &PrivateWorker {
        &self.worker
    }

    /// `ibkr-connect` with these arguments, in `home`.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        self.program(Path::new(COMMAND), arguments)
    }

    /// Another program, in the same surroundings.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test starts and ends the program itself, as a shell does"
    )]
    pub(crate) fn program<'a>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.home())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home())
            .env("IBKR_WORKER_PATH", self.worker.path())
            .stdin(Stdio::null());
        command
    }
}

/// What a command that has ended leaves to look at.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// Runs `command` to its end.
    pub(crate) fn of(command: Command) -> Self {
        Self::within(command, PATIENCE)
    }

    /// Runs to its end what may take so long.
    pub(crate) fn within(mut command: Command, patience: Duration) -> Self {
        let begun = Instant::now();
        let mut child = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let stdout = reader(child.0.stdout.take().unwrap());
        let stderr = reader(child.0.stderr.take().unwrap());
        let status = child.wait(patience);
        let took = begun.elapsed();
        let code = status.code().unwrap_or_else(|| panic!("{command:?} was killed: {status}"));
        Self { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), took }
    }

    /// What is on stderr besides the log and what was waited for.
    pub(crate) fn complaints(&self) -> String {
        let is_log = |line: &str| line.starts_with("20") && line.contains("Z ");
        let lines = self.stderr.lines().filter(|line| !is_log(line) && !line.starts_with("waiting: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The one line of `--json`.
    pub(crate) fn json(&self) -> Value {
        let line = self.stdout.strip_suffix('\n').filter(|text| !text.contains('\n'));
        json::line(line.unwrap_or_else(|| panic!("one line: {self:?}")))
    }

    /// The data in it.
    pub(crate) fn data(&self) -> Value {
        self.json()["data"].take()
    }

    /// The data in each line of `--json`.
    pub(crate) fn data_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| json::line(line)["data"].take()).collect()
    }

    /// The JSON values on stdout, one a line, that are not those of `--json`.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// A process that a failed test does not leave running.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts `command` and waits for the first line on its stdout.
    pub(crate) fn until_first_line(mut command: Command) -> (Self, String) {
        let mut running = Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(running.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (running, line)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "process {} hangs", self.0.id());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
