//! Gateways whose bytes are damaged in random ways, and parents whose lines are: no panic, no hang, nothing left behind.
//!
//! `IBKR_HOSTILE_CONNECTS=43000 IBKR_MUTATED_LINES=1300000 cargo test --test attacks hostile -- --nocapture` is the long one; a failure
//! names its seed (`IBKR_HOSTILE_SEED`).

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::{ConnectionMode, ErrorKind, Session, Target, block_on};
use ibkr_connect_sim::{SimOptions, Simulator};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::Value;

use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::damage::damage;
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Running, User};
use crate::support::real_backends::on_real_backends;
use crate::support::{Seed, setting};

/// How long a connect may take, a request after it, and both with all that a busy machine may add.
const DEADLINE: Duration = Duration::from_millis(500);
const OVERDUE: Duration = Duration::from_secs(30);

on_real_backends! {
    fn gateways_that_send_damaged_bytes_end_connects_in_errors(mode) {
        let connects = setting("IBKR_HOSTILE_CONNECTS").unwrap_or(300);
        // A process each: the bytes are read by the same code.
        let connects = if mode == ConnectionMode::Subprocess { connects / 20 } else { connects };
        connect_to_hostile_gateways(mode, connects);
    }
}

#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn connect_to_hostile_gateways(mode: ConnectionMode, connects: u64) {
    // Most of the time they wait; a worker is a process each.
    let at_once = if mode == ConnectionMode::Direct { 32 } else { 8 };
    let seed = Seed::of("IBKR_HOSTILE_SEED");
    let gateway = FakeGateway::start(Behaviour::SendsDamage(seed.dice().next_u64()));
    let backend = Backend::new(mode);
    let target = target(gateway.port()).with_timeout(DEADLINE).with_request_timeout(DEADLINE);
    let (made, connected) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while made.fetch_add(1, Ordering::Relaxed) < connects {
                    connected.fetch_add(u64::from(one_connect(&backend, &target)), Ordering::Relaxed);
                }
            });
        }
    });
    let connected = connected.into_inner();
    println!("{mode}: {connects} hostile connections, of which {connected} have come about");
    assert!(connected < connects, "{mode}: nothing was damaged");
    drop(gateway);
    backend.worker().assert_none_runs();
}

/// Whether it came about.
fn one_connect(backend: &Backend, target: &Target) -> bool {
    let begun = Instant::now();
    let connected = match block_on(ibkr_connect::session_over(&**backend, target)) {
        Ok(session) => {
            ask(&session);
            // What is wrong with it was told before.
            let _ = block_on(session.close());
            true
        }
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
            false
        }
    };
    assert!(begun.elapsed() < OVERDUE, "it hangs: {:?}", begun.elapsed());
    connected
}

fn ask(session: &Session) {
    for outcome in [block_on(session.positions()).map(drop), block_on(session.managed_accounts()).map(drop)] {
        if let Err(error) = outcome {
            assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
        }
    }
}

/// What a parent may send to a worker that has a session, but for what ends it.
const LINES: [&str; 8] = [
    r#"{"id":2,"command":"ping"}"#,
    r#"{"id":3,"command":"positions"}"#,
    r#"{"id":4,"command":"contract_details","params":{"symbol":"AAPL","sec_type":"STK"}}"#,
    r#"{"id":5,"command":"market_data","params":{"contract":{"symbol":"AAPL"}},"flow":"conflate","credit":512}"#,
    r#"{"id":6,"command":"credit","params":{"target":5,"events":256}}"#,
    r#"{"id":7,"command":"cancel","params":{"target":5}}"#,
    r#"{"id":8,"command":"historical_bars","params":{"contract":{"symbol":"AAPL"},"duration":"1 D"},"timeout_ms":100}"#,
    r#"{"id":9,"command":"account_summary","params":{"group":"All","tags":["NetLiquidation","ä\ud83d\ude00"]}}"#,
];

#[test]
#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn damaged_lines_of_a_hostile_parent_are_answered_and_the_worker_goes_on() {
    let count = setting("IBKR_MUTATED_LINES").unwrap_or(20_000);
    let seed = Seed::of("IBKR_HOSTILE_SEED");
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let mut command = user.command(["worker"]);
    command.env("IBKR_WORKER_COOKIE", "c").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = Running(command.spawn().unwrap());
    let mut stdin = worker.0.stdin.take().unwrap();
    let mut stdout = BufReader::new(worker.0.stdout.take().unwrap()).lines();
    stdout.next().unwrap().unwrap();
    let connect = format!(
        r#"{{"id":1,"command":"connect","params":{{"host":"127.0.0.1","port":{}}}}}"#,
        gateway.port()
    );
    writeln!(stdin, "{connect}").unwrap();
    let connected: Value = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
    assert_eq!(connected["status"], "success", "{connected}");

    let last = u64::MAX >> 12;
    let answers = thread::spawn(move || {
        let mut answers = 0_u64;
        for line in stdout {
            let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if answer["id"] == last && answer["status"] == "pong" && answer["from"] == "loop" {
                return answers;
            }
            answers += 1;
        }
        panic!("the worker has ended after {answers} answers");
    });
    let mut dice = StdRng::seed_from_u64(seed.dice().next_u64());
    for _ in 0..count {
        let mut line = LINES[dice.random_range(0..LINES.len())].as_bytes().to_vec();
        damage(&mut line, &mut dice);
        line.push(b'\n');
        stdin.write_all(&line).unwrap();
    }
    writeln!(stdin, r#"{{"id":{last},"command":"ping"}}"#).unwrap();
    let answers = answers.join().expect("the worker lives and answers");
    println!("{count} damaged lines, {answers} answers");
    assert!(answers > count / 4, "{answers} answers to {count} lines");
    assert_eq!(gateway.stats().orders, 0);
    drop(stdin);
    assert!(worker.wait(Duration::from_secs(5)).success());
}
