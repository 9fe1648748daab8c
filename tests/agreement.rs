//! The real backends agree: for the same Gateway the same replies, down to the last digit.

#[path = "support/mod.rs"]
mod support;

use ibkr_connect::types::{
    AccountSummaryParams, Contract, HistoricalBarUpdatesEvent, HistoricalBarUpdatesParams, HistoricalBars,
    HistoricalBarsParams, MarketDataParams,
};
use ibkr_connect::{Event, Reply, Request, Session, StreamRequest, Target, session_over};
use ibkr_connect_sim::{SimOptions, Simulator};

use crate::support::backend::{Backend, target};
use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{PATIENCE, run, run_within};

/// A test per request.
macro_rules! same_reply {
    ($( $name:ident: $request:expr; )+) => { $( #[test] fn $name() { run(compare_replies($request)); } )+ };
}

same_reply! {
    managed_accounts: Request::ManagedAccounts;
    account_summary: Request::AccountSummary(AccountSummaryParams::default());
    positions: Request::Positions;
    contract_details: Request::ContractDetails(Contract::stock("AAPL"));
    contract_details_of_a_future: Request::ContractDetails(ibkr_connect::literal!(Contract { sec_type: "FUT".into(), symbol: "ES".to_owned(), ..Contract::default() }));
    historical_bars: Request::HistoricalBars(bars("1 D", "5 mins"));
    historical_days: Request::HistoricalBars(bars("1 M", "1 day"));
}

/// A test per stream: the first events are the same.
macro_rules! same_events {
    ($( $name:ident: $request:expr; )+) => { $( #[test] fn $name() { run(compare_events($request)); } )+ };
}

same_events! {
    snapshot: StreamRequest::MarketData(MarketDataParams::snapshot(Contract::forex("EUR", "USD")));
    stream: StreamRequest::MarketData(MarketDataParams::streaming(Contract::stock("AAPL")));
}

fn bars(duration: &str, bar_size: &str) -> HistoricalBarsParams {
    HistoricalBarsParams::last_day(Contract::stock("AAPL"))
        .with_end(Some("2026-07-10T20:00:00Z".parse().unwrap()))
        .with_duration(duration.parse().unwrap())
        .with_bar_size(bar_size.parse().unwrap())
}

async fn compare_replies(request: Request) {
    compare(
        async |session| session.request(request.clone()).await.unwrap(),
        |reply: &Reply| format!("{reply:?}"),
    )
    .await;
}

/// What one frame of TWS's can hold, 16 MiB, is more than a line of the worker's.
#[test]
fn two_hundred_thousand_bars() {
    const COUNT: usize = 200_000;
    let ask = async |session: &Session| session.historical_bars(bars("1 D", "5 secs")).await.unwrap();
    let HistoricalBars { bars, .. } =
        run_within(6 * PATIENCE, same_of_a_fake(Behaviour::AnswersWithBars(COUNT), ask));
    assert_eq!(bars.len(), COUNT);
    let (first, last) = (&bars[0], &bars[COUNT - 1]);
    let times = [first, last].map(|bar| bar.time.unwrap().to_string());
    assert_eq!(times, ["2026-07-02T13:46:40Z", "2026-07-14T03:33:15Z"]);
    assert_eq!((first.open, last.open), (Some(230.0), Some(249.9999)));
}

#[test]
fn a_text_with_all_that_json_has_to_mark() {
    let behaviour = Behaviour::AnswersWithXml(20_000);
    let ask = async |session: &Session| session.scanner_parameters().await.unwrap();
    let xml = run_within(6 * PATIENCE, same_of_a_fake(behaviour, ask));
    assert_eq!(xml.lines().count(), 20_000);
    assert!(xml.lines().all(|line| line == "<Instrument type=\"STK\" name=\"US Stocks, a\\b, ä\"/>"));
}

/// They are one event.
#[test]
fn a_stream_that_begins_with_many_bars() {
    const COUNT: usize = 20_000;
    let params = HistoricalBarUpdatesParams::default().with_contract(Contract::stock("AAPL"));
    let stream = StreamRequest::HistoricalBarUpdates(params);
    let ask = async |session: &Session| {
        let mut stream = session.subscribe(stream.clone()).await.unwrap();
        let first = stream.next().await.unwrap().unwrap();
        (first, stream.next().await.unwrap().unwrap())
    };
    let (history, end) = run_within(6 * PATIENCE, same_of_a_fake(Behaviour::AnswersWithBars(COUNT), ask));
    let Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::History { bars }) = history else {
        panic!("another event")
    };
    assert_eq!((bars.len(), bars[COUNT - 1].open), (COUNT, Some(231.9999)));
    assert!(matches!(end, Event::HistoricalBarUpdates(HistoricalBarUpdatesEvent::End { .. })), "{end:?}");
}

/// Asks all real backends; they answer the same.
async fn same_of_a_fake<T: PartialEq>(behaviour: Behaviour, ask: impl AsyncFn(&Session) -> T) -> T {
    let gateway = FakeGateway::start(behaviour);
    let target = target(gateway.port()).with_request_timeout(3 * PATIENCE);
    same(&target, ask, |_| String::new()).await
}

async fn compare_events(request: StreamRequest) {
    let first_events = async |session: &Session| {
        let mut stream = session.subscribe(request.clone()).await.unwrap();
        let mut events = Vec::<Event>::new();
        while events.len() < 40
            && let Some(event) = stream.next().await
        {
            events.push(event.unwrap());
        }
        events
    };
    compare(first_events, |events| format!("{events:?}")).await;
}

/// Asks all real backends; the answers are equal and say something.
async fn compare<T: PartialEq>(ask: impl AsyncFn(&Session) -> T, show: impl Fn(&T) -> String) {
    let gateway = Simulator::start(SimOptions {
        accounts: vec!["DU1".to_owned(), "DU2".to_owned()],
        seed: 42,
        tick_interval: std::time::Duration::from_millis(5),
        replay: Some("2026-07-10T15:00:00Z".parse().unwrap()),
        ..SimOptions::default()
    })
    .unwrap();
    let shown = show(&same(&target(gateway.port()), ask, &show).await);
    assert!(shown.len() > 10, "{shown}");
}

/// What all real backends answer; what differs is shown.
async fn same<T: PartialEq>(
    target: &Target,
    ask: impl AsyncFn(&Session) -> T,
    show: impl Fn(&T) -> String,
) -> T {
    let answer = async |mode| {
        let session = session_over(&*Backend::new(mode), target).await.unwrap();
        let answer = ask(&session).await;
        session.close().await.unwrap();
        answer
    };
    let [first, others @ ..] = REAL_BACKENDS;
    let expected = answer(first).await;
    for other in others {
        let answer = answer(other).await;
        assert!(answer == expected, "{first} and {other} differ:\n{}\n{}", show(&expected), show(&answer));
    }
    expected
}
