//! The state machine of streams, event by event.

use ibkr_connect_core::StreamRequest;
use ibkr_connect_core::types::{Contract, FarmKind, HistoricalBarUpdatesParams, MarketDataParams};

use super::*;

const ONE: StreamId = StreamId(1);
const TWO: StreamId = StreamId(2);
const LIMIT: Duration = Duration::from_secs(90);

fn at(seconds: u64) -> Reading {
    Reading::START + Duration::from_secs(seconds)
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "as planned")
}

fn code(code: i32) -> Error {
    error(ErrorKind::GatewayError).with_code(code)
}

/// Actions as text: ids, numbers of subscriptions, seconds.
fn describe(action: &Action) -> String {
    let seconds = |reading: Reading| reading.since(at(0)).as_secs();
    match action {
        Action::Open { id, opening } => format!("open {}/{}", id.0, opening.0),
        Action::Cancel { id, opening } => format!("cancel {}/{}", id.0, opening.0),
        Action::Deliver { id, gap: None } => format!("hand {}", id.0),
        Action::Deliver { id, gap: Some(Gap { from, to }) } => {
            format!("hand {}, gap {}..{}", id.0, seconds(*from), seconds(*to))
        }
        Action::End { id, end: Ok(()) } => format!("end {}", id.0),
        Action::End { id, end: Err(error) } => format!("end {}: {}", id.0, error.kind()),
        Action::Forget { id } => format!("forget {}", id.0),
        Action::AskAgain { id, why: ResubscribeReason::Silent, .. } => format!("silent {}", id.0),
        Action::AskAgain { id, why: ResubscribeReason::Failed(error), pause } => {
            format!("again {} in {} s: {}", id.0, pause.as_secs(), error.kind())
        }
    }
}

struct Driver(Streams);

impl Driver {
    fn new() -> Self {
        Self(Streams::new(LIMIT, at(0)))
    }

    /// A session in which these are open since 0 s, with the subscriptions 1, 2, ... and a consumer that reads.
    fn with(contents: &[Content]) -> Self {
        let mut driver = Self::new();
        driver.tell(0, Event::SessionUp);
        for (number, content) in (1..).zip(contents) {
            let id = StreamId(number);
            let opens = driver.tell(0, Event::Registered { id, content: *content });
            assert_eq!(opens, [format!("open {number}/{number}")]);
            assert_eq!(driver.opened(0, id, number), [format!("hand {number}")]);
        }
        driver
    }

    fn tell(&mut self, now: u64, event: Event) -> Vec<String> {
        self.0.on(at(now), event).iter().map(describe).collect()
    }

    fn tick(&mut self, now: u64) -> Vec<String> {
        self.tell(now, Event::Tick)
    }

    /// It is open, and the consumer takes it.
    fn opened(&mut self, now: u64, id: StreamId, opening: u64) -> Vec<String> {
        let opening = OpeningId(opening);
        let actions = self.tell(now, Event::Opened { id, opening });
        assert_eq!(self.tell(now, Event::Taken { id, opening }), Vec::<String>::new());
        actions
    }

    fn ended(&mut self, now: u64, opening: u64, end: Result<(), Error>) -> Vec<String> {
        self.tell(now, Event::Ended { id: ONE, opening: OpeningId(opening), received: 1, end })
    }

    fn released(&mut self, now: u64, opening: u64) -> Vec<String> {
        self.tell(now, Event::Released { id: ONE, opening: OpeningId(opening) })
    }

    fn sampled(&mut self, now: u64, opening: u64, received: u64, unread: usize) -> Vec<String> {
        self.tell(
            now,
            Event::Sampled(vec![Sample { id: ONE, opening: OpeningId(opening), received, unread }]),
        )
    }

