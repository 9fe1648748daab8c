//! What streams and requests cost through a worker process, beside a floor measured in the same run.
//!
//! `cargo bench -p ibkr-connect-subprocess --bench stream`, with names of parts to run only those: `round-trip`,
//! `in-flight`, `ticks`, `stall`, `others`. The bench is its own worker and its own floor; no Gateway is involved.

mod floor;
mod source;

use std::ffi::OsString;
use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{Connector, FlowControl, Session, Target, block_on};
use ibkr_connect_subprocess::{SubprocessConnector, WorkerSpec};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const TICKS: u64 = 5_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let Some(role) = args.first().and_then(|name| floor::role(name).or_else(|| source::role(name))) {
        return role();
    }
    let parts: [(&str, fn()); 5] = [
        ("round-trip", round_trip),
        ("in-flight", in_flight),
        ("ticks", ticks),
        ("stall", stall),
        ("others", others),
    ];
    for (name, part) in parts {
        if args.is_empty() || args.iter().any(|arg| arg == name) {
            part();
        }
    }
}

/// One request at a time, from a thread and from a task.
fn round_trip() {
    const COUNT: usize = 50_000;
    let mut bare = floor::PingPong::start();
    let session = connect();
    let runtime = runtime();
    let (mut floor, mut thread, mut task) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that all meet the same machine.
    for _ in 0..10 {
        floor.extend(timed(COUNT / 10, || bare.round_trip()));
        thread.extend(timed(COUNT / 10, || {
            session.blocking().server_time().expect("answers");
        }));
        task.extend(timed(COUNT / 10, || {
            runtime.block_on(session.server_time()).expect("answers");
        }));
    }
    let floor = us(median(&mut floor));
    report("a request, one at a time, of a thread", &us(median(&mut thread)), &floor);
    report("a request, one at a time, of a task", &us(median(&mut task)), &floor);
}

/// Many requests at the same time, from one thread.
fn in_flight() {
    const WINDOW: usize = 64;
    const COUNT: usize = 1_000_000;
    let floor = floor::PingPong::start().pipelined(WINDOW, COUNT);
    let session = connect();
    let started = Instant::now();
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..WINDOW {
            let session = session.clone();
            tasks.spawn(async move {
                for _ in 0..COUNT / WINDOW {
                    session.server_time().await.expect("answers");
                }
            });
        }
        tasks.join_all().await;
    });
    let ours = rate(COUNT as u64, started.elapsed());
    report(&format!("requests, {WINDOW} in flight"), &ours, &rate(COUNT as u64, floor));
}

/// A source as fast as its consumer: every number once and in order.
fn ticks() {
    let floor = floor::read_ticks(TICKS);
    let session = connect();
    let mut stream = block_on(session.market_data(tick_source("PACED", TICKS))).expect("opens");
    let started = Instant::now();
    block_on(async {
        for number in 0..TICKS {
            let event = stream.next().await.expect("goes on").expect("is not an error");
            assert_eq!(value(&event), number as f64, "a tick is missing");
        }
        assert!(stream.next().await.is_none());
    });
    report(&format!("{TICKS} ticks"), &rate(TICKS, started.elapsed()), &rate(TICKS, floor));
}

/// What a consumer that reads nothing costs in memory, in both processes, while a source waits for it and while one
/// does not.
fn stall() {
    for (name, flow) in [
        ("PACED", FlowControl::default()),
        ("FLOOD", FlowControl::default()),
        ("FLOOD", FlowControl::Conflate),
    ] {
        let session = connect();
        let pid = session.info().worker_pid.expect("there is a worker");
        let before = resident(std::process::id()) + resident(pid);
        let stream = block_on(session.with_flow(flow).market_data(tick_source(name, TICKS))).expect("opens");
        thread::sleep(Duration::from_secs(5));
        let after = resident(std::process::id()) + resident(pid);
        let grown = format!("{} KiB", after.saturating_sub(before));
        report(&format!("memory of a stalled consumer, {name}, {flow:?}"), &grown, "0");
        drop(stream);
    }
}

/// How 99 streams and 1,000 requests at once fare while the consumer of another stream does nothing for 30 s.
fn others() {
    let (alone, stalled) = (neighbours(0), neighbours(1));
    report("event of another stream, p99, with one stalled", &us(stalled.0), &us(alone.0));
    report("one of 1,000 requests at once, p99, with one stalled", &us(stalled.1), &us(alone.1));
}

/// The p99 of events and of requests, beside so many streams that nobody reads.
fn neighbours(unread: usize) -> (Duration, Duration) {
    const TIME: Duration = Duration::from_secs(30);
    let session = connect();
    let conflating = session.with_flow(FlowControl::Conflate);
    let until = Instant::now() + TIME;
    runtime().block_on(async {
        let mut stalled = Vec::new();
        for _ in 0..unread {
            stalled.push(conflating.market_data(tick_source("CLOCK", 100_000)).await.expect("opens"));
        }
        let mut streams = JoinSet::new();
        for _ in 0..99 {
            let mut stream = session.market_data(tick_source("CLOCK", 200)).await.expect("opens");
            streams.spawn(async move {
                let mut late = Vec::new();
                while Instant::now() < until {
                    let event = stream.next().await.expect("goes on").expect("is not an error");
                    late.push(Duration::from_secs_f64((now() - value(&event)).max(0.0)));
                }
                late
            });
        }
        let mut requests = Vec::new();
        while Instant::now() < until {
            let mut round = JoinSet::new();
            for _ in 0..1_000 {
                let session = session.clone();
                round.spawn(async move {
                    let asked = Instant::now();
                    session.server_time().await.expect("answers");
                    asked.elapsed()
                });
            }
            requests.extend(round.join_all().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut events: Vec<_> = streams.join_all().await.concat();
        (p99(&mut events), p99(&mut requests))
    })
}

fn connect() -> Session {
    let program = std::env::current_exe().expect("this program has a path");
    let spec = WorkerSpec { program, args: vec![OsString::from("worker")], env: Vec::new() };
    Session::new(block_on(SubprocessConnector::new(spec).connect(&Target::default())).expect("connects"))
}

fn tick_source(name: &str, number: u64) -> MarketDataParams {
    MarketDataParams::streaming(ibkr_connect_core::literal!(Contract {
        symbol: format!("{name}:{number}"),
        ..Contract::default()
    }))
}

fn value(event: &MarketDataEvent) -> f64 {
    match event {
        MarketDataEvent::Price { price: Some(price), .. } => *price,
        other => panic!("not from our source: {other:?}"),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Seconds since 1970: the same clock in both processes.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}

/// In KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn timed(count: usize, mut call: impl FnMut()) -> Vec<Duration> {
    let one = |_| {
        let started = Instant::now();
        call();
        started.elapsed()
    };
    (0..count).map(one).collect()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

fn us(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn rate(count: u64, time: Duration) -> String {
    format!("{:.0} k/s", count as f64 / time.as_secs_f64() / 1e3)
}

#[allow(clippy::print_stdout, reason = "that is what a bench is for")]
fn report(what: &str, ours: &str, floor: &str) {
    println!("{what:60} {ours:>14}   floor {floor:>14}");
}
