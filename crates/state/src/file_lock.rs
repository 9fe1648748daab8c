//! A kernel lock on a file: the one primitive under everything that processes share.
//!
//! `flock`: it belongs to the open file, so it also excludes other threads, and the kernel releases it when its holder dies.
//! Files are never removed: a process that still waited on the removed one would hold a second lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::files::Dir;
use crate::note::{Note, clear_note, read_note, write_note};

/// How often to try at first, when a release may be near.
const EAGER_POLL: Duration = Duration::from_millis(5);
/// How often to try after that.
pub const POLL: Duration = Duration::from_millis(25);
const EAGER: Duration = Duration::from_millis(200);

/// A locked file of ours.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// Whether a file is locked by somebody.
#[derive(Debug)]
pub enum Probe<T> {
    /// By nobody.
    Free,
    /// By somebody, who may have left a note.
    Held(Note<T>),
}

impl FileLock {
    /// Locks `name` unless somebody else does.
    ///
    /// # Errors
    /// When the file can't be used safely.
    pub fn try_acquire(dir: &Dir, name: &str) -> Result<Option<Self>> {
        let file = dir.file(name)?;
        Ok(if try_lock(&file, &dir.path(name))? { Self { file }.if_current(dir, name) } else { None })
    }

    /// Locks `name` for a moment's work, waiting for others that do the same. Blocks the thread.
    ///
    /// # Errors
    /// When the file can't be used safely, or is locked for longer than `timeout`.
    pub fn acquire_briefly(dir: &Dir, name: &str, timeout: Duration) -> Result<Self> {
        loop {
            let file = dir.file(name)?;
            lock_briefly(&file, &dir.path(name), timeout)?;
            if let Some(lock) = (Self { file }).if_current(dir, name) {
                return Ok(lock);
            }
        }
    }

    /// The lock, unless its file was removed under our hands (a cleaned /run, somebody's rm): others lock the new file.
    fn if_current(self, dir: &Dir, name: &str) -> Option<Self> {
        dir.is_current(name, &self.file).then_some(self)
    }

    /// Whether somebody has locked `name`, and their note. Makes no file, and is in nobody's way but that of somebody who
    /// tries to lock it at this very moment.
    ///
    /// # Errors
    /// When the file can't be used safely.
    pub fn probe<T: DeserializeOwned>(dir: &Dir, name: &str) -> Result<Probe<T>> {
        let Some(file) = dir.existing_file(name)? else { return Ok(Probe::Free) };
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = file.unlock();
                Ok(Probe::Free)
            }
            Err(TryLockError::WouldBlock) => {
                let note = read_note(&file).map_err(|error| Error::failed(&dir.path(name), error))?;
                Ok(Probe::Held(note))
            }
            Err(TryLockError::Error(error)) => Err(unlockable(&dir.path(name), error)),
        }
    }

    /// The note in the file.
    ///
    /// # Errors
    /// What the system said.
    pub fn read_note<T: DeserializeOwned>(&self) -> io::Result<Note<T>> {
        read_note(&self.file)
    }

    /// Empties the file.
    ///
    /// # Errors
    /// When there is something in it that is not ours, and what the system said.
    pub fn clear_note(&self) -> io::Result<()> {
        clear_note(&self.file)
    }

    /// Replaces the note in the file.
    ///
    /// # Errors
    /// When there is something in it that is not ours, and what the system said.
    pub fn note<T: Serialize>(&self, note: &T) -> io::Result<()> {
        write_note(&self.file, note)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing would not release it while a forked child has a copy of the descriptor.
        let _ = self.file.unlock();
    }
}

/// Locks `file` for a moment's work, waiting for others that do the same.
fn lock_briefly(file: &File, path: &Path, timeout: Duration) -> Result<()> {
    let start = Instant::now();
    while !try_lock(file, path)? {
        let waited = start.elapsed();
        if waited >= timeout {
            return Err(Error::Locked { path: path.to_path_buf(), waited: timeout });
        }
        thread::sleep(poll_interval(waited));
    }
    Ok(())
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unlockable(path, error)),
    }
}

fn unlockable(path: &Path, error: io::Error) -> Error {
    Error::Unusable {
        path: path.to_path_buf(),
        why: format!("can't be locked: {error}"),
        source: Some(error),
    }
}

/// How long to wait before the next try: eagerly at first, when a release may be near.
pub fn poll_interval(waited: Duration) -> Duration {
    if waited < EAGER { waited.clamp(Duration::from_millis(1), EAGER_POLL) } else { POLL }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const WAIT: Duration = Duration::from_millis(20);

    fn dir() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::private(&temp.path().join("state")).unwrap();
        (temp, dir)
    }

    #[test]
    fn it_excludes_others_until_it_is_dropped() {
        let (_temp, dir) = dir();
        let lock = FileLock::try_acquire(&dir, "a").unwrap().unwrap();
        assert!(FileLock::try_acquire(&dir, "a").unwrap().is_none());
        let error = FileLock::acquire_briefly(&dir, "a", WAIT).unwrap_err();
        assert!(matches!(&error, Error::Locked { path, .. } if *path == dir.path("a")), "{error}");
        assert!(FileLock::try_acquire(&dir, "b").unwrap().is_some(), "another file");
        drop(lock);
        assert!(FileLock::acquire_briefly(&dir, "a", Duration::ZERO).is_ok());
    }

    #[test]
    fn a_forked_childs_copy_does_not_keep_it() {
        let (_temp, dir) = dir();
        let lock = FileLock::try_acquire(&dir, "a").unwrap().unwrap();
        // The same open file, as a child has it after a fork.
        let _copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(FileLock::try_acquire(&dir, "a").unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_is_no_lock() {
        let (_temp, dir) = dir();
        let removed = FileLock::try_acquire(&dir, "a").unwrap().unwrap();
        fs::remove_file(dir.path("a")).unwrap();
        assert!(removed.if_current(&dir, "a").is_none());
        let replaced = FileLock::try_acquire(&dir, "a").unwrap().unwrap();
        assert!(replaced.if_current(&dir, "a").is_some());
    }

    #[test]
    fn a_probe_takes_and_makes_nothing() {
        let (_temp, dir) = dir();
        assert!(matches!(FileLock::probe::<u8>(&dir, "a"), Ok(Probe::Free)));
        assert_eq!(dir.names().unwrap().len(), 2, "only . and ..");
        let lock = FileLock::try_acquire(&dir, "a").unwrap().unwrap();
        assert!(matches!(FileLock::probe::<u8>(&dir, "a"), Ok(Probe::Held(Note::None))));
        drop(lock);
        assert!(matches!(FileLock::probe::<u8>(&dir, "a"), Ok(Probe::Free)));
        assert!(FileLock::try_acquire(&dir, "a").unwrap().is_some());
    }
}
