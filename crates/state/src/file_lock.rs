//! A kernel lock on a file: the one primitive under everything that processes share.
//!
//! `flock`: it belongs to the open file, so it also excludes other threads, and the kernel releases it when its holder dies.
//! Files are never removed: whoever still waited on the removed one would hold a second lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::Dir;
use crate::owner::{Owner, read_note, write_note};

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
pub enum Probe {
    /// By nobody.
    Free,
    /// By somebody, who may have left a note.
    Held(Option<Owner>),
}

impl FileLock {
    /// Locks `name` unless somebody else does.
    ///
    /// # Errors
    /// When the file can't be used safely.
    pub fn try_acquire(dir: &Dir, name: &str) -> Result<Option<Self>> {
        let file = dir.file(name)?;
        if !try_lock(&file, &dir.path(name))? {
            return Ok(None);
        }
        // Removed under our hands (a cleaned /run, somebody's rm): others lock the new file.
        let lock = Self { file };
        Ok(dir.is_current(name, &lock.file).then_some(lock))
    }

    /// Locks `name` for a moment's work, waiting for others that do the same. Blocks the thread.
    ///
    /// # Errors
    /// When the file can't be used safely, or is locked for longer than `timeout`.
    pub fn acquire_briefly(dir: &Dir, name: &str, timeout: Duration) -> Result<Self> {
        loop {
            let file = dir.file(name)?;
            lock_briefly(&file, &dir.path(name), timeout)?;
            let lock = Self { file };
            if dir.is_current(name, &lock.file) {
                return Ok(lock);
            }
        }
    }

    /// Whether somebody holds a lock on `file`, and their note.
    pub fn probe(file: &File) -> Probe {
        match file.try_lock() {
            Ok(()) => {
                let _ = file.unlock();
                Probe::Free
            }
            Err(_) => Probe::Held(read_note(file)),
        }
    }

    /// Replaces the note in the file.
    ///
    /// # Errors
    /// What the system said.
    pub fn note<T: Serialize>(&self, note: &T) -> io::Result<()> {
        write_note(&self.file, note)
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing would not release it while a forked child has a copy of the descriptor.
        let _ = self.file.unlock();
    }
}

/// Locks `file` for a moment's work, waiting for others that do the same. The caller unlocks it.
///
/// Blocks the thread: not for a caller's runtime.
///
/// # Errors
/// When it can't be locked, or not within `timeout`.
pub fn lock_briefly(file: &File, path: &Path, timeout: Duration) -> Result<()> {
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
