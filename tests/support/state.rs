//! State directories of tests.

use tempfile::TempDir;

/// A state directory of one's own.
pub(crate) fn state_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}
