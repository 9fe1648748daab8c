//! Client ids that no two processes of this machine use at once, and the Gateway's budget of clients.
//!
//! One small file per id; the process that has it locked has the id, and the kernel takes it back when the process ends. All
//! questions and changes happen under one short lock, so that the count is exact.

mod refused;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::names::{Kept, REFUSED, REGISTRY, client_lock, client_of};
use ibkr_connect_state::{Clock, Dir, Error as StateError, FileLock, Holder, Note, Probe, Shared, read_note};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use self::refused::RefusedIds;
use crate::error::unusable_state;
use crate::gateway::Gateway;

/// How many clients a Gateway takes (IBKR, "API settings").
pub const SLOTS: usize = 32;

/// The ids leased by default: clear of those that people choose, few enough for a file each.
pub(crate) const DEFAULT_RANGE: Range<i32> = 10_000..11_000;

/// Looking through a thousand small files takes some ten milliseconds.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);

/// A registry that is locked for longer is held by a process that is stopped.
const GLANCE_TIMEOUT: Duration = Duration::from_millis(250);

/// The note in the file of an id; it outlives the lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct IdNote {
    owner: Holder,
}

/// A client of the Gateway on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Slot {
    /// Its client id.
    pub client_id: i32,
    /// Who holds it, if they said so.
    pub owner: Option<Holder>,
}

/// The clients of a Gateway, as far as they can be seen at a glance.
#[derive(Debug)]
pub(crate) struct SlotSnapshot {
    pub(crate) slots: Vec<Slot>,
    /// What is in the way of new clients.
    pub(crate) stuck: Option<StateError>,
}

/// The client ids of one Gateway.
#[derive(Debug, Clone)]
pub struct Leases {
    directory: PathBuf,
    refused: Shared<RefusedIds>,
    gateway: Gateway,
    range: Range<i32>,
    application: String,
    clock: Arc<dyn Clock>,
}

impl Leases {
    /// The leases for `gateway` in the state directory, for an application of this name.
    pub fn new(directory: &Path, gateway: Gateway, application: &str, clock: Arc<dyn Clock>) -> Self {
        let directory = directory.join(Kept::Clients.of(&gateway.file_stem()));
        let refused = Shared::new(&directory, REFUSED, Arc::clone(&clock));
        let application = application.to_owned();
        Self { directory, refused, gateway, range: DEFAULT_RANGE, application, clock }
    }

    /// Leases from other ids.
    #[must_use]
    pub fn with_range(mut self, range: Range<i32>) -> Self {
        self.range = range;
        self
    }

    /// Leases exactly this id.
    ///
    /// # Errors
    /// `client_id_in_use`, naming the process that holds it; `rejected`, when all slots are taken; `config`, when the
    /// state directory can't be used.
    pub fn fixed(&self, id: i32) -> Result<Lease> {
        let registry = self.open()?;
        let slots = self.taken(&registry.dir)?;
        if let Some(slot) = slots.iter().find(|slot| slot.client_id == id) {
            return Err(self.in_use(id, slot));
        }
        self.check_budget(&slots)?;
        match self.take(&registry.dir, id)? {
            Some(lease) => Ok(lease),
            None => Err(self.in_use(id, &Slot { client_id: id, owner: None })),
        }
    }

    /// Leases an id of the range: the one this application had last if it is free, else a random one. Ids that the Gateway
    /// has refused are left alone for as long as it may hold them.
    ///
    /// # Errors
    /// `client_id_in_use`, when none is free; `rejected`, when all slots are taken; `config`, when the state directory
    /// can't be used.
    pub fn any(&self, rng: &mut impl Rng) -> Result<Lease> {
        let registry = self.open()?;
        let slots = self.taken(&registry.dir)?;
        self.check_budget(&slots)?;
        let mut unusable = None;
        for id in self.candidates(&registry.dir, rng)? {
            if slots.iter().any(|slot| slot.client_id == id) {
                continue;
            }
            match self.take(&registry.dir, id) {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                // One file that can't be used is in nobody's way.
                Err(error) => unusable = Some(error),
            }
        }
        if let Some(error) = unusable {
            return Err(error);
        }
        let message = format!(
            "no client id from {} to {} is free for {}: all are leased, or were refused (326) lately",
            self.range.start,
            self.range.end - 1,
            self.gateway
        );
        Err(Error::new(ErrorKind::ClientIdInUse, message).in_phase(Phase::Preflight))
    }

    /// The clients of this machine, by client id; at most [`SLOTS`] are let in. Clients of other machines, and programs
    /// that don't use ibkr-connect, are not in it.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used.
    pub fn slots(&self) -> Result<Vec<Slot>> {
        self.taken(&self.open()?.dir)
    }

    /// The same, also while a process that is stopped keeps others from leasing.
    ///
    /// # Errors
    /// `config`, when the state directory can't be used.
    pub(crate) fn glance(&self) -> Result<SlotSnapshot> {
        let dir = Dir::private(&self.directory).map_err(unusable_state)?;
        let stuck = match FileLock::acquire_briefly(&dir, REGISTRY, GLANCE_TIMEOUT) {
            Ok(_) => None,
            // Nobody leases meanwhile, so nobody is disturbed.
            Err(error @ StateError::Locked { .. }) => Some(error),
            Err(error) => return Err(unusable_state(error)),
        };
        Ok(SlotSnapshot { slots: self.taken(&dir)?, stuck })
    }

