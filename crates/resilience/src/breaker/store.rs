//! The breaker of one Gateway, kept on disk and shared by all processes of the user: a supervisor's restart loop meets an
//! open breaker.
//!
//! A breaker that can't be read refuses everybody: it may have been forced open. Each running trial holds a kernel lock of
//! its own, so that a killed trial makes room at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::names::{Kept, trial_lock};
use ibkr_connect_state::{Changed, Clock, Dir, Error as StateError, FileLock, Moment, Probe, Shared, Visit};

use super::machine::{Attempt, Breaker};
use super::memory::Memory;
use super::{Admission, BreakerSettings, BreakerState, Note, Outcome, Refusal, Refused, TrialId};
use crate::error::unusable_state;
use crate::gateway::Gateway;
use crate::telemetry;

/// More trials can't run at once.
const TRIAL_LOCKS: u32 = 16;

/// The shared breaker of one Gateway.
///
/// # Behavior
/// - Its clones are one party. When parties that all have been there fail at the same moment in the same way, that is one
///   failure. What can't be written, e.g. on a full disk, a party remembers.
/// - A Gateway that was asked for by a name is also refused if the name is forced open, whatever address it has now.
#[derive(Debug, Clone)]
pub struct BreakerStore {
    gateway: Gateway,
    settings: BreakerSettings,
    clock: Arc<dyn Clock>,
    record: Shared<Memory>,
    /// What was forced open under the Gateway's name.
    by_name: Option<Shared<Memory>>,
    party: u64,
    /// When this was made.
    since: Moment,
}

impl BreakerStore {
    /// The breaker of `gateway` in the state directory. Nothing is read or written yet.
    #[doc(hidden)]
    pub fn new(directory: &Path, gateway: Gateway, settings: BreakerSettings, clock: Arc<dyn Clock>) -> Self {
        let record = |stem: &str| Shared::new(directory, Kept::Breaker.of(stem), Arc::clone(&clock));
        let of_gateway = record(&gateway.file_stem());
        let of_gateway = match gateway.older_file_stem() {
            Some(older) => of_gateway.following(Kept::Breaker.of(&older)),
            None => of_gateway,
        };
        let by_name = gateway.name_file_stem().map(|stem| record(&stem));
        Self {
            settings,
            record: of_gateway,
            by_name,
            gateway,
            since: clock.now().at,
            clock,
            party: rand::random(),
        }
    }

    /// The same on another disk.
    #[cfg(test)]
    pub(crate) fn on(mut self, disk: &ibkr_connect_state::ManualDisk) -> Self {
        self.record = self.record.on(Arc::new(disk.clone()));
        self.by_name = self.by_name.map(|record| record.on(Arc::new(disk.clone())));
        self
    }

    /// What the breaker is. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used.
    pub fn state(&self) -> Result<BreakerState> {
        let state = match self.look(&self.record, |breaker, visit| breaker.state(visit.now.at)) {
            Ok(state) => state.unwrap_or(BreakerState::Closed { failures: 0, attempts: 0 }),
            Err(error) => unreadable_state(error)?,
        };
        let by_name = self
            .by_name
            .as_ref()
            .map(|record| self.look(record, |breaker, visit| breaker.state(visit.now.at)));
        let by_name = match by_name {
            Some(Ok(Some(by_name @ BreakerState::ForcedOpen { .. }))) => Some(by_name),
            Some(Err(error)) => Some(unreadable_state(error)?),
            _ => None,
        };
        let state = by_name.unwrap_or(state);
        telemetry::breaker_is(&self.gateway, &state);
        Ok(state)
    }

