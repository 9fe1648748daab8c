//! The handshake between a client and a Gateway that are both played: what passes, what does not, and why it fails.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ids::{ManagedAccounts, NextValidId, incoming};

const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
const ACK: &[u8] = b"\0\0\0\x0b226\x002026070";

fn handshake() -> Handshake {
    Handshake::new(Caller { client_id: 7, readonly: false }, Instant::now() + Duration::from_secs(10))
}

/// Plays both sides in pieces of `size`, each when it is waited for; a side that has no more to say closes the connection.
fn played(client: &[u8], gateway: &[u8], size: usize) -> (Result<Rest, Failure>, Output) {
    let (mut handshake, mut out) = (handshake(), Output::default());
    let (mut client, mut gateway) = (client.chunks(size), gateway.chunks(size));
    while let Some(side) = handshake.awaits() {
        let pieces = if side == Side::Client { &mut client } else { &mut gateway };
        let Some(piece) = pieces.next() else {
            return (Err(handshake.lost(side, "closed the connection".to_owned())), out);
        };
        if let Err(failure) = handshake.take(side, piece, &mut out) {
            return (Err(failure), out);
        }
    }
    let mut rest = handshake.into_rest();
    rest.from_client.extend(client.flatten());
    rest.from_gateway.extend(gateway.flatten());
    (Ok(rest), out)
}

/// Why it fails, where the client says `said` after its hello, and what the Gateway has heard then.
fn fails(hello: &[u8], ack: &[u8], said: &[u8]) -> (Failure, Vec<u8>) {
    let (outcome, out) = played(&[hello, said].concat(), ack, 1);
    (outcome.unwrap_err(), out.to_gateway)
}

fn frame(id: u32, body: &[u8]) -> Vec<u8> {
    Frame::raw(id, body).as_bytes().to_vec()
}

fn accounts() -> Vec<u8> {
    let list = ManagedAccounts { accounts: Some("DU1".to_owned()) };
    Frame::protobuf(incoming::MANAGED_ACCOUNTS, &list).as_bytes().to_vec()
}

fn order_id() -> Vec<u8> {
    Frame::protobuf(incoming::NEXT_VALID_ID, &NextValidId { order_id: Some(5) }).as_bytes().to_vec()
}

proptest! {
    #[test]
    fn the_same_passes_however_the_bytes_are_cut(size in 1_usize..200) {
        let start_api = frame(271, &[8, 11]);
        let (news, later) = (frame(205, b"an order"), frame(249, b"later"));
        let client = [HELLO, &start_api, b"more"].concat();
        let gateway = [ACK, &order_id(), &news, &accounts(), &later].concat();
        let (outcome, out) = played(&client, &gateway, size);
        let rest = outcome.unwrap();
        prop_assert_eq!(out.to_gateway, [HELLO, &start_api].concat());
        prop_assert_eq!(out.to_client, [ACK, &accounts(), &order_id(), &news].concat());
        prop_assert_eq!(rest.from_client, b"more");
        prop_assert_eq!(rest.from_gateway, later);
    }

    #[test]
    fn any_bytes_end_it_or_not_without_a_panic(client: Vec<u8>, gateway: Vec<u8>, size in 1_usize..50) {
        let (outcome, out) = played(&client, &gateway, size);
        prop_assert!(outcome.is_err());
        prop_assert!(out.to_gateway.is_empty() || out.to_gateway.starts_with(MAGIC));
        let (_, out) = played(&[HELLO, &client].concat(), &[ACK, &gateway].concat(), size);
        prop_assert!(out.to_gateway.starts_with(HELLO));
    }
}

#[test]
fn nothing_passes_before_the_session_but_hello_and_start_api() {
    for id in [3, 203, 249, 309, 4711] {
        let (failure, heard) = fails(HELLO, ACK, &frame(id, b"x"));
        assert!(matches!(failure.reason, Reason::BadClient { expected: "startApi", .. }), "{failure:?}");
        assert_eq!(heard, HELLO, "{id}");
    }
    for hello in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &frame(203, b"an order")] {
        let (failure, heard) = fails(hello, ACK, b"");
        assert!(matches!(failure.reason, Reason::BadClient { expected: "API", .. }), "{failure:?}");
        assert_eq!(heard, b"");
    }
    let endless = [b"API\0\0\0\x04\x01".as_slice(), &[b'x'; 1_025]].concat();
    assert_eq!(fails(&endless, ACK, b"").1, b"", "no range of versions is as long");
    let longest = [b"API\0\0\0\x03\xfc".as_slice(), &[b'x'; 1_020]].concat();
    assert_eq!(fails(&longest, ACK, b"").1, longest);
}

#[test]
fn start_api_passes_in_every_dialect() {
    let text = b"\0\0\0\x0971\x002\x0011\0\0";
    for start_api in [&frame(271, &[8, 11]), &frame(71, b"2\x0011\0\0"), text.as_slice()] {
        let (failure, heard) = fails(HELLO, ACK, start_api);
        assert_eq!(heard, [HELLO, start_api].concat());
        assert_eq!(
            (failure.stage, failure.reason),
            (Stage::StartApi, Reason::Rejected("closed the connection".to_owned()))
        );
    }
}

