//! The server's side of the protocol, driven line by line over in-memory pipes, as a program in another language would.

mod support;

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ibkr_connect_protocol::WriterPipe;
use ibkr_connect_protocol::frames::{MAX_FRAME, MAX_IN_FLIGHT};
use ibkr_connect_protocol::server::{self, ServerOptions};
use serde_json::{Value, json};
use support::{Scripted, Stage};

const LONG: Duration = Duration::from_secs(20);

/// A worker on a thread, and the other ends of its pipes.
struct Driver {
    stdin: Option<PipeWriter>,
    stdout: Option<BufReader<PipeReader>>,
    lines: Option<Receiver<Value>>,
    ended: Receiver<()>,
    stage: Arc<Stage>,
    worker: Option<JoinHandle<()>>,
}

impl Driver {
    /// A worker that has said hello.
    fn start() -> Self {
        let mut driver = Self::start_unread();
        driver.read();
        assert_eq!(driver.next()["hello"]["cookie"], "secret");
        driver
    }

    /// A worker whose output nobody reads yet.
    fn start_unread() -> Self {
        let (worker_stdin, stdin) = std::io::pipe().unwrap();
        let (stdout, worker_stdout) = std::io::pipe().unwrap();
        let connector = Scripted::default();
        let stage = Arc::clone(&connector.stage);
        let (ended, has_ended) = channel();
        let pipe = Arc::new(WriterPipe::new(worker_stdout, 64 * 1024).unwrap());
        let worker = thread::spawn(move || {
            // An error means that the hello could not be written, which a test that wants it will notice.
            let _ = server::run(&connector, worker_stdin, pipe, ServerOptions::new("secret"));
            drop(ended);
        });
        Self {
            stdin: Some(stdin),
            stdout: Some(BufReader::new(stdout)),
            lines: None,
            ended: has_ended,
            stage,
            worker: Some(worker),
        }
    }

    /// The next line of a worker whose output is not read otherwise.
    fn next_unread(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// A worker with a session.
    fn connected() -> Self {
        let mut driver = Self::start();
        driver.send(&json!({"id": 1, "command": "connect", "params": {"host": "h", "client_id": 7}}));
        assert_eq!(driver.next()["status"], "success");
        driver
    }

    fn read(&mut self) {
        let (sender, lines) = channel();
        let stdout = self.stdout.take().unwrap();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        self.lines = Some(lines);
    }

    fn send(&mut self, line: &Value) {
        self.send_raw(&format!("{line}\n"));
    }

    fn send_raw(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn details(&mut self, id: u64, symbol: &str) {
        self.send(&json!({"id": id, "command": "contract_details", "params": {"symbol": symbol}}));
    }

    fn market_data(&mut self, id: u64, symbol: &str) {
        self.send(&json!({"id": id, "command": "market_data", "params": {"contract": {"symbol": symbol}}}));
    }

    /// Opens a stream with `terms` beside its parameters.
    fn stream(&mut self, id: u64, symbol: &str, terms: &Value) {
        let params = json!({"contract": {"symbol": symbol}});
        let mut line = json!({"id": id, "command": "market_data", "params": params});
        line.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        self.send(&line);
    }

    /// Lines of `id` with these statuses come next.
    fn expect_statuses(&mut self, id: u64, statuses: &[&str]) {
        for status in statuses {
            let line = self.next();
            assert_eq!((&line["id"], &line["status"]), (&json!(id), &json!(status)), "{line}");
        }
    }

    fn next(&mut self) -> Value {
        self.lines.as_ref().unwrap().recv_timeout(LONG).expect("a line from the worker")
    }

    fn expect(&mut self, line: &Value) {
        assert_eq!(self.next(), *line);
    }

    fn expect_error(&mut self, id: u64, kind: &str, part: &str) {
        let line = self.next();
        assert_eq!(
            (&line["id"], &line["status"], &line["error"]["kind"]),
            (&json!(id), &json!("error"), &json!(kind)),
            "{line}"
        );
        assert!(line["error"]["message"].as_str().unwrap().contains(part), "{line}");
    }

    /// Waits until the worker has ended.
    fn join(mut self) -> Arc<Stage> {
        let _ = self.ended.recv_timeout(LONG).expect_err("it sends nothing");
        self.worker.take().unwrap().join().unwrap();
        self.stage
    }
}

/// Waits for what another thread does soon.
fn wait_until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LONG, "it does not happen");
        thread::yield_now();
    }
}

#[test]
fn the_hello_comes_first_and_carries_cookie_version_and_pid() {
    let mut driver = Driver::start_unread();
    driver.read();
    driver.expect(&json!({"hello": {
        "protocol": 2, "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(), "cookie": "secret",
        "features": ["parts"],
    }}));
}

