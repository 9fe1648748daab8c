//! Files that other users can't plant, swap or read: everything shared between processes goes through here.
//!
//! A directory is opened once and files are opened relative to it, without following links; whatever is there must be a
//! regular file of ours that nobody else can open.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, open, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Our files are some hundred bytes; whatever is longer is not ours.
const LONGEST: u64 = 256 * 1024;
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
const WRITABLE_BY_OTHERS: u32 = 0o022;
const OPEN_TO_OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// An open directory.
#[derive(Debug)]
pub struct Dir {
    fd: File,
    path: PathBuf,
}

impl Dir {
    /// A directory of ours, created (mode 0700) if need be.
    ///
    /// # Errors
    /// When it can't be opened, or is not ours alone to write.
    pub fn private(path: &Path) -> Result<Self> {
        let (dir, meta) = Self::open(path)?;
        if meta.uid() != euid() || meta.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(Error::unusable(path, "belongs to, or can be written by, another user"));
        }
        Ok(dir)
    }

    /// As [`private`](Self::private), but the directory is not made: `None` if there is none.
    ///
    /// # Errors
    /// Those of [`private`](Self::private).
    pub fn existing(path: &Path) -> Result<Option<Self>> {
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::private(path).map(Some),
        }
    }

    /// A directory that may be everybody's, as long as nobody can rename or remove the files of others.
    ///
    /// # Errors
    /// When it can't be opened, or lets others replace files of ours.
    pub fn shared(path: &Path) -> Result<Self> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let (dir, meta) = Self::open(&real)?;
        let trusted = meta.uid() == euid() || meta.uid() == 0;
        let open = meta.mode() & WRITABLE_BY_OTHERS != 0 && meta.mode() & STICKY == 0;
        if !trusted || open {
            return Err(Error::unusable(path, "lets other users replace files in it"));
        }
        Ok(dir)
    }

    fn open(path: &Path) -> Result<(Self, Metadata)> {
        let failed = |error: io::Error| Error::failed(path, error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => Error::unusable(path, "is a symbolic link or no directory"),
            error => failed(error.into()),
        })?;
        let fd = File::from(fd);
        let meta = fd.metadata().map_err(failed)?;
        Ok((Self { fd, path: path.to_path_buf() }, meta))
    }

    /// Where `name` is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens `name` for reading and writing, created (mode 0600) if need be; its contents are left alone.
    ///
    /// # Errors
    /// When it is not a regular file of ours that is closed to others, or can't be opened.
    pub fn file(&self, name: &str) -> Result<File> {
        self.open_file(name, OFlags::RDWR | OFlags::CREATE)
            .map_err(|error| self.refused(name, error))
            .and_then(|file| self.checked(name, file))
    }

    /// Opens `name` for reading, or `None` if it is not there.
    ///
    /// # Errors
    /// Those of [`file`](Self::file).
    pub fn existing_file(&self, name: &str) -> Result<Option<File>> {
        match self.open_file(name, OFlags::RDONLY) {
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.refused(name, error)),
            Ok(file) => self.checked(name, file).map(Some),
        }
    }

    /// The contents of `name`, or `None` if it is not there.
    ///
    /// # Errors
    /// Those of [`file`](Self::file), or when it is longer than any of ours.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = self.existing_file(name)?;
        file.map(|file| self.contents(name, file)).transpose()
    }

    /// The contents of a file that a user may have put here: others may read it, and it may be a link.
    ///
    /// # Errors
    /// When it can't be read, is not a regular file, or is longer than any of ours.
    pub fn read_loosely(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        // O_NONBLOCK: opening a FIFO must not hang.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => File::from(opened.map_err(|error| Error::failed(&path, error))?),
        };
        let meta = file.metadata().map_err(|error| Error::failed(&path, error))?;
        if !meta.is_file() {
            return Err(Error::unusable(&path, "is not a regular file"));
        }
        self.contents(name, file).map(Some)
    }

    fn contents(&self, name: &str, file: File) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::failed(&self.path(name), error))?;
        if bytes.len() as u64 > LONGEST {
            let why = format!("is longer than {} KiB: it is not a file of ibkr-connect", LONGEST / 1024);
            return Err(Error::unusable(&self.path(name), why));
        }
        Ok(bytes)
    }

    /// Replaces `name` by `bytes`: a reader, also after a crash, sees the old contents or the new.
    ///
    /// Only one writer at a time: the caller holds a lock.
    ///
    /// # Errors
    /// When it can't be written; the old contents stay.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write_aside(name, bytes).map_err(|error| Error::failed(&self.path(name), error))
    }

    fn write_aside(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let aside = format!("{name}.new");
        match unlinkat(&self.fd, aside.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let mut file = self.open_file(&aside, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        renameat(&self.fd, aside.as_str(), &self.fd, name)?;
        // Without this the rename itself can be lost in a power cut.
        rustix::fs::fsync(&self.fd)?;
        Ok(())
    }

    /// Renames what is called `name` to `name.bad`, whatever it is, and says where it is now; `None` if it is not there.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn put_aside(&self, name: &str) -> Result<Option<PathBuf>> {
        let aside = format!("{name}.bad");
        match renameat(&self.fd, name, &self.fd, aside.as_str()) {
            Ok(()) => Ok(Some(self.path(&aside))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::failed(&self.path(name), error)),
        }
    }

    /// The names of all files.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let failed = |error: Errno| Error::failed(&self.path, error);
        let entries = rustix::fs::Dir::read_from(&self.fd).map_err(failed)?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Whether `file` is still what everybody else would open as `name`: a lock on a removed file guards nothing.
    pub fn is_current(&self, name: &str, file: &File) -> bool {
        let (Ok(held), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(self.path(name))) else {
            return false;
        };
        (held.dev(), held.ino()) == (named.dev(), named.ino())
    }

    /// Whether there is anything called `name`.
    pub fn has(&self, name: &str) -> bool {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Removes the file `name`; it may be gone already. A link is removed itself.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::failed(&self.path(name), error)),
        }
    }

    fn open_file(&self, name: &str, access: OFlags) -> Result<File, Errno> {
        // O_NONBLOCK: opening a planted FIFO must not hang.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&self.fd, name, flags, PRIVATE).map(File::from)
    }

    fn checked(&self, name: &str, file: File) -> Result<File> {
        let meta = file.metadata().map_err(|error| Error::failed(&self.path(name), error))?;
        let wrong = if !meta.is_file() {
            "is not a regular file"
        } else if meta.uid() != euid() {
            "belongs to another user"
        } else if meta.nlink() != 1 {
            "has another name too (a hard link), or none any more"
        } else if meta.mode() & OPEN_TO_OTHERS != 0 {
            "can be opened by other users (mode 0600 is needed)"
        } else {
            return Ok(file);
        };
        Err(Error::unusable(&self.path(name), wrong))
    }

    fn refused(&self, name: &str, error: Errno) -> Error {
        let path = self.path(name);
        match error {
            Errno::LOOP => Error::unusable(&path, "is a symbolic link"),
            Errno::NXIO => Error::unusable(&path, "is not a regular file"),
            error => Error::failed(&path, error),
        }
    }
}

