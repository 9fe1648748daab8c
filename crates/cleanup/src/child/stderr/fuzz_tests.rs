use ibkr_connect_fuzz::{Target, count};

use super::tests::lines_of;
use super::*;

/// A letter that is none becomes one of three bytes.
const LONGEST: usize = 3 * LINE_BYTES;

/// What a worker or a helper program says on stderr: the first byte decides into what pieces the rest comes.
#[test]
fn stderr() {
    Target::local("stderr", env!("CARGO_MANIFEST_DIR")).longest(LINE_BYTES + 512).memory(1 << 20, 128).run(
        |bytes| {
            let (size, text) = bytes.split_first().unwrap_or((&1, &[]));
            let whole = lines_of(&[text]);
            let pieces: Vec<&[u8]> = text.chunks(usize::from(*size).max(1)).collect();
            assert_eq!(lines_of(&pieces), whole);
            assert!(whole.iter().all(|line| line.len() <= LONGEST && !line.contains('\n')));
            let tail = Tail::default();
            pieces.iter().for_each(|piece| tail.push(piece));
            assert_eq!(tail.text(), String::from_utf8_lossy(text));
            let longest = whole.iter().map(String::len).max().unwrap_or(0);
            format!("{} {} {}", count(whole.len()), count(longest), longest == LINE_BYTES)
        },
    );
}
