//! Reading and replacing whole files: a seam, so that tests can have a disk that is full or broken.

use std::fmt::Debug;

use crate::error::Result;
use crate::files::Dir;

/// Reads and replaces files.
pub trait Disk: Debug + Send + Sync {
    /// As [`Dir::read`].
    ///
    /// # Errors
    /// When the file can't be read.
    fn read(&self, dir: &Dir, name: &str) -> Result<Option<Vec<u8>>>;

    /// As [`Dir::replace`].
    ///
    /// # Errors
    /// When the file can't be written; the old contents stay.
    fn replace(&self, dir: &Dir, name: &str, bytes: &[u8]) -> Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelDisk;

impl Disk for KernelDisk {
    fn read(&self, dir: &Dir, name: &str) -> Result<Option<Vec<u8>>> {
        dir.read(name)
    }

    fn replace(&self, dir: &Dir, name: &str, bytes: &[u8]) -> Result<()> {
        dir.replace(name, bytes)
    }
}

#[cfg(any(test, feature = "manual"))]
pub(crate) mod manual {
    //! A disk that fails when a test says so.

    use std::io::{self, ErrorKind};
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;
    use crate::error::Error;

    /// What is wrong with a [`ManualDisk`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum DiskFault {
        /// Nothing can be written (ENOSPC).
        Full,
        /// Nothing can be read (EIO).
        Unreadable,
    }

    /// The disk of this machine, until a test breaks it. Clones are the same disk.
    #[derive(Debug, Clone, Default)]
    pub struct ManualDisk(Arc<Mutex<Option<DiskFault>>>);

    impl ManualDisk {
        /// From now on the disk has this fault, or none.
        pub fn set(&self, fault: Option<DiskFault>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        }

        fn fails(&self, fault: DiskFault) -> bool {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(fault)
        }
    }

    impl Disk for ManualDisk {
        fn read(&self, dir: &Dir, name: &str) -> Result<Option<Vec<u8>>> {
            if self.fails(DiskFault::Unreadable) {
                let error = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
                return Err(Error::failed(&dir.path(name), error));
            }
            KernelDisk.read(dir, name)
        }

        fn replace(&self, dir: &Dir, name: &str, bytes: &[u8]) -> Result<()> {
            if self.fails(DiskFault::Full) {
                return Err(Error::failed(&dir.path(name), io::Error::from(ErrorKind::StorageFull)));
            }
            KernelDisk.replace(dir, name, bytes)
        }
    }
}
