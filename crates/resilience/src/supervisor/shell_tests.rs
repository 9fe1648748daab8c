//! The supervisor's loop with an in-memory Gateway, in virtual time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams, Notice, PositionUpdatesEvent};
use ibkr_connect_core::{ErrorKind, Event, Request, StreamRequest};
use ibkr_connect_state::{Clock, Moment, Stamp};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use self::gateway::InMemoryGateway;
use super::*;

mod events;
mod gateway;
mod handles;
mod transitions;

pub(crate) use self::gateway::info;

/// A clock that goes with tokio's, and that a test can move ahead of it: timers stand still while a machine sleeps.
#[derive(Debug, Clone)]
pub(crate) struct TokioClock {
    origin: Instant,
    moved: Arc<Mutex<(Duration, SignedDuration)>>,
}

impl TokioClock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), moved: Arc::default() }
    }

    /// The machine sleeps for so long.
    fn sleeps(&self, length: Duration) {
        self.moved().0 += length;
    }

    /// The wall clock is set by so much.
    fn is_set(&self, by: SignedDuration) {
        self.moved().1 += by;
    }

    fn moved(&self) -> std::sync::MutexGuard<'_, (Duration, SignedDuration)> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Stamp {
        let (slept, set) = *self.moved();
        let passed = self.origin.elapsed() + slept;
        let wall = Timestamp::UNIX_EPOCH + passed + set;
        Stamp { boot: "test".to_owned(), at: Moment::from_millis(1_000) + passed, wall }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor in this runtime, its Gateway and its clock.
struct Stage {
    supervisor: Supervisor,
    gateway: InMemoryGateway,
    clock: TokioClock,
}

impl Stage {
    fn new() -> Self {
        Self::with(InMemoryGateway::default())
    }

    fn with(gateway: InMemoryGateway) -> Self {
        let clock = TokioClock::start();
        let target = Target::default().with_host("gw.example");
        let (supervisor, shell, ended) = Supervisor::new(
            Arc::new(gateway.clone()),
            target,
            SupervisorOptions::default(),
            Arc::new(clock.clone()),
        );
        tokio::spawn(async move {
            shell.run().await;
            drop(ended);
        });
        Self { supervisor, gateway, clock }
    }

    /// With a session.
    async fn up() -> Self {
        let stage = Self::new();
        stage.supervisor.session().await.unwrap();
        stage
    }

    async fn quotes(&self) -> SupervisedStream {
        self.supervisor.subscribe(quotes()).await.unwrap()
    }

    /// The state after some time has passed.
    async fn state_after(&self, time: Duration) -> SupervisorState {
        sleep(time).await;
        self.supervisor.state()
    }

    fn seconds(&self) -> f64 {
        let now = self.clock.now().wall;
        now.as_millisecond() as f64 / 1e3
    }
}

fn quotes() -> StreamRequest {
    StreamRequest::MarketData(MarketDataParams::streaming(Contract::stock("AAPL")))
}

fn quote(number: i32) -> Event {
    Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: number })
}

fn position_end() -> Event {
    Event::PositionUpdates(PositionUpdatesEvent::End {})
}

fn notice(code: i32, message: &str) -> Event {
    Event::Notices(ibkr_connect_core::literal!(Notice { code, message: message.to_owned(), time: None }))
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "as planned")
}

fn refusal(code: i32) -> Error {
    error(ErrorKind::GatewayError).with_code(code)
}

/// The next item, if one comes within a minute.
async fn next(stream: &mut SupervisedStream) -> Option<Result<StreamItem>> {
    timeout(60 * SECOND, stream.next()).await.expect("the stream hangs")
}

#[track_caller]
fn assert_data(item: Option<Result<StreamItem>>, event: Event) {
    assert_eq!(item.unwrap().unwrap(), StreamItem::Data(event));
}