    /// Why no attempt would be admitted now, if so. Costs some microseconds: a waiting program may ask every second. Takes no
    /// lock and writes nothing, but for the first time after a reboot.
    ///
    /// # Errors
    /// Those of [`state`](Self::state); after a reboot `lock_timeout`, when a stopped process holds the lock.
    pub fn refusal(&self) -> Result<Option<Refusal>> {
        let refusal = self.record.look_settled(|memory, visit| {
            let breaker = self.breaker(memory, visit);
            breaker.check(visit.now.at).err()
        });
        match refusal {
            Ok(refusal) => Ok(self.refusal_by_name()?.or(refusal.flatten())),
            Err(error) => unreadable(error).map(Some),
        }
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
    /// `circuit_open`; `config`, when the state directory can't be used; `lock_timeout`, when a stopped process holds the
    /// breaker's lock.
    #[doc(hidden)]
    pub fn admit(&self) -> Result<Permit> {
        self.admit_since(self.clock.now().at)
    }

    /// Admits an attempt that has waited for its turn since `asked`.
    ///
    /// # Errors
    /// Those of [`admit`](Self::admit).
    pub(crate) fn admit_since(&self, asked: Moment) -> Result<Permit> {
        if let Some(refusal) = self.refusal_by_name()? {
            return Err(self.refused(&refusal));
        }
        let admitted = self.change(|breaker, visit| {
            let now = visit.now.at;
            let by = Attempt { party: self.party, since: self.since, asked, begun: now };
            let permit = |admission, alive| Permit { store: self.clone(), by, admission, _alive: alive };
            if !breaker.would_try(now) {
                return Ok(breaker.admit(now, TrialId(0)).map(|admission| permit(admission, None)));
            }
            // The lock is taken before anybody can see the trial, or they would take it for dead.
            let (id, lock) = free_trial_lock(visit.dir, &self.gateway)?;
            Ok(breaker.admit(now, id).map(|admission| permit(admission, Some(lock))))
        })?;
        admitted?.map_err(|refusal| self.refused(&refusal))
    }

    /// Opens the breaker until it is reset.
    ///
    /// # Errors
    /// `config`, when that can't be written: then the breaker is as it was. `circuit_open`, when the breaker can't be read,
    /// so that no attempt is made anyway; `lock_timeout`, when a stopped process holds its lock.
    pub fn force_open(&self, by: Note) -> Result<()> {
        self.force(&by, |breaker, now| breaker.force_open(now, by.clone()))
    }

    /// Opens the breaker for `limit`, or until it is reset.
    ///
    /// # Errors
    /// Those of [`force_open`](Self::force_open).
    pub fn force_open_for(&self, by: Note, limit: Duration) -> Result<()> {
        self.force(&by, |breaker, now| breaker.force_open_for(now, by.clone(), limit))
    }

    /// Closes the breaker and forgets all failures. One that can't be read is put aside: then that is where.
    ///
    /// # Errors
    /// `config`, when that can't be written; `lock_timeout`, when a stopped process holds the lock.
    pub fn reset(&self, by: &Note) -> Result<Option<PathBuf>> {
        let mut aside = None;
        for record in self.records() {
            let closed = Memory::reset_at(self.clock.now().at);
            let put_aside = record.replace(closed).map_err(|error| {
                let message = format!("the circuit breaker of {} could not be closed: {error}", self.gateway);
                unusable_state(error).map_message(|_| message)
            })?;
            aside = put_aside.or(aside);
        }
        tracing::warn!(gateway = %self.gateway, actor = by.actor, reason = by.reason, "breaker_reset");
        Ok(aside)
    }

    fn force(&self, by: &Note, open: impl Fn(&mut Breaker, Moment)) -> Result<()> {
        for record in self.records() {
            let forced = record.commit(|memory, visit| {
                self.with(memory, visit, |breaker, visit| open(breaker, visit.now.at));
            });
            forced.map_err(|error| self.not_forced(error))?;
        }
        tracing::warn!(gateway = %self.gateway, actor = by.actor, reason = by.reason, "breaker_forced_open");
        Ok(())
    }

    fn not_forced(&self, error: StateError) -> Error {
        match unreadable(error) {
            Ok(refusal) => self.refused(&refusal),
            Err(error) => error.map_message(|message| {
                format!(
                    "the circuit breaker of {} could not be opened, and stays as it is: {message}",
                    self.gateway
                )
            }),
        }
    }

    /// The records of the name, if there is one, and of the address.
    fn records(&self) -> impl Iterator<Item = &Shared<Memory>> {
        self.by_name.iter().chain([&self.record])
    }

    fn refusal_by_name(&self) -> Result<Option<Refusal>> {
        let Some(record) = &self.by_name else { return Ok(None) };
        match self.look(record, |breaker, visit| breaker.check(visit.now.at).err()) {
            Ok(refusal) => Ok(refusal.flatten().filter(|refusal| matches!(refusal, Refusal::Forced(_)))),
            Err(error) => unreadable(error).map(Some),
        }
    }

    fn look<R>(
        &self,
        record: &Shared<Memory>,
        look: impl FnOnce(&Breaker, &Visit<'_>) -> R,
    ) -> Result<Option<R>, StateError> {
        record.look(|memory, visit| look(&self.breaker(memory, visit), visit))
    }

    /// The breaker that has this memory, without the trials whose process is gone.
    fn breaker(&self, memory: &Memory, visit: &Visit<'_>) -> Breaker {
        let mut breaker = Breaker::resume(self.settings.clone(), memory.clone());
        breaker.retain_trials(|id| is_alive(visit.dir, &self.gateway, id));
        breaker
    }

    /// Changes the breaker. What can't be written, this process remembers.
    fn change<R>(&self, change: impl FnOnce(&mut Breaker, &Visit<'_>) -> R) -> Result<R> {
        let changed = self.record.change(|memory, visit| self.with(memory, visit, change));
        match changed {
            Ok(Changed { value, unwritten }) => {
                if let Some(error) = unwritten {
                    self.unwritable(&error);
                }
                Ok(value)
            }
            Err(error) => Err(unreadable(error).map_or_else(|error| error, |refusal| self.refused(&refusal))),
        }
    }

    /// Changes the breaker that has this memory, and tells what it has become.
    fn with<R>(
        &self,
        memory: &mut Memory,
        visit: &Visit<'_>,
        change: impl FnOnce(&mut Breaker, &Visit<'_>) -> R,
    ) -> R {
        let now = visit.now.at;
        let mut breaker = self.breaker(memory, visit);
        // As it was written: the first who changes it tells what has changed by time alone.
        let old = breaker.state(visit.written.unwrap_or(now));
        breaker.end_force(now);
        let result = change(&mut breaker, visit);
        let new = breaker.state(now);
        *memory = breaker.into_memory();
        telemetry::breaker_changed(&self.gateway, &old, &new);
        telemetry::breaker_is(&self.gateway, &new);
        result
    }

    fn settle(&self, by: &Attempt, admission: Admission, outcome: &Outcome) {
        let settled = self.change(|breaker, visit| {
            breaker.settle(visit.now.at, by, admission, outcome.clone());
        });
        if let Err(error) = settled {
            // What the attempt has shown is true, also if nobody else can be told.
            self.record.remember(|memory, now| {
                let mut breaker = Breaker::resume(self.settings.clone(), memory.clone());
                breaker.settle(now.at, by, admission, outcome.clone());
                *memory = breaker.into_memory();
            });
            self.unwritable(&error);
        }
    }

    fn unwritable(&self, error: &dyn std::fmt::Display) {
        let path = self.record.path();
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
            Refusal::Unreadable { .. } => error.permanent().with_advice(
                "it may have been forced open; `ibkr-connect breaker reset` closes it, and keeps the file as .bad",
            ),
            Refusal::Maintenance { .. } => error.with_advice(
                "wait; IBKR_REGION says whose resets concern you, and a maintenance.toml in the state directory when they are",
            ),
            _ => error.with_advice(
                "look at why the Gateway failed; `ibkr-connect breaker reset` closes the breaker before its time",
            ),
        }
    }
}

/// The leave to make one attempt. Dropped without an outcome (a panic, a cancelled connect) it says nothing about the
/// Gateway, and a trial makes room.
#[derive(Debug)]
#[must_use = "an attempt without an outcome teaches the breaker nothing"]
pub struct Permit {
    store: BreakerStore,
    by: Attempt,
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
        self.store.settle(&self.by, self.admission, &outcome);
    }
}

/// The refusal of a breaker that can't be read, or any other error.
fn unreadable(error: StateError) -> Result<Refusal> {
    match error {
        StateError::Unreadable { path, why } => Ok(Refusal::Unreadable { path, why }),
        error => Err(unusable_state(error)),
    }
}

fn unreadable_state(error: StateError) -> Result<BreakerState> {
    match error {
        error @ StateError::Unreadable { .. } => Ok(BreakerState::Unreadable { reason: error.to_string() }),
        error => Err(unusable_state(error)),
    }
}

fn is_alive(dir: &Dir, gateway: &Gateway, id: TrialId) -> bool {
    // A lock that can't be looked at is held by nobody of ours.
    let lock = FileLock::probe::<()>(dir, &trial_lock(&gateway.file_stem(), id.0));
    matches!(lock, Ok(Probe::Held(_)))
}

fn free_trial_lock(dir: &Dir, gateway: &Gateway) -> Result<(TrialId, FileLock)> {
    for id in (0..TRIAL_LOCKS).map(TrialId) {
        let lock = FileLock::try_acquire(dir, &trial_lock(&gateway.file_stem(), id.0));
        if let Some(lock) = lock.map_err(unusable_state)? {
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
