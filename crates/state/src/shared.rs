//! A record that processes share: lock, read, translate to this boot's clock, change, write if something has changed.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Moment, Stamp};
use crate::disk::{Disk, KernelDisk};
use crate::error::{Error, Result};
use crate::file_lock::FileLock;
use crate::files::Dir;
use crate::record::{Record, Shareable};

/// What a change does takes milliseconds, or its process is stopped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A shared record that this process may have to remember by itself.
pub trait Mergeable: Shareable + Default {
    /// Adds what this process could not write, while others went on. What is safer counts.
    fn merge(&mut self, unwritten: Self);
}

/// A record in a file of its own, replaced as a whole.
///
/// # Behavior
/// - A file that can't be read, or makes no sense, is an error, and stays as it is until [`replace`](Self::replace).
/// - What can't be written, e.g. on a full disk, is remembered by this handle and its clones, and written when that is
///   possible again.
/// - Where there is no file, the content is the default.
#[derive(Debug, Clone)]
pub struct Shared<T> {
    directory: PathBuf,
    name: String,
    older: Option<String>,
    lock_timeout: Duration,
    clock: Arc<dyn Clock>,
    disk: Arc<dyn Disk>,
    unwritten: Arc<Mutex<Option<Unwritten<T>>>>,
}

/// What this process could not write.
#[derive(Debug)]
struct Unwritten<T> {
    /// The file that it changes.
    base: Option<Vec<u8>>,
    record: Record<T>,
}

/// A file as it is.
#[derive(Debug)]
struct Found<T> {
    bytes: Option<Vec<u8>>,
    record: Option<Record<T>>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { bytes: None, record: None }
    }
}

/// When a record is looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Visit<'a> {
    /// Now.
    pub now: Stamp,
    /// When the record was written, if it was.
    pub written: Option<Moment>,
    /// Whether the record knows this boot's clock. If not, the next [`change`](Shared::change) settles that, whatever it
    /// does; until then the moments follow the wall clock.
    pub is_settled: bool,
    /// The directory that it is in.
    pub dir: &'a Dir,
}

/// What came of a change.
#[derive(Debug)]
#[must_use = "the change may not have been written"]
pub struct Changed<R> {
    /// What the change gave.
    pub value: R,
    /// Why it could not be written, if so: then only this process knows of it.
    pub unwritten: Option<Error>,
}

