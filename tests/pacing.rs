//! IBKR's limits on messages and historical data, at a Gateway that enforces them: programs that ask for too much at once wait,
//! and are never refused, as long as they are told to.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ibkr_connect::config::Pacing;
use ibkr_connect::types::{
    AccountSummaryParams, BarSize, Contract, HistoricalBarsParams, MarketDataParams, Notice,
};
use ibkr_connect::{
    Config, ConnectionMode, ErrorKind, Event, EventStream, Request, Result, Session, StreamRequest,
};
use ibkr_connect_sim::{SimOptions, Simulator};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::backend::PrivateWorker;
use crate::support::host::{Finished, Running, User};
use crate::support::real_backends::on_real_backends;

on_real_backends! {
    in_mode:
    programs_that_flood_the_gateway_stay_below_fifty_messages_a_second
    daily_histories_wait_for_nothing_but_the_messages
    small_bars_wait_and_what_would_wait_too_long_was_never_sent
    off_lifts_the_limits_on_history_and_keeps_the_messages
    unlimited_keeps_nothing
    the_command_says_that_it_waits
}

/// Less than the time that a Gateway takes to count a second.
const SECOND: Duration = Duration::from_millis(990);

fn in_mode(mode: ConnectionMode, test: impl AsyncFnOnce(Stage)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(Stage::new(mode)));
}

/// A Gateway as strict as IBKR's, and programs that share a state directory.
struct Stage {
    mode: ConnectionMode,
    gateway: Simulator,
    state: TempDir,
    worker: PrivateWorker,
}

impl Stage {
    fn new(mode: ConnectionMode) -> Self {
        let options = SimOptions {
            message_rate: Some(50),
            historical_pacing: true,
            notices: false,
            ..SimOptions::default()
        };
        let gateway = Simulator::start(options).unwrap();
        Self { mode, gateway, state: tempfile::tempdir().unwrap(), worker: PrivateWorker::new() }
    }

    async fn program(&self, pacing: Pacing) -> Session {
        let config = Config::default()
            .with_mode(self.mode)
            .with_port(self.gateway.port())
            .with_pacing(pacing)
            .with_state_dir(self.state.path().to_owned())
            .with_worker_path(Some(self.worker.path().to_owned()));
        ibkr_connect::connect(&config).await.unwrap()
    }
}

/// What the Gateway has complained about so far.
async fn complaints(session: &Session, notices: &mut EventStream) -> Vec<Notice> {
    // What it has said before this answer comes before it.
    let answered = session.managed_accounts();
    let mut answered = std::pin::pin!(answered);
    let mut said = Vec::new();
    loop {
        tokio::select! {
            biased;
            event = notices.next() => match event.unwrap().unwrap() {
                Event::Notices(notice) => said.push(notice),
                other => panic!("no notice: {other:?}"),
            },
            _ = &mut answered => return said,
        }
    }
}

async fn notices(session: &Session) -> EventStream {
    session.subscribe(StreamRequest::Notices).await.unwrap()
}

fn bars(symbol: &str, bar_size: BarSize) -> HistoricalBarsParams {
    HistoricalBarsParams::last_day(Contract::stock(symbol)).with_bar_size(bar_size)
}

/// Requests of several messages, streams that are opened and dropped at once, and nobody waits for an answer in between.
async fn flood(session: Session) -> Result<()> {
    let mut asked = JoinSet::new();
    for _ in 0..10 {
        let one = session.clone();
        asked.spawn(async move { one.positions().await.map(drop) });
        let one = session.clone();
        let summary = AccountSummaryParams::default();
        asked.spawn(async move { one.account_summary(summary).await.map(drop) });
        let one = session.clone();
        let quotes = MarketDataParams::default().with_contract(Contract::stock("AAPL"));
        asked.spawn(async move { one.market_data(quotes).await.map(drop) });
    }
    asked.join_all().await.into_iter().collect()
}

async fn programs_that_flood_the_gateway_stay_below_fifty_messages_a_second(stage: Stage) {
    let (first, second) = (stage.program(Pacing::Queue).await, stage.program(Pacing::Queue).await);
    let mut told = [notices(&first).await, notices(&second).await];
    // The messages of the connects are not ours to pace.
    tokio::time::sleep(SECOND).await;
    let start = Instant::now();
    let (one, other) = tokio::join!(flood(first.clone()), flood(second.clone()));
    one.unwrap();
    other.unwrap();
    // At least 100 messages, and the last of them are on their way.
    assert!(start.elapsed() >= Duration::from_millis(1_600), "{:?}", start.elapsed());
    for (session, told) in [&first, &second].into_iter().zip(&mut told) {
        assert_eq!(complaints(session, told).await, []);
    }
}

