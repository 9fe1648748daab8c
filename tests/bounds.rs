//! What a Gateway can make us keep: it sends errors without end, and our memory stays small until the deadline; it sends events to
//! streams that nobody reads, and all of them together stay within the bound of their session.
//!
//! `IBKR_UNREAD_STREAMS=4000 cargo test --release --test bounds unread -- --nocapture --test-threads 1` is the big one.

mod support;

use std::fs;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Stdio;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{
    ConnectionMode, ErrorKind, EventStream, FlowControl, SESSION_CAPACITY, STREAM_RESERVE, Session,
    StreamControl, StreamRequest, block_on,
};

use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Running, User};
use crate::support::real_backends::on_real_backends;
use crate::support::{PATIENCE, setting, traces, until};

/// What a connect may cost beside that of a healthy Gateway, in KiB.
const BOUND: usize = 24 * 1024;

/// The deadline of each connect.
const DEADLINE: Duration = Duration::from_secs(2);

on_real_backends! {
    fn errors_fill_no_memory(mode) {
        check(mode);
    }
    fn unread_streams_share_a_bound_and_one_that_is_read_goes_on(mode) {
        unread_streams(mode);
    }
}

fn check(mode: ConnectionMode) {
    let healthy = cost(mode, Behaviour::Healthy).0;
    for behaviour in [
        // Just below the limit of what is kept before the accounts.
        Behaviour::SendsOtherThings(8 << 20),
        Behaviour::ComplainsWithoutEnd(50),
        Behaviour::ComplainsWithoutEnd(8 << 20),
    ] {
        let (memory, took) = cost(mode, behaviour);
        let more = memory.saturating_sub(healthy);
        assert!(more < BOUND, "{behaviour:?}: {more} KiB more than the {healthy} of a healthy Gateway");
        assert!((DEADLINE..2 * DEADLINE).contains(&took), "{behaviour:?}: the deadline holds: {took:?}");
    }
}

/// The most that any process of a connect had in memory, in KiB, and how long it took.
fn cost(mode: ConnectionMode, behaviour: Behaviour) -> (usize, Duration) {
    let gateway = FakeGateway::start(behaviour);
    let (port, deadline) = (gateway.port().to_string(), DEADLINE.as_secs().to_string());
    let user = User::new();
    let arguments = ["check", "--mode", mode.as_str(), "--port", &port, "--timeout", &deadline];
    let begun = Instant::now();
    // What it logs is for nobody.
    let mut check = user.command(arguments);
    let mut check = Running(check.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut most = 0;
    while check.0.try_wait().unwrap().is_none() {
        let workers = traces::processes(user.worker().path());
        most = workers.into_iter().chain([check.0.id()]).filter_map(peak).fold(most, usize::max);
        thread::sleep(Duration::from_millis(2));
    }
    (most, begun.elapsed())
}

/// The most that a process has had in memory so far; `None` if it has ended.
fn peak(pid: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What each unread stream gets: a megabyte.
const TICKS: usize = 100;
const LENGTH: usize = 10_000;

#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn unread_streams(mode: ConnectionMode) {
    let count = setting("IBKR_UNREAD_STREAMS").map_or(120, |count| count as usize);
    let gateway = FakeGateway::start(Behaviour::FloodsAllButTheFirst { ticks: TICKS, length: LENGTH });
    let backend = Backend::new(mode);
    let session = block_on(ibkr_connect::session_over(&*backend, &target(gateway.port()))).unwrap();
    let mut read = open(&session);
    next_tick(&mut read, mode);
    let mut unread = Vec::new();
    for _ in 0..count {
        unread.push(open(&session));
        next_tick(&mut read, mode);
    }
    support::run(async {
        for stream in &unread {
            let control = stream.control();
            let has_all = || control.received() == TICKS as u64 || is_over(&control);
            until("every tick is kept or lost", has_all).await;
        }
    });
    let kept: usize = unread.iter().map(|stream| stream.control().unread()).sum();
    let bound = (SESSION_CAPACITY + count * STREAM_RESERVE) / LENGTH;
    let ended = unread.iter().filter(|stream| is_over(&stream.control())).count();
    println!(
        "{mode}: {count} unread streams keep {kept} of {} events, {ended} have ended, {} MiB resident",
        count * TICKS,
        resident() >> 10
    );
    assert!(kept <= bound, "{mode}: {kept} events of {LENGTH} bytes are more than {bound}");
    assert!(ended > 0 && ended < count, "{mode}: {ended} of {count} have ended");

    let (mut was_told, mut given) = (0, 0);
    for mut stream in unread {
        let over = is_over(&stream.control());
        for _ in 0..stream.control().unread() {
            block_on(stream.next()).unwrap().unwrap();
            given += 1;
        }
        if over {
            let end = block_on(stream.next()).unwrap().unwrap_err();
            assert_eq!(end.kind(), ErrorKind::SlowConsumer, "{mode}: {end}");
            assert!(end.message().contains("all streams of a session may keep 65536 KiB"), "{mode}: {end}");
            assert!(end.advice().is_some_and(|advice| advice.contains("conflated")), "{mode}: {end:?}");
            was_told += 1;
        }
    }
    assert_eq!(
        (was_told, given),
        (ended, kept),
        "{mode}: what is unread stays readable, and then the end is told"
    );
    // All of it was given back.
    let again = open(&session);
    next_tick(&mut read, mode);
    support::run(async {
        let control = again.control();
        until("there is room again", || control.received() == TICKS as u64).await;
    });
    block_on(session.close()).unwrap();
}

fn open(session: &Session) -> EventStream {
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    block_on(session.with_flow(FlowControl::default()).subscribe(StreamRequest::MarketData(params))).unwrap()
}

fn next_tick(stream: &mut EventStream, mode: ConnectionMode) {
    let next = support::run(async { tokio::time::timeout(PATIENCE / 2, stream.next()).await });
    assert!(matches!(next, Ok(Some(Ok(_)))), "{mode}: {next:?}");
}

fn is_over(control: &StreamControl) -> bool {
    let mut ended = pin!(control.ended());
    block_on(poll_fn(|context| Poll::Ready(ended.as_mut().poll(context).is_ready())))
}

/// What this process has in memory, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
