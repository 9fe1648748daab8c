//! What the environment says about this process and its workers, apart from the configuration.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Set for a worker by its parent; the worker repeats it in its hello, so that neither talks to a stranger.
pub const WORKER_COOKIE: &str = "IBKR_WORKER_COOKIE";

/// Set for a worker by its parent: the most detailed level of log line that the parent wants.
pub const WORKER_LOG: &str = "IBKR_WORKER_LOG";

/// What a worker inherits, besides `LC_*`. Everything else, credentials first of all, stays with the parent.
const INHERITED: [&str; 11] = [
    "HOME",
    "IBAPI_TIMEZONE_ALIASES",
    "LANG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "PATH",
    "RUST_BACKTRACE",
    "TMPDIR",
    "TZ",
    "TZDIR",
];

/// The variables that a worker may inherit, with their values.
#[expect(
    clippy::disallowed_methods,
    reason = "crates/core/src/config is the one place that reads the environment"
)]
pub fn inherited_by_workers() -> Vec<(OsString, OsString)> {
    let inherited =
        |name: &OsStr| name.to_str().is_some_and(|name| INHERITED.contains(&name) || name.starts_with("LC_"));
    std::env::vars_os().filter(|(name, _)| inherited(name)).collect()
}

/// The cookie that this process was started with, if it was started as a worker.
#[expect(
    clippy::disallowed_methods,
    reason = "crates/core/src/config is the one place that reads the environment"
)]
pub fn worker_cookie() -> Option<String> {
    std::env::var(WORKER_COOKIE).ok().filter(|cookie| !cookie.is_empty())
}

/// The most detailed level that the parent of this worker wants to log.
#[expect(
    clippy::disallowed_methods,
    reason = "crates/core/src/config is the one place that reads the environment"
)]
pub fn worker_log_level() -> Option<String> {
    std::env::var(WORKER_LOG).ok()
}

/// The first file called `name` in the directories of `PATH`. A relative one is passed over: what it finds depends on where we
/// are started.
#[expect(
    clippy::disallowed_methods,
    reason = "crates/core/src/config is the one place that reads the environment"
)]
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    find_in(&std::env::var_os("PATH")?, name)
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let directories = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_directories_are_searched() {
        // Cargo runs tests in the directory of the crate.
        assert!(PathBuf::from("Cargo.toml").is_file());
        for relative in ["", ".", ":", "src:..", ".:/does/not/exist"] {
            assert_eq!(find_in(OsStr::new(relative), "Cargo.toml"), None, "{relative:?}");
        }
        let here = std::env::current_dir().unwrap();
        let path = std::env::join_paths([PathBuf::from("."), here.clone()]).unwrap();
        assert_eq!(find_in(&path, "Cargo.toml"), Some(here.join("Cargo.toml")));
    }
}