impl<T: Mergeable> Shared<T> {
    /// The record `name` (without its ending) in `directory`. Nothing is read or written yet.
    pub fn new(directory: &Path, name: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory: directory.to_path_buf(),
            name: name.into(),
            older: None,
            lock_timeout: LOCK_TIMEOUT,
            clock,
            disk: Arc::new(KernelDisk),
            unwritten: Arc::default(),
        }
    }

    /// The same on another disk.
    #[must_use]
    pub fn on(self, disk: Arc<dyn Disk>) -> Self {
        Self { disk, ..self }
    }

    /// The same, which goes on from the record `name` (without its ending) of an older version as long as there is no
    /// newer one.
    #[must_use]
    pub fn following(self, name: impl Into<String>) -> Self {
        Self { older: Some(name.into()), ..self }
    }

    /// The same with another limit to the wait for others that change it.
    #[must_use]
    pub fn waiting_at_most(self, lock_timeout: Duration) -> Self {
        Self { lock_timeout, ..self }
    }

    /// The record's file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(self.file())
    }

    /// What `look` sees in the record now. Takes no lock and writes nothing, so a process that is stopped delays nobody;
    /// `None` if there is no directory yet.
    ///
    /// # Errors
    /// When the directory or the record can't be used.
    pub fn look<R>(&self, look: impl FnOnce(&T, &Visit<'_>) -> R) -> Result<Option<R>> {
        let Some(dir) = Dir::existing(&self.directory)? else { return Ok(None) };
        let found = self.current(&self.read(&dir)?);
        let (content, visit) = self.visit(found.as_ref(), &dir);
        Ok(Some(look(&content, &visit)))
    }

    /// The same, but a record that does not know this boot's clock yet learns it first, which takes the lock and writes.
    /// For those who wait for something to be over: a wall clock that was set back would let it last for ever.
    ///
    /// # Errors
    /// Those of [`look`](Self::look); of [`change`](Self::change), if it has to be learnt.
    pub fn look_settled<R>(&self, look: impl Fn(&T, &Visit<'_>) -> R) -> Result<Option<R>> {
        let seen = self.look(|content, visit| visit.is_settled.then(|| look(content, visit)))?;
        match seen {
            Some(None) => {
                self.change(|content, visit| look(content, visit)).map(|changed| Some(changed.value))
            }
            seen => Ok(seen.flatten()),
        }
    }

    /// Changes the record.
    ///
    /// # Errors
    /// When the directory or the record can't be used, or a stopped process holds its lock. Nothing is changed then.
    pub fn change<R>(&self, change: impl FnOnce(&mut T, &Visit<'_>) -> R) -> Result<Changed<R>> {
        let dir = Dir::private(&self.directory)?;
        let _lock = self.lock(&dir)?;
        let found = self.read(&dir)?;
        let (value, record) = self.changed(&dir, &found, change);
        let unwritten = record.and_then(|record| self.write(&dir, found.bytes, record).err());
        Ok(Changed { value, unwritten })
    }

    /// Changes the record, or fails: what can't be written is not done.
    ///
    /// # Errors
    /// Those of [`change`](Self::change), and when the record can't be written.
    pub fn commit<R>(&self, change: impl FnOnce(&mut T, &Visit<'_>) -> R) -> Result<R> {
        let dir = Dir::private(&self.directory)?;
        let _lock = self.lock(&dir)?;
        let (value, record) = self.changed(&dir, &self.read(&dir)?, change);
        if let Some(record) = record {
            self.disk.replace(&dir, &self.file(), &record.to_bytes())?;
            *self.unwritten() = None;
        }
        Ok(value)
    }

    /// Changes what this process remembers, for when the record can't be changed: it is added to that later.
    pub fn remember(&self, change: impl FnOnce(&mut T, &Stamp)) {
        let dir = Dir::existing(&self.directory).ok().flatten();
        let found = dir.and_then(|dir| self.read(&dir).ok()).unwrap_or_default();
        let now = self.clock.now();
        let current = self.current(&found);
        let mut content = current.as_ref().map_or_else(T::default, |record| record.content_at(&now));
        change(&mut content, &now);
        let record = match current {
            Some(current) => current.next(&now, content),
            None => Record::first(&now, content),
        };
        *self.unwritten() = Some(Unwritten { base: found.bytes, record });
    }

    /// Replaces the record, whatever it is. A file that can't be read is put aside, as the name with `.bad`: then that is
    /// where.
    ///
    /// # Errors
    /// When the directory can't be used, a stopped process holds the lock, or the record can't be put aside or written.
    pub fn replace(&self, content: T) -> Result<Option<PathBuf>> {
        let dir = Dir::private(&self.directory)?;
        let _lock = self.lock(&dir)?;
        let now = self.clock.now();
        let (record, aside) = match self.read(&dir) {
            Ok(Found { record: Some(record), .. }) => (record.next(&now, content), None),
            Ok(_) => (Record::first(&now, content), None),
            Err(_) => (Record::first(&now, content), dir.put_aside(&self.file())?),
        };
        self.disk.replace(&dir, &self.file(), &record.to_bytes())?;
        *self.unwritten() = None;
        Ok(aside)
    }

    fn lock(&self, dir: &Dir) -> Result<FileLock> {
        FileLock::acquire_briefly(dir, &format!("{}.lock", self.name), self.lock_timeout)
    }

    fn file(&self) -> String {
        format!("{}.json", self.name)
    }

    /// The value of a change, and the record to write if there is something new in it.
    fn changed<R>(
        &self,
        dir: &Dir,
        file: &Found<T>,
        change: impl FnOnce(&mut T, &Visit<'_>) -> R,
    ) -> (R, Option<Record<T>>) {
        let found = self.current(file);
        let (before, visit) = self.visit(found.as_ref(), dir);
        let mut content = before.clone();
        let value = change(&mut content, &visit);
        if content == before && visit.is_settled && self.unwritten().is_none() {
            return (value, None);
        }
        let record = match &found {
            Some(found) => found.next(&visit.now, content),
            None => Record::first(&visit.now, content),
        };
        (value, Some(record))
    }

    fn visit<'a>(&self, found: Option<&Record<T>>, dir: &'a Dir) -> (T, Visit<'a>) {
        let now = self.clock.now();
        let content = found.map_or_else(T::default, |record| record.content_at(&now));
        let written = found.map(|record| record.written_at(&now));
        let is_settled = found.is_none_or(|record| record.knows(&now));
        (content, Visit { now, written, is_settled, dir })
    }

    /// The file, or its predecessor if there is none.
    fn read(&self, dir: &Dir) -> Result<Found<T>> {
        let found = self.read_file(dir, &self.file())?;
        match &self.older {
            Some(older) if found.bytes.is_none() => self.read_file(dir, &format!("{older}.json")),
            _ => Ok(found),
        }
    }

    fn read_file(&self, dir: &Dir, name: &str) -> Result<Found<T>> {
        let unreadable = |why: String| Error::unreadable(&dir.path(name), why);
        let bytes = self.disk.read(dir, name).map_err(|error| unreadable(error.reason()))?;
        let record = bytes.as_deref().map(Record::parse).transpose().map_err(unreadable)?;
        Ok(Found { bytes, record })
    }

    /// The record in the file, and what this process knows besides.
    fn current(&self, found: &Found<T>) -> Option<Record<T>> {
        let unwritten = self.unwritten();
        let Some(Unwritten { base, record }) = &*unwritten else { return found.record.clone() };
        match &found.record {
            Some(newer) if *base != found.bytes => {
                let now = self.clock.now();
                let mut content = newer.content_at(&now);
                content.merge(record.content_at(&now));
                Some(newer.next(&now, content))
            }
            _ => Some(record.clone()),
        }
    }

    fn write(&self, dir: &Dir, base: Option<Vec<u8>>, record: Record<T>) -> Result<()> {
        let written = self.disk.replace(dir, &self.file(), &record.to_bytes());
        *self.unwritten() = written.is_err().then_some(Unwritten { base, record });
        written
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<Unwritten<T>>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
