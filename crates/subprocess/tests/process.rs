//! The connector with real processes. This test binary is its own worker: run as `process worker ROLE`, it plays one
//! that works, or one that fails in some way.

mod roles;
#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{Child, ChildSpec};
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{
    CloseReason, Connection, ConnectionMode, Connector, Error, ErrorKind, Event, EventStream, FlowControl,
    Phase, Reply, Request, Session, StreamRequest, Target,
};
use ibkr_connect_subprocess::{LinkTiming, SubprocessConnector, Timing, WorkerSpec};
use libtest_mimic::{Arguments, Trial};
use pollster::block_on;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("worker") => return roles::play(&args[2]),
        Some("host") => return be_a_host(),
        _ => {}
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

macro_rules! trials {
    ($( $test:ident, )+) => {
        fn trials() -> Vec<Trial> {
            vec![$( Trial::test(stringify!($test), || { $test(); Ok(()) }) ),+]
        }
    };
}

trials! {
    the_happy_path,
    many_requests_at_once_each_get_their_own_reply,
    thousands_of_requests_can_wait_and_each_can_be_dropped,
    requests_larger_than_the_pipe_block_nobody,
    a_stalled_consumer_delays_nobody_and_misses_nothing,
    a_stalled_consumer_of_quotes_gets_the_newest,
    a_source_that_can_not_wait_loses_a_consumer_that_does_not_read,
    a_connect_that_the_worker_reports_as_failed,
    a_program_that_can_not_be_started,
    a_program_that_is_no_worker,
    a_worker_that_crashes_while_it_starts_or_connects,
    a_worker_that_hangs_while_connecting_is_killed_by_the_deadline,
    an_abandoned_connect_leaves_nothing,
    a_killed_worker_fails_everything_that_waits,
    a_worker_that_ends_by_itself_is_classified,
    garbage_replaces_the_connection,
    the_loss_of_the_gateway_is_disconnected,
    what_nobody_asked_for_is_a_loss,
    a_dying_worker_has_one_name_whoever_notices_first,
    a_stopped_worker_loses_the_link_heartbeat,
    a_blocked_loop_loses_the_loop_heartbeat,
    a_request_without_answer_times_out,
    a_request_has_a_deadline_of_its_own,
    a_stream_that_is_never_opened_times_out,
    a_dropped_request_and_a_dropped_stream_are_cancelled,
    closing_is_idempotent_and_leaves_nothing,
    closing_a_worker_that_does_not_listen_takes_force,
    dropping_the_connection_ends_the_worker,
    dropping_the_connection_inside_a_runtime_waits_for_nothing,
    a_stray_print_does_not_reach_the_protocol,
    no_worker_outlives_a_host_that_is_killed,
    a_worker_started_by_hand_says_what_it_is,
}

/// A connector whose workers play `role`, and the means to find them.
struct Setup {
    connector: SubprocessConnector,
    marker: String,
}

impl Setup {
    fn new(role: &str) -> Self {
        Self::with_timing(
            role,
            Timing {
                link: LinkTiming { close: LONG, ..LinkTiming::default() },
                drop: LONG,
                ..Timing::default()
            },
        )
    }

    fn with_timing(role: &str, timing: Timing) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("marker-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let spec = WorkerSpec {
            program: env::current_exe().unwrap(),
            args: ["worker", role, &marker].map(Into::into).to_vec(),
            env: Vec::new(),
        };
        Self { connector: SubprocessConnector::new(spec).with_timing(timing), marker }
    }

    fn connect_to(&self, target: &Target) -> Result<Box<dyn Connection>, Error> {
        block_on(self.connector.connect(target))
    }

    fn connect(&self) -> Box<dyn Connection> {
        self.connect_to(&patient()).unwrap()
    }

    /// The error of a connect that leaves nothing behind.
    fn refused(&self, target: &Target) -> Error {
        let error = self.connect_to(target).unwrap_err();
        self.assert_gone();
        error
    }

    /// No worker of this setup runs, nor is one a zombie.
    fn assert_gone(&self) {
        for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command);
            assert!(!command.contains(&self.marker), "{} still runs: {command}", entry.path().display());
        }
    }
}

