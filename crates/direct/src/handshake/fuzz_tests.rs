use ibkr_connect_fuzz::{Target, count};
use tokio::io::{Join, join};

use super::*;
use crate::wire::incoming;

const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
const ACK: &[u8] = b"\0\0\0\x0b226\x002026070";
/// startApi of client 7.
const START_API_FRAME: &[u8] = b"\0\0\0\x06\0\0\x01\x0f\x08\x07";

/// What somebody says, and what was said to them.
type Played<'a> = Join<&'a [u8], Vec<u8>>;

impl Socket for Played<'_> {
    fn acknowledge_at_once(&self) {}
}

/// The Gateway says anything: the first byte is whether the session is read-only, the rest comes from its acknowledgement on.
#[test]
fn handshake_of_gateway() {
    let target = Target::foreign("handshake_of_gateway", env!("CARGO_MANIFEST_DIR"));
    // A length may name as much as an opening may have; nobody believes more.
    target.memory(2 * MAX_OPENING, 64).run(|bytes| {
        let (readonly, said) = bytes.split_first().unwrap_or((&0, &[]));
        let Outcome { result, phase, to_gateway, to_ibapi } =
            play(said, &[HELLO, START_API_FRAME].concat(), readonly % 2 == 1);
        assert!([HELLO.to_vec(), [HELLO, START_API_FRAME].concat()].contains(&to_gateway));
        match result {
            Ok(()) => format!("a session {}", count(opened(&to_ibapi))),
            Err(error) => {
                let named = error.phase().unwrap_or_else(|| panic!("{error} names no phase"));
                assert!(matches!(named, Phase::Version | Phase::StartApi | Phase::Accounts), "{error}");
                assert!(error.message().len() < 8_192, "{} bytes", error.message().len());
                format!("{} {phase} {}", error.kind(), error.message())
            }
        }
    });
}

/// ibapi says anything, or whoever stands in its place.
#[test]
fn handshake_of_ibapi() {
    let gateway =
        [ACK, Frame::raw(215, b"\x0a\x03DU1").as_bytes(), Frame::raw(209, b"\x08\x01").as_bytes()].concat();
    Target::foreign("handshake_of_ibapi", env!("CARGO_MANIFEST_DIR")).run(|said| {
        let Outcome { result, to_gateway, .. } = play(&gateway, said, true);
        let passed = only_hello_and_start_api(&to_gateway);
        assert!(said.starts_with(&to_gateway), "something that was not said has passed");
        if result.is_ok() {
            assert!(passed == 2, "a session without startApi");
        }
        format!("{passed} {}", result.map_or_else(|error| error.message().to_owned(), |()| String::new()))
    });
}

struct Outcome {
    result: Result<()>,
    phase: Phase,
    to_gateway: Vec<u8>,
    to_ibapi: Vec<u8>,
}

fn play(gateway: &[u8], ibapi: &[u8], readonly: bool) -> Outcome {
    let (mut gateway, mut ibapi) = (join(gateway, Vec::new()), join(ibapi, Vec::new()));
    let (caller, mut progress) = (Caller { client_id: 7, readonly }, Progress::new());
    progress.enter(Phase::Version);
    let result = pollster::block_on(relay_handshake(&mut gateway, &mut ibapi, caller, &mut progress));
    let (to_gateway, to_ibapi) = (gateway.into_inner().1, ibapi.into_inner().1);
    Outcome { result, phase: progress.phase(), to_gateway, to_ibapi }
}

/// How many frames ibapi gets after the acknowledgement, which is one that it can read: whole frames, accounts and order id first.
fn opened(to_ibapi: &[u8]) -> usize {
    let mut rest = to_ibapi;
    let ack = next(&mut rest);
    assert_eq!(fields(ack).count(), 2);
    for id in [incoming::MANAGED_ACCOUNTS, incoming::NEXT_VALID_ID] {
        let head = next(&mut rest).first_chunk().unwrap();
        assert_eq!(crate::wire::base_id(u32::from_be_bytes(*head)), id);
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
    assert!(next(&mut rest).len() <= MAX_HELLO);
    if rest.is_empty() {
        return 1;
    }
    let start_api = next(&mut rest);
    let id = u32::from_be_bytes(*start_api.first_chunk().unwrap());
    assert!([71, 271].contains(&id) || start_api.starts_with(b"71\0"), "message {id}");
    assert!(rest.is_empty(), "more than startApi");
    2
}
