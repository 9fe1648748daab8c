//! The client's side in virtual time: lines and moments in; frames, answers and moments out. Nothing here waits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ibkr_connect_core::types::{Contract, MarketDataEvent, MarketDataParams};
use ibkr_connect_core::{
    Access, CloseReason, Error, ErrorKind, Event, EventStream, FlowControl, Reply, Request, Result,
    StreamRequest, Target, block_on,
};
use serde_json::{Value, json};

use crate::connection::{Call, Question};
use crate::frames::{Empty, MAX_IN_FLIGHT};
use crate::heartbeat::HeartbeatLost;
use crate::incoming::Incoming;
use crate::lines::Data;
use crate::link::Link;
use crate::testing::Buffer;

mod parts;

const PING: Duration = Duration::from_secs(5);

/// A link, the frames that leave it, and a time that passes when a test says so.
struct Bench {
    link: Arc<Link>,
    buffer: Buffer,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let bench = Self::blocked();
        bench.buffer.set_room(usize::MAX);
        bench
    }

    /// With a pipe that takes nothing yet.
    fn blocked() -> Self {
        let (link, buffer) = (Arc::new(Link::new()), Buffer::with_room(0));
        link.open(buffer.pipe());
        Self { link, buffer, now: Instant::now() }
    }

    /// The frames that were sent since the last look.
    fn sent(&self) -> Vec<Value> {
        self.buffer.take().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the frames that were sent are, each with its id, or with the id that it is about.
    fn sent_commands(&self) -> Vec<(String, u64)> {
        let about = |frame: &Value| frame["params"]["target"].as_u64().or(frame["id"].as_u64()).unwrap();
        self.sent()
            .iter()
            .map(|frame| (frame["command"].as_str().unwrap().to_owned(), about(frame)))
            .collect()
    }

    /// The other side writes `lines`.
    fn answers(&self, lines: &[Value]) -> Result<(), String> {
        let mut incoming = Incoming::new(&self.link);
        incoming.line(b"its hello, which no test here looks at")?;
        lines.iter().try_for_each(|line| incoming.line(line.to_string().as_bytes()))
    }

    fn answer(&self, line: Value) {
        self.answers(&[line]).unwrap();
    }

    fn passes(&mut self, time: Duration) -> Result<Option<Instant>, HeartbeatLost> {
        self.now += time;
        self.link.tick(self.now)
    }

    fn request(&self, seconds: u64) -> impl Future<Output = Result<Reply>> + use<> {
        let (link, deadline) = (Arc::clone(&self.link), self.now + Duration::from_secs(seconds));
        async move { link.request(&Request::ManagedAccounts, None, deadline).await }
    }

    /// A request whose access is the test's choice.
    fn call(&self, command: &'static str, access: Access) -> Call<Data> {
        let deadline = self.now + Duration::from_secs(30);
        let question = Question { command, params: Empty {}, access, timeout: None, deadline };
        self.link.call(question).unwrap()
    }

    /// The opening of a stream whose access is the test's choice.
    fn opening(&self, access: Access) -> (Call<()>, EventStream) {
        let deadline = self.now + Duration::from_secs(30);
        self.link.open_stream((StreamRequest::Notices, access), FlowControl::Conflate, deadline).unwrap()
    }

    /// An open stream with the id 1.
    fn stream(&self, flow: FlowControl) -> EventStream {
        let params = MarketDataParams::default().with_contract(Contract::stock("AAPL"));
        let deadline = self.now + Duration::from_secs(30);
        let request = StreamRequest::MarketData(params);
        let mut opening = pin!(self.link.subscribe(request, flow, deadline));
        assert!(poll(opening.as_mut()).is_none());
        self.answer(json!({"id": 1, "status": "success", "data": {}}));
        poll(opening).unwrap().unwrap()
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn accounts(id: u64) -> Value {
    json!({"id": id, "status": "success", "data": ["DU1"]})
}

fn tick(value: i32) -> Event {
    Event::MarketData(MarketDataEvent::MarketDataType { market_data_type: value })
}

fn tick_line(id: u64, value: i32) -> Value {
    json!({"id": id, "status": "event", "data": {"market_data_type": {"market_data_type": value}}})
}

/// What is there to be read, without waiting.
fn unread(stream: &mut EventStream) -> Vec<Result<Event>> {
    let next = |stream: &mut EventStream| {
        block_on(poll_fn(|context| match pin!(stream.next()).poll(context) {
            Poll::Ready(next) => Poll::Ready(next),
            Poll::Pending => Poll::Ready(None),
        }))
    };
    std::iter::from_fn(|| next(stream)).collect()
}

fn kind<T: std::fmt::Debug>(outcome: Option<Result<T>>) -> (ErrorKind, bool) {
    let error = outcome.expect("it has ended").unwrap_err();
    (error.kind(), error.is_unsent())
}

#[test]
fn replies_reach_whoever_asked_in_any_order() {
    let bench = Bench::new();
    let (mut first, mut second) = (pin!(bench.request(9)), pin!(bench.request(9)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    assert_eq!(
        bench.sent(),
        [
            json!({"id": 1, "command": "managed_accounts", "params": {}}),
            json!({"id": 2, "command": "managed_accounts", "params": {}}),
        ]
    );
    bench.answer(json!({"id": 2, "status": "success", "data": ["DU2"]}));
    assert!(poll(first.as_mut()).is_none());
    assert_eq!(poll(second).unwrap().unwrap(), Reply::ManagedAccounts(vec!["DU2".to_owned()]));
    bench.answer(json!({"id": 1, "status": "error", "error": {"kind": "gateway_error", "message": "no", "code": 321, "retryable": false}}));
    let error = poll(first).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code(), error.is_unsent()), (ErrorKind::GatewayError, Some(321), false));
}

#[test]
fn a_long_reply_reaches_whoever_asked_and_other_long_lines_mean_what_they_say() {
    let bench = Bench::new();
    let (mut first, mut second) = (pin!(bench.request(9)), pin!(bench.request(9)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    let long = "DU1234567".repeat(20_000);
    let failed =
        json!({"id": 2, "status": "error", "error": Error::new(ErrorKind::GatewayError, long.as_str())});
    let reply = json!({"id": 1, "status": "success", "data": [long], "took_ms": 4});
    let nobodys = json!({"id": 1, "status": "success", "data": [long]});
    let lines =
        format!("hello\n{failed}\n{reply}\n{nobodys}\n{{\"id\":3,\"status\":\"end\",\"data\":\"{long}\"}}\n");
    crate::incoming::read(&bench.link, lines.as_bytes());
    assert!(poll(first).unwrap().unwrap() == Reply::ManagedAccounts(vec![long]));
    assert_eq!(kind(poll(second)), (ErrorKind::GatewayError, false));
    let violation = bench.link.take_violation().unwrap();
    assert!(violation.starts_with("nothing was asked with id 3"), "{violation}");
}

#[test]
fn at_its_deadline_a_request_times_out_and_is_cancelled_and_a_late_answer_is_nobodys() {
    let mut bench = Bench::new();
    let (mut short, mut long) = (pin!(bench.request(10)), pin!(bench.request(20)));
    assert!(poll(short.as_mut()).is_none() && poll(long.as_mut()).is_none());
    bench.sent();
    let deadline = bench.now + Duration::from_secs(10);
    assert_eq!(bench.passes(Duration::from_millis(9_999)), Ok(Some(deadline)));
    assert!(poll(short.as_mut()).is_none());
    assert_eq!(bench.passes(Duration::from_millis(1)), Ok(Some(deadline + Duration::from_secs(10))));
    assert_eq!(kind(poll(short)), (ErrorKind::Timeout, false));
    assert_eq!(bench.sent_commands(), [("cancel".to_owned(), 1)]);
    bench.answers(&[accounts(1), json!({"id": 1, "status": "end"}), accounts(2)]).unwrap();
    assert!(poll(long).unwrap().is_ok());
    assert_eq!(bench.passes(Duration::from_secs(99)), Ok(None), "nothing is due any more");
}

#[test]
fn a_dropped_request_is_cancelled_and_the_cancel_overtakes_what_is_queued() {
    let bench = Bench::new();
    let mut first = Box::pin(bench.request(9));
    assert!(poll(first.as_mut()).is_none());
    bench.sent();
    // From here on the pipe is full.
    bench.buffer.set_room(0);
    let mut second = pin!(bench.request(9));
    assert!(poll(second.as_mut()).is_none());
    drop(first);
    bench.buffer.set_room(usize::MAX);
    let mut commands = Vec::new();
    crate::testing::until(|| {
        commands.extend(bench.sent_commands());
        commands.len() == 2
    });
    assert_eq!(commands, [("cancel".to_owned(), 1), ("managed_accounts".to_owned(), 2)]);
}

#[test]
fn what_is_dropped_before_its_first_byte_is_written_is_never_sent() {
    let mut bench = Bench::blocked();
    let mut dropped = Box::pin(bench.request(9));
    let mut expired = pin!(bench.request(10));
    assert!(poll(dropped.as_mut()).is_none() && poll(expired.as_mut()).is_none());
    drop(dropped);
    assert_eq!(bench.passes(Duration::from_secs(10)), Ok(None));
    assert_eq!(kind(poll(expired)), (ErrorKind::Timeout, true), "certainly not sent");
    let mut next = pin!(bench.request(9));
    assert!(poll(next.as_mut()).is_none());
    bench.buffer.set_room(usize::MAX);
    let mut commands = Vec::new();
    crate::testing::until(|| {
        commands.extend(bench.sent_commands());
        !commands.is_empty()
    });
    assert_eq!(commands, [("managed_accounts".to_owned(), 3)]);
}

#[test]
fn a_trade_overtakes_questions_and_not_another_trade() {
    let bench = Bench::blocked();
    let _calls = [
        bench.call("question", Access::Read),
        bench.call("place", Access::Trade),
        bench.call("change", Access::Trade),
    ];
    bench.link.send_shutdown();
    bench.buffer.set_room(usize::MAX);
    let mut commands = Vec::new();
    crate::testing::until(|| {
        commands.extend(bench.sent_commands().into_iter().map(|(command, _)| command));
        commands.len() == 4
    });
    assert_eq!(commands, ["shutdown", "place", "change", "question"]);
}

#[test]
fn a_trade_runs_to_its_end_whoever_listens() {
    let mut bench = Bench::new();
    let call = bench.call("place", Access::Trade);
    bench.sent();
    drop(call);
    assert!(bench.sent().is_empty(), "no cancel");
    // It is still waited for: its deadline is due until its answer has come.
    let deadline = bench.now + Duration::from_secs(30);
    assert_eq!(bench.passes(Duration::ZERO), Ok(Some(deadline)));
    bench.answer(accounts(1));
    assert_eq!(bench.passes(Duration::from_secs(1)), Ok(None));

    let late = bench.call("place", Access::Trade);
    let mut answer = pin!(late.answer());
    bench.sent();
    assert_eq!(bench.passes(Duration::from_secs(30)), Ok(None));
    assert_eq!(kind(poll(answer.as_mut())), (ErrorKind::Timeout, false), "it may have reached the Gateway");
    assert!(bench.sent().is_empty(), "no cancel after a deadline either");
}

#[test]
fn a_trade_that_is_a_stream_is_sent_though_its_caller_leaves_and_only_its_reading_ends() {
    let bench = Bench::blocked();
    drop(bench.opening(Access::Read));
    drop(bench.opening(Access::Trade));
    bench.buffer.set_room(usize::MAX);
    let mut commands = Vec::new();
    crate::testing::until(|| {
        commands.extend(bench.sent_commands());
        !commands.is_empty()
    });
    assert_eq!(commands, [("notices".to_owned(), 2)], "the question was taken back, the trade was not");
    bench.answer(json!({"id": 2, "status": "success", "data": {}}));
    assert_eq!(bench.sent_commands(), [("cancel".to_owned(), 2)], "nobody reads what it would say");
}

#[test]
fn the_opening_of_a_trade_that_fails_says_whether_it_was_sent() {
    for (room, is_unsent) in [(0, true), (3, false)] {
        let mut bench = Bench::blocked();
        bench.buffer.set_room(room);
        let (opening, _stream) = bench.opening(Access::Trade);
        assert_eq!(bench.passes(Duration::from_secs(30)), Ok(None));
        assert_eq!(kind(poll(pin!(opening.answer()))), (ErrorKind::Timeout, is_unsent));

        let bench = Bench::blocked();
        bench.buffer.set_room(room);
        let (kept, _stream) = bench.opening(Access::Trade);
        let left = bench.opening(Access::Trade);
        // Its caller leaves; the wait for it ends with the others.
        drop(left);
        let lost = CloseReason::Disconnected("reset".to_owned());
        bench.link.hang_up();
        bench.link.refuse(&lost.error(), lost.clone());
        bench.link.fail_all(&lost.error());
        assert_eq!(kind(poll(pin!(kept.answer()))), (ErrorKind::Disconnected, is_unsent));
        let late = bench.link.open_stream(
            (StreamRequest::Notices, Access::Trade),
            FlowControl::Conflate,
            bench.now + Duration::from_secs(30),
        );
        let error = late.unwrap_err();
        assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Disconnected, true));
    }
}

#[test]
fn a_loss_says_of_every_request_whether_it_was_sent() {
    let bench = Bench::new();
    let sent = bench.call("question", Access::Read);
    bench.buffer.set_room(3);
    let partly = bench.call("place", Access::Trade);
    let queued = bench.call("place", Access::Trade);
    bench.buffer.hang_up();
    bench.link.hang_up();
    let lost = CloseReason::Disconnected("reset".to_owned());
    bench.link.refuse(&lost.error(), lost.clone());
    bench.link.fail_all(&lost.error());
    for (call, is_unsent) in [(sent, false), (partly, false), (queued, true)] {
        assert_eq!(kind(poll(pin!(call.answer()))), (ErrorKind::Disconnected, is_unsent));
    }
    assert_eq!(kind(poll(pin!(bench.request(9)))), (ErrorKind::Disconnected, true), "and of later ones");
    assert_eq!(block_on(bench.link.closed()), lost);
}

#[test]
fn a_stream_is_granted_credit_as_it_is_read() {
    let bench = Bench::new();
    let mut stream = bench.stream(FlowControl::Lossless { capacity: 4 });
    assert_eq!(bench.sent()[0]["credit"], 4);
    let lines: Vec<_> = (0..4).map(|value| tick_line(1, value)).collect();
    bench.answers(&lines).unwrap();
    assert_eq!(
        unread(&mut stream).into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        (0..4).map(tick).collect::<Vec<_>>()
    );
    let grants: Vec<_> = bench.sent().iter().map(|frame| frame["params"].clone()).collect();
    assert_eq!(grants, [json!({"target": 1, "events": 2}), json!({"target": 1, "events": 2})]);
    bench
        .answers(&[json!({"id": 1, "status": "merged", "count": 7}), json!({"id": 1, "status": "end"})])
        .unwrap();
    assert_eq!((unread(&mut stream).len(), stream.merged()), (0, 7));
    drop(stream);
    assert!(bench.sent().is_empty(), "what has ended is not cancelled");
}

#[test]
fn a_stream_that_is_dropped_or_unreadable_is_cancelled_and_one_that_is_not_opened_times_out() {
    let mut bench = Bench::new();
    drop(bench.stream(FlowControl::Conflate));
    assert_eq!(bench.sent_commands()[1..], [("cancel".to_owned(), 1)]);

    let bench_of_unreadable = Bench::new();
    let mut stream = bench_of_unreadable.stream(FlowControl::Conflate);
    bench_of_unreadable.answer(json!({"id": 1, "status": "event", "data": "no event"}));
    assert_eq!(bench_of_unreadable.sent_commands()[1..], [("cancel".to_owned(), 1)]);
    assert_eq!(unread(&mut stream).pop().unwrap().unwrap_err().kind(), ErrorKind::Protocol);

    let (link, deadline) = (Arc::clone(&bench.link), bench.now + Duration::from_secs(3));
    let mut opening = pin!(link.subscribe(StreamRequest::Notices, FlowControl::Conflate, deadline));
    assert!(poll(opening.as_mut()).is_none());
    bench.sent();
    bench.passes(Duration::from_secs(3)).unwrap();
    assert_eq!(kind(poll(opening)), (ErrorKind::Timeout, false));
    assert_eq!(bench.sent_commands()[0].0, "cancel");
}

#[test]
fn pings_that_nobody_answers_are_a_loss() {
    let mut bench = Bench::new();
    bench.link.start_heartbeat(bench.now, PING);
    assert_eq!(bench.passes(Duration::ZERO), Ok(Some(bench.now + PING)));
    for _ in 0..3 {
        assert_eq!(bench.passes(PING), Ok(Some(bench.now + PING)));
    }
    assert_eq!(bench.sent_commands().len(), 3);
    assert_eq!(bench.passes(PING), Err(HeartbeatLost::Link));

    let mut answered = Bench::new();
    answered.link.start_heartbeat(answered.now, PING);
    for _ in 0..6 {
        answered.passes(PING).unwrap();
        answered.answer(json!({"id": 1, "status": "pong", "from": "link"}));
    }
    assert_eq!(answered.passes(PING), Err(HeartbeatLost::Loop));
}

#[test]
fn what_the_protocol_does_not_have_is_a_violation() {
    let bench = Bench::new();
    let _open = bench.call("question", Access::Read);
    for (line, how) in [
        (r#"stray text"#, "no frame"),
        (r#"{"id":1}"#, "missing field `status`"),
        (r#"{"id":2,"status":"end"}"#, "nothing was asked with id 2"),
        (r#"{"id":1,"status":"event"}"#, "an event without data"),
        (r#"{"id":1,"status":"error"}"#, "an error without error"),
        (r#"{"id":1,"status":"merged"}"#, "merged without count"),
        (r#"{"id":1,"status":"pong"}"#, "a pong from nowhere"),
        (r#"{"id":0,"status":"closed"}"#, "closed without reason"),
    ] {
        let mut incoming = Incoming::new(&bench.link);
        incoming.line(b"hello").unwrap();
        let violation = incoming.line(line.as_bytes()).unwrap_err();
        assert!(violation.contains(how) && violation.ends_with(line), "{violation}");
    }
}

#[test]
fn words_and_fields_of_a_newer_server_end_nothing() {
    let bench = Bench::new();
    let (mut first, mut second) = (pin!(bench.request(9)), pin!(bench.request(9)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    bench
        .answers(&[
            json!({"id": 1, "status": "queued", "position": 3}),
            json!({"id": 0, "status": "pong", "from": "watchdog"}),
            json!({"id": 1, "status": "success", "data": ["DU1"], "took_ms": 4}),
            json!({"id": 2, "status": "error", "error": {
                "kind": "in_doubt", "phase": "dusk", "message": "who knows", "retryable": false, "hint": 7,
            }}),
            json!({"id": 0, "status": "closed", "data": {"evicted": "by another login"}}),
        ])
        .unwrap();
    assert!(poll(first).unwrap().is_ok());
    let error = poll(second).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unrecognized);
    assert!(error.message().contains("in_doubt") && error.message().contains("dusk"), "{error}");
    assert_eq!(
        block_on(bench.link.closed()),
        CloseReason::Disconnected(r#"{"evicted":"by another login"}"#.to_owned())
    );
}

#[test]
fn only_an_end_that_this_side_has_asked_for_is_closed() {
    let requested = json!({"id": 0, "status": "closed", "data": "requested"});
    let unasked = Bench::new();
    unasked.answer(requested.clone());
    assert_eq!(kind(poll(pin!(unasked.request(9)))), (ErrorKind::Disconnected, true));
    let asked = Bench::new();
    asked.link.expect_end();
    asked.answer(requested);
    assert_eq!(kind(poll(pin!(asked.request(9)))), (ErrorKind::Closed, true));
    assert_eq!(block_on(asked.link.closed()), CloseReason::Requested);
}

#[test]
fn connect_is_answered_to_the_keeper() {
    let bench = Bench::new();
    let answered = |line: Value| {
        bench.link.send_connect(&Target::default()).unwrap();
        let id = bench.sent()[0]["id"].clone();
        let mut line = line;
        line["id"] = id;
        bench.answers(&[line])?;
        Ok::<_, String>(bench.link.take_connected().unwrap())
    };
    let data = json!({"connected": true, "accounts": ["DU1"], "server_version": 226, "client_id": 7,
        "readonly": true, "connect_ms": 1.0, "weather": "fine",
        "phases": [{"phase": "tcp", "ms": 0.5}, {"phase": "dusk", "ms": 1.0}]});
    let connected = answered(json!({"status": "success", "data": data})).unwrap().unwrap();
    assert_eq!((connected.client_id, connected.phases.len()), (7, 1));
    let refused = answered(json!({"status": "error", "error": Error::new(ErrorKind::NotListening, "no")}));
    assert_eq!(refused.unwrap().unwrap_err().kind(), ErrorKind::NotListening);
    let nonsense = answered(json!({"status": "success", "data": {"connected": true}})).unwrap_err();
    assert!(nonsense.starts_with("no answer to connect"), "{nonsense}");
}

#[test]
fn the_hello_is_the_first_line_whatever_it_says() {
    let bench = Bench::new();
    let hello = |line: &str| {
        Incoming::new(&bench.link).line(line.as_bytes()).unwrap();
        bench.link.take_hello().unwrap()
    };
    let newer = hello(r#"{"hello":{"protocol":2,"mood":"fine"},"more":1}"#).unwrap();
    assert_eq!((newer.protocol, newer.cookie.as_str()), (2, ""));
    assert_eq!(hello("Usage: frobnicate").unwrap_err(), "Usage: frobnicate");
    assert!(bench.link.take_hello().is_none(), "it is taken once");
}

#[test]
fn no_more_than_fits_is_open_at_the_same_time() {
    let bench = Bench::new();
    let mut calls: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| bench.call("question", Access::Read)).collect();
    assert_eq!(kind(poll(pin!(bench.request(9)))), (ErrorKind::Busy, true));
    calls.pop();
    assert!(poll(pin!(bench.request(9))).is_none(), "one was given up");
}

#[test]
fn the_end_of_what_is_read_is_told_to_the_keeper() {
    let bench = Bench::new();
    crate::incoming::read(&bench.link, &b"hello\nstray text\nmore\n"[..]);
    assert!(bench.link.has_ended());
    assert!(bench.link.take_violation().unwrap().contains("stray text"));
    let torn = Bench::new();
    crate::incoming::read(&torn.link, &b"hello\n{\"id\":"[..]);
    assert!(torn.link.has_ended());
    assert_eq!(torn.link.take_violation(), None, "how a killed process ends");
    torn.link.finish(Err(Error::new(ErrorKind::Internal, "why")));
    torn.link.wait_finished(Duration::from_secs(20));
    assert_eq!(block_on(torn.link.finished()).unwrap_err().kind(), ErrorKind::Internal);
}
