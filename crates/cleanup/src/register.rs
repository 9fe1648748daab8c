//! The register of live workers: one small file each in the state directory, so that a later start of ibkr-connect knows
//! which processes are its own.
//!
//! An entry is advisory: it names a process by pid *and* start time *and* boot *and* pid namespace, and is believed only
//! while such a process lives. Reading the register changes nothing. Whoever adds an entry removes those of processes that
//! are surely gone; what we have not written is left as it is, and links are not followed.

use std::path::{Path, PathBuf};

use ibkr_connect_state::{Dir, Error as StateError, Place, names};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::process::Process;
use crate::sys::{self, Procs};

/// A worker process as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// The API port it connects to.
    pub port: u16,
    /// The boot in which `start_time` counts.
    pub boot_id: String,
    /// Where it runs; nowhere, if an older version has registered it.
    #[serde(default)]
    pub place: Place,
}

impl WorkerRecord {
    pub(crate) fn of(process: &Process, port: u16) -> Self {
        let place = Place::here().clone();
        Self { pid: process.pid, start_time: process.start_time, port, boot_id: sys::boot_id(), place }
    }

    pub(crate) fn is(&self, process: &Process) -> bool {
        self.pid == process.pid && self.start_time == process.start_time
    }

    /// Whether its process id means here what it meant there.
    fn is_here(&self) -> bool {
        let is_older = self.place == Place::default();
        self.boot_id == sys::boot_id() && (is_older || self.place.pids == Place::here().pids)
    }

    fn is_alive(&self) -> bool {
        self.is_here() && Procs::system().process(self.pid).is_ok_and(|process| self.is(&process))
    }

    /// Whether its process is gone. Of another machine or pid namespace nobody can say that.
    fn is_gone(&self) -> bool {
        let rebooted = self.place.machine == Place::here().machine && self.boot_id != sys::boot_id();
        rebooted || (self.is_here() && !self.is_alive())
    }

    fn file_name(&self) -> String {
        names::worker(self.pid, self.start_time)
    }
}

/// The register in a state directory.
#[derive(Debug, Clone)]
pub struct Register {
    directory: PathBuf,
}

impl Register {
    /// The register below `state_directory`. Nothing is made; the first entry makes it (mode 0700).
    ///
    /// # Errors
    /// When it can't be read, or belongs to or is writable by another user: entries of others must not be believed.
    pub fn open(state_directory: &Path) -> Result<Self, Error> {
        let register = Self { directory: state_directory.join(names::WORKERS) };
        register.existing()?;
        Ok(register)
    }

    /// Registers the running process `pid` as a worker for `port`. The entry goes when the [`Registration`] is dropped.
    ///
    /// # Errors
    /// When there is no such process or the entry can't be written.
    pub fn add(&self, pid: u32, port: u16) -> Result<Registration, Error> {
        let process = Procs::system().process(pid).map_err(|error| Error::Register {
            path: self.directory.clone(),
            message: format!("process {pid}: {error}"),
        })?;
        let dir = Dir::private(&self.directory).map_err(register_error)?;
        self.sweep(&dir);
        let record = WorkerRecord::of(&process, port);
        let name = record.file_name();
        if entry(&dir, &name).is_none() && dir.has(&name) {
            let message = "is not an entry of ibkr-connect; it is left as it is".to_owned();
            return Err(Error::Register { path: dir.path(&name), message });
        }
        let json = serde_json::to_vec(&record).unwrap_or_default();
        dir.replace(&name, &json).map_err(register_error)?;
        Ok(Registration { directory: self.directory.clone(), record })
    }

    /// The workers that live now. Nothing is changed.
    ///
    /// # Errors
    /// When the directory can't be read. An entry that makes no sense is nobody's.
    pub fn live(&self) -> Result<Vec<WorkerRecord>, Error> {
        let Some(dir) = self.existing()? else { return Ok(Vec::new()) };
        Ok(entries(&dir)?.into_iter().filter(WorkerRecord::is_alive).collect())
    }

    fn existing(&self) -> Result<Option<Dir>, Error> {
        Dir::existing(&self.directory).map_err(register_error)
    }

    /// Removes the entries of processes that are gone.
    fn sweep(&self, dir: &Dir) {
        for gone in entries(dir).unwrap_or_default().iter().filter(|record| record.is_gone()) {
            // If another process has already done so, so much the better.
            let _ = dir.remove(&gone.file_name());
        }
    }
}

/// Keeps a worker in the register until it is dropped.
#[derive(Debug)]
#[must_use = "the entry is removed when this is dropped"]
pub struct Registration {
    directory: PathBuf,
    record: WorkerRecord,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let name = self.record.file_name();
        if let Ok(Some(dir)) = Dir::existing(&self.directory)
            && entry(&dir, &name).as_ref() == Some(&self.record)
        {
            let _ = dir.remove(&name);
        }
    }
}

/// Everything that we have written.
fn entries(dir: &Dir) -> Result<Vec<WorkerRecord>, Error> {
    let names = dir.names().map_err(register_error)?;
    Ok(names.iter().filter_map(|name| entry(dir, name)).collect())
}

