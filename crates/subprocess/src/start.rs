//! Starting a worker process and its reader.

use std::io;
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use ibkr_connect_cleanup::{Child, ChildSpec, SpawnError};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{Error, ErrorKind, Result};
use ibkr_connect_protocol::{Link, read};

use crate::fd_pipe::FdPipe;
use crate::monitor::Worker;
use crate::process::Process;
use crate::worker::COOKIE_VARIABLE;
use crate::{Timing, WorkerSpec, log};

/// Starts the worker; gives it and the cookie that its hello must show.
pub(crate) fn start(
    spec: &WorkerSpec,
    timing: &Timing,
    log_accounts: LogAccounts,
    process: &Arc<Process>,
) -> Result<(Worker, String)> {
    let cookie = format!("{:032x}", rand::random::<u128>());
    let pid = Arc::new(AtomicU32::new(0));
    let mut env = spec.env.clone();
    env.push((COOKIE_VARIABLE.into(), cookie.clone().into()));
    let (child, stdin, stdout) = Child::spawn(ChildSpec {
        program: spec.program.clone(),
        args: spec.args.clone(),
        env,
        grace: timing.terminate,
        label: "ibkr-worker".to_owned(),
        on_stderr_line: log::sink(Arc::clone(&pid), log_accounts),
    })
    .map_err(not_spawned)?;
    pid.store(child.pid(), Ordering::Relaxed);
    let observer = Arc::clone(process);
    child.on_exit(move |report| observer.exited(report));
    attach(&process.link, stdin, stdout).map_err(|error| Error::unstartable("the worker's reader", error))?;
    let process = Arc::clone(process);
    Ok((Worker { child, process, settle: timing.settle, log_accounts, registration: None }, cookie))
}

fn not_spawned(cause: SpawnError) -> Error {
    let error = Error::new(ErrorKind::WorkerSpawn, cause.to_string());
    // A limit on processes or memory, or a file that is being replaced: that passes. A wrong path does not.
    let error = if matches!(cause, SpawnError::System { .. }) { error.retryable() } else { error };
    error.with_source(cause)
}

/// Connects the link with the pipes. On failure the caller drops the child, which ends it.
fn attach(link: &Arc<Link>, stdin: ChildStdin, stdout: ChildStdout) -> io::Result<()> {
    link.open(Arc::new(FdPipe::new(stdin)?));
    let link = Arc::clone(link);
    thread::Builder::new().name("ibkr-worker-stdout".to_owned()).spawn(move || read(&link, stdout)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_system_refuses_for_the_moment_is_worth_another_try() {
        let program = std::path::PathBuf::from("w");
        let limit = SpawnError::System { program: program.clone(), source: io::ErrorKind::WouldBlock.into() };
        assert!(not_spawned(limit).is_retryable());
        let missing = not_spawned(SpawnError::NotFound { program });
        assert_eq!((missing.kind(), missing.is_retryable()), (ErrorKind::WorkerSpawn, false));
    }
}
