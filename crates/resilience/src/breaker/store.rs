//! The breaker of one Gateway, kept on disk and shared by all processes of the user: a supervisor's restart loop meets an
//! open breaker.
//!
//! One JSON file per Gateway, replaced as a whole under a lock. A file that makes no sense is a closed breaker and a warning.
//! Each running trial holds a kernel lock of its own, so that a killed trial makes room at once.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::{Clock, Dir, FileLock, Moment, Stamp};
use serde::{Deserialize, Serialize};

use crate::breaker::{Admission, BreakerSettings, BreakerState, Note, Outcome, Refusal, Refused, TrialId};
use crate::breaker::{Breaker, Memory};
use crate::error::unusable_state;
use crate::gateway::Gateway;
use crate::telemetry;

/// What an update does takes milliseconds, or its process is stopped.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(2);
/// More trials can't run at once.
const TRIAL_LOCKS: u32 = 16;
const VERSION: u32 = 1;

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    written: Stamp,
    memory: Memory,
}

impl Record {
    fn empty(written: Stamp) -> Self {
        Self { version: VERSION, written, memory: Memory::default() }
    }

    fn memory_at(&self, now: &Stamp) -> Memory {
        let mut memory = self.memory.clone();
        memory.translate(|moment| now.translate(moment, &self.written));
        memory
    }
}

/// The shared breaker of one Gateway.
#[derive(Debug, Clone)]
pub struct BreakerStore {
    directory: PathBuf,
    gateway: Gateway,
    settings: BreakerSettings,
    clock: Arc<dyn Clock>,
}

impl BreakerStore {
    /// The breaker of `gateway` in the state directory. Nothing is read or written yet.
    pub fn new(directory: &Path, gateway: Gateway, settings: BreakerSettings, clock: Arc<dyn Clock>) -> Self {
        Self { directory: directory.to_path_buf(), gateway, settings, clock }
    }

    /// What the breaker is.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used; `lock_timeout`, when a stopped process holds the file.
    pub fn state(&self) -> Result<BreakerState> {
        self.update(|breaker, now, _| breaker.state(now))
    }

    /// Why no attempt would be admitted now, if so; nothing changes.
    ///
    /// # Errors
    /// Those of [`state`](Self::state).
    pub fn refusal(&self) -> Result<Option<Refusal>> {
        self.update(|breaker, now, _| breaker.check(now).err())
    }

    /// Whether an attempt would be admitted; nothing changes.
    ///
    /// # Errors
    /// `circuit_open`, or those of [`state`](Self::state).
    pub fn check(&self) -> Result<()> {
        self.refusal()?.map_or(Ok(()), |refusal| Err(self.refused(&refusal)))
    }

    /// Admits an attempt.
    ///
    /// # Errors
    /// `circuit_open`, or those of [`state`](Self::state).
    pub fn admit(&self) -> Result<Permit> {
        let admitted = self.update(|breaker, now, dir| {
            // The lock is taken before anybody can see the trial, or they would take it for dead.
            let (id, lock) = free_trial_lock(dir, &self.gateway)?;
            let admission = breaker.admit(now, id);
            Ok(admission.map(|admission| {
                let lock = (admission != Admission::Free).then_some(lock);
                Permit { store: self.clone(), admission, _alive: lock }
            }))
        })??;
        admitted.map_err(|refusal| self.refused(&refusal))
    }

    /// Opens the breaker until it is reset.
    ///
    /// # Errors
    /// Those of [`state`](Self::state).
    pub fn force_open(&self, by: Note) -> Result<()> {
        tracing::warn!(gateway = %self.gateway, actor = by.actor, reason = by.reason, "breaker_forced_open");
        self.update(|breaker, now, _| breaker.force_open(now, by))
    }

    /// Opens the breaker for `limit`, or until it is reset.
    ///
    /// # Errors
    /// Those of [`state`](Self::state).
    pub fn force_open_for(&self, by: Note, limit: Duration) -> Result<()> {
        tracing::warn!(gateway = %self.gateway, actor = by.actor, reason = by.reason, "breaker_forced_open");
        self.update(|breaker, now, _| breaker.force_open_for(now, by, limit))
    }

    /// Closes the breaker and forgets all failures.
    ///
    /// # Errors
    /// Those of [`state`](Self::state).
    pub fn reset(&self, by: &Note) -> Result<()> {
        tracing::warn!(gateway = %self.gateway, actor = by.actor, reason = by.reason, "breaker_reset");
        self.update(|breaker, _, _| breaker.reset())
    }

