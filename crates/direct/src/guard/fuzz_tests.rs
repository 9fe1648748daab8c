use ibkr_connect_fuzz::{Target, count};

use super::*;

/// What trades, changes TWS or opens another way into it, by hand; 71 as a text begins with what reads as this.
const TRADES: [u32; 14] = [3, 4, 14, 15, 19, 21, 58, 65, 66, 69, 71, 72, 73, 109];
const TEXT_OF_AN_ORDER: &[u8] = b"3\0";

/// Whatever ibapi sends, in whatever pieces (the first byte), nothing that trades passes; the second byte is the client id.
#[test]
fn to_gateway() {
    Target::foreign("to_gateway", env!("CARGO_MANIFEST_DIR")).run(|bytes| {
        let [size, client_id, stream @ ..] = bytes else { return "short".to_owned() };
        let (size, client_id) = (usize::from(*size).max(1), i32::from(*client_id));
        let mut guard = ReadOnlyGuard::new(client_id);
        let passed: Vec<&[u8]> = stream.chunks(size).take_while(|piece| guard.check(piece).is_ok()).collect();
        let passed = passed.concat();
        // Of what has passed, each frame that had its id.
        let mut rest = passed.as_slice();
        let mut frames = 0;
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let id = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            assert!((4..=MAX_FRAME as usize).contains(&length));
            let is_order = TRADES.iter().any(|trade| id == *trade || id == *trade + 200);
            assert!(
                !is_order && id <= 400 && !head[4..].starts_with(TEXT_OF_AN_ORDER),
                "message {id} has passed"
            );
            assert!(client_id != 0 || ![5, 205].contains(&id), "orders are bound");
            frames += 1;
            rest = body.get(length - 4..).unwrap_or_default();
        }
        let outcome = ReadOnlyGuard::new(client_id).check(stream);
        assert_eq!(outcome.is_ok(), passed.len() == stream.len(), "it depends on how the bytes are cut");
        let said = outcome.map_or_else(|refused| refused.to_string(), |()| String::new());
        assert!(said.len() < 100);
        format!("{} {said}", count(frames))
    });
}