#[test]
fn connect_fills_in_what_is_missing_and_says_what_it_found() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 5, "command": "connect"}));
    driver.expect(&json!({"id": 5, "status": "success", "data": {
        "connected": true, "accounts": ["DU1"], "server_version": 226, "client_id": 77, "readonly": true,
        "phases": [{"phase": "tcp", "ms": 0.25}], "connect_ms": 1.5,
    }}));
    driver.send(&json!({"id": 6, "command": "server_time"}));
    driver.expect(&json!({"id": 6, "status": "success", "data": "2026-11-23T12:00:00Z"}));
    driver.send(&json!({"id": 7, "command": "connect"}));
    driver.expect_error(7, "invalid_request", "connected or connecting already");
}

#[test]
fn a_failed_connect_says_why_and_the_next_one_may_succeed() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 1, "command": "connect", "params": {"host": "refused"}}));
    let line = driver.next();
    assert_eq!(line["error"]["kind"], "not_listening");
    assert_eq!(line["error"]["phase"], "tcp");
    assert_eq!(line["error"]["retryable"], true);
    driver.send(&json!({"id": 2, "command": "connect"}));
    assert_eq!(driver.next()["status"], "success");
}

#[test]
fn what_is_wrong_with_a_line_is_said_and_the_worker_goes_on() {
    let mut driver = Driver::start();
    driver.send_raw("make me rich\n");
    driver.expect_error(0, "protocol", "make me rich");
    driver.send_raw("{\"command\":\"ping\"}\n");
    driver.expect_error(0, "protocol", "without id");
    driver.send_raw("{\"id\":4}\n");
    driver.expect_error(4, "protocol", "no command");
    driver.send(&json!({"id": 5, "command": "make_me_rich"}));
    driver.expect_error(5, "unsupported", "valid are: connect, cancel, credit, ping, shutdown, ");
    driver.send(&json!({"id": 6, "command": "connect", "params": {"hots": "h"}}));
    driver.expect_error(6, "invalid_request", "unknown field `hots`");
    driver.send(&json!({"id": 6, "command": "connect", "params": {"client_id": -1}}));
    driver.expect_error(6, "invalid_request", "client_id is -1: expected a client id from 0");
    driver.send(&json!({"id": 7, "command": "contract_details", "params": {"symbol": 7}}));
    driver.expect_error(7, "invalid_request", "contract_details: symbol: invalid type");
    driver.send_raw("{\"id\":8,\"command\":\"market_data\",\"flow\":\"fast\"}\n");
    driver.expect_error(8, "protocol", "unknown name `fast`");
    driver.send_raw("{\"id\":9,\"comand\":\"ping\"}\n");
    driver.expect_error(9, "protocol", "unknown field `comand`");
    driver.send_raw("[10,\"ping\"]\n");
    driver.expect_error(0, "protocol", "an array and not an object");
    driver.send_raw("{\"id\":11,\"command\":\"cancel\",\"params\":[7]}\n");
    driver.expect_error(11, "invalid_request", "cancel: an array and not an object");
    driver.send_raw("{\"id\":12,\"command\":\"market_data\"}\n");
    driver.expect_error(12, "invalid_request", "market_data: the contract is empty");
    driver.send(&json!({"id": 8, "command": "server_time"}));
    driver.expect_error(8, "invalid_request", "there is none yet");
    driver.send_raw(&("x".repeat(MAX_FRAME + 10) + "\n"));
    driver.expect_error(0, "protocol", "longer than");
    driver.send(&json!({"id": 9, "command": "connect"}));
    assert_eq!(driver.next()["status"], "success");
}

#[test]
fn replies_come_when_they_are_ready_and_not_in_order() {
    let mut driver = Driver::connected();
    driver.details(2, "NEVER");
    driver.send(&json!({"id": 3, "command": "server_time"}));
    driver.send(&json!({"id": 4, "command": "managed_accounts", "params": {}}));
    driver.expect(&json!({"id": 3, "status": "success", "data": "2026-11-23T12:00:00Z"}));
    driver.expect(&json!({"id": 4, "status": "success", "data": ["DU1"]}));
    driver.send(&json!({"id": 2, "command": "server_time"}));
    driver.expect_error(2, "protocol", "in use");
    driver.send(&json!({"id": 5, "command": "cancel", "params": {"target": 2}}));
    driver.expect(&json!({"id": 2, "status": "end"}));
    driver.expect(&json!({"id": 5, "status": "success", "data": {"cancelled": true}}));
    driver.send(&json!({"id": 6, "command": "cancel", "params": {"target": 2}}));
    driver.expect(&json!({"id": 6, "status": "success", "data": {"cancelled": false}}));
}