fn euid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn private() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::private(&temp.path().join("state")).unwrap();
        (temp, dir)
    }

    #[track_caller]
    fn refused(outcome: Result<impl std::fmt::Debug>, why: &str) {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }));
        assert!(error.to_string().contains(why), "{error}");
    }

    #[test]
    fn what_we_create_is_ours_alone() {
        let (_temp, dir) = private();
        dir.file("a.lock").unwrap();
        dir.replace("b.json", b"{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&dir.path), mode(&dir.path("a.lock")), mode(&dir.path("b.json"))),
            (0o700, 0o600, 0o600)
        );
        assert_eq!(dir.read("b.json").unwrap().unwrap(), b"{}");
        assert_eq!(dir.read("c.json").unwrap(), None);
    }

    #[test]
    fn a_planted_link_is_refused_and_its_victim_untouched() {
        let (temp, dir) = private();
        let victim = temp.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, dir.path("x")).unwrap();
        refused(dir.file("x"), "symbolic link");
        refused(dir.read("x"), "symbolic link");
        symlink(&victim, dir.path("y.new")).unwrap();
        dir.replace("y", b"new").unwrap();
        fs::hard_link(&victim, dir.path("z")).unwrap();
        refused(dir.file("z"), "hard link");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_planted_fifo_neither_hangs_nor_passes() {
        let (_temp, dir) = private();
        rustix::fs::mkfifoat(&dir.fd, "x", PRIVATE).unwrap();
        refused(dir.file("x"), "not a regular file");
        refused(dir.read("x"), "not a regular file");
    }

    #[test]
    fn what_a_user_may_have_put_here_is_read_if_it_is_a_regular_file_of_some_size() {
        let (temp, dir) = private();
        assert_eq!(dir.read_loosely("x").unwrap(), None);
        let elsewhere = temp.path().join("elsewhere");
        fs::write(&elsewhere, "text").unwrap();
        symlink(&elsewhere, dir.path("x")).unwrap();
        assert_eq!(dir.read_loosely("x").unwrap().unwrap(), b"text");
        rustix::fs::mkfifoat(&dir.fd, "fifo", PRIVATE).unwrap();
        symlink("fifo", dir.path("link")).unwrap();
        symlink("/dev/zero", dir.path("zero")).unwrap();
        for name in ["fifo", "link", "zero"] {
            refused(dir.read_loosely(name), "not a regular file");
        }
        File::create(&elsewhere).unwrap().set_len(1 << 40).unwrap();
        refused(dir.read_loosely("x"), "is longer than");
    }

    #[test]
    fn a_file_that_others_can_open_is_refused() {
        let (_temp, dir) = private();
        fs::write(dir.path("x"), "").unwrap();
        fs::set_permissions(dir.path("x"), fs::Permissions::from_mode(0o644)).unwrap();
        refused(dir.file("x"), "mode 0600");
    }

    #[test]
    fn a_directory_of_others_or_behind_a_link_is_refused() {
        let (temp, dir) = private();
        symlink(&dir.path, temp.path().join("link")).unwrap();
        refused(Dir::private(&temp.path().join("link")), "symbolic link");
        fs::set_permissions(&dir.path, fs::Permissions::from_mode(0o777)).unwrap();
        refused(Dir::private(&dir.path), "another user");
        refused(Dir::shared(&dir.path), "replace files");
        fs::set_permissions(&dir.path, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(Dir::shared(&dir.path).is_ok());
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let (_temp, dir) = private();
        dir.file("x").unwrap();
        // Only root can give files away.
        if std::os::unix::fs::chown(dir.path("x"), Some(12_345), None).is_ok() {
            refused(dir.file("x"), "another user");
            std::os::unix::fs::chown(&dir.path, Some(12_345), None).unwrap();
            refused(Dir::private(&dir.path), "another user");
            refused(Dir::shared(&dir.path), "replace files");
        }
    }
}
