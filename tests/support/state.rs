//! State directories of tests.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use ibkr_connect::resilience::MAINTENANCE_FILE;
use tempfile::TempDir;

/// A state directory of one's own.
pub(crate) fn state_dir() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    without_maintenance(directory.path());
    directory
}

/// Makes a state directory in which it is never time for maintenance: what a test sees must not depend on the time of day.
pub(crate) fn without_maintenance(path: &Path) {
    DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
    fs::write(path.join(MAINTENANCE_FILE), "# never\n").unwrap();
}