#[test]
fn a_cancel_makes_room_at_once_for_what_comes_after_it() {
    let most = MAX_IN_FLIGHT as u64;
    let mut driver = Driver::connected();
    // In one write, so that the lines are read faster than the loop takes them.
    let never =
        |id: u64| json!({"id": id, "command": "contract_details", "params": {"symbol": "NEVER"}}).to_string();
    let cancel =
        |id: u64| json!({"id": 3 * most + id, "command": "cancel", "params": {"target": id}}).to_string();
    let begin = (2..most + 2).map(never);
    let replace = (2..most + 2).flat_map(|id| [cancel(id), never(most + id)]);
    let lines: Vec<_> = begin.chain(replace).chain([never(3 * most)]).collect();
    let text = lines.join("\n") + "\n";
    driver.send_raw(&text);
    for id in 2..most + 2 {
        driver.expect(&json!({"id": id, "status": "end"}));
        driver.expect(&json!({"id": 3 * most + id, "status": "success", "data": {"cancelled": true}}));
    }
    driver.expect_error(3 * most, "busy", "4096 requests and streams are open");
}

#[test]
fn a_running_connect_can_be_cancelled() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 1, "command": "connect", "params": {"host": "silent"}}));
    wait_until(|| driver.stage.connecting.load(Ordering::SeqCst));
    driver.send(&json!({"id": 2, "command": "cancel", "params": {"target": 1}}));
    driver.expect(&json!({"id": 1, "status": "end"}));
    driver.expect(&json!({"id": 2, "status": "success", "data": {"cancelled": true}}));
    assert_eq!(driver.stage.abandoned.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stream_is_acknowledged_and_ends_by_itself_by_an_error_or_by_cancel() {
    let mut driver = Driver::connected();
    driver.market_data(2, "TICKS:2");
    driver.expect(&json!({"id": 2, "status": "success", "data": {}}));
    for value in 0..2 {
        driver.expect(
            &json!({"id": 2, "status": "event", "data": {"market_data_type": {"market_data_type": value}}}),
        );
    }
    driver.expect(&json!({"id": 2, "status": "end"}));

    driver.market_data(3, "FAIL");
    assert_eq!(driver.next()["status"], "success");
    driver.expect_error(3, "disconnected", "the stream broke");
    driver.market_data(4, "REFUSED");
    driver.expect_error(4, "gateway_error", "no such contract");

    let cancelled = driver.stage.cancelled.load(Ordering::SeqCst);
    driver.market_data(5, "OPEN:1");
    assert_eq!(
        (driver.next()["status"].clone(), driver.next()["status"].clone()),
        (json!("success"), json!("event"))
    );
    driver.send(&json!({"id": 6, "command": "cancel", "params": {"target": 5}}));
    driver.expect(&json!({"id": 5, "status": "end"}));
    driver.expect(&json!({"id": 6, "status": "success", "data": {"cancelled": true}}));
    // At the source too, as soon as the runtime drops the stream.
    wait_until(|| driver.stage.cancelled.load(Ordering::SeqCst) == cancelled + 1);
}

#[test]
fn a_reader_that_is_too_slow_gets_what_was_kept_and_then_an_error() {
    let mut driver = Driver::start_unread();
    driver.send(&json!({"id": 1, "command": "connect"}));
    assert!(driver.next_unread()["hello"].is_object());
    assert_eq!(driver.next_unread()["status"], "success");
    driver.market_data(2, "FLOOD");
    // The pipe and the stream's buffer hold fewer than that.
    wait_until(|| driver.stage.sent.load(Ordering::SeqCst) > 200_000);
    driver.read();
    assert_eq!(driver.next()["status"], "success");
    let end = loop {
        let line = driver.next();
        if line["status"] != "event" {
            break line;
        }
    };
    assert_eq!((&end["id"], &end["error"]["kind"]), (&json!(2), &json!("slow_consumer")), "{end}");
    assert!(end["error"]["message"].as_str().unwrap().contains("16384 events behind"), "{end}");
}

#[test]
fn a_stream_sends_no_more_than_its_credit_and_its_end_needs_none() {
    let mut driver = Driver::connected();
    driver.stream(2, "TICKS:5", &json!({"credit": 2}));
    driver.expect_statuses(2, &["success", "event", "event"]);
    driver.send(&json!({"id": 3, "command": "ping"}));
    driver.expect_statuses(3, &["pong", "pong"]);
    driver.send(&json!({"id": 4, "command": "credit", "params": {"target": 2, "events": 1}}));
    driver.expect_statuses(2, &["event"]);
    driver.send(&json!({"id": 5, "command": "credit", "params": {"target": 2, "events": 2}}));
    driver.expect_statuses(2, &["event", "event", "end"]);
    // The grant and the end may cross.
    driver.send(&json!({"id": 6, "command": "credit", "params": {"target": 2, "events": 9}}));
    driver.send(&json!({"id": 7, "command": "ping"}));
    driver.expect_statuses(7, &["pong", "pong"]);
}

#[test]
fn a_stream_beyond_its_capacity_is_cancelled_and_ends_after_what_was_kept() {
    let mut driver = Driver::connected();
    driver.stream(2, "TICKS:10", &json!({"flow": {"lossless": {"capacity": 4}}, "credit": 0}));
    driver.expect_statuses(2, &["success"]);
    assert_eq!(driver.stage.cancelled.load(Ordering::SeqCst), 1);
    driver.send(&json!({"id": 3, "command": "credit", "params": {"target": 2, "events": 9}}));
    driver.expect_statuses(2, &["event"; 4]);
    driver.expect_error(2, "slow_consumer", "6 events were lost: the consumer was more than 4 events behind");
}

#[test]
fn a_conflated_stream_keeps_the_newest_value_of_each_field() {
    let mut driver = Driver::connected();
    driver.stream(2, "QUOTES:1000", &json!({"flow": "conflate", "credit": 0}));
    driver.expect_statuses(2, &["success"]);
    driver.send(&json!({"id": 3, "command": "credit", "params": {"target": 2, "events": 9}}));
    driver.expect(&json!({"id": 2, "status": "merged", "count": 998}));
    for (tick_type, price) in [("bid", 998.0), ("ask", 999.0)] {
        let price = json!({"tick_type": tick_type, "price": price, "size": null});
        driver.expect(&json!({"id": 2, "status": "event", "data": {"price": price}}));
    }
    driver.expect_statuses(2, &["end"]);
}

#[test]
fn a_request_may_bring_its_own_deadline() {
    let mut driver = Driver::connected();
    driver.send(&json!({"id": 2, "command": "managed_accounts", "timeout_ms": 1_500}));
    driver.expect(&json!({"id": 2, "status": "success", "data": ["1.5s"]}));
}

#[test]
fn a_blocked_loop_answers_no_ping_but_the_link_does() {
    let mut driver = Driver::connected();
    driver.details(2, "BLOCK");
    wait_until(|| driver.stage.blocked.load(Ordering::SeqCst));
    driver.send(&json!({"id": 3, "command": "ping"}));
    driver.send(&json!({"id": 4, "command": "ping"}));
    driver.expect(&json!({"id": 3, "status": "pong", "from": "link"}));
    driver.expect(&json!({"id": 4, "status": "pong", "from": "link"}));
    driver.stage.open_gate();
    assert_eq!(driver.next()["id"], 2);
    driver.expect(&json!({"id": 3, "status": "pong", "from": "loop"}));
    driver.expect(&json!({"id": 4, "status": "pong", "from": "loop"}));
}

#[test]
fn the_loss_of_the_gateway_is_announced_and_a_new_connect_is_possible() {
    let mut driver = Driver::connected();
    driver.details(2, "LOSE");
    // The reply and the loss race: either may come first.
    let frames = [driver.next(), driver.next()];
    let closed = frames.iter().find(|frame| frame["status"] == "closed").unwrap();
    assert_eq!((&closed["id"], &closed["data"]), (&json!(0), &json!({"disconnected": "lost by the script"})));
    assert_eq!(
        (&closed["error"]["kind"], &closed["error"]["message"]),
        (&json!("disconnected"), &json!("lost by the script")),
        "the connection's own error, not one made of the reason"
    );
    assert!(frames.iter().any(|frame| frame["id"] == 2), "{frames:?}");
    driver.send(&json!({"id": 3, "command": "server_time"}));
    driver.expect_error(3, "disconnected", "lost by the script");
    driver.send(&json!({"id": 4, "command": "connect"}));
    assert_eq!(driver.next()["status"], "success");
}

#[test]
fn a_reply_of_any_length_comes_in_parts_to_who_takes_them() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 1, "command": "connect", "params": {"parts": true}}));
    driver.expect_statuses(1, &["success"]);
    driver.details(2, "HUGE");
    let (mut text, mut parts) = (String::new(), 0);
    let end = loop {
        let line = driver.next();
        assert_eq!(line["id"], 2);
        let Some(part) = line["text"].as_str() else { break line };
        assert_eq!(line["status"], "part");
        text += part;
        parts += 1;
    };
    assert_eq!(end, json!({"id": 2, "status": "success", "parts": parts}));
    let data: Value = serde_json::from_str(&text).unwrap();
    assert!(data == json!(["x".repeat(17 * 1024 * 1024)]));
}

