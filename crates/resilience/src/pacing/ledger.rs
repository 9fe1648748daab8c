//! What all processes of this user have sent to one Gateway, and what this one remembers of it by itself.
//!
//! Nothing here blocks the caller's thread for longer than it takes to read and write a small file: a record that another
//! process holds is tried again a little later, and work that may take longer is done on the timer's threads. A record that
//! can't be had leaves this process alone with what it remembers: then the limits are kept by this process alone.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{Error, Result};
use ibkr_connect_state::{Clock, Dir, Error as StateError, Moment, Stamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::history::HistoricalRequests;
use super::timer::Timer;
use crate::error::unusable_state;
use crate::gateway::Gateway;

/// When a record that is held is tried again: for so long others hold it, unless one of them is stopped.
const TRY_AGAIN_MS: [u64; 7] = [0, 1, 2, 4, 8, 15, 20];
/// How often a record that can't be opened is tried again.
const REOPEN: Duration = Duration::from_secs(1);

/// What a ledger keeps.
pub(crate) trait Kept:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + 'static
{
    /// The first part of its file's name.
    const NAME: &'static str;
    /// The bytes of its file: always the same number, so that it need not be cut.
    const LENGTH: usize;

    /// Before anything was sent.
    fn empty(now: Moment) -> Self;

    /// Makes sense, at `now`, of what was read from a file that was written at `then`.
    fn restored(self, now: &Stamp, then: &Stamp) -> Self;
}

/// The same thing as it was sent by this process, and by all that are known of. What one of them forgets, the other
/// remembers: a request has to wait for both.
pub(crate) struct Both<'a, T> {
    pub(crate) own: &'a mut T,
    pub(crate) all: &'a mut T,
}

impl<T> Both<'_, T> {
    /// Changes both.
    pub(crate) fn each(&mut self, mut change: impl FnMut(&mut T)) {
        change(self.own);
        change(self.all);
    }
}

/// A record that is shared with other processes. Clones are the same.
#[derive(Debug)]
pub(crate) struct Ledger<T: Kept>(Arc<Inner<T>>);

impl<T: Kept> Clone for Ledger<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<T> {
    directory: PathBuf,
    name: String,
    clock: Arc<dyn Clock>,
    timer: Timer,
    memory: Mutex<Memory<T>>,
}

#[derive(Debug)]
struct Memory<T> {
    /// Kept open: this is on the path of every request.
    file: Option<File>,
    reopen_at: Moment,
    /// What this process has sent.
    own: T,
    /// What all have sent, as far as it was read.
    all: T,
    /// Why others can't be asked; told once.
    alone: Option<Trouble>,
}

#[derive(Debug)]
enum Trouble {
    New(Error),
    Told,
}

/// Why a record can't be changed.
enum Unavailable {
    /// It has to be opened first.
    Closed,
    /// Another process holds it.
    Held,
    Unusable(Error),
}

impl<T: Kept> Ledger<T> {
    pub(crate) fn new(directory: &Path, gateway: &Gateway, clock: Arc<dyn Clock>, timer: Timer) -> Self {
        let name = format!("{}-{}.lock", T::NAME, gateway.file_stem());
        let empty = T::empty(clock.now().at);
        let memory = Memory {
            file: None,
            reopen_at: Moment::from_millis(i64::MIN),
            own: empty.clone(),
            all: empty,
            alone: None,
        };
        Self(Arc::new(Inner {
            directory: directory.to_path_buf(),
            name,
            clock,
            timer,
            memory: Mutex::new(memory),
        }))
    }

    /// Opens the record, which may take as long as a disk takes.
    pub(crate) fn open(&self) {
        self.0.open();
    }

