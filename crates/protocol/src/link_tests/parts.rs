//! Data that come in parts.

use super::*;
use crate::frames::{Answer, Hello, HelloFrame, event_data};

fn part(id: u64, text: &str) -> Value {
    json!({"id": id, "status": "part", "text": text})
}

fn success(id: u64, parts: u64) -> Value {
    json!({"id": id, "status": "success", "parts": parts})
}

impl Bench {
    fn may_keep(limit: usize) -> Self {
        let bench = Self::new();
        bench.link.lock().allowance.limit = limit;
        bench
    }

    /// Nothing is kept of what has ended.
    fn assert_keeps(&self, length: usize) {
        let state = self.link.lock();
        assert_eq!(state.allowance.used(), length);
    }
}

#[test]
fn parts_are_joined_whatever_comes_between_them() {
    let bench = Bench::new();
    let (mut first, mut second, mut third) =
        (pin!(bench.request(9)), pin!(bench.request(9)), pin!(bench.request(9)));
    for request in [first.as_mut(), second.as_mut(), third.as_mut()] {
        assert!(poll(request).is_none());
    }
    bench
        .answers(&[
            part(1, "[\"D"),
            part(2, ""),
            accounts(3),
            part(2, "[\"ä\\u00"),
            part(1, "U1\""),
            json!({"id": 1, "status": "part", "text": ",\"DU2\"]", "of": 3}),
            success(1, 3),
            part(2, "e4\"]"),
            success(2, 3),
        ])
        .unwrap();
    let answer =
        |names: &[&str]| Reply::ManagedAccounts(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(poll(first).unwrap().unwrap(), answer(&["DU1", "DU2"]));
    assert_eq!(poll(second).unwrap().unwrap(), answer(&["ää"]));
    assert_eq!(poll(third).unwrap().unwrap(), answer(&["DU1"]));
    bench.assert_keeps(0);
}

#[test]
fn parts_of_any_length_and_any_writer_are_read() {
    let bench = Bench::new();
    let mut request = pin!(bench.request(9));
    assert!(poll(request.as_mut()).is_none());
    let (beginning, end) = ("[\"".to_owned() + &"DU1".repeat(100_000), "DU2".repeat(100_000) + "\"]");
    let ours = part(1, &beginning);
    let spaced = serde_json::to_string_pretty(&part(1, &end)).unwrap().replace('\n', " ");
    let lines = format!("hello\n{ours}\n{spaced}\n{}\n", success(1, 2));
    crate::incoming::read(&bench.link, lines.as_bytes());
    assert_eq!(bench.link.take_violation(), None);
    let Reply::ManagedAccounts(names) = poll(request).unwrap().unwrap() else { panic!("another reply") };
    assert!(names == ["DU1".repeat(100_000) + &"DU2".repeat(100_000)]);
}

#[test]
fn an_error_or_an_end_makes_the_parts_before_it_void() {
    let bench = Bench::new();
    let mut first = pin!(bench.request(9));
    assert!(poll(first.as_mut()).is_none());
    let error = Error::new(ErrorKind::InvalidRequest, "the answer is too long");
    bench.answers(&[part(1, "[\"DU1\""), json!({"id": 1, "status": "error", "error": error})]).unwrap();
    assert_eq!(kind(poll(first)), (ErrorKind::InvalidRequest, false));
    bench.assert_keeps(0);

    let bench = Bench::new();
    let mut stream = bench.stream(FlowControl::Conflate);
    bench.answers(&[part(1, "{"), json!({"id": 1, "status": "end"})]).unwrap();
    assert!(unread(&mut stream).is_empty());
    bench.assert_keeps(0);
}

#[test]
fn parts_of_what_has_timed_out_or_was_dropped_join_nothing() {
    let mut bench = Bench::new();
    let (mut slow, mut dropped) = (pin!(bench.request(10)), Box::pin(bench.request(20)));
    assert!(poll(slow.as_mut()).is_none() && poll(dropped.as_mut()).is_none());
    bench.sent();
    bench.answers(&[part(1, "[\"DU1\""), part(2, "[\"DU2\"")]).unwrap();
    bench.assert_keeps(12);
    drop(dropped);
    bench.assert_keeps(6);
    bench.passes(Duration::from_secs(10)).unwrap();
    bench.assert_keeps(0);
    let error = poll(slow).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().starts_with("6 bytes of the answer have come"), "{error}");
    assert!(error.advice().unwrap().contains("more time"), "{error:?}");
    assert_eq!(bench.sent_commands(), [("cancel".to_owned(), 2), ("cancel".to_owned(), 1)]);

    let mut next = pin!(bench.request(10));
    assert!(poll(next.as_mut()).is_none());
    let late = [part(1, "]"), part(2, "]"), success(1, 2), success(2, 2), json!({"id": 1, "status": "end"})];
    bench.answers(&late).unwrap();
    bench.assert_keeps(0);
    let next_id = bench.sent()[0]["id"].as_u64().unwrap();
    bench.answers(&[part(next_id, "[\"DU3\"]"), success(next_id, 1)]).unwrap();
    assert_eq!(poll(next).unwrap().unwrap(), Reply::ManagedAccounts(vec!["DU3".to_owned()]));
}