    /// The farms of this kind.
    fn farm(&mut self, now: u64, kind: FarmKind, status: FarmStatus) -> Vec<String> {
        let change = Connectivity::DataFarm { kind, name: "usfarm".to_owned(), status };
        self.tell(now, Event::Connectivity(change))
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_stream_waits_for_a_session() {
    let mut driver = Driver::new();
    assert_eq!(driver.tell(0, Event::Registered { id: ONE, content: Content::Market }), NOTHING);
    assert_eq!((driver.tick(100), driver.0.wake_at()), (Vec::new(), None));
    assert_eq!(driver.tell(200, Event::SessionUp), ["open 1/1"]);
    assert_eq!(driver.opened(201, ONE, 1), ["hand 1"], "nothing was promised before");
}

#[test]
fn a_lost_session_is_waited_for_and_the_gap_begins_at_its_last_proof() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.sampled(90, 1, 7, 0);
    driver.sampled(95, 1, 7, 0);
    assert_eq!(driver.ended(100, 1, Err(error(ErrorKind::Disconnected))), ["again 1 in 1 s: disconnected"]);
    assert_eq!(driver.tell(100, Event::SessionLost { last_answer: at(72) }), NOTHING);
    assert_eq!(driver.tick(200), NOTHING, "there is no session");
    assert_eq!(driver.tell(300, Event::SessionUp), ["open 1/2"]);
    assert_eq!(driver.opened(301, ONE, 2), ["hand 1, gap 72..301"]);
}

#[test]
fn a_subscription_in_a_lost_session_is_cancelled_so_that_nothing_late_comes_from_it() {
    let mut driver = Driver::with(&[Content::Market, Content::Account]);
    assert_eq!(driver.tell(100, Event::SessionLost { last_answer: at(72) }), ["cancel 1/1", "cancel 2/2"]);
    assert_eq!(driver.tell(101, Event::SessionUp), ["open 1/3", "open 2/4"]);
    assert_eq!(driver.ended(101, 1, Ok(())), NOTHING, "too late");
    assert_eq!(driver.released(101, 1), NOTHING);
    assert_eq!(driver.opened(102, ONE, 1), NOTHING, "an opening of the lost session is nobody's");
    assert_eq!(driver.opened(102, ONE, 3), ["hand 1, gap 0..102"]);
}

#[test]
fn a_gap_begins_where_the_consumer_had_last_read_everything() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.sampled(45, 1, 90, 0);
    driver.sampled(50, 1, 100, 0);
    driver.sampled(55, 1, 200, 30);
    driver.sampled(60, 1, 200, 3);
    driver.tell(100, Event::SessionLost { last_answer: at(90) });
    driver.tell(101, Event::SessionUp);
    assert_eq!(driver.opened(102, ONE, 2), ["hand 1, gap 45..102"], "a worker may have kept what came since");
}

#[test]
fn a_session_that_is_lost_while_streams_are_opened_makes_no_gap_of_its_own() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.tell(100, Event::SessionLost { last_answer: at(90) });
    assert_eq!(driver.tell(101, Event::SessionUp), ["open 1/2"]);
    assert_eq!(driver.tell(110, Event::SessionLost { last_answer: at(105) }), ["cancel 1/2"]);
    assert_eq!(driver.tell(120, Event::SessionUp), ["open 1/3"]);
    assert_eq!(
        driver.opened(121, ONE, 3),
        ["hand 1, gap 0..121"],
        "nobody has looked at it since it was opened"
    );
}

#[test]
fn a_gap_begins_with_the_outage_in_which_the_session_was_lost() {
    let lost = |outage: Connectivity, over: Option<Connectivity>| {
        let mut driver = Driver::with(&[Content::Market]);
        (1..=10).for_each(|look| drop(driver.sampled(look * 5, 1, look, 0)));
        driver.tell(30, Event::Connectivity(outage.clone()));
        driver.tell(35, Event::Connectivity(outage));
        over.map(|over| driver.tell(40, Event::Connectivity(over)));
        driver.tell(50, Event::SessionLost { last_answer: at(48) });
        driver.tell(51, Event::SessionUp);
        driver.opened(52, ONE, 2)
    };
    let (kept, none) = (Connectivity::Restored { data_kept: true }, None);
    assert_eq!(lost(Connectivity::Lost {}, none.clone()), ["hand 1, gap 30..52"]);
    assert_eq!(lost(Connectivity::Broken {}, none), ["hand 1, gap 30..52"]);
    assert_eq!(lost(Connectivity::Lost {}, Some(kept)), ["hand 1, gap 45..52"]);
    let name = || String::new();
    let farm =
        Connectivity::DataFarm { kind: FarmKind::MarketData, name: name(), status: FarmStatus::Connected };
    assert_eq!(lost(Connectivity::Broken {}, Some(farm.clone())), ["hand 1, gap 45..52"]);
    assert_eq!(
        lost(Connectivity::Lost {}, Some(farm)),
        ["hand 1, gap 30..52"],
        "a 1100 ends with 1101 or 1102"
    );
}