    /// Reads, changes and, if something did change, writes: all under the lock.
    fn update<T>(&self, change: impl FnOnce(&mut Breaker, Moment, &Dir) -> T) -> Result<T> {
        let dir = Dir::private(&self.directory).map_err(unusable_state)?;
        let _lock =
            FileLock::acquire_briefly(&dir, &self.file("lock"), UPDATE_TIMEOUT).map_err(unusable_state)?;
        let now = self.clock.now();
        let on_disk = self.read(&dir);
        let mut breaker = Breaker::resume(self.settings.clone(), on_disk.memory_at(&now));
        breaker.retain_trials(|id| is_alive(&dir, &self.gateway, id));
        // As it was written: the first who looks tells what has changed by time alone.
        let old = breaker.state(now.translate(on_disk.written.at, &on_disk.written));
        breaker.end_force(now.at);
        let result = change(&mut breaker, now.at, &dir);
        let new = breaker.state(now.at);
        // Moments of an earlier boot are written once more on this boot's clock: from then on the wall clock can't matter.
        if *breaker.memory() != on_disk.memory || on_disk.written.boot != now.boot {
            self.write(&dir, now, breaker.memory().clone());
            telemetry::breaker_changed(&self.gateway, &old, &new);
        }
        telemetry::breaker_is(&self.gateway, &new);
        Ok(result)
    }

    fn read(&self, dir: &Dir) -> Record {
        let name = self.file("json");
        let bytes = dir.read(&name).map_err(|error| error.to_string());
        match bytes.and_then(|bytes| bytes.map(|bytes| parse(&bytes)).transpose()) {
            Ok(record) => record.unwrap_or_else(|| Record::empty(self.clock.now())),
            Err(error) => {
                let path = dir.path(&name);
                tracing::warn!(gateway = %self.gateway, path = %path.display(), error, "breaker_file_corrupt");
                Record::empty(self.clock.now())
            }
        }
    }

    /// A full disk makes the breaker forgetful; it is no reason to stay disconnected.
    fn write(&self, dir: &Dir, written: Stamp, memory: Memory) {
        let record = Record { version: VERSION, written, memory };
        let written = serde_json::to_vec_pretty(&record)
            .map_err(|error| error.to_string())
            .and_then(|json| dir.replace(&self.file("json"), &json).map_err(|error| error.to_string()));
        if let Err(error) = written {
            self.unwritable(&error);
        }
    }

    fn unwritable(&self, error: &dyn Display) {
        let path = self.directory.join(self.file("json"));
        tracing::warn!(gateway = %self.gateway, path = %path.display(), %error, "breaker_file_unwritable");
    }

    /// The error for a refusal.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Error {
        let message = format!("no attempt is made: the circuit breaker of {} is {refusal}", self.gateway);
        let error = Error::new(ErrorKind::CircuitOpen, message)
            .in_phase(Phase::Preflight)
            .with_source(Refused { refusal: refusal.clone(), breaker: self.clone() });
        match refusal {
            Refusal::Forced(_) => error.permanent().with_advice("`ibkr-connect breaker reset` closes it"),
            Refusal::Maintenance { .. } => error.with_advice(
                "wait; IBKR_REGION says whose resets concern you, and a maintenance.toml in the state directory when they are",
            ),
            _ => error.with_advice(
                "look at why the Gateway failed; `ibkr-connect breaker reset` closes the breaker before its time",
            ),
        }
    }

    fn file(&self, suffix: &str) -> String {
        format!("breaker-{}.{suffix}", self.gateway.file_stem())
    }
}

/// The leave to make one attempt. Dropped without an outcome (a panic, a cancelled connect) it says nothing about the
/// Gateway, and a trial makes room.
#[derive(Debug)]
#[must_use = "an attempt without an outcome teaches the breaker nothing"]
pub struct Permit {
    store: BreakerStore,
    admission: Admission,
    /// Released by the kernel at the latest when this process ends.
    _alive: Option<FileLock>,
}

impl Permit {
    /// Whether the breaker is half open and this attempt finds out for all.
    pub fn is_trial(&self) -> bool {
        self.admission != Admission::Free
    }

    /// Tells the breaker how the attempt ended.
    pub fn settle(self, outcome: Outcome) {
        let settled = self.store.update(|breaker, now, _| breaker.settle(now, self.admission, outcome));
        if let Err(error) = settled {
            self.store.unwritable(&error);
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if record.version == VERSION {
        Ok(record)
    } else {
        Err(format!("version {} instead of {VERSION}", record.version))
    }
}

fn trial_lock(gateway: &Gateway, id: TrialId) -> String {
    format!("breaker-{}.trial-{}.lock", gateway.file_stem(), id.0)
}

fn is_alive(dir: &Dir, gateway: &Gateway, id: TrialId) -> bool {
    // A lock that can't be looked at is held by nobody of ours.
    FileLock::try_acquire(dir, &trial_lock(gateway, id)).is_ok_and(|lock| lock.is_none())
}

fn free_trial_lock(dir: &Dir, gateway: &Gateway) -> Result<(TrialId, FileLock)> {
    for id in (0..TRIAL_LOCKS).map(TrialId) {
        if let Some(lock) = FileLock::try_acquire(dir, &trial_lock(gateway, id)).map_err(unusable_state)? {
            return Ok((id, lock));
        }
    }
    let message = format!("{TRIAL_LOCKS} stopped processes hold the breaker's trials of {gateway}");
    Err(Error::new(ErrorKind::CircuitOpen, message)
        .in_phase(Phase::Preflight)
        .with_advice("continue or end them (SIGSTOP, a debugger)"))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
