use ibkr_connect_fuzz::{Target, count};

use super::tests::{Notes, Word};
use super::*;

/// What the Gateway says in a session: the first byte is the size of the pieces in which the rest comes.
#[test]
fn from_gateway() {
    Target::foreign("from_gateway", env!("CARGO_MANIFEST_DIR")).memory(512 * 1024, 64).run(|bytes| {
        let (size, stream) = bytes.split_first().unwrap_or((&1, &[]));
        let whole = followed(stream, stream.len().max(1));
        assert_eq!(followed(stream, usize::from(*size).max(1)), whole, "it depends on how the bytes are cut");
        let Followed { out, word, outcome } = whole;
        // A message that travels whole has a head of its own, and its letters are of two bytes at most.
        assert!(out.len() <= 64 + 8 * stream.len(), "{} bytes of {}", out.len(), stream.len());
        if outcome.is_ok() {
            let again = followed(&out, out.len().max(1));
            assert_eq!(
                (again.outcome, again.word),
                (Ok(()), word.clone()),
                "what the client gets is no stream of frames"
            );
        }
        assert!(word.as_ref().is_none_or(|Word(_, text)| text.len() <= crate::LONGEST_TEXT));
        format!("{} {} {outcome:?}", count(out.len()), word.is_some())
    });
}

#[derive(Debug, PartialEq)]
struct Followed {
    out: Vec<u8>,
    word: Option<Word>,
    outcome: Result<(), BadFrame>,
}

fn followed(bytes: &[u8], size: usize) -> Followed {
    let (mut inbound, tap, now) = (Inbound::default(), Notes::of_account("DU1"), Instant::now());
    let mut out = Vec::new();
    let outcome = bytes.chunks(size).try_for_each(|mut piece| {
        inbound.follow(&mut piece, now, &tap, &mut out).map(|flow| assert_eq!(flow, Flow::GoesOn))
    });
    assert!(inbound.kept.capacity() <= 2 * LONGEST_READ);
    Followed { out, word: tap.last.take(), outcome }
}
