//! What is kept of a run: the input under way, so that it survives a crash or a hang, and the one that failed.

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The file with the input that runs.
const RUNNING: &str = "running";

/// An input that runs for so long never ends.
const HANGS: Duration = Duration::from_secs(60);

/// So long an input is made smaller.
const PATIENCE: Duration = Duration::from_secs(10);

/// So much of a failure is shown.
const MOST_WORDS: usize = 2_000;

/// Where a target's inputs are kept.
pub(crate) struct Report {
    name: &'static str,
    directory: PathBuf,
    running: File,
    begun: Arc<Mutex<Option<Instant>>>,
}

impl Report {
    /// Below `target/fuzz/`. From now on something watches that no input hangs.
    pub(crate) fn start(name: &'static str) -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        // target/debug/deps/PROGRAM
        let target = program.ancestors().nth(3).unwrap_or(&program);
        let directory = target.join("fuzz").join(name);
        let running = fs::create_dir_all(&directory).and_then(|()| File::create(directory.join(RUNNING)));
        let running = running.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let report = Self { name, directory, running, begun: Arc::default() };
        report.watch();
        report
    }

    /// The input that runs now is kept: a stack that overflows ends the process without a word.
    pub(crate) fn begin(&self, input: &[u8]) {
        let kept = || -> io::Result<()> {
            self.running.write_all_at(input, 0)?;
            self.running.set_len(input.len() as u64)
        };
        kept().unwrap_or_else(|error| panic!("{}: {error}", self.directory.display()));
        self.set(Some(Instant::now()));
    }

    pub(crate) fn end(&self) {
        self.set(None);
    }

    /// Keeps an input that has failed.
    pub(crate) fn keep(&self, input: &[u8]) -> PathBuf {
        let path = self.directory.join("failed");
        fs::write(&path, input).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// To stderr itself, for the test harness keeps what a test that passes prints.
    pub(crate) fn say(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{line}");
    }

    #[cfg(fuzzing)]
    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    fn set(&self, begun: Option<Instant>) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    fn watch(&self) {
        let (begun, running, name) = (Arc::downgrade(&self.begun), self.directory.join(RUNNING), self.name);
        thread::spawn(move || {
            while let Some(begun) = begun.upgrade() {
                let since = *begun.lock().unwrap_or_else(PoisonError::into_inner);
                if since.is_some_and(|since| since.elapsed() > HANGS) {
                    let words =
                        format!("{name}: an input hangs for {HANGS:?}. It is {}.\n", running.display());
                    let _ = io::stderr().write_all(words.as_bytes());
                    std::process::abort();
                }
                drop(begun);
                thread::sleep(Duration::from_millis(500));
            }
        });
    }
}

/// A smaller input that fails as well: ever smaller pieces of it are left out.
pub(crate) fn smaller(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut small = input.to_vec();
    let (mut piece, start) = (small.len().div_ceil(2), Instant::now());
    while piece > 0 {
        let mut at = 0;
        while at < small.len() && start.elapsed() < PATIENCE {
            let mut shorter = small.clone();
            shorter.drain(at..(at + piece).min(small.len()));
            if fails(&shorter) {
                small = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    small
}

/// The words of a panic.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    text.chars().take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let small = smaller(b"some words, a needle, and more words", |input| {
            input.windows(6).any(|window| window == b"needle")
        });
        assert_eq!(small, b"needle");
    }
}
