//! What this crate says when the state that processes share can't be used.

use ibkr_connect_core::{Error, ErrorKind, Phase};
use ibkr_connect_state::Error as StateError;

/// The error for users: `lock_timeout` for a file that a stopped process holds, else `config`; in `preflight`.
pub(crate) fn unusable_state(error: StateError) -> Error {
    let message = error.to_string();
    let (kind, advice) = match &error {
        StateError::Locked { .. } => (
            ErrorKind::LockTimeout,
            "a process that holds it is stopped (SIGSTOP, a debugger): continue or end it",
        ),
        _ => (
            ErrorKind::Config,
            "check IBKR_STATE_DIR and IBKR_LOCK_FILE_PATH: they need a directory of your own, mode 0700",
        ),
    };
    let told = Error::new(kind, message).in_phase(Phase::Preflight).with_advice(advice);
    match error {
        StateError::Unusable { source: Some(source), .. } => told.with_source(source),
        _ => told,
    }
}
