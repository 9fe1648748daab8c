//! Who holds a lock, as a note inside the file. Advisory: the kernel's lock is the truth.

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::place::Place;

/// The process that holds a lock or a lease.
///
/// Its process id is a number for people. It is never asked about: in a shared state directory it may be that of another
/// machine's or container's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// Its process id, in its own pid namespace.
    pub pid: u32,
    /// The application's name.
    pub program: String,
    /// When the process started, in clock ticks since boot, where the system tells: with the pid it is unique.
    pub start_time: Option<u64>,
    /// Since when it holds.
    pub since: Stamp,
    /// The machine or container that it runs on; empty if an older version has noted it.
    #[serde(default)]
    pub host: String,
    /// The pid namespace in which it has its process id; empty where there is no such thing.
    #[serde(default)]
    pub pids: String,
}

impl Holder {
    /// This process, from now on.
    pub fn this_process(program: &str, now: Stamp) -> Self {
        let Place { host, pids, .. } = Place::here().clone();
        let (pid, program, start_time) = (std::process::id(), program.to_owned(), start_time());
        Self { pid, program, start_time, since: now, host, pids }
    }

    /// "pid 4711 (ibkr-connect) for 12 s", and where that is, if its process id means nothing here.
    pub fn describe(&self, now: &Stamp) -> String {
        let held = now.since(&self.since).as_secs();
        format!(
            "pid {}{} ({}) for {held} s",
            self.pid,
            self.elsewhere(now, &Place::here().pids),
            self.program
        )
    }

    fn elsewhere(&self, now: &Stamp, pids: &str) -> String {
        let is_other_boot = self.since.boot != now.boot;
        let is_other_namespace = !self.pids.is_empty() && self.pids != pids;
        let host = if self.host.is_empty() { "an unknown host" } else { &self.host };
        match (is_other_boot, is_other_namespace) {
            (false, false) => String::new(),
            (false, true) => format!(" of another pid namespace, on {host}"),
            (true, _) => format!(" of another boot or machine, {host}"),
        }
    }
}

/// Field 22 of `/proc/self/stat`, counted after the command, which may contain anything.
fn start_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_note_says_who_and_how_long() {
        let clock = ManualClock::new();
        let owner = Holder { pid: 4711, ..Holder::this_process("ibkr-connect", clock.now()) };
        clock.advance(Duration::from_millis(12_900));
        assert_eq!(owner.describe(&clock.now()), "pid 4711 (ibkr-connect) for 12 s");
    }

    #[test]
    fn a_pid_of_another_place_is_not_described_as_ours() {
        let clock = ManualClock::new();
        let owner = Holder { pid: 7, host: "pod-7".to_owned(), ..Holder::this_process("app", clock.now()) };
        let container = Holder { pids: "12345".to_owned(), ..owner.clone() };
        let described = container.describe(&clock.now());
        assert_eq!(described, "pid 7 of another pid namespace, on pod-7 (app) for 0 s");
        clock.reboot(clock.now().wall);
        let described = owner.describe(&clock.now());
        assert_eq!(described, "pid 7 of another boot or machine, pod-7 (app) for 0 s");
    }

    #[test]
    fn a_note_of_an_older_version_is_still_understood() {
        let json = r#"{"pid":1,"program":"p","start_time":2,"since":{"boot":"b","at":3,"wall":"2026-01-01T00:00:00Z"}}"#;
        let owner: Holder = serde_json::from_str(json).unwrap();
        assert_eq!((owner.pid, owner.pids.as_str(), owner.host.as_str()), (1, "", ""));
        assert_eq!(owner.describe(&owner.since), "pid 1 (p) for 0 s");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_start_time_is_after_boot_and_before_now() {
        let ticks = start_time().unwrap();
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        assert!(ticks > 0 && ticks / 100 <= u64::try_from(uptime).unwrap() + 1);
    }
}
