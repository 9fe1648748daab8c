//! What a connection could leave behind: half-closed sockets and processes.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::half_closed;

/// How long a kernel and a dying process may take on a busy machine.
const SETTLING: Duration = Duration::from_secs(3);

/// No socket on either side of `port` is in CLOSE_WAIT.
pub(crate) fn assert_no_half_closed(port: u16) {
    assert_soon("half-closed sockets", 0, || half_closed(&[port]).unwrap());
}

/// No process was started as `program` and still runs.
pub(crate) fn assert_no_process(program: &Path) {
    assert_soon("processes", 0, || processes(program));
}

/// The processes that were started as `program`, by pid.
pub(crate) fn processes(program: &Path) -> Vec<u32> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_run_as(*pid, program)).collect()
}

fn is_run_as(pid: u32, program: &Path) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // A script's interpreter has the script as its argument.
    arguments
        .split(|byte| *byte == 0)
        .take(2)
        .any(|argument| argument == program.as_os_str().as_encoded_bytes())
}

/// The sockets that a process holds.
pub(crate) fn sockets(pid: u32) -> Vec<PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // What was closed meanwhile has no name any more.
    let names = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    names.filter(|name| name.to_string_lossy().starts_with("socket:")).collect()
}

/// How many bytes wait in the kernel to be sent to `port` on this machine.
pub(crate) fn unsent(port: u16) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let to_port = format!(":{port:04X}");
    let unsent = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let sends = fields.get(2).is_some_and(|remote| remote.ends_with(&to_port));
        let (unsent, _) = fields.get(4).filter(|_| sends)?.split_once(':')?;
        usize::from_str_radix(unsent, 16).ok()
    });
    unsent.sum()
}

/// A process that can't be taken for another one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    start_time: u64,
}

impl Identity {
    /// The process that has `pid` now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let start_time = fields.nth(18)?.parse().ok()?;
        (state != "Z").then_some(Self { pid, start_time })
    }

    pub(crate) fn assert_ends(self) {
        assert_soon("processes", 0, || Self::of(self.pid).filter(|now| *now == self).into_iter().collect());
    }
}

/// There are so many of the kind, or soon will be.
pub(crate) fn assert_soon<T: Debug>(what: &str, count: usize, look: impl Fn() -> Vec<T>) {
    let deadline = Instant::now() + SETTLING;
    loop {
        let found = look();
        if found.len() == count {
            return;
        }
        assert!(Instant::now() < deadline, "{what}, of which {count} should be left: {found:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