#[test]
fn a_loss_between_two_parts_is_a_loss() {
    let bench = Bench::new();
    let mut request = pin!(bench.request(9));
    assert!(poll(request.as_mut()).is_none());
    bench.answer(part(1, "[\"DU1\""));
    let lost = CloseReason::Disconnected("reset".to_owned());
    bench.link.refuse(&lost.error(), lost.clone());
    bench.link.fail_all(&lost.error());
    assert_eq!(kind(poll(request)), (ErrorKind::Disconnected, false));
    bench.assert_keeps(0);
}

#[test]
fn data_of_the_limit_are_taken_and_longer_ones_fail_alone() {
    let bench = Bench::may_keep(9);
    let (mut fits, mut too_long) = (pin!(bench.request(9)), pin!(bench.request(9)));
    assert!(poll(fits.as_mut()).is_none() && poll(too_long.as_mut()).is_none());
    bench.sent();
    bench.answers(&[part(1, "[\"DU"), part(1, "123\"]"), success(1, 2)]).unwrap();
    assert_eq!(poll(fits).unwrap().unwrap(), Reply::ManagedAccounts(vec!["DU123".to_owned()]));
    bench.answers(&[part(2, "[\"DU"), part(2, "1234\"]")]).unwrap();
    let error = poll(too_long).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("more than 9 bytes"), "{error}");
    assert!(error.advice().unwrap().contains("ask for less"), "{error:?}");
    assert_eq!(bench.sent_commands(), [("cancel".to_owned(), 2)]);
    // A mad worker goes on.
    bench.answers(&[part(2, "more and more"), part(2, "and more"), success(2, 4)]).unwrap();
    bench.assert_keeps(0);
    let mut next = pin!(bench.request(9));
    assert!(poll(next.as_mut()).is_none(), "the session goes on");
}

