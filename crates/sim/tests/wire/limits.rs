//! The limits of all clients together, on the wire.

use std::time::Duration;

use crate::raw_client::RawClient;
use ibkr_connect_sim::{SimOptions, Simulator};

/// The code of an error frame: its third field, a varint of up to two bytes here.
fn error_code(body: &[u8]) -> u64 {
    let field = body.windows(2).position(|bytes| bytes[0] == 0x18).unwrap();
    u64::from(body[field + 1] & 0x7f)
        | if body[field + 1] < 0x80 { 0 } else { u64::from(body[field + 2]) << 7 }
}

/// A field of bytes: everything here is shorter than 128.
fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2, u8::try_from(value.len()).unwrap()], value].concat()
}

/// An hour of SPY in bars of this size.
fn bars(req_id: u8, size: &str) -> Vec<u8> {
    let contract = [bytes(2, b"SPY"), bytes(3, b"STK")].concat();
    let fields = [bytes(2, &contract), bytes(4, size.as_bytes()), bytes(5, b"3600 S"), bytes(7, b"TRADES")];
    [vec![8, req_id], fields.concat()].concat()
}

#[test]
fn more_messages_than_the_rate_are_error_100() {
    let options = SimOptions { message_rate: Some(10), ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut clients = [1, 2].map(|client_id| RawClient::handshaken(&simulator, client_id));
    // The limit is shared: what the first uses up, the second lacks.
    for _ in 0..200 {
        clients[0].request(17, &[]);
    }
    assert_eq!(clients[0].frames_until(4).iter().filter(|(id, _)| *id == 15).count(), 10);
    clients[1].request(17, &[]);
    let (id, body) = clients[1].frame().unwrap();
    assert_eq!((id, error_code(&body)), (4, 100));
    assert!(String::from_utf8_lossy(&body).contains("has been exceeded:max=10 rec="));
}

#[test]
fn a_question_for_the_time_too_soon_after_the_last_one_stays_unanswered() {
    let simulator = Simulator::start(SimOptions::default()).unwrap();
    let [mut one, mut other] = [1, 2].map(|client_id| RawClient::handshaken(&simulator, client_id));
    one.request(49, &[]);
    assert_eq!(one.frame().unwrap().0, 49);
    one.request(105, &[]);
    one.assert_silence();
    one.request(17, &[]);
    assert_eq!(one.frame().unwrap().0, 15, "other questions are answered");
    other.request(105, &[]);
    assert_eq!(other.frame().unwrap().0, 109, "each client has its own last question");
    assert_eq!(simulator.stats().clock_suppressed, 1);

    let options = SimOptions { clock_suppression: Duration::ZERO, ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut client = RawClient::handshaken(&simulator, 1);
    for _ in 0..2 {
        client.request(49, &[]);
        assert_eq!(client.frame().unwrap().0, 49);
    }
}

#[test]
fn an_identical_request_for_history_is_error_162() {
    let options = SimOptions { historical_pacing: true, ..SimOptions::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut client = RawClient::handshaken(&simulator, 1);
    // Longer bars have no pacing.
    for req_id in [1, 2] {
        client.request(20, &bars(req_id, "1 min"));
        client.frames_until(108);
    }
    client.request(20, &bars(5, "30 secs"));
    client.frames_until(108);
    client.request(20, &bars(6, "30 secs"));
    let (id, body) = client.frame().unwrap();
    assert_eq!((id, &body[..2], error_code(&body)), (4, [8, 6].as_slice(), 162));
    assert!(String::from_utf8_lossy(&body).contains("pacing violation"));

    let unlimited = Simulator::start(SimOptions::default()).unwrap();
    let mut client = RawClient::handshaken(&unlimited, 1);
    for req_id in [5, 6] {
        client.request(20, &bars(req_id, "30 secs"));
        client.frames_until(108);
    }
}