const LONG: Duration = Duration::from_secs(20);

/// So patient that only what is tested ends a wait.
fn patient() -> Target {
    Target::default().with_timeout(LONG).with_request_timeout(LONG)
}

fn details(symbol: &str) -> Request {
    Request::ContractDetails(literal!(Contract { symbol: symbol.to_owned(), ..Contract::default() }))
}

fn ticks(symbol: &str) -> StreamRequest {
    let contract = literal!(Contract { symbol: symbol.to_owned(), ..Contract::default() });
    StreamRequest::MarketData(MarketDataParams::streaming(contract))
}

fn pid_of(connection: &dyn Connection) -> Pid {
    Pid::from_raw(connection.info().worker_pid.unwrap() as i32).unwrap()
}

#[track_caller]
fn assert_error(error: &Error, kind: ErrorKind, part: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(part), "{part:?} is not in {error}");
}

/// Polls `future` once, which sends what it has to send.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn the_happy_path() {
    let setup = Setup::new("serve");
    let connection = setup.connect_to(&patient().with_client_id(Some(7))).unwrap();
    let info = connection.info();
    assert_eq!((info.mode, info.client_id, info.server_version), (ConnectionMode::Subprocess, 7, 226));
    assert_eq!(info.phases.iter().map(|timing| timing.phase).collect::<Vec<_>>(), [Phase::Spawn, Phase::Tcp]);
    assert!(info.connect_ms >= info.phases[0].ms && info.phases[0].ms > 0.0, "{info:?}");
    assert!(Path::new(&format!("/proc/{}", info.worker_pid.unwrap())).exists());

    let time = Request::ServerTime.reply_from_json(support::TIME).unwrap();
    assert_eq!(block_on(connection.request(Request::ServerTime, None)).unwrap(), time);
    let mut stream = block_on(connection.subscribe(ticks("TICKS:500"), FlowControl::default())).unwrap();
    let mut count = 0;
    while let Some(event) = block_on(stream.next()) {
        event.unwrap();
        count += 1;
    }
    assert_eq!(count, 500);
    let refused = block_on(connection.subscribe(ticks("REFUSED"), FlowControl::default())).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::GatewayError, Some(200)));
    let mut broken = block_on(connection.subscribe(ticks("FAIL:1"), FlowControl::default())).unwrap();
    block_on(broken.next()).unwrap().unwrap();
    assert_error(&block_on(broken.next()).unwrap().unwrap_err(), ErrorKind::Disconnected, "the stream broke");

    block_on(connection.close()).unwrap();
    setup.assert_gone();
}

fn many_requests_at_once_each_get_their_own_reply() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let connection = &connection;
            scope.spawn(move || {
                for _ in 0..200 {
                    let request =
                        if caller % 2 == 0 { Request::ServerTime } else { Request::ManagedAccounts };
                    let is_time =
                        matches!(block_on(connection.request(request, None)).unwrap(), Reply::ServerTime(_));
                    assert_eq!(is_time, caller % 2 == 0);
                }
            });
        }
    });
}

fn thousands_of_requests_can_wait_and_each_can_be_dropped() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    // Six times as many as may be open: were a dropped one kept, here or in the worker, there would be no room.
    for _ in 0..6 {
        let mut waiting: Vec<_> =
            (0..4_000).map(|_| Box::pin(connection.request(details("NEVER"), None))).collect();
        waiting.iter_mut().for_each(|call| poll_once(call.as_mut()));
        let time = block_on(connection.request(Request::ServerTime, None)).unwrap();
        assert!(matches!(time, Reply::ServerTime(_)));
    }
}

