//! The register of live workers: one small file each in the state directory, so that a later start of ibkr-connect knows
//! which processes are its own.
//!
//! An entry is advisory: it names a process by pid *and* start time *and* boot, and is believed only while such a process
//! lives. Stale entries are removed by whoever reads the register.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::process::Process;
use crate::sys::{self, Procs};

const DIRECTORY: &str = "workers";
const SUFFIX: &str = ".json";
/// An entry is some dozens of bytes; whatever is longer is not ours.
const ENTRY_BYTES: u64 = 4096;

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
}

impl WorkerRecord {
    pub(crate) fn of(process: &Process, port: u16) -> Self {
        Self { pid: process.pid, start_time: process.start_time, port, boot_id: sys::boot_id() }
    }

    pub(crate) fn is(&self, process: &Process) -> bool {
        self.pid == process.pid && self.start_time == process.start_time
    }

    fn is_alive(&self) -> bool {
        self.boot_id == sys::boot_id()
            && Procs::system().process(self.pid).is_ok_and(|process| self.is(&process))
    }

    fn file_name(&self) -> String {
        format!("{}-{}{SUFFIX}", self.pid, self.start_time)
    }
}

/// The register in a state directory.
#[derive(Debug, Clone)]
pub struct Register {
    directory: PathBuf,
}

impl Register {
    /// The register below `state_directory`; it is created (mode 0700) if need be.
    ///
    /// # Errors
    /// When it can't be created, or belongs to or is writable by another user: entries of others must not be believed.
    pub fn open(state_directory: &Path) -> Result<Self, Error> {
        let directory = state_directory.join(DIRECTORY);
        let failed = |error: io::Error| register_error(&directory, error.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        let meta = fs::symlink_metadata(&directory).map_err(failed)?;
        if !meta.is_dir() {
            return Err(register_error(&directory, "is no directory"));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(register_error(&directory, "belongs to, or can be written by, another user"));
        }
        Ok(Self { directory })
    }

    /// Registers the running process `pid` as a worker for `port`. The entry goes when the [`Registration`] is dropped.
    ///
    /// # Errors
    /// When there is no such process or the entry can't be written.
    pub fn add(&self, pid: u32, port: u16) -> Result<Registration, Error> {
        let process = Procs::system()
            .process(pid)
            .map_err(|error| register_error(&self.directory, format!("process {pid}: {error}")))?;
        let record = WorkerRecord::of(&process, port);
        let path = self.directory.join(record.file_name());
        self.write(&path, &record).map_err(|error| register_error(&path, error.to_string()))?;
        Ok(Registration { path })
    }

    /// The workers that live now; stale entries are removed.
    ///
    /// # Errors
    /// When the directory can't be read. An entry that makes no sense is removed.
    pub fn live(&self) -> Result<Vec<WorkerRecord>, Error> {
        let entries = fs::read_dir(&self.directory)
            .map_err(|error| register_error(&self.directory, error.to_string()))?;
        let mut live = Vec::new();
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if !path.to_string_lossy().ends_with(SUFFIX) {
                continue;
            }
            match read(&path) {
                Some(record) if record.is_alive() => live.push(record),
                _ => drop(fs::remove_file(&path)),
            }
        }
        Ok(live)
    }

    /// Written aside and renamed: a reader sees the whole entry or none.
    fn write(&self, path: &Path, record: &WorkerRecord) -> io::Result<()> {
        let aside = path.with_extension("tmp");
        // What a crash left; not followed, should it be a link.
        let _ = fs::remove_file(&aside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        fs::rename(&aside, path)
    }
}

/// Keeps a worker in the register until it is dropped.
#[derive(Debug)]
#[must_use = "the entry is removed when this is dropped"]
pub struct Registration {
    path: PathBuf,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // If another process has already removed it as stale, so much the better.
        let _ = fs::remove_file(&self.path);
    }
}

fn read(path: &Path) -> Option<WorkerRecord> {
    let meta = fs::symlink_metadata(path).ok()?;
    if !meta.is_file() || meta.len() > ENTRY_BYTES {
        return None;
    }
    serde_json::from_reader(File::open(path).ok()?).ok()
}

fn register_error(path: &Path, message: impl Into<String>) -> Error {
    Error::Register { path: path.to_path_buf(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_entry_lives_as_long_as_its_registration() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let registration = register.add(std::process::id(), 4002).unwrap();
        let live = register.live().unwrap();
        assert_eq!((live.len(), live[0].pid, live[0].port), (1, std::process::id(), 4002));
        drop(registration);
        assert_eq!(register.live().unwrap(), []);
    }

    #[test]
    fn stale_and_senseless_entries_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        let mine = Procs::system().process(std::process::id()).unwrap();
        let living = WorkerRecord::of(&mine, 4002);
        let stale = [
            WorkerRecord { start_time: living.start_time + 1, ..living.clone() },
            WorkerRecord { boot_id: "another boot".to_owned(), ..living },
        ];
        for (index, record) in stale.iter().enumerate() {
            let path = register.directory.join(format!("{index}{SUFFIX}"));
            fs::write(path, serde_json::to_vec(record).unwrap()).unwrap();
        }
        fs::write(register.directory.join("garbage.json"), "{").unwrap();
        fs::write(register.directory.join("notes.txt"), "not ours").unwrap();
        assert_eq!(register.live().unwrap(), []);
        let left: Vec<_> =
            fs::read_dir(&register.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }

    #[test]
    fn a_register_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let register = Register::open(dir.path()).unwrap();
        fs::set_permissions(&register.directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Register::open(dir.path()), Err(Error::Register { .. })));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = Register::open(dir.path()).unwrap().add(u32::MAX, 4002).unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
