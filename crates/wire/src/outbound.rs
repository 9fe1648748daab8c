//! The frames that leave a session, in whatever pieces they come: each gets a verdict of the [`GuardPolicy`] before a byte of it leaves.

use crate::error_frame::ErrorMessage;
use crate::frame::Frame;
use crate::guard::{GuardPolicy, Refused};
use crate::ids::PROTOBUF;
use crate::inbound::{BadFrame, HEAD, LENGTHS};

/// How much of a refused message's body is kept, to find what it is about: the id of a request or an order is its first field.
const KEPT: usize = 16;

/// The code with which TWS refuses what its settings don't allow.
const NOT_ALLOWED: i32 = 321;

/// Follows the frames of a client.
#[derive(Debug)]
pub struct Outbound {
    policy: GuardPolicy,
    client_id: i32,
    at: At,
}

/// Where in the stream of frames it is.
#[derive(Debug)]
enum At {
    /// In the length and the id of a frame.
    Head(Vec<u8>),
    /// In the body of one that leaves.
    Passing { left: usize },
    /// In the body of one that does not.
    Dropping { refused: Refused, is_protobuf: bool, kept: Vec<u8>, left: usize },
}

/// A message that did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What it was.
    pub refused: Refused,
    /// The request or order that it was about.
    pub request_id: Option<i32>,
}

impl Refusal {
    /// What the client is told in the place of the Gateway, which has heard nothing.
    pub fn answer(&self) -> Frame {
        let text =
            format!("{} may not leave a read-only session: nothing was sent to the Gateway", self.refused);
        ErrorMessage::new(self.request_id.unwrap_or(-1), NOT_ALLOWED, &text).frame()
    }
}

impl Outbound {
    /// Of the session of this client.
    pub fn new(policy: GuardPolicy, client_id: i32) -> Self {
        Self { policy, client_id, at: At::Head(Vec::new()) }
    }

    /// Whose session it is.
    pub fn client_id(&self) -> i32 {
        self.client_id
    }

    /// Takes in the next bytes and puts those that may leave into `out`. A message that may not is dropped whole, and told when all of
    /// it has come.
    ///
    /// # Errors
    /// For what is not a frame; `out` has everything before it, and nothing more may leave.
    pub fn follow(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<Vec<Refusal>, BadFrame> {
        let mut refusals = Vec::new();
        while !bytes.is_empty() {
            let taken = self.take(bytes, out)?;
            bytes = &bytes[taken..];
            refusals.extend(self.end());
        }
        Ok(refusals)
    }

    /// Takes in as much as belongs together, and says how much that was.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, BadFrame> {
        match &mut self.at {
            At::Head(head) => {
                let taken = bytes.len().min(HEAD - head.len());
                head.extend_from_slice(&bytes[..taken]);
                if let Some(head) = head.first_chunk().copied() {
                    self.at = self.begin(head, out)?;
                }
                Ok(taken)
            }
            At::Passing { left } => {
                let taken = bytes.len().min(*left);
                out.extend_from_slice(&bytes[..taken]);
                *left -= taken;
                Ok(taken)
            }
            At::Dropping { kept, left, .. } => {
                let taken = bytes.len().min(*left);
                kept.extend_from_slice(&bytes[..taken.min(KEPT - kept.len())]);
                *left -= taken;
                Ok(taken)
            }
        }
    }

    /// The verdict on a frame.
    fn begin(&self, head: [u8; HEAD], out: &mut Vec<u8>) -> Result<At, BadFrame> {
        let [l0, l1, l2, l3, i0, i1, i2, i3] = head;
        let (length, id) = (u32::from_be_bytes([l0, l1, l2, l3]), u32::from_be_bytes([i0, i1, i2, i3]));
        if !LENGTHS.contains(&length) {
            return Err(BadFrame { length });
        }
        let left = 4 + length as usize - HEAD;
        Ok(match self.policy.check(self.client_id, id) {
            Ok(()) => {
                out.extend_from_slice(&head);
                At::Passing { left }
            }
            Err(refused) => At::Dropping { refused, is_protobuf: id > PROTOBUF, kept: Vec::new(), left },
        })
    }