fn a_stalled_consumer_delays_nobody_and_misses_nothing() {
    const COUNT: i32 = 100_000;
    let setup = Setup::new("serve");
    let connection = setup.connect();
    let open =
        || block_on(connection.subscribe(ticks(&format!("PACED:{COUNT}")), FlowControl::default())).unwrap();
    let (stalled, read) = (open(), open());
    // The second one is read to its end and requests are answered while the first one waits for its consumer.
    assert_numbered(read, COUNT);
    block_on(connection.request(Request::ServerTime, None)).unwrap();
    assert_numbered(stalled, COUNT);
}

/// The events are numbered from 0, each once and in order.
fn assert_numbered(mut stream: EventStream, count: i32) {
    for number in 0..count {
        let event = Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: number });
        assert_eq!(block_on(stream.next()).unwrap().unwrap(), event);
    }
    assert!(block_on(stream.next()).is_none());
}

fn a_stalled_consumer_of_quotes_gets_the_newest() {
    const COUNT: i32 = 100_000;
    let setup = Setup::new("serve");
    let connection = setup.connect();
    let request = ticks(&format!("QUOTES:{COUNT}"));
    let mut stream = block_on(connection.subscribe(request, FlowControl::Conflate)).unwrap();
    let mut prices = Vec::new();
    while let Some(event) = block_on(stream.next()) {
        let Event::MarketData(MarketDataEvent::Price { price: Some(price), .. }) = event.unwrap() else {
            panic!("only prices were sent");
        };
        prices.push(price);
    }
    assert_eq!(prices[prices.len() - 2..], [f64::from(COUNT - 2), f64::from(COUNT - 1)]);
    assert_eq!(prices.len() as u64 + stream.merged(), COUNT as u64);
}

fn a_source_that_can_not_wait_loses_a_consumer_that_does_not_read() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    let flow = FlowControl::Lossless { capacity: 100 };
    let mut stream = block_on(connection.subscribe(ticks("FLOOD"), flow)).unwrap();
    let mut kept = 0;
    let end = loop {
        match block_on(stream.next()).expect("an error ends it") {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_error(&end, ErrorKind::SlowConsumer, "more than 100 events behind");
    assert!(kept >= 100, "{kept}");
    assert!(block_on(stream.next()).is_none());
    block_on(connection.request(Request::ServerTime, None)).unwrap();
}

fn requests_larger_than_the_pipe_block_nobody() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    kill_process(pid_of(&*connection), Signal::STOP).unwrap();
    let mut calls: Vec<_> =
        (0..20).map(|_| Box::pin(connection.request(details(&"x".repeat(300_000)), None))).collect();
    for call in &mut calls {
        poll_once(call.as_mut());
    }
    kill_process(pid_of(&*connection), Signal::CONT).unwrap();
    for call in calls {
        assert_eq!(block_on(call).unwrap(), Reply::ContractDetails(Vec::new()));
    }
}

fn a_connect_that_the_worker_reports_as_failed() {
    let error = Setup::new("serve").refused(&patient().with_host("refused"));
    assert_error(&error, ErrorKind::NotListening, "refused by the script");
    assert_eq!(error.phase(), Some(Phase::Tcp));
}

fn a_program_that_can_not_be_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("no-program");
    fs::write(&file, "text").unwrap();
    for program in [directory.path().join("missing"), directory.path().to_owned(), file] {
        let spec = WorkerSpec { program: program.clone(), args: Vec::new(), env: Vec::new() };
        let error = block_on(SubprocessConnector::new(spec).connect(&patient())).unwrap_err();
        assert_error(&error, ErrorKind::WorkerSpawn, program.to_str().unwrap());
        assert_eq!((error.phase(), error.is_retryable()), (Some(Phase::Spawn), false));
        assert!(error.advice().unwrap().contains("IBKR_WORKER_PATH"), "{error}");
    }
}

