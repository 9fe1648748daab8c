//! Lines of bounded length out of any byte stream.

use std::io::{self, Read};
use std::ops::Range;

use ibkr_connect_core::backend::in_json_words;
use memchr::memchr;
use serde_json::value::RawValue;

/// Reads one line after the other, each where it was read to: no line is copied. A line that is too long is an error as soon as
/// it is; it is skipped to its end when the next one is wanted, and that one is whole.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    /// What was read and is not given away yet is in `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Up to here there is no end of a line.
    scanned: usize,
    /// The line that was given last.
    last: Range<usize>,
    limit: usize,
    /// The rest of a line that is too long comes next.
    within_long_line: bool,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Reading can go on with the line after it.
    #[error("a line is longer than {limit} bytes")]
    TooLong {
        /// How long a line may be.
        limit: usize,
    },
    /// The stream ended in the middle of a line.
    #[error("the stream ended within a line, after {start:?}")]
    Torn {
        /// The beginning of what there was of it.
        start: String,
    },
    /// The stream can't be read.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

impl<R: Read> LineReader<R> {
    const BUFFER: usize = 64 * 1024;
    /// How much memory is kept from one line to the next.
    const KEPT: usize = 1024 * 1024;

    /// A reader of lines of at most `limit` bytes, their newline not counted.
    pub fn new(reader: R, limit: usize) -> Self {
        let buffer = vec![0; Self::BUFFER];
        Self { reader, buffer, start: 0, end: 0, scanned: 0, last: 0..0, limit, within_long_line: false }
    }

    /// The next line without its line end; `None` at the end of the stream.
    ///
    /// # Errors
    /// After [`LineError::TooLong`] the next line can be had.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineError> {
        let mut line = loop {
            if let Some(line) = self.take_line() {
                if std::mem::take(&mut self.within_long_line) {
                    continue;
                }
                break line;
            }
            if self.within_long_line {
                self.start = self.end;
            } else if self.end - self.start >= self.limit + 2 {
                // What was read so far is not kept: the line could be any length.
                self.start = self.end;
                self.within_long_line = true;
                return Err(LineError::TooLong { limit: self.limit });
            }
            if self.fill()? == 0 {
                let rest = std::mem::replace(&mut self.start, self.end)..self.end;
                if rest.is_empty() {
                    return Ok(None);
                }
                return Err(LineError::Torn { start: cut(&self.buffer[rest]) });
            }
        };
        if self.buffer[line.clone()].ends_with(b"\r") {
            line.end -= 1;
        }
        if line.len() > self.limit {
            return Err(LineError::TooLong { limit: self.limit });
        }
        self.last = line.clone();
        Ok(Some(&self.buffer[line]))
    }

    /// Gives the line that [`next_line`](Self::next_line) has just given away, with the memory it was read to. What was read behind
    /// it is copied instead: for a long line that is less.
    pub(crate) fn take_last(&mut self) -> Line {
        let behind = self.start..self.end;
        let mut buffer = vec![0; Self::BUFFER.max(behind.len())];
        buffer[..behind.len()].copy_from_slice(&self.buffer[behind.clone()]);
        let mut bytes = std::mem::replace(&mut self.buffer, buffer);
        let last = std::mem::take(&mut self.last);
        bytes.truncate(last.end);
        self.scanned -= behind.start;
        (self.start, self.end) = (0, behind.len());
        Line { bytes, start: last.start }
    }

    /// Whether the next line can be had without reading.
    pub fn has_line(&self) -> bool {
        memchr(b'\n', &self.buffer[self.scanned..self.end]).is_some()
    }

    /// Where the next line is, if its end was read.
    fn take_line(&mut self) -> Option<Range<usize>> {
        let Some(length) = memchr(b'\n', &self.buffer[self.scanned..self.end]) else {
            self.scanned = self.end;
            return None;
        };
        let newline = self.scanned + length;
        let line = self.start..newline;
        (self.start, self.scanned) = (newline + 1, newline + 1);
        Some(line)
    }

    /// Reads more; says how much that was.
    fn fill(&mut self) -> io::Result<usize> {
        self.make_room();
        let count = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.end += count;
        Ok(count)
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end, self.scanned) = (0, 0, 0);
            if self.buffer.len() > Self::KEPT {
                self.buffer.truncate(Self::BUFFER);
                self.buffer.shrink_to_fit();
            }
        } else if self.start > 0 {
            // The beginning of a line, and only once: so each read has nearly the whole buffer, and there are few of them.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.end, self.scanned) = (self.end - self.start, self.scanned - self.start);
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
    }
}