#[test]
fn an_outage_of_one_session_is_none_of_the_next() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.tell(30, Event::Connectivity(Connectivity::Lost {}));
    driver.tell(50, Event::SessionLost { last_answer: at(48) });
    driver.tell(51, Event::SessionUp);
    driver.opened(52, ONE, 2);
    (12..=16).for_each(|look| drop(driver.sampled(look * 5, 2, look, 0)));
    driver.tell(90, Event::SessionLost { last_answer: at(80) });
    driver.tell(91, Event::SessionUp);
    assert_eq!(driver.opened(92, ONE, 3), ["hand 1, gap 75..92"]);
}

#[test]
fn void_are_market_data_and_nothing_else() {
    let contents = [Content::Market, Content::Account, Content::Bars, Content::Gateway, Content::Snapshot];
    let mut driver = Driver::with(&contents);
    let cancelled = driver.tell(100, Event::Void { since: at(80) });
    assert_eq!(cancelled, ["cancel 1/1", "cancel 3/3", "cancel 5/5"]);
}

#[test]
fn the_old_subscription_is_ended_before_the_new_one_is_opened() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.sampled(94, 1, 5, 0);
    driver.sampled(99, 1, 5, 0);
    assert_eq!(driver.tell(100, Event::Void { since: at(80) }), ["cancel 1/1"]);
    assert_eq!(
        driver.ended(100, 1, Err(error(ErrorKind::Closed))),
        NOTHING,
        "that is how a cancelled one ends"
    );
    assert_eq!(driver.tick(101), NOTHING);
    assert_eq!(driver.released(101, 1), ["open 1/2"]);
    assert_eq!(driver.opened(101, ONE, 2), ["hand 1, gap 80..101"]);
}

#[test]
fn a_backend_that_does_not_let_go_is_not_waited_for_for_ever() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.tell(100, Event::Void { since: at(80) });
    assert_eq!(driver.0.wake_at(), Some(at(102)));
    assert_eq!(driver.tick(101), NOTHING);
    assert_eq!(driver.tick(102), ["open 1/2"]);
}

#[test]
fn a_1101_while_a_stream_is_being_opened_opens_it_again() {
    let mut driver = Driver::new();
    driver.tell(0, Event::SessionUp);
    driver.tell(1, Event::Registered { id: ONE, content: Content::Market });
    assert_eq!(driver.tell(2, Event::Void { since: at(1) }), ["cancel 1/1"]);
    assert_eq!(driver.opened(2, ONE, 1), ["open 1/2"], "it was opened all the same, and nobody takes it");
    assert_eq!(driver.opened(3, ONE, 2), ["hand 1"]);
    assert_eq!(driver.tell(4, Event::Void { since: at(3) }), ["cancel 1/2"]);
    let open_failed = Event::OpenFailed { id: ONE, opening: OpeningId(2), error: code(354) };
    assert_eq!(driver.tell(4, open_failed), ["open 1/3"], "what a cancelled opening says is not a refusal");
}

#[test]
fn only_the_gateways_refusal_ends_a_stream() {
    let mut driver = Driver::with(&[Content::Market]);
    assert_eq!(driver.ended(10, 1, Err(code(354))), ["end 1: gateway_error"]);
    assert_eq!(driver.tell(11, Event::Void { since: at(1) }), NOTHING, "it is forgotten");
    let mut driver = Driver::with(&[Content::Market]);
    driver.tell(10, Event::SessionLost { last_answer: at(9) });
    driver.tell(11, Event::SessionUp);
    let open_failed = Event::OpenFailed { id: ONE, opening: OpeningId(2), error: code(200) };
    assert_eq!(driver.tell(12, open_failed), ["end 1: gateway_error"]);
}