fn a_program_that_is_no_worker() {
    for (role, part) in [
        ("wrong-cookie", "wrong cookie"),
        ("other-version", "it speaks protocol 99 (version \"9.9.9\"); this program speaks protocol 2"),
        ("garbage", "is not a hello: Usage: frobnicate"),
        ("torn", "is not a hello: the stream ended within a line, after \"Usa\""),
        ("exit", "exited with code 4; its last words: frobnicate: no such option"),
        ("exit-0", "exited with code 0"),
    ] {
        let error = Setup::new(role).refused(&patient());
        assert_error(&error, ErrorKind::WorkerIncompatible, part);
        assert_eq!((error.phase(), error.is_retryable()), (Some(Phase::Spawn), false));
    }
    let impatient = Timing {
        link: LinkTiming { hello: Duration::from_millis(100), ..LinkTiming::default() },
        ..Timing::default()
    };
    let error = Setup::with_timing("silent", impatient).refused(&patient());
    assert_error(&error, ErrorKind::WorkerIncompatible, "said no hello within 100ms");
}

fn a_worker_that_crashes_while_it_starts_or_connects() {
    let error = Setup::new("panic").refused(&patient());
    assert_error(&error, ErrorKind::WorkerCrashed, "panicked: at once");
    let error = Setup::new("abort").refused(&patient());
    assert_error(&error, ErrorKind::WorkerCrashed, "before its hello: killed by SIGABRT");
    let at = |host: &str| patient().with_host(host.to_owned());
    let error = Setup::new("serve").refused(&at("panic"));
    assert_error(&error, ErrorKind::WorkerCrashed, "panicked: the script panics");
    let error = Setup::new("serve").refused(&at("exit"));
    assert_error(&error, ErrorKind::WorkerCrashed, "exited with code 3");
}

fn a_worker_that_hangs_while_connecting_is_killed_by_the_deadline() {
    let target = patient().with_host("stop").with_timeout(Duration::from_millis(800));
    let started = Instant::now();
    let error = Setup::new("serve").refused(&target);
    assert_error(
        &error,
        ErrorKind::HandshakeTimeout,
        "within 800ms and was killed; the last known phase is spawn",
    );
    assert!(started.elapsed() >= Duration::from_millis(1_300), "the worker has a grace of 500 ms");
}

fn an_abandoned_connect_leaves_nothing() {
    let setup = Setup::new("serve");
    let target = patient().with_host("silent");
    let marker = setup.marker.clone();
    let worker = {
        let mut connect = pin!(setup.connector.connect(&target));
        poll_once(connect.as_mut());
        find_process(&marker)
    };
    assert!(ends(worker), "the worker must end when the future is dropped");
}

fn a_killed_worker_fails_everything_that_waits() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    let mut stream = block_on(connection.subscribe(ticks("OPEN:1"), FlowControl::default())).unwrap();
    block_on(stream.next()).unwrap().unwrap();
    let mut waiting = pin!(connection.request(details("NEVER"), None));
    poll_once(waiting.as_mut());
    kill_process(pid_of(&*connection), Signal::KILL).unwrap();
    assert_error(&block_on(waiting).unwrap_err(), ErrorKind::WorkerCrashed, "killed by SIGKILL (9)");
    assert_error(&block_on(stream.next()).unwrap().unwrap_err(), ErrorKind::WorkerCrashed, "SIGKILL");
    assert!(block_on(stream.next()).is_none());
    let CloseReason::WorkerExited(how) = block_on(connection.closed()) else { panic!("not exited") };
    assert_eq!(how, "killed by SIGKILL (9)");
    let late = block_on(connection.request(Request::ServerTime, None)).unwrap_err();
    assert_error(&late, ErrorKind::WorkerCrashed, "SIGKILL");
    setup.assert_gone();
    block_on(connection.close()).unwrap();
}

fn a_worker_that_ends_by_itself_is_classified() {
    for (symbol, part) in [("EXIT", "exited with code 3"), ("PANIC", "panicked: the script panics (")] {
        let setup = Setup::new("serve");
        let connection = setup.connect();
        let error = block_on(connection.request(details(symbol), None)).unwrap_err();
        assert_error(&error, ErrorKind::WorkerCrashed, part);
        setup.assert_gone();
    }
}

