//! Who holds a lock, as a note inside the file. Advisory: the kernel's lock is the truth.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Stamp;

/// A note is some hundred bytes; whatever follows is not ours.
const LONGEST_NOTE: usize = 4096;

/// The process that holds a lock or a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// Its process id, in its own pid namespace.
    pub pid: u32,
    /// The application's name.
    pub program: String,
    /// When the process started, in clock ticks since boot, where the system tells: with the pid it is unique.
    pub start_time: Option<u64>,
    /// Since when it holds.
    pub since: Stamp,
}

impl Owner {
    /// This process, from now on.
    pub fn this_process(program: &str, now: Stamp) -> Self {
        Self { pid: std::process::id(), program: program.to_owned(), start_time: start_time(), since: now }
    }

    /// "pid 4711 (ibkr-connect) for 12 s"
    pub fn describe(&self, now: &Stamp) -> String {
        let held = now.since(&self.since).as_secs();
        format!("pid {} ({}) for {held} s", self.pid, self.program)
    }
}

/// The note in `file`: `None` when there is none, or none that makes sense.
pub fn read_note<T: DeserializeOwned>(file: &File) -> Option<T> {
    let mut bytes = [0; LONGEST_NOTE];
    let length = file.read_at(&mut bytes, 0).ok()?;
    serde_json::from_slice(bytes[..length].trim_ascii_end()).ok()
}

/// Replaces the note in `file`.
///
/// # Errors
/// What the system said.
pub fn write_note<T: Serialize>(file: &File, note: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(note)?;
    line.push(b'\n');
    file.set_len(0)?;
    file.write_all_at(&line, 0)
}

/// Field 22 of `/proc/self/stat`, counted after the command, which may contain anything.
fn start_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_note_says_who_and_how_long() {
        let clock = ManualClock::new();
        let owner = Owner { pid: 4711, ..Owner::this_process("ibkr-connect", clock.now()) };
        clock.advance(Duration::from_millis(12_900));
        assert_eq!(owner.describe(&clock.now()), "pid 4711 (ibkr-connect) for 12 s");
    }

    #[test]
    fn a_shorter_note_leaves_nothing_of_the_longer_one() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(read_note::<Owner>(&file), None);
        let owner = Owner::this_process("a program with a long name", ManualClock::new().now());
        write_note(&file, &owner).unwrap();
        let shorter = Owner { program: "p".to_owned(), ..owner };
        write_note(&file, &shorter).unwrap();
        assert_eq!(read_note(&file), Some(shorter));
        file.write_all_at(b"garbage", 0).unwrap();
        assert_eq!(read_note::<Owner>(&file), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_start_time_is_after_boot_and_before_now() {
        let ticks = start_time().unwrap();
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        assert!(ticks > 0 && ticks / 100 <= u64::try_from(uptime).unwrap() + 1);
    }
}
