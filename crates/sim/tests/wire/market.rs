//! Market data on the wire, where the fields of a message matter.

use std::time::Duration;

use crate::raw_client::{PATIENCE, RawClient};
use ibkr_connect_sim::{SimOptions, Simulator};

/// 2024-07-12 15:00:00 UTC, a Friday.
const NOON: i64 = 1_720_796_400;

fn replay() -> Simulator {
    let options = SimOptions {
        replay: Some(jiff::Timestamp::from_second(NOON).unwrap()),
        tick_interval: Duration::from_millis(2),
        ..SimOptions::default()
    };
    Simulator::start(options).unwrap()
}

/// A field of bytes: everything here is shorter than 128.
fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2, u8::try_from(value.len()).unwrap()], value].concat()
}

fn about_spy(req_id: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    let contract = [bytes(2, b"SPY"), bytes(3, b"STK")].concat();
    [vec![8, req_id], bytes(2, &contract), fields.concat()].concat()
}

#[test]
fn the_past_comes_before_a_stream_of_ticks_that_asks_for_it() {
    let simulator = replay();
    let mut client = RawClient::handshaken(&simulator, 1);
    client.request(97, &about_spy(5, &[bytes(3, b"Last"), vec![0x20, 10]]));
    let (id, body) = client.frame().unwrap();
    assert_eq!(
        (id, &body[..2], &body[body.len() - 2..]),
        (98, [8, 5].as_slice(), [0x18, 1].as_slice()),
        "done"
    );
    let (id, body) = client.frame().unwrap();
    assert_eq!((id, &body[..4]), (99, [8, 5, 16, 1].as_slice()));
    client.request(98, &[8, 5]);
    assert!(simulator.wait_until(PATIENCE, |stats| stats.requested("cancelTickByTickData") == 1));
}

#[test]
fn many_ticks_come_in_batches_and_the_last_says_so() {
    let simulator = replay();
    let mut client = RawClient::handshaken(&simulator, 1);
    let fields = [bytes(4, b"20240712-15:00:00"), vec![0x28, 0xe8, 7], bytes(6, b"TRADES")];
    client.request(96, &about_spy(5, &fields));
    let done = |body: &[u8]| body[body.len() - 2..] == [0x18, 1];
    let mut batches = Vec::new();
    while batches.last() != Some(&true) {
        let (id, body) = client.frame().unwrap();
        assert_eq!(id, 98);
        batches.push(done(&body));
    }
    assert_eq!(batches, [false, false, true], "a thousand and some");
}

#[test]
fn a_cfd_of_a_stock_has_that_ones_data() {
    let simulator = replay();
    let mut client = RawClient::handshaken(&simulator, 1);
    let contract = bytes(2, &[bytes(2, b"SPY"), bytes(3, b"CFD")].concat());
    for (question, answer) in [(1, 91), (10, 92)] {
        client.request(question, &[vec![8, 5], contract.clone()].concat());
        let (id, body) = client.frame().unwrap();
        // SPY's contract id is 756733.
        let named = [b"\x08\x05\x10\xfd\x97\x2e".as_slice(), &bytes(3, b"SMART")].concat();
        assert_eq!((id, body), (answer, named));
    }
}

#[test]
fn a_client_has_three_books() {
    let simulator = replay();
    let mut client = RawClient::handshaken(&simulator, 1);
    let book = |req_id| about_spy(req_id, &[vec![0x18, 1], vec![0x20, 1]]);
    for req_id in 1..=3 {
        client.request(10, &book(req_id));
        client.frames_until(13);
    }
    client.request(10, &book(4));
    let refused = client.frames_until(4).pop().unwrap().1;
    assert!(String::from_utf8_lossy(&refused).contains("Max number (3) of market depth requests"));
}

#[test]
fn cancelling_what_is_not_there_has_a_code_of_its_own() {
    let simulator = replay();
    let mut client = RawClient::handshaken(&simulator, 1);
    for (cancel, words) in [
        (2, "Can't find EId with tickerId:9"),
        (98, "Can't find EId with tickerId:9"),
        (51, "Can't find EId with tickerId:9"),
        (11, "Can't find the subscribed market depth with tickerId:9"),
        (25, "No historical data query found for ticker id:9"),
    ] {
        client.request(cancel, &[8, 9]);
        let (id, body) = client.frame().unwrap();
        assert!(id == 4 && String::from_utf8_lossy(&body).contains(words), "{cancel}");
    }
    client.request(107, &[8, 9]);
    client.assert_silence();
}