    /// Goes on to the next frame when all of this one has come.
    fn end(&mut self) -> Option<Refusal> {
        let (At::Passing { left: 0 } | At::Dropping { left: 0, .. }) = self.at else { return None };
        match std::mem::replace(&mut self.at, At::Head(Vec::new())) {
            At::Dropping { refused, is_protobuf, kept, .. } => {
                let request_id = if is_protobuf { first_number(&kept) } else { None };
                Some(Refusal { refused, request_id })
            }
            At::Head(_) | At::Passing { .. } => None,
        }
    }
}

/// The first field of a protobuf body, where that is a number.
fn first_number(mut body: &[u8]) -> Option<i32> {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let (1, WireType::Varint) = decode_key(&mut body).ok()? else { return None };
    // As protobuf has it: the lower bits count.
    decode_varint(&mut body).ok().map(|number| number as i32)
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::MAX_LENGTH;

    fn frame(id: u32, body: &[u8]) -> Vec<u8> {
        Frame::raw(id, body).as_bytes().to_vec()
    }

    /// What leaves, and what does not.
    fn followed(policy: GuardPolicy, bytes: &[u8], size: usize) -> (Vec<u8>, Vec<Refusal>) {
        let (mut outbound, mut out) = (Outbound::new(policy, 7), Vec::new());
        let refusals = bytes.chunks(size).flat_map(|piece| outbound.follow(piece, &mut out).unwrap());
        let refusals = refusals.collect();
        (out, refusals)
    }

    #[test]
    fn what_is_refused_is_dropped_whole_and_the_session_goes_on() {
        let question = frame(262, b"");
        let order = frame(203, &[&[8, 42, 18], &[b'x'; 100][..]].concat());
        let bytes = [question.clone(), order, question.clone(), frame(258, b""), question.clone()].concat();
        for size in 1..=bytes.len() {
            let (out, refusals) = followed(GuardPolicy::ReadOnly, &bytes, size);
            assert_eq!(out, question.repeat(3), "{size}");
            let expected = [
                Refusal { refused: Refused { id: 3 }, request_id: Some(42) },
                Refusal { refused: Refused { id: 58 }, request_id: None },
            ];
            assert_eq!(refusals, expected, "{size}");
        }
        assert_eq!(followed(GuardPolicy::Trading, &bytes, 5), (bytes.clone(), vec![]));
    }

    #[test]
    fn the_client_is_told_in_the_gateways_place() {
        let answer = |body: &[u8]| {
            let (_, refusals) = followed(GuardPolicy::ReadOnly, &frame(203, body), 100);
            ErrorMessage::read(refusals[0].answer().body()).unwrap()
        };
        let told = answer(&[8, 42]);
        assert_eq!((told.id(), told.code()), (42, 321));
        assert!(told.text().starts_with("PlaceOrder may not leave a read-only session"), "{}", told.text());
        // What has no id, a torn one, or one that is not a number.
        for body in [&[][..], &[8], &[8, 0x80], &[10, 1, b'x'], &[16, 42]] {
            assert_eq!(answer(body).id(), -1, "{body:?}");
        }
    }

    #[test]
    fn what_is_no_frame_ends_it() {
        for policy in [GuardPolicy::ReadOnly, GuardPolicy::Trading] {
            for length in [0_u32, 3, MAX_LENGTH + 1, u32::MAX] {
                let bytes = [frame(262, b"x"), length.to_be_bytes().to_vec(), vec![0, 0, 0, 249]].concat();
                let mut out = Vec::new();
                assert_eq!(Outbound::new(policy, 7).follow(&bytes, &mut out), Err(BadFrame { length }));
                assert_eq!(out, frame(262, b"x"));
            }
        }
    }

    proptest! {
        #[test]
        fn no_order_leaves_however_the_bytes_are_cut(
            bodies in prop::collection::vec((prop::sample::select(vec![203, 262, 3, 309, 201]), prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            size in 1_usize..20,
        ) {
            let bytes: Vec<u8> = bodies.iter().flat_map(|(id, body)| frame(*id, body)).collect();
            let (out, refusals) = followed(GuardPolicy::ReadOnly, &bytes, size);
            let may = |id: u32| matches!(id, 262 | 201);
            let expected: Vec<u8> = bodies.iter().filter(|(id, _)| may(*id)).flat_map(|(id, body)| frame(*id, body)).collect();
            prop_assert_eq!(out, expected);
            prop_assert_eq!(refusals.len(), bodies.iter().filter(|(id, _)| !may(*id)).count());
        }
    }
}
