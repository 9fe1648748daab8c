//! Client ids that no two processes of this machine use at once, and the Gateway's budget of clients.
//!
//! One small file per id; whoever has it locked has the id, and the kernel takes it back when the process ends. All
//! questions and changes happen under one short lock, so that the count is exact.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Phase, Result};
use ibkr_connect_state::{Clock, Dir, FileLock, Note, Owner, Stamp, read_note};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::unusable_state;
use crate::gateway::Gateway;

/// How many clients a Gateway takes (IBKR, "API settings").
pub const SLOTS: usize = 32;

/// The ids leased by default: clear of those that people choose, few enough for a file each.
pub(crate) const DEFAULT_RANGE: Range<i32> = 10_000..11_000;

/// Looking through a thousand small files takes some ten milliseconds.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);
const REGISTRY: &str = "registry.lock";
const PREFIX: &str = "client-";
const SUFFIX: &str = ".lock";

/// The note in the file of an id; it outlives the lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct IdNote {
    owner: Owner,
    refused: Option<Refused>,
}

/// The Gateway said 326 to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refused {
    at: Stamp,
    hold_ms: u64,
}

/// A client of the Gateway on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Slot {
    /// Its client id.
    pub client_id: i32,
    /// Who holds it, if they said so.
    pub owner: Option<Owner>,
}

/// The client ids of one Gateway.
#[derive(Debug, Clone)]
pub struct Leases {
    directory: PathBuf,
    gateway: Gateway,
    range: Range<i32>,
    application: String,
    clock: Arc<dyn Clock>,
}

impl Leases {
    /// The leases for `gateway` in the state directory, for an application of this name.
    pub fn new(directory: &Path, gateway: Gateway, application: &str, clock: Arc<dyn Clock>) -> Self {
        let directory = directory.join(format!("clients-{}", gateway.file_stem()));
        Self { directory, gateway, range: DEFAULT_RANGE, application: application.to_owned(), clock }
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
        for id in self.candidates(&registry.dir, rng)? {
            if slots.iter().all(|slot| slot.client_id != id)
                && let Some(lease) = self.take(&registry.dir, id)?
            {
                return Ok(lease);
            }
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

    fn open(&self) -> Result<Registry> {
        let dir = Dir::private(&self.directory).map_err(unusable_state)?;
        let lock = FileLock::acquire_briefly(&dir, REGISTRY, REGISTRY_TIMEOUT).map_err(unusable_state)?;
        Ok(Registry { dir, _lock: lock })
    }

    fn taken(&self, dir: &Dir) -> Result<Vec<Slot>> {
        let mut slots = Vec::new();
        for id in known_ids(dir)? {
            let name = file_name(id);
            if FileLock::try_acquire(dir, &name).map_err(unusable_state)?.is_none() {
                let note = note(dir, &name)?;
                slots.push(Slot { client_id: id, owner: note.map(|note| note.owner) });
            }
        }
        slots.sort_by_key(|slot| slot.client_id);
        Ok(slots)
    }

    /// The ids worth trying, best first.
    fn candidates(&self, dir: &Dir, rng: &mut impl Rng) -> Result<Vec<i32>> {
        let now = self.clock.now();
        let (mut sticky, mut refused) = (Vec::new(), Vec::new());
        for id in known_ids(dir)?.into_iter().filter(|id| self.range.contains(id)) {
            let Some(note) = note(dir, &file_name(id))? else { continue };
            if note.refused.as_ref().is_some_and(|refused| refused.holds(&now)) {
                refused.push(id);
            } else if note.owner.program == self.application {
                sticky.push((now.since(&note.owner.since), id));
            }
        }
        sticky.sort_unstable();
        let mut others: Vec<i32> = self.range.clone().filter(|id| !refused.contains(id)).collect();
        others.shuffle(rng);
        Ok(sticky.into_iter().map(|(_, id)| id).chain(others).collect())
    }

    fn take(&self, dir: &Dir, id: i32) -> Result<Option<Lease>> {
        let Some(lock) = FileLock::try_acquire(dir, &file_name(id)).map_err(unusable_state)? else {
            return Ok(None);
        };
        let note = IdNote { owner: Owner::this_process(&self.application, self.clock.now()), refused: None };
        let lease = Lease { id, note, lock, clock: Arc::clone(&self.clock) };
        lease.write();
        tracing::debug!(gateway = %self.gateway, client_id = id, "client_id_leased");
        Ok(Some(lease))
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
    note: IdNote,
    lock: FileLock,
    clock: Arc<dyn Clock>,
}

impl Lease {
    /// The client id.
    pub fn client_id(&self) -> i32 {
        self.id
    }

    /// Gives the id back because the Gateway says that it is in use (326), and leaves it alone for `hold`.
    pub fn refuse(mut self, hold: Duration) {
        let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(client_id = self.id, hold_ms, "client_id_refused");
        self.note.refused = Some(Refused { at: self.clock.now(), hold_ms });
        self.write();
    }

    fn write(&self) {
        if let Err(error) = self.lock.note(&self.note) {
            // The lock is what counts; the note is for people and for next time.
            tracing::warn!(client_id = self.id, %error, "client_id_note_unwritable");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        tracing::debug!(client_id = self.id, "client_id_released");
    }
}

impl Refused {
    /// A reboot ends it: without it, a clock that was set back could make it last for ever.
    fn holds(&self, now: &Stamp) -> bool {
        now.boot == self.at.boot && now.since(&self.at) < Duration::from_millis(self.hold_ms)
    }
}

/// The note in the file `name`, if it makes sense.
fn note(dir: &Dir, name: &str) -> Result<Option<IdNote>> {
    let file = dir.file(name).map_err(unusable_state)?;
    Ok(read_note(&file).ok().and_then(Note::known))
}

fn file_name(id: i32) -> String {
    format!("{PREFIX}{id}{SUFFIX}")
}

fn known_ids(dir: &Dir) -> Result<Vec<i32>> {
    let id = |name: &String| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok();
    Ok(dir.names().map_err(unusable_state)?.iter().filter_map(id).collect())
}

#[cfg(test)]
mod tests;