    /// Changes the record, or only what this process remembers if it can't be had soon. `change` is called once.
    pub(crate) async fn change<R>(&self, change: impl Fn(Both<'_, T>, Moment) -> R) -> R {
        let unavailable = match self.0.attempt(&change) {
            Ok(outcome) => return outcome,
            Err(unavailable) => unavailable,
        };
        match self.try_again(unavailable, &change).await {
            Ok(outcome) => outcome,
            Err(error) => self.0.change_alone(error, change),
        }
    }

    /// Changes the record at once if it can be had, else in the background.
    pub(crate) fn change_soon(&self, change: impl Fn(Both<'_, T>, Moment) + Send + Sync + 'static) {
        if self.0.attempt(&change).is_err() {
            let ledger = self.clone();
            self.0.timer.spawn(async move { ledger.change(change).await });
        }
    }

    /// What `look` sees now, without waiting for the record.
    pub(crate) fn look<R>(&self, look: impl Fn(&T, &T, Moment) -> R) -> R {
        let seen = |both: Both<'_, T>, now| look(both.own, both.all, now);
        self.0.attempt(&seen).unwrap_or_else(|_| {
            let memory = self.0.memory();
            look(&memory.own, &memory.all, self.0.clock.now().at)
        })
    }

    /// Why the limits are kept by this process alone; `Some` once.
    pub(crate) fn trouble(&self) -> Option<Error> {
        match &mut self.0.memory().alone {
            Some(trouble @ Trouble::New(_)) => match std::mem::replace(trouble, Trouble::Told) {
                Trouble::New(error) => Some(error),
                Trouble::Told => None,
            },
            _ => None,
        }
    }

    /// Once more, as soon as that makes sense. Who is alone does not wait: the first one has waited for all.
    async fn try_again<R>(
        &self,
        unavailable: Unavailable,
        change: &impl Fn(Both<'_, T>, Moment) -> R,
    ) -> Result<R> {
        match unavailable {
            Unavailable::Closed => {
                let inner = Arc::clone(&self.0);
                self.0.timer.run(move || inner.open()).await?;
            }
            Unavailable::Held => {}
            Unavailable::Unusable(error) => return Err(error),
        }
        let tries = if self.0.memory().alone.is_some() { &TRY_AGAIN_MS[..1] } else { &TRY_AGAIN_MS };
        for pause in tries {
            if *pause > 0 {
                self.0.timer.sleep(Duration::from_millis(*pause)).await?;
            }
            match self.0.attempt(change) {
                Ok(outcome) => return Ok(outcome),
                Err(Unavailable::Held) => {}
                Err(Unavailable::Closed) => return Err(self.0.unusable("it can't be opened")),
                Err(Unavailable::Unusable(error)) => return Err(error),
            }
        }
        let held = self
            .0
            .unusable("another process holds it")
            .with_advice("a process that holds it is stopped (SIGSTOP, a debugger): continue or end it");
        Err(held)
    }
}

impl<T: Kept> Inner<T> {
    fn open(&self) {
        let now = self.clock.now().at;
        if now < self.memory().reopen_at {
            return;
        }
        // Without the lock: a request that comes meanwhile must not wait for the disk.
        let opened =
            Dir::private(&self.directory).and_then(|dir| dir.file(&self.name)).map_err(unusable_state);
        let mut memory = self.memory();
        match opened {
            Ok(file) => memory.file = Some(file),
            Err(error) => {
                memory.reopen_at = now + REOPEN;
                memory.is_alone(error);
            }
        }
    }

    /// Changes the record if it can be had at once.
    fn attempt<R>(&self, change: &impl Fn(Both<'_, T>, Moment) -> R) -> Result<R, Unavailable> {
        let mut memory = self.memory();
        let memory = &mut *memory;
        let removed = |file: &File| file.metadata().is_ok_and(|meta| meta.nlink() == 0);
        let file = memory.file.take().filter(|file| !removed(file)).ok_or(Unavailable::Closed)?;
        let file = memory.file.insert(file);
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(Unavailable::Held),
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(Unavailable::Unusable(self.unusable(&error.to_string())));
            }
        }
        let now = self.clock.now();
        let outcome = read::<T>(file).map(|record| {
            let before = record.as_ref().map(|record| record.kept.clone());
            memory.all = record.map_or_else(|| T::empty(now.at), |record| record.restored(&now));
            let outcome = change(Both { own: &mut memory.own, all: &mut memory.all }, now.at);
            let is_new = before.as_ref() != Some(&memory.all);
            (outcome, if is_new { write(file, &now, &memory.all) } else { Ok(()) })
        });
        let _ = file.unlock();
        match outcome {
            Ok((outcome, Ok(()))) => {
                memory.alone = None;
                Ok(outcome)
            }
            // What could not be written, the others don't know; this process does.
            Ok((outcome, Err(error))) => {
                memory.is_alone(self.unusable(&error.to_string()));
                Ok(outcome)
            }
            Err(error) => Err(Unavailable::Unusable(self.unusable(&error.to_string()))),
        }
    }

    fn change_alone<R>(&self, error: Error, change: impl Fn(Both<'_, T>, Moment) -> R) -> R {
        let mut memory = self.memory();
        memory.is_alone(error);
        let Memory { own, all, .. } = &mut *memory;
        change(Both { own, all }, self.clock.now().at)
    }

    fn unusable(&self, why: &str) -> Error {
        unusable_state(StateError::unusable(&self.directory.join(&self.name), why))
    }

    fn memory(&self) -> MutexGuard<'_, Memory<T>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Memory<T> {
    fn is_alone(&mut self, error: Error) {
        self.alone.get_or_insert(Trouble::New(error));
    }
}

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record<T> {
    written: Stamp,
    kept: T,
}

impl<T: Kept> Record<T> {
    fn restored(self, now: &Stamp) -> T {
        self.kept.restored(now, &self.written)
    }
}

/// `None` if there is nothing, or nothing that makes sense, e.g. after a crash.
fn read<T: Kept>(file: &File) -> io::Result<Option<Record<T>>> {
    let mut bytes = vec![0; T::LENGTH];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(serde_json::from_slice(&bytes[..length]).ok())
}

fn write<T: Kept>(file: &File, now: &Stamp, kept: &T) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(&Record { written: now.clone(), kept })?;
    if bytes.len() > T::LENGTH {
        return Err(io::Error::other(format!("{} bytes are too many", bytes.len())));
    }
    bytes.resize(T::LENGTH, b' ');
    file.write_all_at(&bytes, 0)
}

impl Kept for Bucket {
    const NAME: &'static str = "rate";
    const LENGTH: usize = 320;

    fn empty(now: Moment) -> Self {
        Self::full(now)
    }

    fn restored(mut self, now: &Stamp, then: &Stamp) -> Self {
        // After a reboot the Gateway has heard nothing for longer than the bucket remembers.
        if now.boot != then.boot {
            return Self::full(now.at);
        }
        self.sanitize(now.at);
        self
    }
}

impl Kept for HistoricalRequests {
    const NAME: &'static str = "history";
    const LENGTH: usize = 64 * 1024;

    fn empty(_: Moment) -> Self {
        Self::default()
    }

    fn restored(mut self, now: &Stamp, then: &Stamp) -> Self {
        self.translate(now, then);
        self.sanitize(now.at);
        self
    }
}
