//! Streams across sessions on the wire, in both modes: what ends one, what opens it again, and what its consumer sees.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use ibkr_connect::resilience::{StreamItem, SupervisorOptions};
use ibkr_connect::types::{
    BarSize, BarTime, Contract, HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, HistoricalBarsParams,
    HistoricalDuration, MarketDataEvent, MarketDataParams,
};
use ibkr_connect::{Config, ConnectionMode, ErrorKind, Result, SupervisedStream, Supervisor};
use ibkr_connect_sim::{SimOptions, Simulator};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::support::PATIENCE;
use crate::support::backend::{NobodyListens, PrivateWorker};
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::played::PlayedGateway;
use crate::support::fake_gateway::wire::{Frame, frame};
use crate::support::real_backends::on_real_backends;
use crate::support::state::state_dir;
use crate::support::{run, traces};

on_real_backends! {
    in_mode:
    after_59_daily_histories_a_stream_of_bars_outlives_a_restart
    a_stream_that_meets_pacing_after_a_restart_waits_for_its_turn
    the_old_subscription_is_cancelled_before_the_next_is_asked_for
    a_subscription_that_the_gateway_wants_renewed_is_and_a_refused_one_is_not
    a_stream_that_goes_on_with_another_contract_does_so_again_after_a_gap
}

fn in_mode(mode: ConnectionMode, test: impl AsyncFnOnce(ConnectionMode)) {
    run(test(mode));
}

async fn after_59_daily_histories_a_stream_of_bars_outlives_a_restart(mode: ConnectionMode) {
    let stage = Stage::new(mode, NobodyListens::new());
    let first = stage.gateway();
    let session = stage.supervisor.session().await.unwrap();
    let begun = Instant::now();
    for days in 1..=59 {
        let duration = HistoricalDuration { amount: days, unit: 'D' };
        let contract = Contract::stock("AAPL");
        let params =
            HistoricalBarsParams::last_day(contract).with_duration(duration).with_bar_size(BarSize::Day1);
        session.historical_bars(params).await.unwrap();
    }
    assert!(begun.elapsed() < PATIENCE / 2, "none of them waits: {:?}", begun.elapsed());
    let mut bars = stage.bars(BarSize::Min1).await;
    let given = history(next(&mut bars).await);
    assert!(!given.is_empty());

    drop(first);
    let again = stage.gateway();
    let new = after_the_gap(&mut bars).await;
    assert_not_given(&given, &new);
    assert_eq!((bars.generation(), again.stats().requested("reqHistoricalData")), (2, 1));
    stage.close().await;
}

/// Bars of five seconds may not be asked for again within 15 s, which is longer than a request may wait here.
async fn a_stream_that_meets_pacing_after_a_restart_waits_for_its_turn(mode: ConnectionMode) {
    let stage = Stage::new(mode, NobodyListens::new());
    let first = stage.gateway();
    let mut bars = stage.bars(BarSize::Secs5).await;
    let asked = Instant::now();
    let given = history(next(&mut bars).await);
    drop(first);
    let again = stage.gateway();
    let new = after_the_gap(&mut bars).await;
    assert!(asked.elapsed() >= Duration::from_secs(14), "{:?}", asked.elapsed());
    assert_not_given(&given, &new);
    assert_eq!((bars.generation(), again.stats().requested("reqHistoricalData")), (2, 1));
    stage.close().await;
}

async fn the_old_subscription_is_cancelled_before_the_next_is_asked_for(mode: ConnectionMode) {
    let (stage, mut gateway) = Stage::played(mode);
    let mut quotes = quotes_at(&stage, &mut gateway).await;
    let first = quotes.id;
    gateway.send(&[frame!(4 { 1: -1, 2: 1_787_000_000_123_i64, 3: 1101, 4: "restored - data lost" })], -1);
    assert_eq!(heard(&mut gateway).await, Heard::Cancelled(first));
    let Heard::Asked(second) = heard(&mut gateway).await else { panic!("it is not asked for again") };
    assert_ne!(first, second);
    assert!(matches!(next(&mut quotes.stream).await, StreamItem::Gap { .. }));
    gateway.send(&[tick(3)], second);
    assert!(matches!(next(&mut quotes.stream).await, StreamItem::Data(_)));
    stage.close().await;
}

