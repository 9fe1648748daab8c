//! What may leave a read-only session: questions, and nothing that trades or changes anything.
//!
//! It is a list of what may pass, by the message's id: what is unknown, or is no frame, does not leave. Source of the ids: IBKR's TWS
//! API 10.x.

use std::fmt;
use std::ops::RangeInclusive;

use crate::wire::{MAX_FRAME, base_id};

/// The messages that only read, and those that end them. Not among them, beside what trades (3, 4, 19, 21, 58): 14 changes what TWS
/// logs, 15 binds TWS's own orders, 65, 66, 72 and 73 are a login of its own, 69 changes what TWS shows, 71 begins a session, and 109
/// changes TWS's settings, the read-only API among them.
const READING: &[RangeInclusive<u32>] = &[
    1..=2,
    5..=13,
    16..=18,
    20..=20,
    22..=25,
    49..=51,
    54..=57,
    59..=59,
    61..=64,
    67..=68,
    70..=70,
    74..=108,
];

/// Asks for the open orders; for client 0 it binds those that were made in TWS.
const OPEN_ORDERS: u32 = 5;

/// The messages that have a name in refusals.
const NAMES: &[(u32, &str)] = &[
    (3, "PlaceOrder"),
    (4, "CancelOrder"),
    (OPEN_ORDERS, "ReqOpenOrders of client 0"),
    (14, "ServerLogLevel"),
    (15, "ReqAutoOpenOrders"),
    (19, "ReplaceFA"),
    (21, "ExerciseOptions"),
    (58, "GlobalCancel"),
    (69, "UpdateDisplayGroup"),
    (71, "StartApi"),
    (109, "UpdateConfig"),
];

/// Whether asking for the open orders binds orders that this client has not made.
pub(crate) fn binds_orders(client_id: i32) -> bool {
    client_id == 0
}

/// Watches the frames that leave a session, in whatever pieces they come, and stops the first that does more than read.
#[derive(Debug)]
pub(crate) struct ReadOnlyGuard {
    client_id: i32,
    head: [u8; 8],
    filled: usize,
    body_left: usize,
}

/// What was about to leave a read-only session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Message(u32),
    /// The length of what is no frame.
    Length(u32),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id| NAMES.iter().find(|(known, _)| known == id).map(|(_, name)| name);
        match self {
            Self::Message(id) => match name(id) {
                Some(name) => write!(f, "{name}"),
                None => write!(f, "message {id}"),
            },
            Self::Length(length) => write!(f, "a frame of {length} bytes"),
        }
    }
}

impl ReadOnlyGuard {
    /// Of the session of a client.
    pub(crate) fn new(client_id: i32) -> Self {
        Self { client_id, head: [0; 8], filled: 0, body_left: 0 }
    }

    /// Looks at the next bytes.
    pub(crate) fn check(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        while !bytes.is_empty() {
            let skipped = self.body_left.min(bytes.len());
            self.body_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = (self.head.len() - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == self.head.len() {
                self.begin_body()?;
            }
        }
        Ok(())
    }

    fn begin_body(&mut self) -> Result<(), Refused> {
        let [l0, l1, l2, l3, i0, i1, i2, i3] = self.head;
        let (length, id) =
            (u32::from_be_bytes([l0, l1, l2, l3]), base_id(u32::from_be_bytes([i0, i1, i2, i3])));
        if !(4..=MAX_FRAME).contains(&length) {
            return Err(Refused::Length(length));
        }
        if !READING.iter().any(|ids| ids.contains(&id)) || id == OPEN_ORDERS && binds_orders(self.client_id) {
            return Err(Refused::Message(id));
        }
        (self.body_left, self.filled) = (length as usize - 4, 0);
        Ok(())
    }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(id: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
        bytes.extend(id.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn check(client_id: i32, frame: &[u8]) -> Result<(), Refused> {
        ReadOnlyGuard::new(client_id).check(frame)
    }

    /// The ids by hand, from IBKR's tables: 52 and 53 are gone, 60 and 26 to 48 never were.
    #[test]
    fn what_only_reads_may_pass_and_nothing_else() {
        let blocked =
            [0, 3, 4, 14, 15, 19, 21, 52, 53, 58, 60, 65, 66, 69, 71, 72, 73].into_iter().chain(26..=48);
        let blocked: Vec<u32> = blocked.chain(109..=200).collect();
        for id in 0..=200 {
            let expected = if blocked.contains(&id) { Err(Refused::Message(id)) } else { Ok(()) };
            assert_eq!(check(7, &frame(id, b"x")), expected, "{id}");
            if id > 0 {
                assert_eq!(check(7, &frame(id + 200, b"")), expected, "{id} as protobuf");
            }
        }
        for id in [401, u32::MAX, u32::from_be_bytes(*b"3\x0045"), u32::from_be_bytes(*b"71\x002")] {
            assert!(check(7, &frame(id, b"")).is_err(), "{id}");
        }
    }

    #[test]
    fn open_orders_are_not_asked_for_by_the_client_whose_question_binds_them() {
        for id in [5, 205] {
            assert_eq!(check(0, &frame(id, b"")), Err(Refused::Message(5)));
            assert_eq!(check(1, &frame(id, b"")), Ok(()));
        }
        assert_eq!(check(0, &frame(216, b"")), Ok(()), "those of all clients bind nothing");
    }

    #[test]
    fn what_is_no_frame_does_not_leave() {
        for length in [0_u32, 3, MAX_FRAME + 1, u32::MAX] {
            let bytes = [length.to_be_bytes(), 249_u32.to_be_bytes()].concat();
            assert_eq!(check(7, &bytes), Err(Refused::Length(length)));
        }
    }

    #[test]
    fn a_refusal_names_the_message() {
        let text = |id| Refused::Message(id).to_string();
        assert_eq!(
            (text(3), text(109), text(150)),
            ("PlaceOrder".into(), "UpdateConfig".into(), "message 150".into())
        );
    }

    proptest! {
        #[test]
        fn an_order_is_stopped_however_the_bytes_are_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            cut in 1_usize..20,
        ) {
            let mut stream: Vec<u8> = bodies.iter().flat_map(|body| frame(262, body)).collect();
            let mut guard = ReadOnlyGuard::new(7);
            for piece in stream.chunks(cut) {
                prop_assert_eq!(guard.check(piece), Ok(()));
            }
            stream.extend(frame(203, b"order"));
            let mut guard = ReadOnlyGuard::new(7);
            let stopped = stream.chunks(cut).find_map(|piece| guard.check(piece).err());
            prop_assert_eq!(stopped, Some(Refused::Message(3)));
        }
    }
}
