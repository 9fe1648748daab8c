//! The worker process: how a program becomes one, and how a connector finds one.
//!
//! A connector looks for a worker in this order:
//! 1. `IBKR_WORKER_PATH`, if set;
//! 2. this very program, if its `main` called [`run_if_worker`];
//! 3. the `ibkr-connect` command, beside this program or in `PATH`.

use std::sync::atomic::{AtomicBool, Ordering};

use ibkr_connect_core::config;

/// The argument that a worker is started with.
pub const ARGUMENT: &str = "worker";

/// Whether this build can serve as a worker: it has the protocol, and ibapi to serve.
const CAN_SERVE: bool = cfg!(all(feature = "subprocess", feature = "direct"));

/// Whether `main` called [`run_if_worker`], and that can make a worker of it: only then is starting this program again safe. It
/// is a fact about the program, not a setting, hence a static.
static CAN_BE_A_WORKER: AtomicBool = AtomicBool::new(false);

/// Call it first in `main`: in a worker process it serves the parent and never returns; in any other it returns at
/// once and lets [`connect`](crate::connect) start this program as its worker. What comes before it in `main` runs in
/// the worker too.
///
/// # Behavior
/// A program that was built without the features `subprocess` and `direct` can't serve. It is never started as a worker by
/// itself; started as one by another program, it says so on stderr and exits with code 69, before the rest of `main` runs.
pub fn run_if_worker() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT)
        && let Some(cookie) = config::worker_cookie()
    {
        serve::forever(&cookie);
    }
    CAN_BE_A_WORKER.store(CAN_SERVE, Ordering::Relaxed);
}

#[cfg(feature = "subprocess")]
pub(crate) use find::connector;

#[cfg(all(feature = "subprocess", feature = "direct"))]
mod serve {
    //! Being the worker.

    use std::io::{self, Write};
    use std::process;
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use async_trait::async_trait;
    use ibkr_connect_core::config::LogAccounts;
    use ibkr_connect_core::{Connection, ConnectionMode, Connector, Result, Target, config};
    use ibkr_connect_direct::HostedConnector;
    use ibkr_connect_subprocess::worker::serve_stdio;
    use tracing::Level;
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;

    /// How account ids appear in the worker's log, on whichever thread: masked, until the parent's connect says otherwise.
    static SHOWN: Mutex<LogAccounts> = Mutex::new(LogAccounts::Masked);

    /// The worker's log. What the Gateway said, and ibapi passes on, is no line of its own.
    struct Lines;

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Copied, so that no writer waits for another one's pipe.
            let shown = *SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
            io::stderr().write_all(shown.line(line).as_bytes())?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            io::stderr().flush()
        }
    }

    pub(super) fn forever(cookie: &str) -> ! {
        let level = config::worker_log_level().and_then(|level| level.parse().ok()).unwrap_or(Level::WARN);
        // What ibapi warns of is in our own errors and events, and some of it is no fault, such as an end that we have asked for. In
        // detail it logs the bytes of its requests, in which no account id can be masked.
        let ibapi = if level <= Level::WARN { LevelFilter::OFF } else { LevelFilter::INFO };
        let lines = tracing_subscriber::fmt::layer().with_writer(|| Lines).with_ansi(false).without_time();
        let wanted = Targets::new().with_default(level).with_target("ibapi", ibapi);
        tracing_subscriber::registry().with(wanted).with(lines).init();
        // On a thread of its own, so that it works inside #[tokio::main] too.
        let served =
            thread::scope(|scope| scope.spawn(|| serve_stdio(&Told(HostedConnector), Some(cookie))).join());
        match served {
            Ok(Ok(())) => process::exit(0),
            Ok(Err(error)) => {
                tracing::error!(%error, "worker_not_serving");
                process::exit(1);
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Shows account ids in the log as the connect says.
    #[derive(Debug)]
    struct Told(HostedConnector);

    #[async_trait]
    #[deny(clippy::missing_trait_methods)]
    impl Connector for Told {
        fn mode(&self) -> ConnectionMode {
            self.0.mode()
        }

        async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>> {
            *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = target.log_accounts;
            self.0.connect(target).await
        }
    }
}

#[cfg(not(all(feature = "subprocess", feature = "direct")))]
mod serve {
    //! Being none, and no second copy of the program either.

    /// The exit code of a program that can't serve: EX_UNAVAILABLE of sysexits.h.
    const UNAVAILABLE: i32 = 69;

    #[expect(clippy::print_stderr, reason = "a worker's stderr is its log, and there is no other")]
    pub(super) fn forever(_cookie: &str) -> ! {
        eprintln!(
            "ERROR ibkr_connect: this program can't be a worker: it was built without the cargo features \"subprocess\" and \
             \"direct\" of ibkr-connect, which a worker needs; build it with both, or set IBKR_WORKER_PATH to the \
             ibkr-connect command"
        );
        std::process::exit(UNAVAILABLE)
    }
}

#[cfg(feature = "subprocess")]
mod find {
    //! Finding a worker.

    use std::path::PathBuf;
    use std::sync::atomic::Ordering;

    use ibkr_connect_core::{Config, Connector, Error, ErrorKind, Phase, Result, config};
    use ibkr_connect_subprocess::{SubprocessConnector, WorkerSpec};
    use tracing::level_filters::LevelFilter;

    use super::{ARGUMENT, CAN_BE_A_WORKER, CAN_SERVE};

    /// The command that serves as worker for programs that are none themselves.
    const COMMAND: &str = "ibkr-connect";

    pub(crate) fn connector(config: &Config) -> Result<Box<dyn Connector>> {
        if config::worker_cookie().is_some() {
            return Err(started_as_worker());
        }
        let mut env = config::inherited_by_workers();
        env.push((config::WORKER_LOG.into(), LevelFilter::current().to_string().into()));
        let spec = WorkerSpec { program: program(config)?, args: vec![ARGUMENT.into()], env };
        Ok(Box::new(SubprocessConnector::new(spec).registered_in(config.state_dir.clone())))
    }

    fn program(config: &Config) -> Result<PathBuf> {
        if let Some(path) = &config.worker_path {
            return Ok(path.clone());
        }
        let this = std::env::current_exe().ok();
        if CAN_BE_A_WORKER.load(Ordering::Relaxed) {
            // The link finds the program even after an upgrade has removed its file.
            return Ok(this.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("/proc/self/exe")));
        }
        this.and_then(|path| Some(path.parent()?.join(COMMAND)))
            .filter(|path| path.is_file())
            .or_else(|| config::find_in_path(COMMAND))
            .ok_or_else(no_program)
    }

    fn no_program() -> Error {
        let this = if CAN_SERVE {
            "this program's main does not call run_if_worker"
        } else {
            "this program was built without the cargo feature \"direct\" and can't be its own worker"
        };
        let message = format!(
            "no worker program: IBKR_WORKER_PATH is not set, {this}, and there is no {COMMAND} beside it or in PATH"
        );
        Error::new(ErrorKind::WorkerSpawn, message).in_phase(Phase::Spawn)
    }

    /// A program that runs as a worker's stand-in, because it never looked whether it is one, starts no copy of itself: that
    /// would start the next one.
    fn started_as_worker() -> Error {
        let message = format!(
            "this process was itself started as a worker ({} is set), so it starts none",
            config::WORKER_COOKIE
        );
        Error::new(ErrorKind::WorkerIncompatible, message).in_phase(Phase::Spawn).with_advice(
            "have main call run_if_worker first, and a script around the program pass its arguments on; or unset the variable",
        )
    }
}
