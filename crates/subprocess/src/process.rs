//! What is known about a worker's process, and what its owner wants of the thread that keeps it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ibkr_connect_cleanup::ExitReport;
use ibkr_connect_protocol::Link;

/// Shared by the connection, its monitor and the one that sees its end. A change rings the link's alarm.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    exit: Option<ExitReport>,
    wanted: Wanted,
}

/// What the owner of the connection wants of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// That it stays.
    Connection,
    /// The connect was abandoned.
    Nothing,
    /// A graceful end.
    Close,
    /// A graceful end until this moment, then an end.
    CloseUntil(Instant),
}

impl Process {
    /// One that has not started yet.
    pub(crate) fn new() -> Self {
        let state = State { exit: None, wanted: Wanted::Connection };
        Self { link: Arc::new(Link::new()), state: Mutex::new(state) }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        self.lock().wanted
    }

    /// The owner wants the end of the worker; closing it twice does not take back a deadline.
    pub(crate) fn want_end(&self, wanted: Wanted) {
        let mut state = self.lock();
        if wanted != Wanted::Close || state.wanted == Wanted::Connection {
            state.wanted = wanted;
        }
        drop(state);
        self.link.expect_end();
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.lock().exit.is_some()
    }

    /// The process has ended.
    pub(crate) fn exited(&self, report: ExitReport) {
        self.lock().exit = Some(report);
        self.link.alarm().ring();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
