//! What can keep a process from the state that it shares with others.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why shared state can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory that can't be used, or not safely.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What the system said.
        source: Option<io::Error>,
    },
    /// A file that others lock for a moment only, and somebody doesn't let go of.
    #[error("{} has been locked for {waited:?}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long this process has waited for it.
        waited: Duration,
    },
    /// A record that can't be read: its file is not what we wrote, or the disk fails.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Error {
    /// The error for a file or directory that can't be used safely.
    pub fn unusable(path: &Path, why: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_path_buf(), why: why.into(), source: None }
    }

    /// The error for a file or directory of which the system said `error`.
    pub(crate) fn failed(path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        Self::Unusable { path: path.to_path_buf(), why: error.to_string(), source: Some(error) }
    }

    pub(crate) fn unreadable(path: &Path, why: impl Into<String>) -> Self {
        Self::Unreadable { path: path.to_path_buf(), why: why.into() }
    }

    /// The file or directory.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unusable { path, .. } | Self::Locked { path, .. } | Self::Unreadable { path, .. } => path,
        }
    }

    /// What is wrong, without the path.
    pub fn reason(&self) -> String {
        match self {
            Self::Unusable { why, .. } | Self::Unreadable { why, .. } => why.clone(),
            Self::Locked { waited, .. } => format!("has been locked for {waited:?}"),
        }
    }
}
