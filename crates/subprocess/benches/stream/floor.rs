//! The floors: two processes, pipes, JSON lines, and nothing else.

use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{Child, ChildSpec};
use ibkr_connect_core::types::{MarketDataEvent, PriceAttributes, TickType};
use serde::{Deserialize, Serialize};

pub(crate) fn role(name: &str) -> Option<fn()> {
    match name {
        "ping-pong" => Some(|| ping_pong().expect("answers until its input ends")),
        "write-ticks" => Some(|| write_ticks().expect("writes until nobody reads")),
        _ => None,
    }
}

/// The shape and size of a request and its reply.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: u64,
    command: &'a str,
    params: [u8; 0],
}

/// The shape and size of an event.
#[derive(Serialize, Deserialize)]
struct Tick<'a> {
    id: u64,
    status: &'a str,
    data: MarketDataEvent,
}

/// A process that repeats lines; a thread reads what it says and passes it on.
pub(crate) struct PingPong {
    stdin: ChildStdin,
    answers: Receiver<u64>,
    _child: Child,
}

impl PingPong {
    pub(crate) fn start() -> Self {
        let (child, stdin, stdout) = spawn("ping-pong");
        let (sender, answers) = sync_channel(1_024);
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = String::new();
            while lines.read_line(&mut line).expect("reads") > 0 {
                let answer: Line<'_> = serde_json::from_str(&line).expect("parses");
                if sender.send(answer.id).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { stdin, answers, _child: child }
    }

    pub(crate) fn round_trip(&mut self) {
        self.write(1);
        black_box(self.answers.recv().expect("answers"));
    }

    /// How long `count` lines take when `window` of them are always on their way.
    pub(crate) fn pipelined(&mut self, window: usize, count: usize) -> Duration {
        let started = Instant::now();
        (0..window).for_each(|_| self.write(1));
        for _ in window..count {
            black_box(self.answers.recv().expect("answers"));
            self.write(1);
        }
        for _ in 0..window {
            black_box(self.answers.recv().expect("answers"));
        }
        started.elapsed()
    }

    fn write(&mut self, id: u64) {
        let line = Line { id, command: "server_time", params: [] };
        let mut bytes = serde_json::to_vec(&line).expect("serializes");
        bytes.push(b'\n');
        self.stdin.write_all(&bytes).expect("writes");
    }
}

/// How long `count` ticks take from one process to a thread of the other.
pub(crate) fn read_ticks(count: u64) -> Duration {
    let (_child, _stdin, stdout) = spawn("write-ticks");
    let mut lines = BufReader::with_capacity(64 * 1024, stdout);
    let mut line = Vec::new();
    let started = Instant::now();
    for _ in 0..count {
        line.clear();
        lines.read_until(b'\n', &mut line).expect("reads");
        black_box(serde_json::from_slice::<Tick<'_>>(&line).expect("parses"));
    }
    started.elapsed()
}

fn spawn(role: &str) -> (Child, ChildStdin, ChildStdout) {
    let program = std::env::current_exe().expect("this program has a path");
    Child::spawn(ChildSpec { args: vec![role.into()], ..ChildSpec::new(program) }).expect("starts")
}

fn ping_pong() -> std::io::Result<()> {
    let mut lines = BufReader::new(std::io::stdin());
    let mut stdout = BufWriter::new(std::io::stdout());
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        serde_json::to_writer(&mut stdout, &serde_json::from_str::<Line<'_>>(&line)?)?;
        stdout.write_all(b"\n")?;
        if lines.buffer().is_empty() {
            stdout.flush()?;
        }
        line.clear();
    }
    Ok(())
}

fn write_ticks() -> std::io::Result<()> {
    let mut stdout = BufWriter::with_capacity(64 * 1024, std::io::stdout());
    for number in 0_u64.. {
        let data = MarketDataEvent::Price {
            tick_type: TickType::BID,
            price: Some(number as f64),
            size: Some(100.0),
            attributes: PriceAttributes::default(),
        };
        serde_json::to_writer(&mut stdout, &Tick { id: 3, status: "event", data })?;
        stdout.write_all(b"\n")?;
    }
    Ok(())
}