/// A line with its memory.
#[derive(Debug)]
pub(crate) struct Line {
    bytes: Vec<u8>,
    start: usize,
}

impl Line {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// A value of JSON, which a line has in it: that line, where it is long, so that the value is not copied. Or what several lines had.
#[derive(Debug)]
pub(crate) struct Data {
    line: Line,
    value: Range<usize>,
}

impl Data {
    pub(crate) fn copied(value: &RawValue) -> Self {
        let bytes = value.get().as_bytes().to_vec();
        Self { value: 0..bytes.len(), line: Line { bytes, start: 0 } }
    }

    /// One that has come in parts.
    pub(crate) fn joined(text: String) -> Self {
        let bytes = text.into_bytes();
        Self { value: 0..bytes.len(), line: Line { bytes, start: 0 } }
    }

    /// The value at `value` in `line`.
    pub(crate) fn within(line: Line, value: Range<usize>) -> Self {
        Self { line, value }
    }

    /// It as text; empty, which is no JSON, if it is not text.
    pub(crate) fn get(&self) -> &str {
        self.line
            .bytes()
            .get(self.value.clone())
            .and_then(|value| std::str::from_utf8(value).ok())
            .unwrap_or("")
    }
}

/// What a parser says about a line, in an error message. It cites a name that it does not know whole, and that may be as long as the
/// line; the place in it is at the end.
pub(crate) fn complaint(error: &serde_json::Error) -> String {
    const BEGINNING: usize = 400;
    const END: usize = 200;
    let text = in_json_words(&error.to_string());
    let Some(end) = text.len().checked_sub(END).filter(|end| *end > BEGINNING) else { return text };
    format!("{}…{}", &text[..text.floor_char_boundary(BEGINNING)], &text[text.ceil_char_boundary(end)..])
}

/// As much of `text` as fits into an error message.
pub fn cut(text: &[u8]) -> String {
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

    #[test]
    fn a_line_longer_than_the_buffer_is_whole_and_its_memory_is_given_back() {
        let long = "x".repeat(3 * 1024 * 1024);
        let text = format!("a\n{long}\nb\n");
        let mut lines = LineReader::new(text.as_bytes(), long.len());
        assert_eq!(lines.next_line().unwrap(), Some(&b"a"[..]));
        assert!(lines.next_line().unwrap() == Some(long.as_bytes()));
        assert_eq!(lines.next_line().unwrap(), Some(&b"b"[..]));
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.buffer.capacity() <= LineReader::<&[u8]>::KEPT);
    }

    #[test]
    fn a_line_is_taken_with_its_memory_and_what_is_read_behind_it_stays() {
        let long = "x".repeat(200_000);
        let text = format!("before\n{long}\r\nbehind\n{long}\nthe end\n");
        let mut lines = LineReader::new(text.as_bytes(), long.len());
        lines.next_line().unwrap();
        for behind in ["behind", "the end"] {
            let length = lines.next_line().unwrap().unwrap().len();
            let place = lines.buffer.as_ptr();
            let line = lines.take_last();
            assert!(length == long.len() && line.bytes() == long.as_bytes());
            assert_eq!(line.bytes.as_ptr(), place, "it was not copied");
            assert_eq!(lines.next_line().unwrap(), Some(behind.as_bytes()));
        }
        assert!(lines.next_line().unwrap().is_none());
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
