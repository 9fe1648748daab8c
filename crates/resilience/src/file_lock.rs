//! A kernel lock on a file: the one primitive under everything that processes share.
//!
//! `flock`: it belongs to the open file, so it also excludes other threads, and the kernel releases it when its holder dies.
//! Files are never removed: whoever still waited on the removed one would hold a second lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use serde::Serialize;

use crate::files::{Dir, unusable};
use crate::owner::{Owner, read_note, write_note};

/// While a release is expected any moment, and afterwards.
const EAGER_POLL: Duration = Duration::from_millis(5);
pub(crate) const POLL: Duration = Duration::from_millis(25);
const EAGER: Duration = Duration::from_millis(200);

/// A locked file of ours.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

/// Whether a file is locked by somebody.
pub(crate) enum Probe {
    Free,
    Held(Option<Owner>),
}

impl FileLock {
    /// Locks `name` unless somebody else does.
    pub(crate) fn try_acquire(dir: &Dir, name: &str) -> Result<Option<Self>> {
        let file = dir.file(name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(
                    unusable(&dir.path(name), &format!("can't be locked: {error}")).with_source(error)
                );
            }
        }
        // Removed under our hands (a cleaned /run, somebody's rm): others lock the new file.
        let lock = Self { file };
        Ok(dir.is_current(name, &lock.file).then_some(lock))
    }

    /// Locks `name` for a moment's work, waiting for others that do the same.
    pub(crate) fn acquire_briefly(dir: &Dir, name: &str, timeout: Duration) -> Result<Self> {
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
    pub(crate) fn probe(file: &File) -> Probe {
        match file.try_lock() {
            Ok(()) => {
                let _ = file.unlock();
                Probe::Free
            }
            Err(_) => Probe::Held(read_note(file)),
        }
    }

    pub(crate) fn note<T: Serialize>(&self, note: &T) -> io::Result<()> {
        write_note(&self.file, note)
    }

    pub(crate) fn file(&self) -> &File {
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
pub(crate) fn lock_briefly(file: &File, path: &Path, timeout: Duration) -> Result<()> {
    let start = Instant::now();
    while !try_lock(file, path)? {
        let waited = start.elapsed();
        if waited >= timeout {
            let message = format!("{} has been locked for {timeout:?}", path.display());
            return Err(Error::new(ErrorKind::LockTimeout, message).in_phase(Phase::Preflight).with_advice(
                "a process that holds it is stopped (SIGSTOP, a debugger): continue or end it",
            ));
        }
        thread::sleep(poll_interval(waited));
    }
    Ok(())
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => {
            Err(unusable(path, &format!("can't be locked: {error}")).with_source(error))
        }
    }
}

/// How long to wait before the next try: eagerly at first, when a release may be near.
pub(crate) fn poll_interval(waited: Duration) -> Duration {
    if waited < EAGER { waited.clamp(Duration::from_millis(1), EAGER_POLL) } else { POLL }
}
