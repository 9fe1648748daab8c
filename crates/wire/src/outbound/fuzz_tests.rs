use ibkr_connect_fuzz::{Target, count};

use super::*;
use crate::frame::MAX_LENGTH;

/// What trades, changes TWS or opens another way into it, by hand; 71 as a text begins with what reads as this.
const TRADES: [u32; 14] = [3, 4, 14, 15, 19, 21, 58, 65, 66, 69, 71, 72, 73, 109];
const TEXT_OF_AN_ORDER: &[u8] = b"3\0";

/// Whatever a client sends, in whatever pieces (the first byte), nothing that trades leaves; the second byte is the client id.
#[test]
fn to_gateway() {
    Target::foreign("to_gateway", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let [size, client_id, stream @ ..] = bytes else { return "short".to_owned() };
        let (size, client_id) = (usize::from(*size).max(1), i32::from(*client_id));
        let whole = followed(client_id, stream, stream.len().max(1));
        assert_eq!(followed(client_id, stream, size), whole, "it depends on how the bytes are cut");
        let Followed { left, refusals, outcome } = whole;
        // Of what has left, each frame that had its id.
        let mut rest = left.as_slice();
        let mut frames = 0;
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let id = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            assert!((4..=MAX_LENGTH as usize).contains(&length));
            let is_order = TRADES.iter().any(|trade| id == *trade || id == *trade + 200);
            assert!(
                !is_order && id <= 400 && !head[4..].starts_with(TEXT_OF_AN_ORDER),
                "message {id} has left"
            );
            assert!(client_id != 0 || ![5, 205].contains(&id), "orders are bound");
            frames += 1;
            rest = body.get(length - 4..).unwrap_or_default();
        }
        for refusal in &refusals {
            assert!(refusal.answer().as_bytes().len() < 200);
        }
        format!("{} {} {outcome:?}", count(frames), count(refusals.len()))
    });
}

#[derive(Debug, PartialEq)]
struct Followed {
    left: Vec<u8>,
    refusals: Vec<Refusal>,
    outcome: Result<(), BadFrame>,
}

fn followed(client_id: i32, bytes: &[u8], size: usize) -> Followed {
    let (mut outbound, mut left) = (Outbound::new(GuardPolicy::ReadOnly, client_id), Vec::new());
    let mut refusals = Vec::new();
    let outcome = bytes
        .chunks(size)
        .try_for_each(|piece| outbound.follow(piece, &mut left).map(|refused| refusals.extend(refused)));
    // What was refused before a frame that can't be one is told only where that came in another piece.
    if outcome.is_err() {
        refusals.clear();
    }
    Followed { left, refusals, outcome }
}