fn garbage_replaces_the_connection() {
    for (role, part) in [
        ("garbage-later", "protocol violation: no frame (expected value at line 1 column 1): stray text"),
        ("unknown-id", "protocol violation: nothing was asked with id 4711"),
    ] {
        let setup = Setup::new(role);
        let connection = setup.connect();
        let error = block_on(connection.request(Request::ServerTime, None)).unwrap_err();
        assert_error(&error, ErrorKind::WorkerCrashed, part);
        assert!(error.is_retryable());
        setup.assert_gone();
    }
}

fn the_loss_of_the_gateway_is_disconnected() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    block_on(connection.request(details("LOSE"), None)).unwrap();
    assert_eq!(block_on(connection.closed()), CloseReason::Disconnected("lost by the script".into()));
    let error = block_on(connection.request(Request::ServerTime, None)).unwrap_err();
    assert_error(&error, ErrorKind::Disconnected, "lost by the script");
    block_on(connection.close()).unwrap();
    setup.assert_gone();
}

fn what_nobody_asked_for_is_a_loss() {
    let connection = Setup::new("closes-unasked").connect();
    let error = block_on(connection.request(details("ANY"), None)).unwrap_err();
    assert_error(&error, ErrorKind::Disconnected, "says that it is closed");
    let reason = block_on(connection.closed());
    assert!(
        matches!(&reason, CloseReason::Disconnected(how) if how.contains("nobody had asked")),
        "{reason}"
    );
    let late = block_on(connection.request(Request::ServerTime, None)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Disconnected, "{late}");

    // A newer one's reason and error: the words are kept.
    let connection = Setup::new("newer").connect();
    let error = block_on(connection.request(details("ANY"), None)).unwrap_err();
    assert_error(&error, ErrorKind::Unrecognized, "\"in_doubt\"");
    let reason = block_on(connection.closed());
    assert_eq!(reason, CloseReason::Disconnected("{\"evicted\":\"by another login\"}".into()));

    // The end of a request that nobody has cancelled comes before that of the worker, which is why it has no answer.
    let connection = Setup::new("ends-and-exits").connect();
    let error = block_on(connection.request(details("ANY"), None)).unwrap_err();
    assert_error(&error, ErrorKind::WorkerCrashed, "exited with code 5");

    // Nor is the beginning of an answer one.
    let connection = Setup::new("dies-between-parts").connect();
    let error = block_on(connection.request(details("ANY"), None)).unwrap_err();
    assert_error(&error, ErrorKind::WorkerCrashed, "exited with code 6");
}

fn a_dying_worker_has_one_name_whoever_notices_first() {
    let setup = Setup::new("serve");
    for _ in 0..50 {
        let connection = setup.connect();
        let mut stream = block_on(connection.subscribe(ticks("OPEN"), FlowControl::default())).unwrap();
        let mut waiting = pin!(connection.request(details("NEVER"), None));
        poll_once(waiting.as_mut());
        kill_process(pid_of(&*connection), Signal::KILL).unwrap();
        let race = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let ask = || block_on(connection.request(Request::ServerTime, None));
                std::iter::repeat_with(ask).find_map(Result::err).unwrap()
            });
            let opening = scope.spawn(|| {
                let open = || block_on(connection.subscribe(ticks("OPEN"), FlowControl::default()));
                std::iter::repeat_with(open).find_map(Result::err).unwrap()
            });
            [asking.join().unwrap(), opening.join().unwrap()]
        });
        let ends = [block_on(waiting).unwrap_err(), block_on(stream.next()).unwrap().unwrap_err()];
        for error in race.into_iter().chain(ends) {
            assert_error(&error, ErrorKind::WorkerCrashed, "SIGKILL");
        }
        assert!(matches!(block_on(connection.closed()), CloseReason::WorkerExited(_)));
    }
}

fn a_stopped_worker_loses_the_link_heartbeat() {
    let setup = Setup::with_timing("serve", fast_heartbeat());
    let connection = setup.connect();
    let error = block_on(connection.request(details("STOP"), None)).unwrap_err();
    assert_error(&error, ErrorKind::WorkerCrashed, "heartbeat lost (link)");
    setup.assert_gone();
}