    fn open(&self) -> Result<Registry> {
        let dir = Dir::private(&self.directory).map_err(unusable_state)?;
        let lock = FileLock::acquire_briefly(&dir, REGISTRY, REGISTRY_TIMEOUT).map_err(unusable_state)?;
        Ok(Registry { dir, _lock: lock })
    }

    fn taken(&self, dir: &Dir) -> Result<Vec<Slot>> {
        let mut slots = Vec::new();
        for id in known_ids(dir)? {
            // A file that can't be used is nobody's id.
            if let Ok(Probe::Held(note)) = FileLock::probe::<IdNote>(dir, &client_lock(id)) {
                slots.push(Slot { client_id: id, owner: note.known().map(|note| note.owner) });
            }
        }
        slots.sort_by_key(|slot| slot.client_id);
        Ok(slots)
    }

    /// The ids worth trying, best first.
    fn candidates(&self, dir: &Dir, rng: &mut impl Rng) -> Result<Vec<i32>> {
        let now = self.clock.now();
        let refused = self.refused_ids();
        let is_free = |id: &i32| self.range.contains(id) && !refused.contains(id);
        let last_held = |id: i32| {
            let note =
                dir.existing_file(&client_lock(id)).ok().flatten().map(|file| read_note::<IdNote>(&file));
            let IdNote { owner } = note?.ok()?.known()?;
            (owner.program == self.application).then(|| (now.since(&owner.since), id))
        };
        let mut sticky: Vec<_> = known_ids(dir)?.into_iter().filter(is_free).filter_map(last_held).collect();
        sticky.sort_unstable();
        let mut others: Vec<i32> = self.range.clone().filter(is_free).collect();
        others.shuffle(rng);
        Ok(sticky.into_iter().map(|(_, id)| id).chain(others).collect())
    }

    /// The ids that the Gateway may hold itself. A record that can't be read says as much as none: the Gateway says it again.
    fn refused_ids(&self) -> HashSet<i32> {
        let refused = self.refused.look_settled(|refused, visit| refused.at(visit.now.at));
        refused.ok().flatten().unwrap_or_default()
    }

    fn take(&self, dir: &Dir, id: i32) -> Result<Option<Lease>> {
        let name = client_lock(id);
        let Some(lock) = FileLock::try_acquire(dir, &name).map_err(unusable_state)? else { return Ok(None) };
        if lock.read_note::<IdNote>().is_ok_and(|note| matches!(note, Note::Foreign)) {
            let why = "is not a file of ibkr-connect: there is something else in it, which is left as it is";
            return Err(unusable_state(StateError::unusable(&dir.path(&name), why)));
        }
        let note = IdNote { owner: Holder::this_process(&self.application, self.clock.now()) };
        if let Err(error) = lock.note(&note) {
            // The lock is what counts; the note is for people and for next time.
            tracing::warn!(client_id = id, %error, "client_id_note_unwritable");
        }
        tracing::debug!(gateway = %self.gateway, client_id = id, "client_id_leased");
        Ok(Some(Lease { id, refused: self.refused.clone(), _lock: lock }))
    }

    fn check_budget(&self, slots: &[Slot]) -> Result<()> {
        if slots.len() < SLOTS {
            return Ok(());
        }
        let message = format!(
            "{} processes of this machine are clients of {}, and it takes no more",
            SLOTS, self.gateway
        );
        Err(Error::new(ErrorKind::Rejected, message)
            .in_phase(Phase::Preflight)
            .with_advice("end one of them (`ibkr-connect status` lists them), or use another Gateway"))
    }

    fn in_use(&self, id: i32, slot: &Slot) -> Error {
        let now = self.clock.now();
        let holder = slot.owner.as_ref().map_or("another process".to_owned(), |owner| owner.describe(&now));
        let message = format!("client id {id} of {} is held by {holder}", self.gateway);
        Error::new(ErrorKind::ClientIdInUse, message).in_phase(Phase::Preflight)
    }
}

struct Registry {
    dir: Dir,
    _lock: FileLock,
}

/// A client id that is ours until this is dropped, or this process ends.
#[derive(Debug)]
#[must_use = "the client id is given back when this is dropped"]
pub struct Lease {
    id: i32,
    refused: Shared<RefusedIds>,
    _lock: FileLock,
}

impl Lease {
    /// The client id.
    pub fn client_id(&self) -> i32 {
        self.id
    }

    /// Gives the id back because the Gateway says that it is in use (326), and leaves it alone for `hold`.
    pub fn refuse(self, hold: Duration) {
        let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(client_id = self.id, hold_ms, "client_id_refused");
        let note = || self.refused.change(|refused, visit| refused.add(self.id, visit.now.at, hold_ms));
        let noted = match note() {
            // Losing it costs no safety: it starts empty.
            Err(StateError::Unreadable { .. }) => {
                self.refused.replace(RefusedIds::default()).and_then(|_| note())
            }
            noted => noted,
        };
        if let Some(error) = noted.map_or_else(Some, |noted| noted.unwritten) {
            // The others will hear it from the Gateway.
            tracing::warn!(client_id = self.id, %error, "client_id_note_unwritable");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        tracing::debug!(client_id = self.id, "client_id_released");
    }
}

fn known_ids(dir: &Dir) -> Result<Vec<i32>> {
    let names = dir.names().map_err(unusable_state)?;
    Ok(names.iter().filter_map(|name| client_of(name)).collect())
}

#[cfg(test)]
mod tests;