async fn daily_histories_wait_for_nothing_but_the_messages(stage: Stage) {
    let session = stage.program(Pacing::Queue).await;
    let start = Instant::now();
    for _ in 0..100 {
        session.historical_bars(bars("SPY", BarSize::Day1)).await.unwrap();
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    // And they leave room for what has limits.
    let impatient = session.with_timeout(Duration::from_secs(2));
    impatient.historical_bars(bars("SPY", BarSize::Secs30)).await.unwrap();
}

async fn small_bars_wait_and_what_would_wait_too_long_was_never_sent(stage: Stage) {
    let (session, other) = (stage.program(Pacing::Queue).await, stage.program(Pacing::Queue).await);
    let until = |hour: u32| {
        bars("SPY", BarSize::Secs30).with_end(Some(format!("2026-03-04T{hour}:00:00Z").parse().unwrap()))
    };
    for hour in 15..20 {
        session.historical_bars(until(hour)).await.unwrap();
    }
    let asked = || stage.gateway.stats().requested("reqHistoricalData");
    let before = asked();
    for session in [&session, &other] {
        let impatient = session.with_timeout(Duration::from_secs(5));
        let error = impatient.historical_bars(until(15)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.waited().unwrap() < Duration::from_secs(1), "at once: {error}");
        assert!(error.is_retryable() && error.message().contains("not sent"), "{error}");
    }
    assert_eq!(asked(), before);
    // The sixth of a series within two seconds.
    let start = Instant::now();
    other.historical_bars(until(20)).await.unwrap();
    assert!(start.elapsed() > Duration::from_millis(300), "it waited, and was answered");
}

async fn off_lifts_the_limits_on_history_and_keeps_the_messages(stage: Stage) {
    let session = stage.program(Pacing::Off).await;
    let mut told = notices(&session).await;
    session.historical_bars(bars("SPY", BarSize::Secs30)).await.unwrap();
    let error = session.historical_bars(bars("SPY", BarSize::Secs30)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::GatewayError, Some(162)), "{error}");
    tokio::time::sleep(SECOND).await;
    flood(session.clone()).await.unwrap();
    assert_eq!(complaints(&session, &mut told).await, []);
}

async fn unlimited_keeps_nothing(stage: Stage) {
    let session = stage.program(Pacing::Unlimited).await;
    let mut told = notices(&session).await;
    session.historical_bars(bars("SPY", BarSize::Secs30)).await.unwrap();
    let error = session.historical_bars(bars("SPY", BarSize::Secs30)).await.unwrap_err();
    assert_eq!(error.code(), Some(162), "{error}");
    let mut asked = JoinSet::new();
    for _ in 0..100 {
        let one = session.with_timeout(Duration::from_secs(1));
        asked.spawn(async move { one.request(Request::NextOrderId).await.map(drop) });
    }
    drop(asked.join_all().await);
    let said = complaints(&session, &mut told).await;
    assert!(said.iter().any(|notice| notice.code == 100), "{said:?}");
}

async fn the_command_says_that_it_waits(stage: Stage) {
    let session = stage.program(Pacing::Queue).await;
    let asked = bars("SPY", BarSize::Secs30);
    session.historical_bars(asked.clone()).await.unwrap();
    let user = User::new();
    let params = serde_json::to_string(&asked).unwrap();
    let command = |request_timeout: &str| {
        let port = stage.gateway.port().to_string();
        let arguments = [
            "call",
            "historical_bars",
            "--json",
            "--params",
            &params,
            "--mode",
            stage.mode.as_str(),
            "--port",
            &port,
        ];
        let mut command = user.command(arguments);
        command.env("IBKR_STATE_DIR", stage.state.path()).env("IBKR_REQUEST_TIMEOUT", request_timeout);
        command
    };
    // Identical: it would wait some fifteen seconds, and is not needed for so long.
    let first_line = |mut command: Command| {
        let mut waiting = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(waiting.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        waiting.kill();
        line
    };
    let line = first_line(command("30"));
    let told =
        "waiting: the turn of historical_bars (IBKR's limit on historical requests); it may take until ";
    assert!(line.starts_with(told), "{line:?}");
    let mut logged = command("30");
    logged.env("RUST_LOG", "warn");
    let line = first_line(logged);
    assert!(line.contains("WARN") && line.contains("request_paced command=\"historical_bars\""), "{line:?}");

    let refused = Finished::of(command("1"));
    let error = &refused.json()["error"];
    assert_eq!((refused.code, error["kind"].as_str()), (1, Some("timeout")), "{refused:?}");
    assert_eq!(refused.complaints(), "");
    assert!(error["waited_ms"].as_f64().is_some_and(|waited| waited < 1_000.0), "{error}");
    // The one that was killed has taken nothing.
    assert_eq!(stage.gateway.stats().requested("reqHistoricalData"), 1);
}