fn a_blocked_loop_loses_the_loop_heartbeat() {
    let setup = Setup::with_timing("serve", fast_heartbeat());
    let connection = setup.connect();
    let error = block_on(connection.request(details("BLOCK"), None)).unwrap_err();
    assert_error(&error, ErrorKind::WorkerCrashed, "heartbeat lost (loop)");
    setup.assert_gone();
}

fn fast_heartbeat() -> Timing {
    Timing {
        link: LinkTiming { ping: Duration::from_millis(300), ..LinkTiming::default() },
        ..Timing::default()
    }
}

fn a_request_without_answer_times_out() {
    let timing = Timing {
        link: LinkTiming { request_grace: Duration::from_millis(50), ..LinkTiming::default() },
        ..Timing::default()
    };
    let setup = Setup::with_timing("serve", timing);
    let target = patient().with_request_timeout(Duration::from_millis(50));
    let connection = setup.connect_to(&target).unwrap();
    let error = block_on(connection.request(details("NEVER"), None)).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, "did not answer");
    block_on(connection.request(Request::ManagedAccounts, Some(LONG))).unwrap();
}

fn a_request_has_a_deadline_of_its_own() {
    let timing = Timing {
        link: LinkTiming { request_grace: Duration::from_millis(50), ..LinkTiming::default() },
        ..Timing::default()
    };
    let setup = Setup::with_timing("serve", timing);
    let session = Session::new(setup.connect());
    let hurried = session.with_timeout(Duration::from_millis(50));
    assert_eq!(block_on(hurried.managed_accounts()).unwrap(), ["50ms"], "the worker knows it");
    let error = block_on(hurried.request(details("NEVER"))).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, "did not answer");
    assert_eq!(block_on(session.managed_accounts()).unwrap(), ["DU1"]);
}

fn a_stream_that_is_never_opened_times_out() {
    let timing = Timing {
        link: LinkTiming { request_grace: Duration::from_millis(50), ..LinkTiming::default() },
        ..Timing::default()
    };
    let setup = Setup::with_timing("serve", timing);
    let target = patient().with_request_timeout(Duration::from_millis(50));
    let connection = setup.connect_to(&target).unwrap();
    kill_process(pid_of(&*connection), Signal::STOP).unwrap();
    let error = block_on(connection.subscribe(ticks("OPEN"), FlowControl::default())).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, "did not answer");
    kill_process(pid_of(&*connection), Signal::CONT).unwrap();
    block_on(connection.request(Request::ManagedAccounts, None)).unwrap();
}

fn a_dropped_request_and_a_dropped_stream_are_cancelled() {
    let setup = Setup::new("echo-cancel");
    let connection = setup.connect();
    {
        let mut dropped = pin!(connection.request(details("NEVER"), None));
        poll_once(dropped.as_mut());
    }
    drop(block_on(connection.subscribe(ticks("OPEN"), FlowControl::default())).unwrap());
    // This role replies with the ids that it was asked to cancel: connect is 1, the request 2, its cancel 3.
    let reply = block_on(connection.request(Request::ManagedAccounts, None)).unwrap();
    assert_eq!(reply, Reply::ManagedAccounts(vec!["2".into(), "4".into()]));
}

fn closing_is_idempotent_and_leaves_nothing() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    let mut stream = block_on(connection.subscribe(ticks("OPEN"), FlowControl::default())).unwrap();
    let mut waiting = pin!(connection.request(details("NEVER"), None));
    poll_once(waiting.as_mut());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| block_on(connection.close()).unwrap());
        }
    });
    setup.assert_gone();
    block_on(connection.close()).unwrap();
    assert_eq!(block_on(waiting).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(stream.next()).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(connection.closed()), CloseReason::Requested);
    assert_eq!(
        block_on(connection.request(Request::ServerTime, None)).unwrap_err().kind(),
        ErrorKind::Closed
    );
}