#[test]
fn what_has_not_the_two_fields_of_a_version_is_skipped() {
    let news = b"\0\0\0\x0e14\x001\x007\x001\0news\0".as_slice();
    let start_api = frame(271, &[8, 11]);
    for before in [news.to_vec(), [news, b"\0\0\0\x04226\0", news].concat()] {
        let (_, heard) = fails(HELLO, &[&before, ACK].concat(), &start_api);
        assert_eq!(heard, [HELLO, &start_api].concat());
    }
    let (failure, heard) = fails(HELLO, news, &start_api);
    let reason = r#""14\01\07\01\0news\0" instead of its version, and closed the connection"#;
    assert_eq!((failure.stage, failure.reason), (Stage::Version, Reason::Unexpected(reason.to_owned())));
    assert_eq!(heard, HELLO);
    let (failure, _) = fails(HELLO, b"\0\0\0\x06no\0no\0", b"");
    assert_eq!(failure.reason, Reason::Unexpected(r#""no\0no\0" instead of its version"#.to_owned()));
}

#[test]
fn not_more_is_skipped_than_a_sane_amount() {
    let news = [b"\0\0\x0f\xfc".as_slice(), &[b'x'; 4_092]].concat();
    let start_api = frame(271, &[8, 11]);
    let fits = MAX_BEFORE_VERSION / news.len() - 1;
    let client = [HELLO, &start_api].concat();
    let (_, out) = played(&client, &[&news.repeat(fits), ACK].concat(), 4_096);
    assert_eq!(out.to_gateway, client);
    let (outcome, _) = played(&client, &[&news.repeat(fits + 1), ACK].concat(), 4_096);
    let reason = "a message of 11 bytes instead of its version".to_owned();
    assert_eq!(outcome.unwrap_err().reason, Reason::Unexpected(reason));
    let endless = frame(205, &vec![0; 1 << 20]).repeat(8);
    let (outcome, _) = played(&client, &[ACK, &endless].concat(), 64 << 10);
    let reason = format!("{MAX_OPENING} bytes of other messages before the accounts");
    assert_eq!(outcome.unwrap_err().reason, Reason::Unexpected(reason));
}

#[test]
fn a_gateway_that_is_too_old_or_speaks_something_else_is_named() {
    let (failure, _) = fails(HELLO, b"\0\0\0\x0a212\x00202607", b"");
    assert_eq!((failure.stage, failure.reason), (Stage::Version, Reason::ServerTooOld(212)));
    let (failure, _) = fails(HELLO, b"HTTP/1.1 400 Bad Request", b"");
    let reason = r#""HTTP", a frame length of 1213486160"#.to_owned();
    assert_eq!(failure.reason, Reason::Unexpected(reason));
}

/// An error frame by hand: id -1, code, text.
fn error(code: u16, text: &[u8]) -> Vec<u8> {
    let id = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let code = [0x18, code as u8 | 0x80, (code >> 7) as u8];
    frame(204, &[&id[..], &code, &[0x22, u8::try_from(text.len()).unwrap()], text].concat())
}

#[test]
fn the_last_complaint_that_is_not_over_counts() {
    for (codes, expected) in [
        (&[][..], None),
        (&[2_104, 2_106, 2_158], None),
        (&[1_100, 2_110, 2_105], Some(1_100)),
        (&[1_100, 1_102], None),
        (&[1_100, 1_101], None),
        (&[10_141, 1_102], Some(10_141)),
        (&[321, 1_100], Some(1_100)),
    ] {
        let errors: Vec<u8> = codes.iter().flat_map(|code| error(*code, b"a text")).collect();
        let (failure, _) = fails(HELLO, &[ACK, &errors].concat(), &frame(271, b""));
        assert_eq!(
            failure.complaint.map(|complaint| i32::from(complaint.code as u16)),
            expected,
            "{codes:?}"
        );
    }
}

#[test]
fn each_stage_ends_with_what_came() {
    let client = [HELLO, &frame(271, b"")].concat();
    for (gateway, expected) in [
        (vec![], Stage::Version),
        (ACK.to_vec(), Stage::StartApi),
        ([ACK, &error(321, b"no")].concat(), Stage::StartApi),
        ([ACK, &order_id()].concat(), Stage::Accounts),
        ([ACK, &accounts()].concat(), Stage::Accounts),
    ] {
        assert_eq!(played(&client, &gateway, 3).0.unwrap_err().stage, expected);
    }
    let (outcome, _) = played(&client, &[ACK, &frame(215, b"")].concat(), 3);
    let failure = outcome.unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Accounts, Reason::NoAccounts));
}

#[test]
fn from_the_deadline_on_silence_ends_it_and_nothing_ends_what_is_done() {
    let mut handshake = handshake();
    let deadline = handshake.deadline();
    assert_eq!(handshake.tick(deadline - Duration::from_millis(1)), Ok(()));
    let failure = handshake.tick(deadline).unwrap_err();
    assert_eq!((failure.stage, failure.reason), (Stage::Version, Reason::Silence));
    let mut out = Output::default();
    for (side, bytes) in [
        (Side::Client, HELLO.to_vec()),
        (Side::Gateway, ACK.to_vec()),
        (Side::Client, frame(271, b"")),
        (Side::Gateway, [accounts(), order_id()].concat()),
    ] {
        handshake.take(side, &bytes, &mut out).unwrap();
    }
    assert_eq!((handshake.awaits(), handshake.tick(deadline)), (None, Ok(())));
}

#[test]
fn a_client_that_leaves_is_named() {
    let (failure, _) = fails(b"API", b"", b"");
    assert_eq!(failure.reason, Reason::ClientLeft("closed the connection".to_owned()));
}