/// The seconds of a gap.
#[track_caller]
fn gap(item: Option<Result<StreamItem>>) -> (f64, f64) {
    match item.unwrap().unwrap() {
        StreamItem::Gap { from, to } => {
            (from.as_millisecond() as f64 / 1e3, to.as_millisecond() as f64 / 1e3)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_in_the_next_session_after_one_gap() {
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    assert_eq!(stream.generation(), 1);
    stage.gateway.newest(&quotes()).send(quote(1));
    assert_data(next(&mut stream).await, quote(1));
    sleep(100 * SECOND).await;
    stage.gateway.newest(&quotes()).send(quote(2));
    stage.gateway.loses_all();
    assert_data(next(&mut stream).await, quote(2));
    let (from, to) = gap(next(&mut stream).await);
    assert!((70.0..=96.0).contains(&from) && (100.0..=102.0).contains(&to), "{from} to {to}");
    assert_eq!((stream.generation(), stage.supervisor.generation()), (2, 2));
    stage.gateway.newest(&quotes()).send(quote(3));
    assert_data(next(&mut stream).await, quote(3));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_wanted_before_there_is_a_session_and_is_given_up_with_its_future() {
    let gateway = InMemoryGateway::default();
    gateway.refuses(Some(error(ErrorKind::Rejected)));
    let stage = Stage::with(gateway);
    assert!(timeout(600 * SECOND, stage.supervisor.subscribe(quotes())).await.is_err(), "it waits");
    stage.gateway.refuses(None);
    let mut stream = stage.quotes().await;
    assert_eq!(stage.gateway.opened(&quotes()), 1, "nobody waits for the first one");
    stage.gateway.newest(&quotes()).send(quote(7));
    assert_data(next(&mut stream).await, quote(7));
    drop(stream);
    sleep(SECOND).await;
    assert_eq!(stage.gateway.cancelled(&quotes()), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_began_before_the_session_did_is_in_the_gap() {
    let gateway = InMemoryGateway::default();
    gateway.keeps(vec![notice(1100, "lost")]);
    let stage = Stage::with(gateway);
    stage.supervisor.session().await.unwrap();
    let mut stream = stage.quotes().await;
    sleep(100 * SECOND).await;
    stage.gateway.keeps(Vec::new());
    stage.gateway.loses_all();
    let (from, to) = gap(next(&mut stream).await);
    assert!(from < 1.0 && to > 100.0, "nothing came from IBKR's servers: {from} to {to}");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_stream_learns_of_the_end() {
    let gateway = InMemoryGateway::default();
    gateway.refuses(Some(error(ErrorKind::Rejected)));
    let Stage { supervisor, .. } = Stage::with(gateway);
    let supervisor = Arc::new(supervisor);
    let waiting = Arc::clone(&supervisor);
    let waiting = tokio::spawn(async move { waiting.subscribe(quotes()).await });
    sleep(SECOND).await;
    supervisor.close().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.message().contains("rejected"), "with the last failure: {error}");
    let error = supervisor.subscribe(quotes()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_no_gateway_could_make_sense_of_is_refused_at_once() {
    let stage = Stage::new();
    let nothing = StreamRequest::MarketData(MarketDataParams::default());
    let error = timeout(SECOND, stage.supervisor.subscribe(nothing)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test(start_paused = true)]
async fn our_own_limits_keep_a_stream_waiting_and_the_gateways_refusal_ends_it() {
    let stage = Stage::up().await;
    for kind in [ErrorKind::Timeout, ErrorKind::Busy, ErrorKind::Disconnected] {
        stage.gateway.next_opening_fails(&quotes(), error(kind));
    }
    let mut stream = stage.quotes().await;
    assert!((7.0..7.5).contains(&stage.seconds()), "after 1, 2 and 4 s: {}", stage.seconds());
    stage.gateway.newest(&quotes()).finish(Err(refusal(10225)));
    let (from, to) = gap(next(&mut stream).await);
    assert!(from <= to);
    stage.gateway.newest(&quotes()).finish(Err(refusal(354)));
    assert_eq!(next(&mut stream).await.unwrap().unwrap_err().code(), Some(354));
    assert!(next(&mut stream).await.is_none());

    stage.gateway.next_opening_fails(&quotes(), refusal(200));
    assert_eq!(stage.supervisor.subscribe(quotes()).await.unwrap_err().code(), Some(200));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_backend_is_internal_and_the_failure_of_one_stream_alone() {
    let stage = Stage::up().await;
    stage.gateway.next_opening_panics(&quotes());
    let error = stage.supervisor.subscribe(quotes()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().contains("as planned"), "{error}");
    let mut stream = stage.quotes().await;
    stage.gateway.newest(&quotes()).send(quote(1));
    assert_data(next(&mut stream).await, quote(1));
    stage.gateway.next_opening_panics(&quotes());
    stage.gateway.newest(&quotes()).finish(Err(refusal(316)));
    gap(next(&mut stream).await);
    assert_eq!(stage.supervisor.state(), SupervisorState::Ready);
}

#[tokio::test(start_paused = true)]
async fn void_market_data_are_ended_and_opened_again_and_nothing_else_is() {
    let stage = Stage::up().await;
    let mut market = stage.quotes().await;
    let mut account = stage.supervisor.subscribe(StreamRequest::PositionUpdates).await.unwrap();
    sleep(10 * SECOND).await;
    stage.gateway.says(notice(1100, "lost"));
    sleep(SECOND).await;
    stage.gateway.says(notice(1101, "restored, data lost"));
    let (from, to) = gap(next(&mut market).await);
    assert!((5.0..=10.1).contains(&from) && (11.0..=11.2).contains(&to), "{from} to {to}");
    assert_eq!(
        (stage.gateway.cancelled(&quotes()), stage.gateway.cancelled(&StreamRequest::PositionUpdates)),
        (1, 0)
    );
    assert_eq!(stage.gateway.most_at_once(&quotes()), 1, "before the new one was opened");
    assert_eq!(
        (stage.gateway.opened(&quotes()), stage.gateway.opened(&StreamRequest::PositionUpdates)),
        (2, 1)
    );
    stage.gateway.newest(&StreamRequest::PositionUpdates).send(position_end());
    assert_data(next(&mut account).await, position_end());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_somebody_closes_does_not_look_like_the_end_of_its_streams() {
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    // As a worker ends its streams when it is shut down.
    stage.gateway.newest(&quotes()).finish(Ok(()));
    stage.supervisor.current().unwrap().close().await.unwrap();
    gap(next(&mut stream).await);
    assert_eq!(stream.generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn notices_that_end_are_asked_for_again_and_heard() {
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    stage.gateway.newest(&StreamRequest::Notices).finish(Err(error(ErrorKind::SlowConsumer)));
    sleep(2 * SECOND).await;
    assert_eq!(stage.gateway.opened(&StreamRequest::Notices), 2);
    stage.gateway.says(notice(1101, "restored, data lost"));
    gap(next(&mut stream).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_heard_is_a_warning() {
    let told = events::Recorder::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let stage = Stage::up().await;
    assert!(!told.names().contains(&"gateway_not_heard".to_owned()));
    stage.gateway.newest(&StreamRequest::Notices).finish(Err(error(ErrorKind::SlowConsumer)));
    sleep(SECOND).await;
    assert!(told.warnings().contains(&"gateway_not_heard".to_owned()), "{:?}", told.names());
}

#[tokio::test(start_paused = true)]
async fn a_silent_gateway_is_asked_one_question_at_a_time_and_given_up_after_three() {
    let stage = Stage::up().await;
    stage.gateway.falls_mute();
    assert!(!stage.state_after(31 * SECOND).await.is_usable());
    assert_eq!(stage.gateway.questions(), (2, 1), "the first one was given up when the second was asked");
    assert_eq!(stage.supervisor.generation(), 1);
    stage.gateway.answers_again();
    sleep(61 * SECOND).await;
    assert_eq!((stage.supervisor.generation(), stage.supervisor.state()), (1, SupervisorState::Ready));
    stage.gateway.falls_mute();
    sleep(95 * SECOND).await;
    stage.gateway.answers_again();
    sleep(SECOND).await;
    assert_eq!((stage.supervisor.generation(), stage.supervisor.state()), (2, SupervisorState::Ready));
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_has_slept_the_session_is_asked_before_it_is_trusted_or_condemned() {
    let stage = Stage::up().await;
    let mut states = stage.supervisor.states();
    stage.clock.sleeps(600 * SECOND);
    states.mark_unchanged();
    timeout(2 * SECOND, states.changed()).await.expect("within a second of the waking").unwrap();
    assert!(!states.borrow_and_update().is_usable(), "its last answer is ten minutes old");
    timeout(2 * SECOND, states.changed()).await.unwrap().unwrap();
    assert_eq!((states.borrow().clone(), stage.supervisor.generation()), (SupervisorState::Ready, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_lost_while_the_machine_slept_leaves_a_gap_of_its_length() {
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    sleep(100 * SECOND).await;
    stage.clock.sleeps(600 * SECOND);
    stage.gateway.loses_all();
    let (from, to) = gap(next(&mut stream).await);
    assert!((70.0..=100.0).contains(&from) && (700.0..=702.0).contains(&to), "{from} to {to}");
    assert_eq!(stage.gateway.connects(), 2, "no storm");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_moves_no_gap_that_began_before() {
    for day in [86_400, -86_400] {
        let stage = Stage::up().await;
        let mut stream = stage.quotes().await;
        sleep(100 * SECOND).await;
        stage.gateway.refuses(Some(error(ErrorKind::Rejected).in_phase(ibkr_connect_core::Phase::Version)));
        stage.gateway.loses_all();
        sleep(5 * SECOND).await;
        stage.clock.is_set(SignedDuration::from_secs(day));
        let connects = stage.gateway.connects();
        sleep(600 * SECOND).await;
        assert!((20..=21).contains(&(stage.gateway.connects() - connects)), "every half minute, as before");
        let SupervisorState::Recovering { next: NextAttempt::At(at), .. } = stage.supervisor.state() else {
            panic!("{:?}", stage.supervisor.state());
        };
        assert!(at.duration_since(stage.clock.now().wall).as_secs() <= 30, "by the clock of now");
        stage.gateway.refuses(None);
        let (from, to) = gap(next(&mut stream).await);
        let day = day as f64;
        assert!((70.0..=100.0).contains(&from), "{from}");
        assert!((700.0..=740.0).contains(&(to - day)), "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_answers_nothing_but_pings_is_degraded_until_it_does() {
    let stage = Stage::up().await;
    stage.gateway.answers_pings_only();
    let ask = || async {
        let session = stage.supervisor.current().unwrap();
        session.with_timeout(Duration::from_millis(5)).request(Request::Positions).await
    };
    for _ in 0..2 {
        assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert_eq!(stage.state_after(SECOND).await, SupervisorState::Ready);
    ask().await.unwrap_err();
    let SupervisorState::Degraded(damage) = stage.state_after(SECOND).await else { panic!() };
    assert_eq!(damage.requests_unanswered, 3);
    assert!(
        matches!(stage.state_after(100 * SECOND).await, SupervisorState::Degraded(_)),
        "pings are answered"
    );
    assert_eq!(stage.supervisor.generation(), 1);
    stage.gateway.answers_again();
    ask().await.unwrap();
    assert_eq!(stage.state_after(SECOND).await, SupervisorState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_lively_stream_that_stays_silent_after_an_outage_is_asked_for_again() {
    let told = events::Recorder::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let stage = Stage::up().await;
    let mut stream = stage.quotes().await;
    let source = stage.gateway.newest(&quotes());
    for number in 0..60 {
        source.send(quote(number));
        assert_data(next(&mut stream).await, quote(number));
        sleep(SECOND).await;
    }
    // It comes after the last look and before the outage, and is not a sign of life after it.
    source.send(quote(60));
    assert_data(next(&mut stream).await, quote(60));
    stage.gateway.says(notice(2103, "Market data farm connection is broken:usfarm"));
    stage.gateway.says(notice(2104, "Market data farm connection is OK:usfarm"));
    let (from, to) = gap(next(&mut stream).await);
    assert!((50.0..=60.1).contains(&from) && (80.0..=90.0).contains(&to), "{from} to {to}");
    assert!(told.warnings().contains(&"stream_silent".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_gets_what_was_kept_then_a_gap_then_what_follows() {
    let stage = Stage::up().await;
    let flow = FlowControl::Lossless { capacity: 2 };
    let mut stream = stage.supervisor.with_flow(flow).subscribe(quotes()).await.unwrap();
    let source = stage.gateway.newest(&quotes());
    (0..5).for_each(|number| source.send(quote(number)));
    drop(source);
    sleep(60 * SECOND).await;
    assert_eq!(stage.gateway.opened(&quotes()), 1, "it is not asked for before the rest is read");
    assert_data(next(&mut stream).await, quote(0));
    assert_data(next(&mut stream).await, quote(1));
    gap(next(&mut stream).await);
    stage.gateway.newest(&quotes()).send(quote(9));
    assert_data(next(&mut stream).await, quote(9));
}