#[test]
fn a_long_reply_can_be_cancelled_between_its_parts() {
    let mut driver = Driver::start_unread();
    assert_eq!(driver.next_unread()["hello"]["cookie"], "secret");
    driver.send(&json!({"id": 1, "command": "connect", "params": {"parts": true}}));
    assert_eq!(driver.next_unread()["status"], "success");
    driver.details(2, "HUGE");
    assert_eq!(driver.next_unread()["status"], "part");
    driver.send(&json!({"id": 3, "command": "cancel", "params": {"target": 2}}));
    let mut parts = 1;
    let end = loop {
        let line = driver.next_unread();
        if line["status"] != "part" {
            break line;
        }
        parts += 1;
    };
    assert_eq!(end, json!({"id": 2, "status": "end"}));
    assert!(parts < 40, "{parts} of 69 parts");
    let cancelled = driver.next_unread();
    assert_eq!(cancelled, json!({"id": 3, "status": "success", "data": {"cancelled": true}}));
    // Its id may be used again, and no part of the old answer joins the new one.
    driver.details(2, "ANY");
    assert_eq!(driver.next_unread(), json!({"id": 2, "status": "success", "data": []}));
}

#[test]
fn an_event_that_is_too_long_ends_its_stream_at_who_takes_no_parts() {
    let mut driver = Driver::connected();
    driver.stream(2, "LONG", &json!({}));
    driver.expect_statuses(2, &["success", "event"]);
    driver.expect_error(2, "invalid_request", "limit is 16777216");
    wait_until(|| driver.stage.cancelled.load(Ordering::SeqCst) == 1);
    driver.send(&json!({"id": 3, "command": "server_time"}));
    assert_eq!(driver.next()["id"], 3, "nothing comes of the stream any more");
}

