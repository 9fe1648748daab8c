//! Lines of bounded length out of any byte stream.

use std::io::{self, BufRead, BufReader, Read};

/// Reads one line after the other. A line that is too long is an error as soon as it is; it is skipped to its end when
/// the next one is wanted, and that one is whole.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    limit: usize,
    /// The rest of a line that is too long comes next.
    within_long_line: bool,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// Reading can go on with the line after it.
    #[error("a line is longer than {limit} bytes")]
    TooLong { limit: usize },
    /// The stream ended in the middle of a line.
    #[error("the stream ended within a line, after {start:?}")]
    Torn { start: String },
    /// The stream can't be read.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

impl<R: Read> LineReader<R> {
    const BUFFER: usize = 64 * 1024;
    /// How much memory is kept from one line to the next.
    const KEPT: usize = 1024 * 1024;

    /// A reader of lines of at most `limit` bytes, their newline not counted.
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        let reader = BufReader::with_capacity(Self::BUFFER, reader);
        Self { reader, line: Vec::new(), limit, within_long_line: false }
    }

    /// The next line without its line end; `None` at the end of the stream.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>, LineError> {
        if std::mem::take(&mut self.within_long_line) {
            self.reader.skip_until(b'\n')?;
        }
        self.line.clear();
        self.line.shrink_to(Self::KEPT);
        let limit = self.limit;
        // Two more bytes: the line end of a line of exactly `limit` bytes.
        let most = limit as u64 + 2;
        let count = (&mut self.reader).take(most).read_until(b'\n', &mut self.line)?;
        if count == 0 {
            return Ok(None);
        }
        let Some(text) = self.line.strip_suffix(b"\n") else {
            return Err(self.without_end(count as u64 == most));
        };
        if text.strip_suffix(b"\r").unwrap_or(text).len() > limit {
            return Err(LineError::TooLong { limit });
        }
        self.line.pop();
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(Some(&self.line))
    }

    /// Whether the next line can be had without reading.
    pub(crate) fn has_line(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// The line was cut, by the limit (`full`) or by the end of the stream.
    fn without_end(&mut self, full: bool) -> LineError {
        if full {
            // What was read so far is not kept: the line could be any length.
            self.line = Vec::new();
            self.within_long_line = true;
            return LineError::TooLong { limit: self.limit };
        }
        LineError::Torn { start: cut(&self.line) }
    }
}

/// As much of `text` as fits into an error message.
pub(crate) fn cut(text: &[u8]) -> String {
    const MOST: usize = 200;
    let start = String::from_utf8_lossy(&text[..text.len().min(MOST)]);
    if text.len() > MOST { format!("{start}… ({} bytes)", text.len()) } else { start.into_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a byte stream in chunks of the given lengths, over and over.
    struct Chunked<'a> {
        bytes: &'a [u8],
        lengths: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    }

    impl Read for Chunked<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.lengths.next().copied().unwrap_or(1).min(buffer.len()).min(self.bytes.len());
            let (chunk, rest) = self.bytes.split_at(length);
            buffer[..length].copy_from_slice(chunk);
            self.bytes = rest;
            Ok(length)
        }
    }

    /// Every outcome up to the end of the stream, in words.
    fn outcomes(reader: impl Read, limit: usize) -> Vec<String> {
        let mut lines = LineReader::new(reader, limit);
        let mut seen = Vec::new();
        loop {
            match lines.next_line() {
                Ok(Some(line)) => seen.push(format!("line {}", String::from_utf8_lossy(line))),
                Ok(None) => return seen,
                Err(LineError::Torn { start }) => {
                    seen.push(format!("torn {start}"));
                    return seen;
                }
                Err(error) => seen.push(error.to_string()),
            }
        }
    }

    #[test]
    fn a_line_ends_with_its_newline_or_is_torn() {
        assert_eq!(outcomes(&b"a\n\nb\r\n"[..], 9), ["line a", "line ", "line b"]);
        assert_eq!(outcomes(&b"a\nb"[..], 9), ["line a", "torn b"]);
        assert!(outcomes(&b""[..], 9).is_empty());
    }

    #[test]
    fn a_line_of_the_limit_passes_and_a_longer_one_is_skipped() {
        let seen = outcomes(&b"abc\nabcd\nabc\r\nabcdefghijklmnop\nx\n"[..], 3);
        let long = "a line is longer than 3 bytes";
        assert_eq!(seen, ["line abc", long, "line abc", long, "line x"]);
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'{'), any::<u8>()], 0..200),
            lengths in proptest::collection::vec(1_usize..9, 1..5),
            limit in 1_usize..20,
        ) {
            let chunked = Chunked { bytes: &bytes, lengths: lengths.iter().cycle() };
            prop_assert_eq!(outcomes(chunked, limit), outcomes(&bytes[..], limit));
        }
    }
}