async fn a_subscription_that_the_gateway_wants_renewed_is_and_a_refused_one_is_not(mode: ConnectionMode) {
    let (stage, mut gateway) = Stage::played(mode);
    let mut quotes = quotes_at(&stage, &mut gateway).await;
    for code in [10225, 10182] {
        let old = quotes.id;
        gateway.send(&[refusal(code)], old);
        quotes.id = loop {
            match heard(&mut gateway).await {
                Heard::Cancelled(id) => assert_eq!(id, old, "{code}"),
                Heard::Asked(id) => break id,
            }
        };
        assert_ne!(quotes.id, old);
        assert!(matches!(next(&mut quotes.stream).await, StreamItem::Gap { .. }), "{code}");
        gateway.send(&[tick(1)], quotes.id);
        assert!(matches!(next(&mut quotes.stream).await, StreamItem::Data(_)), "{code}");
    }
    gateway.send(&[refusal(354)], quotes.id);
    let end = timeout(PATIENCE, quotes.stream.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!((end.kind(), end.code()), (ErrorKind::GatewayError, Some(354)));
    assert!(quotes.stream.next().await.is_none());
    stage.close().await;
}

async fn a_stream_that_goes_on_with_another_contract_does_so_again_after_a_gap(mode: ConnectionMode) {
    let (stage, mut gateway) = Stage::played(mode);
    let params = MarketDataParams::streaming(Contract::stock("IBM").with_sec_type("CFD"));
    let (stream, asked) = tokio::join!(stage.supervisor.market_data(params), heard(&mut gateway));
    let (mut stream, mut asked) = (stream.unwrap(), asked);
    for session in 1..=2 {
        let Heard::Asked(first) = asked else { panic!("{session}: {asked:?}") };
        gateway.send(&[frame!(91 { 1: ID, 2: 8_314, 3: "SMART" })], first);
        let Heard::Asked(second) = heard(&mut gateway).await else { panic!("{session}: it is not followed") };
        let told = next(&mut stream).await;
        assert!(matches!(told, StreamItem::Data(MarketDataEvent::Notice { code: 91, .. })), "{told:?}");
        gateway.send(&[tick(1)], second);
        let told = next(&mut stream).await;
        assert!(matches!(told, StreamItem::Data(MarketDataEvent::MarketDataType { .. })), "{told:?}");
        if session == 1 {
            gateway.send(&[frame!(4 { 1: -1, 2: 1_787_000_000_123_i64, 3: 1101, 4: "data lost" })], -1);
            assert_eq!(heard(&mut gateway).await, Heard::Cancelled(second));
            asked = heard(&mut gateway).await;
            assert!(matches!(next(&mut stream).await, StreamItem::Gap { .. }));
        }
    }
    stage.close().await;
}

/// A supervisor as programs start it.
struct Stage {
    supervisor: Supervisor,
    port: u16,
    worker: PrivateWorker,
    _held: Option<NobodyListens>,
    _state: TempDir,
}

impl Stage {
    fn new(mode: ConnectionMode, port: NobodyListens) -> Self {
        let stage = Self::at(mode, port.port());
        Self { _held: Some(port), ..stage }
    }

    fn played(mode: ConnectionMode) -> (Self, PlayedGateway) {
        let gateway = PlayedGateway::start();
        (Self::at(mode, gateway.port()), gateway)
    }

    fn at(mode: ConnectionMode, port: u16) -> Self {
        let (state, worker) = (state_dir(), PrivateWorker::new());
        let config = Config::default()
            .with_mode(mode)
            .with_port(port)
            .with_state_dir(state.path().to_owned())
            .with_worker_path(Some(worker.path().to_owned()))
            .with_request_timeout(Duration::from_secs(10));
        let options = SupervisorOptions::from(&config)
            .with_listener_poll(Duration::from_millis(10))
            .with_schedule(vec![Duration::from_millis(50)]);
        let supervisor = ibkr_connect::supervise_with(&config, options).unwrap();
        Self { supervisor, port, worker, _held: None, _state: state }
    }

    fn gateway(&self) -> Simulator {
        let options = SimOptions { port: self.port, historical_pacing: true, ..SimOptions::default() };
        Simulator::start(options).unwrap()
    }

    async fn bars(&self, bar_size: BarSize) -> SupervisedStream<HistoricalBarUpdatesEvent> {
        let (contract, duration) = (Contract::stock("AAPL"), HistoricalDuration { amount: 1, unit: 'D' });
        let params = HistoricalBarUpdatesParams::default()
            .with_contract(contract)
            .with_duration(duration)
            .with_bar_size(bar_size);
        self.supervisor.historical_bar_updates(params).await.unwrap()
    }

    /// Nothing is left.
    async fn close(&self) {
        self.supervisor.close().await;
        traces::assert_no_half_closed(self.port);
        self.worker.assert_none_runs();
    }
}

async fn next<T>(stream: &mut SupervisedStream<T>) -> StreamItem<T> {
    let item: Option<Result<StreamItem<T>>> =
        timeout(PATIENCE, stream.next()).await.expect("the stream hangs");
    item.expect("the stream has ended").unwrap()
}

fn bars_of(item: &StreamItem<HistoricalBarUpdatesEvent>) -> Option<Vec<BarTime>> {
    match item {
        StreamItem::Data(HistoricalBarUpdatesEvent::History { bars }) => {
            Some(bars.iter().filter_map(|bar| bar.time).collect())
        }
        _ => None,
    }
}

fn history(item: StreamItem<HistoricalBarUpdatesEvent>) -> Vec<BarTime> {
    bars_of(&item).unwrap_or_else(|| panic!("no history: {item:?}"))
}

/// The history that follows the next gap.
async fn after_the_gap(bars: &mut SupervisedStream<HistoricalBarUpdatesEvent>) -> Vec<BarTime> {
    while !matches!(next(bars).await, StreamItem::Gap { .. }) {}
    history(next(bars).await)
}

/// Of the bars that were given before, only the newest, which may not have been over, is given again.
fn assert_not_given(given: &[BarTime], new: &[BarTime]) {
    let given: BTreeSet<_> = given[..given.len() - 1].iter().map(ToString::to_string).collect();
    let again: Vec<_> = new.iter().filter(|time| given.contains(&time.to_string())).collect();
    assert!(again.is_empty(), "given again: {again:?}");
}

/// What the client asks of a Gateway that is played by hand.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Asked(i64),
    Cancelled(i64),
}