#[test]
fn an_event_of_any_length_comes_in_parts_to_who_takes_them() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 1, "command": "connect", "params": {"parts": true}}));
    driver.expect_statuses(1, &["success"]);
    driver.stream(2, "LONG", &json!({"credit": 3}));
    driver.expect_statuses(2, &["success", "event"]);
    let mut text = String::new();
    let end = loop {
        let line = driver.next();
        let Some(part) = line["text"].as_str() else { break line };
        text += part;
    };
    assert_eq!((&end["id"], &end["status"]), (&json!(2), &json!("event")));
    let data: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(data["text"]["value"].as_str().unwrap().len(), 17 * 1024 * 1024);
    driver.expect_statuses(2, &["event"]);
}

#[test]
fn a_reply_beyond_the_frame_limit_is_an_error_of_that_request() {
    let mut driver = Driver::connected();
    driver.details(2, "HUGE");
    driver.expect_error(2, "invalid_request", "limit is 16777216");
    driver.send(&json!({"id": 3, "command": "server_time"}));
    assert_eq!(driver.next()["status"], "success");
}

#[test]
fn shutdown_ends_what_runs_closes_the_session_and_answers() {
    let mut driver = Driver::connected();
    driver.details(2, "NEVER");
    driver.send(&json!({"id": 3, "command": "shutdown"}));
    driver.expect(&json!({"id": 2, "status": "end"}));
    driver.expect(&json!({"id": 3, "status": "success", "data": {}}));
    assert_eq!(driver.join().closed.load(Ordering::SeqCst), 1);
}

#[test]
fn the_end_of_the_input_closes_the_session_too() {
    let mut driver = Driver::connected();
    driver.stdin = None;
    assert_eq!(driver.join().closed.load(Ordering::SeqCst), 1);
}

#[test]
fn the_end_of_the_input_ends_a_running_connect() {
    let mut driver = Driver::start();
    driver.send(&json!({"id": 1, "command": "connect", "params": {"host": "silent"}}));
    wait_until(|| driver.stage.connecting.load(Ordering::SeqCst));
    driver.stdin = None;
    assert_eq!(driver.join().abandoned.load(Ordering::SeqCst), 1);
}

#[test]
fn a_parent_that_reads_no_more_ends_the_worker() {
    let mut driver = Driver::start_unread();
    driver.stdout = None;
    driver.send_raw("garbage\n");
    // The hello may fail already, or the answer to the garbage; the worker ends in both cases.
    let _ = driver.ended.recv_timeout(LONG).expect_err("it sends nothing");
}
