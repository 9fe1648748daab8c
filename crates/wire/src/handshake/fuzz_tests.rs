use ibkr_connect_fuzz::{Target, count};

use super::*;
use crate::frame::base_id;
use crate::ids::incoming;

const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
const ACK: &[u8] = b"\0\0\0\x0b226\x002026070";
/// startApi of client 7.
const START_API_FRAME: &[u8] = b"\0\0\0\x06\0\0\x01\x0f\x08\x07";

/// The Gateway says anything: the first byte is whether the session is read-only, the rest comes from its acknowledgement on.
#[test]
fn handshake_of_gateway() {
    let target = Target::foreign("handshake_of_gateway", env!("CARGO_MANIFEST_DIR"));
    // A length may name as much as an opening may have; nobody believes more.
    target.memory(2 * MAX_OPENING, 64).run(|bytes| {
        let (readonly, said) = bytes.split_first().unwrap_or((&0, &[]));
        let Played { outcome, out } = play(said, &[HELLO, START_API_FRAME].concat(), readonly % 2 == 1);
        assert!([HELLO.to_vec(), [HELLO, START_API_FRAME].concat()].contains(&out.to_gateway));
        match outcome {
            Ok(()) => format!("a session {}", count(opened(&out.to_client))),
            Err(failure) => {
                let said = format!("{:?}", failure.reason);
                assert!(said.len() < 8_192, "{} bytes", said.len());
                format!("{:?} {said}", failure.stage)
            }
        }
    });
}

/// The client says anything, or whoever stands in its place.
#[test]
fn handshake_of_client() {
    let gateway =
        [ACK, Frame::raw(215, b"\x0a\x03DU1").as_bytes(), Frame::raw(209, b"\x08\x01").as_bytes()].concat();
    Target::foreign("handshake_of_client", env!("CARGO_MANIFEST_DIR")).run(|said| {
        let Played { outcome, out } = play(&gateway, said, true);
        let passed = only_hello_and_start_api(&out.to_gateway);
        assert!(said.starts_with(&out.to_gateway), "something that was not said has passed");
        if outcome.is_ok() {
            assert!(passed == 2, "a session without startApi");
        }
        format!("{passed} {:?}", outcome.map_err(|failure| failure.reason))
    });
}

struct Played {
    outcome: Result<(), Failure>,
    out: Output,
}

/// Plays both sides; one that has said all closes the connection.
fn play(gateway: &[u8], client: &[u8], readonly: bool) -> Played {
    let deadline = Instant::now() + std::time::Duration::from_secs(1);
    let mut handshake = Handshake::new(Caller { client_id: 7, readonly }, deadline);
    let mut out = Output::default();
    let (mut gateway, mut client) = (Some(gateway), Some(client));
    while let Some(side) = handshake.awaits() {
        let said = if side == Side::Gateway { gateway.take() } else { client.take() };
        let outcome = match said {
            Some(said) => handshake.take(side, said, &mut out),
            None => Err(handshake.lost(side, "closed the connection".to_owned())),
        };
        if outcome.is_err() {
            return Played { outcome, out };
        }
    }
    Played { outcome: Ok(()), out }
}

/// How many frames the client gets after the acknowledgement, which is one that it can read: whole frames, accounts and order id first.
fn opened(to_client: &[u8]) -> usize {
    let mut rest = to_client;
    let ack = next(&mut rest);
    assert_eq!(fields(ack).count(), 2);
    for id in [incoming::MANAGED_ACCOUNTS, incoming::NEXT_VALID_ID] {
        let head = next(&mut rest).first_chunk().unwrap();
        assert_eq!(base_id(u32::from_be_bytes(*head)), id);
    }
    let mut others = 0;
    while !rest.is_empty() {
        assert!(next(&mut rest).len() >= 4);
        others += 1;
    }
    others
}

fn next<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (length, after) = rest.split_first_chunk().unwrap();
    let (payload, after) = after.split_at(u32::from_be_bytes(*length) as usize);
    *rest = after;
    payload
}

/// How many messages the Gateway got; it panics at any other than the two.
fn only_hello_and_start_api(to_gateway: &[u8]) -> usize {
    if to_gateway.is_empty() {
        return 0;
    }
    let mut rest = to_gateway.strip_prefix(b"API\0").unwrap();
    assert!(next(&mut rest).len() <= MAX_FROM_CLIENT);
    if rest.is_empty() {
        return 1;
    }
    let start_api = next(&mut rest);
    let id = u32::from_be_bytes(*start_api.first_chunk().unwrap());
    assert!([71, 271].contains(&id) || start_api.starts_with(b"71\0"), "message {id}");
    assert!(rest.is_empty(), "more than startApi");
    2
}