/// The entry with this name; `None` for anything that we would not have written under it.
fn entry(dir: &Dir, name: &str) -> Option<WorkerRecord> {
    if !names::is_worker(name) {
        return None;
    }
    parse(&dir.read(name).ok()??).filter(|record| record.file_name() == name)
}

fn parse(bytes: &[u8]) -> Option<WorkerRecord> {
    serde_json::from_slice(bytes).ok()
}

fn register_error(error: StateError) -> Error {
    let path = error.path().to_path_buf();
    Error::Register { path, message: error.reason() }
}

#[cfg(test)]
mod fuzz_tests;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// An entry as `record` says, under this name.
    fn write(register: &Register, name: &str, contents: &str) -> PathBuf {
        fs::create_dir_all(&register.directory).unwrap();
        let path = register.directory.join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn enter(register: &Register, record: &WorkerRecord) -> PathBuf {
        write(register, &record.file_name(), &serde_json::to_string(record).unwrap())
    }

    fn mine() -> WorkerRecord {
        WorkerRecord::of(&Procs::system().process(std::process::id()).unwrap(), 4002)
    }

    #[test]
    fn an_entry_lives_as_long_as_its_registration() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let registration = register.add(std::process::id(), 4002).unwrap();
        let live = register.live().unwrap();
        assert_eq!((live.len(), live[0].pid, live[0].port), (1, std::process::id(), 4002));
        drop(registration);
        assert_eq!(register.live().unwrap(), []);
        assert_eq!(fs::read_dir(&register.directory).unwrap().count(), 0);
    }

    #[test]
    fn looking_makes_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(&dir.path().join("state")).unwrap();
        assert_eq!(register.live().unwrap(), []);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let stale = enter(&register, &WorkerRecord { start_time: 1, ..mine() });
        let living = enter(&register, &mine());
        assert_eq!(register.live().unwrap(), [mine()]);
        assert!(stale.exists() && living.exists());
    }

    #[test]
    fn the_next_entry_sweeps_those_of_processes_that_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let gone = [
            WorkerRecord { start_time: mine().start_time + 1, ..mine() },
            WorkerRecord { pid: u32::MAX, ..mine() },
            WorkerRecord { start_time: 2, boot_id: "an earlier boot".to_owned(), ..mine() },
            WorkerRecord { start_time: 3, place: Place::default(), ..mine() },
        ]
        .map(|record| enter(&register, &record));
        let elsewhere = |place: Place| WorkerRecord { boot_id: "their boot".to_owned(), place, ..mine() };
        let here = Place::here().clone();
        let left = [
            WorkerRecord {
                start_time: 4,
                ..elsewhere(Place { machine: "another".to_owned(), ..here.clone() })
            },
            WorkerRecord { start_time: 5, ..elsewhere(Place::default()) },
            WorkerRecord { start_time: 6, place: Place { pids: "1".to_owned(), ..here }, ..mine() },
        ]
        .map(|record| enter(&register, &record));
        let _registration = register.add(std::process::id(), 4002).unwrap();
        assert!(gone.iter().all(|path| !path.exists()), "{gone:?}");
        assert!(left.iter().all(|path| path.exists()), "nobody can say that they are gone");
        assert_eq!(register.live().unwrap(), [mine()], "nor does anybody believe them");
    }

    #[test]
    fn what_we_have_not_written_survives_and_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let precious = dir.path().join("id_ed25519");
        fs::write(&precious, "-----BEGIN OPENSSH PRIVATE KEY-----").unwrap();
        let mine = mine();
        let json = serde_json::to_string(&mine).unwrap();
        let foreign = [
            write(&register, "settings.json", "{\"theme\":\"dark\"}"),
            write(&register, "garbage.json", "{"),
            write(&register, "notes.txt", "not ours"),
            // As we would call it, with something else in it; another's entry; one that anybody can read.
            write(&register, "4711-98765.json", "{\"pid\":4711}"),
            write(&register, "4712-98765.json", &json),
        ];
        let link = register.directory.join("4713-1.json");
        symlink(&precious, &link).unwrap();
        let linked = register.directory.join("4714-1.json");
        fs::hard_link(&precious, &linked).unwrap();
        drop(register.add(std::process::id(), 4002).unwrap());
        assert_eq!(register.live().unwrap(), []);
        assert!(foreign.iter().chain([&link, &linked]).all(|path| path.symlink_metadata().is_ok()));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "-----BEGIN OPENSSH PRIVATE KEY-----");
        let own_name = write(&register, &mine.file_name(), "precious");
        assert!(register.add(std::process::id(), 4002).is_err());
        assert_eq!(fs::read_to_string(own_name).unwrap(), "precious");
    }

    #[test]
    fn an_entry_that_is_no_longer_ours_is_not_removed_with_its_registration() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let registration = register.add(std::process::id(), 4002).unwrap();
        let path = write(&register, &mine().file_name(), "somebody else's");
        drop(registration);
        assert!(path.exists());
    }

    #[test]
    fn a_register_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        drop(register.add(std::process::id(), 4002).unwrap());
        fs::set_permissions(&register.directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Register::open(dir.path()), Err(Error::Register { .. })));
        assert!(matches!(register.live(), Err(Error::Register { .. })));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = Register::open(dir.path()).unwrap().add(u32::MAX, 4002).unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
