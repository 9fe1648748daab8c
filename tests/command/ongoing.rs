//! A command that goes on until somebody ends it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::host::Running;
use crate::support::json;

pub(crate) struct Ongoing {
    running: Running,
    lines: mpsc::Receiver<String>,
}

impl Ongoing {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let stdout = BufReader::new(running.0.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Nobody may be left to listen.
        thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
        Self { running, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// Waits for the next line on stdout.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("there is another line")
    }

    /// Waits for the next line on stdout, which is one of `--json`, and gives its data.
    pub(crate) fn json(&self) -> Value {
        parse(&self.line())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.0), signal).unwrap();
    }

    /// Sends the signal and waits for the end: the exit code and the data of the lines that were still to come.
    pub(crate) fn end(mut self, signal: Signal) -> (i32, Vec<Value>) {
        self.signal(signal);
        let code = self.running.wait(PATIENCE).code().expect("it ends by itself");
        (code, self.lines.iter().map(|line| parse(&line)).collect())
    }
}

fn parse(line: &str) -> Value {
    json::line(line)["data"].take()
}