#[test]
fn the_limit_is_for_all_data_that_are_not_whole_together() {
    let bench = Bench::may_keep(9);
    let (mut first, mut second) = (pin!(bench.request(9)), pin!(bench.request(9)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    bench.answers(&[part(1, "[\"DU"), part(2, "[\"DU"), part(2, "1\"")]).unwrap();
    assert_eq!(kind(poll(second)), (ErrorKind::Protocol, false));
    bench.answers(&[part(1, "1\"]"), success(1, 2)]).unwrap();
    assert!(poll(first).unwrap().is_ok());
}

#[test]
fn a_stream_whose_event_is_too_long_fails_and_a_connect_too() {
    let bench = Bench::may_keep(9);
    let mut stream = bench.stream(FlowControl::Conflate);
    bench.sent();
    bench.answer(part(1, "{\"price\": "));
    assert_eq!(unread(&mut stream).pop().unwrap().unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(bench.sent_commands(), [("cancel".to_owned(), 1)]);

    let bench = Bench::may_keep(9);
    bench.link.send_connect(&Target::default()).unwrap();
    bench.answer(part(1, "{\"connected"));
    assert_eq!(bench.link.take_connected().unwrap().unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn an_event_in_parts_keeps_its_place_among_the_others() {
    let bench = Bench::new();
    let mut stream = bench.stream(FlowControl::Lossless { capacity: 9 });
    let whole = tick_line(1, 2)["data"].to_string();
    let (beginning, end) = whole.split_at(20);
    bench
        .answers(&[
            tick_line(1, 1),
            part(1, beginning),
            json!({"id": 1, "status": "merged", "count": 2}),
            part(1, end),
            json!({"id": 1, "status": "event", "parts": 2}),
            tick_line(1, 3),
        ])
        .unwrap();
    assert_eq!(unread(&mut stream).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3].map(tick));
    assert_eq!(stream.merged(), 2);
    bench.assert_keeps(0);
}

#[test]
fn parts_that_are_not_those_that_are_counted_are_a_violation() {
    for (lines, how) in [
        (vec![part(1, "[]"), success(1, 2)], "1 parts have come, and 2 are counted"),
        (vec![part(1, "["), part(1, "]"), success(1, 1)], "2 parts have come, and 1 are counted"),
        (vec![success(1, 1)], "0 parts have come, and 1 are counted"),
        (vec![part(1, "[]"), accounts(1)], "1 parts have come, and 0 are counted"),
        (
            vec![part(1, "[]"), json!({"id": 1, "status": "success", "data": [], "parts": 1})],
            "data, and parts as well",
        ),
        (vec![json!({"id": 1, "status": "part"})], "a part without text"),
        (vec![json!({"id": 1, "status": "part", "text": ["[]"]})], "no text (invalid type"),
        (vec![part(9, "[]")], "nothing was asked with id 9"),
    ] {
        let bench = Bench::new();
        let mut request = pin!(bench.request(9));
        assert!(poll(request.as_mut()).is_none());
        let violation = bench.answers(&lines).unwrap_err();
        assert!(violation.starts_with(how), "{violation}");
        // What becomes of the worker then says what becomes of the request.
        assert!(poll(request).is_none());
    }
}

#[test]
fn an_event_that_does_not_count_the_parts_before_it_is_a_violation_however_it_is_written() {
    let ours = serde_json::to_string(&Answer::event(1, tick(1))).unwrap();
    assert!(event_data(ours.as_bytes()).is_some());
    for line in [ours, tick_line(1, 1).to_string()] {
        let bench = Bench::new();
        let _stream = bench.stream(FlowControl::Conflate);
        let mut incoming = Incoming::new(&bench.link);
        incoming.line(b"its hello").unwrap();
        incoming.line(part(1, "{}").to_string().as_bytes()).unwrap();
        let violation = incoming.line(line.as_bytes()).unwrap_err();
        assert!(violation.starts_with("1 parts have come, and 0 are counted"), "{violation}");
    }
}

#[test]
fn a_long_line_after_parts_is_no_answer_either() {
    let bench = Bench::new();
    let mut request = pin!(bench.request(9));
    assert!(poll(request.as_mut()).is_none());
    let long = json!({"id": 1, "status": "success", "data": ["DU1".repeat(100_000)]});
    crate::incoming::read(&bench.link, format!("hello\n{}\n{long}\n", part(1, "[]")).as_bytes());
    let violation = bench.link.take_violation().unwrap();
    assert!(violation.starts_with("1 parts have come, and 0 are counted"), "{violation}");
}

#[test]
fn a_worker_that_sends_a_long_answer_lives_though_its_pongs_are_late() {
    let mut bench = Bench::new();
    let mut request = pin!(bench.request(900));
    assert!(poll(request.as_mut()).is_none());
    bench.link.start_heartbeat(bench.now, PING);
    bench.passes(Duration::ZERO).unwrap();
    for _ in 0..20 {
        bench.passes(PING).unwrap();
        bench.answer(part(1, " "));
    }
    // Parts that nobody waits for are no sign of a worker that does what it should.
    drop(bench.link.lock().take(1));
    let lost = (0..20).find_map(|_| {
        let ticked = bench.passes(PING);
        bench.answer(part(1, " "));
        ticked.err()
    });
    assert_eq!(lost, Some(HeartbeatLost::Link));
}

#[test]
fn a_worker_is_asked_for_parts_if_it_knows_them() {
    let asked_of = |hello: Value| {
        let bench = Bench::new();
        Incoming::new(&bench.link).line(hello.to_string().as_bytes()).unwrap();
        bench.link.take_hello().unwrap().unwrap();
        bench.link.send_connect(&Target::default()).unwrap();
        bench.sent()[0]["params"]["parts"].clone()
    };
    let ours = serde_json::to_value(HelloFrame { hello: Hello::ours("c".to_owned()) }).unwrap();
    assert_eq!(asked_of(ours), json!(true));
    assert_eq!(asked_of(json!({"hello": {"protocol": 2, "features": ["dusk", "parts"]}})), json!(true));
    for older in [json!({"protocol": 2}), json!({"protocol": 2, "features": ["dusk"]})] {
        assert_eq!(asked_of(json!({"hello": older})), Value::Null);
    }
}

#[test]
fn the_answer_to_connect_may_come_in_parts() {
    let bench = Bench::new();
    bench.link.send_connect(&Target::default()).unwrap();
    let data = json!({"connected": true, "accounts": ["DU1"], "server_version": 226, "client_id": 7,
        "readonly": true, "connect_ms": 1.0, "phases": []})
    .to_string();
    let (beginning, end) = data.split_at(33);
    bench.answers(&[part(1, beginning), part(1, end), success(1, 2)]).unwrap();
    assert_eq!(bench.link.take_connected().unwrap().unwrap().accounts, ["DU1"]);
}
