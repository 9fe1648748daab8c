//! Data that are too long for a line: cut into parts by whoever writes them, and joined by whoever reads them.

use std::io::{self, Write};

use memchr::memchr2;
use serde::de::{Deserializer, Visitor};

use crate::frames::{MAX_DATA, MAX_PART};

/// Cuts the JSON that is written to it into lines of parts, and hands each to `send`. An error of `send` ends the writing.
#[derive(Debug)]
pub(crate) struct Cutter<F> {
    id: u64,
    send: F,
    line: Vec<u8>,
    parts: u64,
    /// How much more of the data there may be.
    left: usize,
}

/// What `io::Error` says of data that are longer than they may be.
pub(crate) const TOO_LONG: io::ErrorKind = io::ErrorKind::FileTooLarge;

impl<F: FnMut(Vec<u8>) -> io::Result<()>> Cutter<F> {
    const END: &[u8] = b"\"}\n";
    /// In JSON that is written without white space these two are all that a string has to mark.
    const LONGEST_MARKED: usize = 2;

    /// For the data of `id`, of which there may be `limit` bytes.
    pub(crate) fn new(id: u64, limit: usize, send: F) -> Self {
        let mut cutter = Self { id, send, line: Vec::new(), parts: 0, left: limit };
        cutter.begin();
        cutter
    }

    /// Hands on the last part; says how many they are.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.cut()?;
        Ok(self.parts)
    }

    fn begin(&mut self) {
        self.line = Vec::with_capacity(MAX_PART);
        self.line.extend_from_slice(format!(r#"{{"id":{},"status":"part","text":""#, self.id).as_bytes());
    }

    fn cut(&mut self) -> io::Result<()> {
        self.line.extend_from_slice(Self::END);
        self.parts += 1;
        (self.send)(std::mem::take(&mut self.line))
    }

    fn mark(&mut self, text: &[u8]) {
        /// Up to here a search costs more than a look at each byte; most of what is written is as short as that.
        const SHORT: usize = 16;
        if text.len() < SHORT {
            for &byte in text {
                if matches!(byte, b'"' | b'\\') {
                    self.line.push(b'\\');
                }
                self.line.push(byte);
            }
            return;
        }
        let mut rest = text;
        while let Some(at) = memchr2(b'"', b'\\', rest) {
            self.line.extend_from_slice(&rest[..at]);
            self.line.extend_from_slice(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
        self.line.extend_from_slice(rest);
    }

    /// How many bytes of the data surely fit into this line.
    fn room(&self) -> usize {
        MAX_PART.saturating_sub(self.line.len() + Self::END.len()) / Self::LONGEST_MARKED
    }
}

impl<F: FnMut(Vec<u8>) -> io::Result<()>> Write for Cutter<F> {
    /// Takes whole characters.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        /// No character is longer.
        const CHARACTER: usize = 4;
        if text.len() > self.left {
            return Err(TOO_LONG.into());
        }
        if self.room() < CHARACTER {
            self.cut()?;
            self.begin();
        }
        let mut count = text.len().min(self.room());
        while text.get(count).is_some_and(|byte| byte & 0xC0 == 0x80) {
            count -= 1;
        }
        self.mark(&text[..count]);
        self.left -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The parts of some data that have come so far, as one text.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    text: String,
    parts: u64,
}

impl Joined {
    /// Adds a part whose text is this JSON string. Of one that is none, nothing is added.
    pub(crate) fn push(&mut self, text: &str) -> serde_json::Result<()> {
        let before = self.text.len();
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_str(Append(&mut self.text)).and_then(|()| json.end());
        match read {
            Ok(()) => self.parts += 1,
            Err(_) => self.text.truncate(before),
        }
        read
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> u64 {
        self.parts
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Adds the text that it visits.
struct Append<'a>(&'a mut String);

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}

/// How much a link keeps of data that are not whole yet.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) limit: usize,
    used: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { limit: MAX_DATA, used: 0 }
    }
}

impl Allowance {
    /// Counts so much more; whether that is allowed.
    pub(crate) fn take(&mut self, length: usize) -> bool {
        self.used += length;
        self.used <= self.limit
    }

    pub(crate) fn give_back(&mut self, length: usize) {
        self.used -= length;
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frames::{Answer, part_text};

    /// The lines of the parts that `pieces`, written one after the other, are cut into.
    fn cut(pieces: &[&str], limit: usize) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut cutter = Cutter::new(7, limit, |line| {
            lines.push(String::from_utf8(line).unwrap());
            Ok(())
        });
        pieces.iter().try_for_each(|piece| cutter.write_all(piece.as_bytes()))?;
        let count = cutter.finish()?;
        assert_eq!(count, lines.len() as u64);
        Ok(lines)
    }

    fn joined(lines: &[String]) -> String {
        let mut joined = Joined::default();
        for line in lines {
            let (id, text) = part_text(line.strip_suffix('\n').unwrap().as_bytes()).unwrap();
            assert_eq!(id, 7);
            joined.push(text).unwrap();
        }
        assert_eq!(joined.parts(), lines.len() as u64);
        joined.into_text()
    }

    #[test]
    fn a_part_is_written_as_a_frame_is() {
        let text = r#"[{"a":"\\ä\n"},"#;
        let lines = cut(&[text], MAX_DATA).unwrap();
        assert_eq!(lines, [serde_json::to_string(&Answer::part(7, text)).unwrap() + "\n"]);
    }

    #[test]
    fn no_line_is_longer_than_a_part_and_none_ends_within_a_character() {
        for text in ["a", "\"", "\\", "ä", "😀", "x\"😀"] {
            let long = text.repeat(3 * MAX_PART / text.len() + 1);
            let lines = cut(&["{", &long, "}"], MAX_DATA).unwrap();
            assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= MAX_PART + 1), "{text}");
            let shortest = lines[..lines.len() - 1].iter().map(String::len).min().unwrap();
            assert!(shortest > MAX_PART / 2, "{text}: a part of {shortest}");
            assert!(joined(&lines) == format!("{{{long}}}"), "{text}");
        }
    }

    #[test]
    fn data_of_the_limit_are_cut_and_longer_ones_are_not() {
        assert_eq!(joined(&cut(&["12", "345"], 5).unwrap()), "12345");
        assert_eq!(cut(&["12", "3456"], 5).unwrap_err().kind(), TOO_LONG);
    }

    #[test]
    fn a_text_that_is_none_adds_nothing() {
        let mut joined = Joined::default();
        joined.push(r#""[1,""#).unwrap();
        for wrong in ["7", "null", r#""a"#, r#""a" 7"#, "\"\n\"", r#""\ud800""#, "[\"a\"]"] {
            joined.push(wrong).unwrap_err();
        }
        joined.push(r#""\u0032]""#).unwrap();
        assert_eq!((joined.parts(), joined.len(), joined.into_text()), (2, 5, "[1,2]".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_was_cut_is_joined_again(pieces in proptest::collection::vec(".{0,40}", 0..8), times in 1_usize..5_000) {
            // JSON without white space has no control characters, and a part has no escape for them.
            let texts: Vec<_> = pieces.iter().map(|piece| piece.replace(char::is_control, "").repeat(times)).collect();
            let pieces: Vec<_> = texts.iter().map(String::as_str).collect();
            prop_assert!(joined(&cut(&pieces, usize::MAX).unwrap()) == texts.concat());
        }
    }
}