#[test]
fn our_own_queue_and_deadlines_mean_again_with_growing_pauses() {
    let kinds = [ErrorKind::Timeout, ErrorKind::Busy, ErrorKind::Timeout, ErrorKind::Busy];
    let mut driver = Driver::new();
    driver.tell(0, Event::SessionUp);
    driver.tell(0, Event::Registered { id: ONE, content: Content::Bars });
    let mut now = 0;
    for ((opening, kind), pause) in (1..).zip(kinds).zip([1, 2, 4, 8]) {
        let open_failed = Event::OpenFailed { id: ONE, opening: OpeningId(opening), error: error(kind) };
        assert_eq!(driver.tell(now, open_failed), [format!("again 1 in {pause} s: {kind}")]);
        assert_eq!(driver.0.wake_at(), Some(at(now + pause)));
        now += pause;
        assert_eq!(driver.tick(now), [format!("open 1/{}", opening + 1)]);
    }
    assert_eq!(driver.opened(now, ONE, 5), ["hand 1"]);
}

#[test]
fn the_gateway_may_ask_for_another_subscription() {
    for number in [10225, 10182, 316] {
        let mut driver = Driver::with(&[Content::Market]);
        driver.sampled(4, 1, 1, 0);
        driver.sampled(9, 1, 1, 0);
        assert_eq!(driver.ended(10, 1, Err(code(number))), ["again 1 in 1 s: gateway_error"], "{number}");
        assert_eq!(driver.tick(11), ["open 1/2"]);
        assert_eq!(driver.opened(11, ONE, 2), ["hand 1, gap 4..11"]);
        assert_eq!(driver.ended(12, 2, Err(code(number))), ["again 1 in 2 s: gateway_error"], "it grows");
        driver.tick(14);
        driver.opened(14, ONE, 3);
        assert_eq!(
            driver.ended(74, 3, Err(code(number))),
            ["again 1 in 1 s: gateway_error"],
            "it was served"
        );
    }
    let mut driver = Driver::with(&[Content::Market]);
    assert_eq!(driver.ended(10, 1, Err(code(10197))), ["again 1 in 30 s: gateway_error"]);
    driver.tell(11, Event::SessionLost { last_answer: at(10) });
    assert_eq!(driver.tell(12, Event::SessionUp), ["open 1/2"], "another session is asked at once");
}

#[test]
fn a_complete_snapshot_is_the_end_and_a_stream_that_just_ends_was_cut_short() {
    let mut driver = Driver::with(&[Content::Snapshot]);
    assert_eq!(driver.ended(10, 1, Ok(())), ["end 1"]);
    let mut driver = Driver::with(&[Content::Account]);
    assert_eq!(driver.ended(10, 1, Ok(())), ["again 1 in 1 s: disconnected"]);
    assert_eq!(driver.tick(11), ["open 1/2"]);
}

#[test]
fn a_slow_consumer_reads_what_was_kept_before_the_stream_is_opened_again() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.sampled(5, 1, 9, 4);
    assert_eq!(driver.ended(10, 1, Err(error(ErrorKind::SlowConsumer))), ["again 1 in 1 s: slow_consumer"]);
    assert_eq!((driver.tick(100), driver.0.wake_at()), (Vec::new(), None));
    assert_eq!(driver.tell(200, Event::ReadToEnd { id: ONE, opening: OpeningId(1) }), ["open 1/2"]);
    assert_eq!(driver.opened(200, ONE, 2), ["hand 1, gap 0..200"]);
    // The consumer may be told of the end before the supervisor is.
    driver.tell(210, Event::ReadToEnd { id: ONE, opening: OpeningId(2) });
    assert_eq!(driver.ended(210, 2, Err(error(ErrorKind::SlowConsumer))), ["again 1 in 2 s: slow_consumer"]);
    assert_eq!(driver.tick(212), ["open 1/3"]);
}

