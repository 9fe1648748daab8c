//! A record in its own lock file: for what changes with every request, and must block nobody.

use std::fs::{File, TryLockError};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::clock::Stamp;
use crate::error::{Error, Result};
use crate::files::Dir;
use crate::record::{Record, Shareable};
use crate::shared::Changed;

/// A page: it is written in one piece, also if the writer is killed.
const LENGTH: usize = 4096;

/// A record that is rewritten in place, without being synced to the disk.
///
/// # Behavior
/// - A change takes some microseconds, and never waits: neither for a lock nor for a disk that has to be synced.
/// - A file that makes no sense, e.g. after a power cut, counts as the default, and is overwritten: this is for what matters
///   for some seconds only.
#[derive(Debug)]
pub struct InPlace<T> {
    file: File,
    path: PathBuf,
    record: PhantomData<fn() -> T>,
}

impl<T: Shareable + Default> InPlace<T> {
    /// Opens the file `name` in `directory`, and makes it if need be. That may take as long as a disk takes.
    ///
    /// # Errors
    /// When the directory or the file can't be used safely.
    pub fn open(directory: &Path, name: &str) -> Result<Self> {
        let dir = Dir::private(directory)?;
        Ok(Self { file: dir.file(name)?, path: dir.path(name), record: PhantomData })
    }

    /// Whether the file is still there. If not, others have another one.
    pub fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() > 0)
    }

    /// Changes the record, unless somebody else holds it just now: then `None`.
    ///
    /// # Errors
    /// When the file can't be locked or read. Nothing is changed then.
    pub fn try_change<R>(&self, now: &Stamp, change: impl FnOnce(&mut T) -> R) -> Result<Option<Changed<R>>> {
        match self.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Error::failed(&self.path, error)),
        }
        let changed = self.change_locked(now, change);
        // Closing would not release it while a forked child has a copy of the descriptor.
        let _ = self.file.unlock();
        changed.map(Some).map_err(|error| Error::failed(&self.path, error))
    }

    fn change_locked<R>(&self, now: &Stamp, change: impl FnOnce(&mut T) -> R) -> io::Result<Changed<R>> {
        let found = self.read()?;
        let before = found.as_ref().map_or_else(T::default, |record| record.content_at(now));
        let mut content = before.clone();
        let value = change(&mut content);
        if content == before && found.as_ref().is_some_and(|found| found.knows(now)) {
            return Ok(Changed { value, unwritten: None });
        }
        let record = match &found {
            Some(found) => found.next(now, content),
            None => Record::first(now, content),
        };
        let written = self.write(&record).map_err(|error| Error::failed(&self.path, error));
        Ok(Changed { value, unwritten: written.err() })
    }

    fn read(&self) -> io::Result<Option<Record<T>>> {
        let mut bytes = [0; LENGTH];
        let length = self.file.read_at(&mut bytes, 0)?;
        Ok(Record::parse(&bytes[..length]).ok())
    }

    /// Always the same length, so that the file need not be cut.
    fn write(&self, record: &Record<T>) -> io::Result<()> {
        let mut bytes = record.to_bytes();
        if bytes.len() > LENGTH {
            return Err(io::Error::other(format!("a record of {} bytes is too long", bytes.len())));
        }
        bytes.resize(LENGTH, b' ');
        self.file.write_all_at(&bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::clock::{Clock, Moment};

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Count {
        count: u32,
        last: Moment,
    }

    impl Shareable for Count {
        const VERSION: u32 = 1;

        fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
            change(&mut self.last);
        }

        fn clamp(&mut self, _: Moment) {}
    }

    /// Counts one more, and says how long ago the last one was.
    fn count(record: &InPlace<Count>, clock: &ManualClock) -> (u32, u64) {
        let now = clock.now();
        let change = |counted: &mut Count| {
            let before = std::mem::replace(&mut counted.last, now.at);
            counted.count += 1;
            (counted.count, now.at.since(before).as_secs())
        };
        let Changed { value, unwritten } = record.try_change(&now, change).unwrap().unwrap();
        assert!(unwritten.is_none(), "{unwritten:?}");
        value
    }

    #[test]
    fn processes_share_it_also_over_a_reboot() {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let open = || InPlace::open(&temp.path().join("state"), "count.lock").unwrap();
        let (one, other) = (open(), open());
        count(&one, &clock);
        clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(count(&other, &clock), (2, 5));
        clock.reboot(clock.now().wall + std::time::Duration::from_secs(60));
        assert_eq!(count(&one, &clock), (3, 60));
        assert_eq!(fs::metadata(temp.path().join("state/count.lock")).unwrap().len(), 4096);
    }

    #[test]
    fn it_waits_for_nobody() {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let record = InPlace::<Count>::open(temp.path(), "count.lock").unwrap();
        let held = File::open(temp.path().join("count.lock")).unwrap();
        held.lock().unwrap();
        assert!(record.try_change(&clock.now(), |count| count.count += 1).unwrap().is_none());
        held.unlock().unwrap();
        assert_eq!(count(&record, &clock).0, 1);
        assert!(held.try_lock().is_ok(), "it lets go of it");
    }

    #[test]
    fn nonsense_is_overwritten() {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let record = InPlace::<Count>::open(temp.path(), "count.lock").unwrap();
        for nonsense in ["", "garbage", "{\"version\":99}"] {
            count(&record, &clock);
            fs::write(temp.path().join("count.lock"), nonsense).unwrap();
            assert_eq!(count(&record, &clock).0, 1, "{nonsense}");
        }
    }

    #[test]
    fn a_moment_in_the_future_ends_with_the_next_look() {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let record = InPlace::<Count>::open(temp.path(), "count.lock").unwrap();
        count(&record, &clock);
        let path = temp.path().join("count.lock");
        let mut written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        written["content"]["last"] = serde_json::json!(i64::MAX);
        fs::write(&path, written.to_string()).unwrap();
        drop(record.try_change(&clock.now(), |_| {}).unwrap());
        clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(count(&record, &clock), (2, 5));
    }

    #[test]
    fn what_can_t_be_written_is_said() {
        let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let record = InPlace::<Count>::open(temp.path(), "count.lock").unwrap();
        let path = temp.path().join("count.lock");
        let read_only = InPlace { file: File::open(&path).unwrap(), ..record };
        let changed =
            read_only.try_change(&clock.now(), |count: &mut Count| count.count += 1).unwrap().unwrap();
        assert!(changed.unwritten.is_some_and(|error| error.to_string().contains("count.lock")));
    }

    #[test]
    fn a_removed_file_is_not_there() {
        let temp = tempfile::tempdir().unwrap();
        let record = InPlace::<Count>::open(temp.path(), "count.lock").unwrap();
        assert!(record.is_there());
        fs::remove_file(temp.path().join("count.lock")).unwrap();
        assert!(!record.is_there());
    }
}
