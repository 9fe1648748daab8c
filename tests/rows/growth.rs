//! Asking all day leaves nothing behind: each operation many times over one session, answered and given up, and what the memory of the program and of its worker
//! grows by. The asking is done in a process of its own, so that nothing else is in that memory.
//!
//! `IBKR_GROWTH_CALLS=5000 cargo test --test rows growth -- --nocapture` is the long one: then each operation may leave 2 MiB.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect::{ConnectionMode, ErrorKind, Request, Session, StreamRequest};
use ibkr_connect_sim::{CLIENT_WITH_ORDERS, SimOptions, Simulator};
use libtest_mimic::{Failed, Trial};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::row::Row;
use crate::support::backend::{Backend, target};
use crate::support::host::{Finished, User};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::setting;

/// What the test tells the process that asks.
const PORT: &str = "GROWTH_PORT";
const MODE: &str = "GROWTH_MODE";
const CALLS: &str = "IBKR_GROWTH_CALLS";

/// Calls in a test that nobody has asked to take long.
const FEW: usize = 20;

/// What all of them may leave of each operation, in KiB: what an allocator keeps is not told from what is lost.
const BOUND: usize = 2 << 10;

/// How many wait for one answer.
const AT_A_TIME: usize = 2_500;

/// How often it may be tried: what is lost is lost each time, what an allocator keeps is not.
const TRIES: usize = 3;

/// How long a stream's first event is waited for: real-time bars come every five seconds.
const FIRST_EVENT: Duration = Duration::from_millis(5);

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |index: usize| {
        let name = format!("growth::{}", REAL_BACKENDS[index]);
        Trial::test(name, move || nothing_is_left(index))
    };
    (0..REAL_BACKENDS.len()).map(trial).collect()
}

#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn nothing_is_left(mode: usize) -> Result<(), Failed> {
    let gateway = Simulator::start(SimOptions {
        accounts: vec!["DU1".to_owned(), "DU2".to_owned()],
        seed: 42,
        tick_interval: Duration::from_millis(1),
        replay: Some("2026-07-10T15:00:00Z".parse().unwrap()),
        ..SimOptions::default()
    })
    .unwrap();
    let calls = setting(CALLS).unwrap_or(FEW as u64);
    let user = User::new();
    let mut asker = user.program(&std::env::current_exe().unwrap(), []);
    for (name, value) in [(PORT, u64::from(gateway.port())), (MODE, mode as u64), (CALLS, calls)] {
        asker.env(name, value.to_string());
    }
    let patience = Duration::from_secs(240) + Duration::from_secs(2 * calls);
    let finished = Finished::within(asker, patience);
    print!("{}", finished.stdout);
    if finished.code == 0 { Ok(()) } else { Err(format!("{}: {finished:?}", REAL_BACKENDS[mode]).into()) }
}

/// The other process: asks, and fails if something grows. `None` if this is not it.
pub(crate) fn ask_all_day(rows: &[Arc<Row>]) -> Option<ExitCode> {
    let port = u16::try_from(setting(PORT)?).expect("a port");
    let mode = REAL_BACKENDS[setting(MODE).expect("a mode") as usize];
    let calls = setting(CALLS).expect("a number of calls") as usize;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Some(runtime.block_on(ask(rows, mode, port, calls)))
}

#[allow(clippy::print_stdout, reason = "how the test hears of it")]
async fn ask(rows: &[Arc<Row>], mode: ConnectionMode, port: u16, calls: usize) -> ExitCode {
    let backend = Backend::new(mode);
    let target = target(port).with_client_id(Some(CLIENT_WITH_ORDERS));
    let session = Session::new(backend.connect(&target).await.unwrap());
    let (mut asked, mut worst, mut code) = (Vec::new(), (0, ""), ExitCode::SUCCESS);
    for row in rows {
        if asked.contains(&row.command()) {
            continue;
        }
        asked.push(row.command());
        let params = row.simulated.params.as_ref().unwrap_or(&row.params).to_string();
        many_times(row, &params, &session, calls.div_ceil(10)).await;
        let mut growth = usize::MAX;
        for _ in 0..TRIES {
            let before = memory(&session);
            many_times(row, &params, &session, calls).await;
            growth = growth.min(memory(&session).saturating_sub(before));
            if growth < BOUND {
                break;
            }
        }
        worst = worst.max((growth, row.command()));
        if growth >= BOUND {
            println!("{mode}: {calls} times {}, and each time {growth} KiB are left", row.command());
            code = ExitCode::FAILURE;
        }
    }
    println!("{mode}: {calls} calls of each of {} operations; the worst leaves {worst:?} KiB", asked.len());
    session.close().await.unwrap();
    code
}

async fn many_times(row: &Row, params: &str, session: &Session, calls: usize) {
    if row.asked_seldom {
        // Those that wait for the Gateway's clock share an answer. A worker takes 4,096 at a time.
        for begun in (0..calls).step_by(AT_A_TIME) {
            let mut all = JoinSet::new();
            for _ in begun..calls.min(begun + AT_A_TIME) {
                all.spawn(once(row.operation.command, params.to_owned(), 1, session.clone()));
            }
            all.join_all().await;
        }
        return;
    }
    for call in 0..calls {
        once(row.operation.command, params.to_owned(), row.simulated.events.min(1), session.clone()).await;
        // These take longer: some of them have the next question asked twice.
        if call % 4 == 0 {
            given_up(row.operation.command, params, session).await;
        }
    }
}

/// Asks with a deadline that is over at once, and leaves before an answer; a stream is left unread.
async fn given_up(command: &str, params: &str, session: &Session) {
    let Some(request) = Request::from_json(command, params).unwrap() else {
        let request = StreamRequest::from_json(command, params).unwrap().expect("a request or a stream");
        if let Ok(stream) = session.subscribe(request).await {
            let control = stream.control();
            drop(stream);
            control.released().await;
        }
        return;
    };
    // It may be answered all the same.
    let _ = session.with_timeout(Duration::from_millis(1)).request(request.clone()).await;
    let _ = timeout(Duration::ZERO, session.request(request)).await;
}

/// Asks, or opens a stream, reads its first event if it comes soon, and leaves it.
async fn once(command: &'static str, params: String, events: usize, session: Session) {
    if let Some(request) = Request::from_json(command, &params).unwrap() {
        session.request(request).await.unwrap_or_else(|error| panic!("{command}: {error}"));
        return;
    }
    let request = StreamRequest::from_json(command, &params).unwrap().expect("a request or a stream");
    let mut stream = loop {
        match session.subscribe(request.clone()).await {
            Ok(stream) => break stream,
            // The worker has not quite let go of the one before.
            Err(error) if error.kind() == ErrorKind::Busy => tokio::time::sleep(FIRST_EVENT).await,
            Err(error) => panic!("{command}: {error}"),
        }
    };
    if events > 0
        && let Ok(Some(Err(error))) = timeout(FIRST_EVENT, stream.next()).await
    {
        panic!("{command}: {error}");
    }
    let control = stream.control();
    drop(stream);
    control.released().await;
}

/// What this process and the worker have in memory, in KiB.
fn memory(session: &Session) -> usize {
    let worker = session.info().worker_pid.map(|pid| pid.to_string());
    let resident = |process: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap()
    };
    resident("self") + worker.map_or(0, |worker| resident(&worker))
}
