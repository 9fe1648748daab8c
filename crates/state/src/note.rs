//! A note inside a lock file. A file with anything else in it is not ours, and is left as it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A note is some hundred bytes; whatever is longer is not ours.
const LONGEST_NOTE: usize = 4096;

/// What is in a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note<T> {
    /// Nothing.
    None,
    /// A note of ours.
    Of(T),
    /// A note of ours that was cut, e.g. by a crash, or that another version has written.
    Unclear,
    /// Something that we have not written.
    Foreign,
}

impl<T> Note<T> {
    /// The note, if there is one that makes sense.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Of(note) => Some(note),
            _ => None,
        }
    }
}

/// The note in `file`.
///
/// # Errors
/// What the system said.
pub fn read_note<T: DeserializeOwned>(file: &File) -> io::Result<Note<T>> {
    let mut bytes = [0; LONGEST_NOTE + 1];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(parse(&bytes[..length]))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Note<T> {
    match () {
        () if bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) => Note::None,
        () if bytes.len() > LONGEST_NOTE || !begins_like_ours(bytes) => Note::Foreign,
        () => serde_json::from_slice(bytes.trim_ascii_end()).map_or(Note::Unclear, Note::Of),
    }
}

/// Replaces the note in `file`.
///
/// # Errors
/// When there is something in it that is not ours, and what the system said.
pub(crate) fn write_note<T: Serialize>(file: &File, note: &T) -> io::Result<()> {
    check_ours(file)?;
    let mut line = serde_json::to_vec(note)?;
    line.push(b'\n');
    file.set_len(0)?;
    file.write_all_at(&line, 0)
}

/// Empties `file`.
///
/// # Errors
/// Those of [`write_note`].
pub(crate) fn clear_note(file: &File) -> io::Result<()> {
    check_ours(file)?;
    file.set_len(0)
}

fn check_ours(file: &File) -> io::Result<()> {
    match read_note::<serde::de::IgnoredAny>(file)? {
        Note::Foreign => Err(io::Error::other("there is something in it that ibkr-connect has not written")),
        _ => Ok(()),
    }
}

/// `{"pid":4711,"program":"…`, which may be the owner in a larger note.
fn begins_like_ours(bytes: &[u8]) -> bool {
    let owner = bytes.strip_prefix(b"{\"owner\":").unwrap_or(bytes);
    let Some(pid) = owner.strip_prefix(b"{\"pid\":") else { return false };
    let digits = pid.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && pid[digits..].starts_with(b",\"program\":\"")
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::clock::manual::ManualClock;
    use crate::holder::Holder;

    fn contents(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; 10_000];
        let length = file.read_at(&mut bytes, 0).unwrap();
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn a_shorter_note_leaves_nothing_of_the_longer_one() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(read_note::<Holder>(&file).unwrap(), Note::None);
        let owner = Holder::this_process("a program with a long name", ManualClock::new().now());
        write_note(&file, &owner).unwrap();
        let shorter = Holder { program: "p".to_owned(), ..owner };
        write_note(&file, &shorter).unwrap();
        assert_eq!(read_note(&file).unwrap(), Note::Of(shorter));
        clear_note(&file).unwrap();
        assert_eq!(contents(&file), b"");
    }

    #[test]
    fn what_a_crash_leaves_of_a_note_is_written_over() {
        let owner = Holder::this_process("p", ManualClock::new().now());
        for cut in [
            &b"\0\0\0\0"[..],
            b"\n",
            b"{\"pid\":4711,\"program\":\"ib",
            b"{\"owner\":{\"pid\":1,\"program\":\"",
        ] {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(cut, 0).unwrap();
            assert_eq!(read_note::<Holder>(&file).unwrap().known(), None);
            write_note(&file, &owner).unwrap();
            assert_eq!(read_note(&file).unwrap(), Note::Of(owner.clone()));
        }
    }

    #[test]
    fn what_is_not_ours_is_neither_emptied_nor_written_over() {
        let owner = Holder::this_process("p", ManualClock::new().now());
        let long = [b"{\"pid\":4711,\"program\":\"".to_vec(), vec![b'x'; LONGEST_NOTE]].concat();
        let foreign: [&[u8]; 6] =
            [b"precious", b"{\"pid\":4711}", b"{}", b"{\"pid\":,\"program\":\"", b"\0\0x", &long];
        for contents_before in foreign {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(contents_before, 0).unwrap();
            assert_eq!(read_note::<Holder>(&file).unwrap(), Note::Foreign);
            assert!(write_note(&file, &owner).is_err());
            assert!(clear_note(&file).is_err());
            assert_eq!(contents(&file), contents_before);
        }
    }
}