#[test]
fn a_consumer_that_sleeps_through_sessions_does_not_collect_one_buffer_each() {
    let mut driver = Driver::with(&[Content::Market]);
    driver.tell(10, Event::SessionLost { last_answer: at(9) });
    driver.tell(11, Event::SessionUp);
    let opened = Event::Opened { id: ONE, opening: OpeningId(2) };
    assert_eq!(driver.tell(12, opened), ["hand 1, gap 0..12"]);
    driver.tell(20, Event::SessionLost { last_answer: at(19) });
    assert_eq!(driver.tell(21, Event::SessionUp), NOTHING, "it has not taken the last one");
    assert_eq!(driver.tell(50, Event::Taken { id: ONE, opening: OpeningId(2) }), ["open 1/3"]);
    assert_eq!(driver.opened(51, ONE, 3), ["hand 1, gap 12..51"]);
}

#[test]
fn a_stream_that_nobody_reads_is_cancelled_and_forgotten_wherever_it_is() {
    let mut open = Driver::with(&[Content::Market]);
    assert_eq!(open.tell(1, Event::Dropped { id: ONE }), ["cancel 1/1", "forget 1"]);
    assert_eq!((open.ended(1, 1, Err(code(10225))), open.tick(9)), (Vec::new(), Vec::new()));
    let mut opening = Driver::new();
    opening.tell(0, Event::SessionUp);
    opening.tell(0, Event::Registered { id: ONE, content: Content::Market });
    assert_eq!(opening.tell(1, Event::Dropped { id: ONE }), ["cancel 1/1", "forget 1"]);
    assert_eq!(opening.opened(1, ONE, 1), NOTHING);
    let mut waiting = Driver::new();
    waiting.tell(0, Event::Registered { id: ONE, content: Content::Market });
    assert_eq!(waiting.tell(1, Event::Dropped { id: ONE }), ["forget 1"]);
    assert_eq!(waiting.tell(2, Event::SessionUp), NOTHING);
}

#[test]
fn an_opening_without_an_outcome_is_given_up_and_made_again() {
    let mut driver = Driver::new();
    driver.tell(0, Event::SessionUp);
    driver.tell(0, Event::Registered { id: ONE, content: Content::Market });
    assert_eq!(driver.0.wake_at(), Some(at(90)));
    assert_eq!(driver.tick(90), ["cancel 1/1", "again 1 in 1 s: timeout"]);
    assert_eq!(driver.released(90, 1), NOTHING, "after the pause");
    assert_eq!(driver.tick(91), ["open 1/2"]);
}

/// A stream with so many events every five seconds for a minute.
fn lively(content: Content, per_look: u64) -> Driver {
    let mut driver = Driver::with(&[content]);
    (1..=12).for_each(|look| drop(driver.sampled(look * 5, 1, look * per_look, 0)));
    driver
}

#[test]
fn a_lively_stream_that_stays_silent_after_an_outage_is_asked_for_again_and_no_other_one() {
    let mut driver = lively(Content::Market, 10);
    driver.tell(0, Event::Registered { id: TWO, content: Content::Market });
    driver.opened(0, TWO, 2);
    driver.farm(61, FarmKind::MarketData, FarmStatus::Disconnected);
    driver.farm(64, FarmKind::MarketData, FarmStatus::Connected);
    assert_eq!(driver.0.wake_at(), Some(at(84)));
    assert_eq!(driver.sampled(80, 1, 120, 0), NOTHING);
    assert_eq!(driver.tick(84), ["cancel 1/1", "silent 1"]);
    assert_eq!(driver.released(84, 1), ["open 1/3"]);
    assert_eq!(driver.opened(85, ONE, 3), ["hand 1, gap 55..85"], "the last event came after that look");
    assert_eq!(driver.tick(10_000), NOTHING, "once");
}