fn closing_a_worker_that_does_not_listen_takes_force() {
    let short = Duration::from_millis(100);
    let setup = Setup::with_timing(
        "deaf",
        Timing {
            link: LinkTiming { close: short, ..LinkTiming::default() },
            terminate: LONG,
            ..Timing::default()
        },
    );
    let connection = setup.connect();
    block_on(connection.close()).unwrap();
    setup.assert_gone();

    let setup = Setup::with_timing(
        "deaf",
        Timing {
            link: LinkTiming { close: short, ..LinkTiming::default() },
            terminate: short,
            ..Timing::default()
        },
    );
    let connection = setup.connect();
    kill_process(pid_of(&*connection), Signal::STOP).unwrap();
    assert_error(&block_on(connection.close()).unwrap_err(), ErrorKind::WorkerCrashed, "forced");
    setup.assert_gone();
}

fn dropping_the_connection_ends_the_worker() {
    let setup = Setup::new("serve");
    drop(setup.connect());
    setup.assert_gone();

    let setup = Setup::with_timing("deaf", Timing { drop: Duration::from_millis(100), ..Timing::default() });
    drop(setup.connect());
    setup.assert_gone();
}

fn dropping_the_connection_inside_a_runtime_waits_for_nothing() {
    let patience = Duration::from_secs(2);
    let setup = Setup::with_timing("deaf", Timing { drop: patience, ..Timing::default() });
    let connection = setup.connect();
    let worker = find_process(&setup.marker);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let begun = Instant::now();
    runtime.block_on(async { drop(connection) });
    assert!(begun.elapsed() < patience / 2, "it waited for the worker: {:?}", begun.elapsed());
    assert!(ends(worker), "the thread that owns the worker ends it");
    setup.assert_gone();
}

fn a_stray_print_does_not_reach_the_protocol() {
    let setup = Setup::new("serve");
    let connection = setup.connect();
    block_on(connection.request(details("PRINT"), None)).unwrap();
    block_on(connection.request(Request::ServerTime, None)).unwrap();
}

fn no_worker_outlives_a_host_that_is_killed() {
    let mut spec = ChildSpec::new(env::current_exe().unwrap());
    spec.args = vec!["host".into()];
    let (host, _stdin, stdout) = Child::spawn(spec).unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let worker = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    let watched = pidfd_open(worker, PidfdFlags::empty()).unwrap();
    // Only the host: the worker is in a group of its own.
    host.kill();
    assert!(readable(&watched), "the worker must end with its host");
}

/// Connects, says the worker's pid, and waits to be killed.
#[allow(clippy::print_stdout, reason = "for the test that started it")]
fn be_a_host() -> ExitCode {
    let connection = Setup::new("deaf").connect();
    println!("{}", connection.info().worker_pid.unwrap());
    loop {
        std::thread::park();
    }
}

fn a_worker_started_by_hand_says_what_it_is() {
    let mut spec = ChildSpec::new(env::current_exe().unwrap());
    spec.args = vec!["worker".into(), "serve".into()];
    let (child, _stdin, _stdout) = Child::spawn(spec).unwrap();
    let report = child.wait_timeout(LONG).unwrap();
    assert_eq!(report.code, Some(1));
    assert!(report.stderr_tail.contains("IBKR_WORKER_COOKIE"), "{}", report.stderr_tail);
}

/// Waits until a process with `marker` among its arguments runs.
fn find_process(marker: &str) -> Pid {
    let started = Instant::now();
    while started.elapsed() < LONG {
        for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
            let path: PathBuf = entry.path();
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(marker) {
                let pid = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
                return pid.and_then(Pid::from_raw).unwrap();
            }
        }
        std::thread::yield_now();
    }
    panic!("no worker was started");
}

/// Whether the process ends in time.
fn ends(pid: Pid) -> bool {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => readable(&pidfd),
        Err(gone) => gone == rustix::io::Errno::SRCH,
    }
}

fn readable(pidfd: &std::os::fd::OwnedFd) -> bool {
    let patience = Timespec { tv_sec: LONG.as_secs() as i64, tv_nsec: 0 };
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&patience)) == Ok(1)
}
