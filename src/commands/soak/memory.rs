//! How much memory the program and its worker use.

use ibkr_connect::Supervisor;
use serde::Serialize;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The resident set sizes of both, over time.
#[derive(Debug, Default, Serialize)]
pub(super) struct Memory {
    pub(super) host: Usage,
    /// All workers there have been; `None` where there is none.
    pub(super) worker: Option<Usage>,
    #[serde(skip)]
    system: System,
}

/// A resident set size in KiB: at first, at last, and the largest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) max: u64,
}

impl Memory {
    /// Looks now.
    pub(super) fn sample(&mut self, supervisor: &Supervisor) {
        let worker = supervisor.current().ok().and_then(|session| session.info().worker_pid);
        if let Some(kib) = self.resident(std::process::id()) {
            self.host.add(kib);
        }
        if let Some(kib) = worker.and_then(|pid| self.resident(pid)) {
            self.worker.get_or_insert_default().add(kib);
        }
    }

    fn resident(&mut self, pid: u32) -> Option<u64> {
        let pid = Pid::from_u32(pid);
        let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        self.system.process(pid).map(|process| process.memory() / 1024)
    }
}

impl Usage {
    fn add(&mut self, kib: u64) {
        if *self == Self::default() {
            self.first = kib;
        }
        self.last = kib;
        self.max = self.max.max(kib);
    }

    /// A cell of a table.
    pub(super) fn cell(&self) -> String {
        let mib = [self.first, self.last, self.max].map(|kib| format!("{:.1}", kib as f64 / 1024.0));
        mib.join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_last_and_the_largest_are_kept() {
        let mut usage = Usage::default();
        [5, 9, 7].into_iter().for_each(|kib| usage.add(kib));
        assert_eq!(usage, Usage { first: 5, last: 7, max: 9 });
    }

    #[test]
    fn a_process_that_is_gone_uses_nothing() {
        let mut memory = Memory::default();
        assert!(memory.resident(std::process::id()).is_some_and(|kib| kib > 100));
        assert_eq!(memory.resident(u32::MAX), None);
    }
}