/// The next of its words about market data. Its questions for the accounts are answered meanwhile.
async fn heard(gateway: &mut PlayedGateway) -> Heard {
    loop {
        let received = gateway.receive(PATIENCE).await.expect("the client says something");
        let id = || message_id(&received.body);
        match received.message {
            17 => gateway.send(&[frame!(15 { 1: "DU7654321,DU7654322," })], -1),
            1 => return Heard::Asked(id()),
            2 => return Heard::Cancelled(id()),
            other => panic!("the client sends {other}"),
        }
    }
}

fn message_id(body: &[u8]) -> i64 {
    frame!(2 { 1: ID }).body.id_in(body).expect("the id of a request")
}

struct Quotes {
    stream: SupervisedStream<MarketDataEvent>,
    id: i64,
}

/// Quotes that have come.
async fn quotes_at(stage: &Stage, gateway: &mut PlayedGateway) -> Quotes {
    let params = MarketDataParams::streaming(Contract::stock("AAPL"));
    let (stream, asked) = tokio::join!(stage.supervisor.market_data(params), heard(gateway));
    let Heard::Asked(id) = asked else { panic!("{asked:?}") };
    let mut stream = stream.unwrap();
    gateway.send(&[tick(1)], id);
    assert!(matches!(next(&mut stream).await, StreamItem::Data(_)));
    Quotes { stream, id }
}

/// The kind of the data.
fn tick(kind: i64) -> Frame {
    frame!(58 { 1: ID, 2: kind })
}

fn refusal(code: i64) -> Frame {
    frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: code, 4: "as planned" })
}