#[test]
fn a_stream_that_goes_on_after_an_outage_is_left_alone_and_so_is_a_quiet_one() {
    let mut goes_on = lively(Content::Market, 10);
    let mut quiet = lively(Content::Market, 0);
    for driver in [&mut goes_on, &mut quiet] {
        driver.farm(61, FarmKind::MarketData, FarmStatus::Disconnected);
        driver.farm(64, FarmKind::MarketData, FarmStatus::Connected);
    }
    goes_on.sampled(65, 1, 121, 0);
    assert_eq!((goes_on.tick(1_000), quiet.tick(1_000)), (Vec::new(), Vec::new()));
}

#[test]
fn who_depends_on_what() {
    let farm = |kind, status| Connectivity::DataFarm { kind, name: String::new(), status };
    let lost_and_back = |kind| [farm(kind, FarmStatus::Disconnected), farm(kind, FarmStatus::Connected)];
    let servers = [Connectivity::Lost {}, Connectivity::Restored { data_kept: true }];
    let broken = [Connectivity::Broken {}, farm(FarmKind::SecurityDefinitions, FarmStatus::Connected)];
    let is_suspected = |content, outage: &[Connectivity; 2]| {
        let mut driver = lively(content, 10);
        for change in outage {
            driver.tell(61, Event::Connectivity(change.clone()));
        }
        !driver.tick(1_000).is_empty()
    };
    let suspected = |outage: [Connectivity; 2]| {
        [Content::Market, Content::Bars, Content::Account, Content::Gateway, Content::Snapshot]
            .map(|content| is_suspected(content, &outage))
    };
    assert_eq!(suspected(lost_and_back(FarmKind::MarketData)), [true, true, false, false, false]);
    assert_eq!(suspected(lost_and_back(FarmKind::Historical)), [false, true, false, false, false]);
    assert_eq!(suspected(lost_and_back(FarmKind::SecurityDefinitions)), [false; 5]);
    assert_eq!(suspected(servers), [true, true, true, false, false]);
    assert_eq!(suspected(broken), [true, true, true, false, false]);
}

#[test]
fn a_hundred_flaps_ask_for_nothing() {
    let mut driver = lively(Content::Market, 10);
    let mut received = 120;
    for flap in 0..100 {
        let now = 61 + flap * 3;
        assert_eq!(driver.farm(now, FarmKind::MarketData, FarmStatus::Disconnected), NOTHING);
        assert_eq!(driver.farm(now + 1, FarmKind::MarketData, FarmStatus::Connected), NOTHING);
        received += 5;
        assert_eq!(driver.sampled(now + 2, 1, received, 0), NOTHING);
    }
    assert_eq!(driver.tick(10_000), NOTHING);
}

#[test]
fn open_streams_are_looked_at_and_others_are_not() {
    let mut driver = Driver::new();
    driver.tell(0, Event::Registered { id: ONE, content: Content::Market });
    driver.tell(1, Event::SessionUp);
    assert_eq!(driver.0.sample_at(), None);
    driver.opened(2, ONE, 1);
    assert_eq!(driver.0.sample_at(), Some(at(0) + SAMPLE));
    driver.sampled(7, 1, 3, 0);
    assert_eq!(driver.0.sample_at(), Some(at(7) + SAMPLE));
    driver.tell(8, Event::SessionLost { last_answer: at(8) });
    assert_eq!(driver.0.sample_at(), None);
}

#[test]
fn what_a_request_is_made_of() {
    let contract = || Contract::stock("AAPL");
    for (request, content) in [
        (StreamRequest::MarketData(MarketDataParams::streaming(contract())), Content::Market),
        (StreamRequest::MarketData(MarketDataParams::snapshot(contract())), Content::Snapshot),
        (StreamRequest::HistoricalBarUpdates(HistoricalBarUpdatesParams::default()), Content::Bars),
        (StreamRequest::RealTimeBars(Default::default()), Content::Market),
        (StreamRequest::PositionUpdates, Content::Account),
        (StreamRequest::NewsBulletins, Content::Account),
        (StreamRequest::Notices, Content::Gateway),
        (StreamRequest::Connectivity, Content::Gateway),
    ] {
        assert_eq!(Content::from(&request), content, "{}", request.command());
    }
}
