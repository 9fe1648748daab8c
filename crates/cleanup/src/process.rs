//! Who a process is, read once and compared again before anything is done to it.

use std::path::PathBuf;

use serde::Serialize;

/// A process, identified so that a later process with the same pid is told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// Its id in our pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot. With the pid it is unique until the next boot.
    pub start_time: u64,
    /// The file it runs; unknown for another user's process.
    pub exe: Option<PathBuf>,
    /// Its short name (15 bytes, and it may call itself what it likes).
    pub command: String,
    /// Its arguments, the program's name first.
    pub args: Vec<String>,
    /// The user it runs as.
    pub uid: u32,
    #[serde(skip)]
    pub(crate) standing: Standing,
}

/// How a process stands to others: what the policy needs beyond its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Names that stand for its exe and can't be made up by the process: the file's own, and the link it was started by
    /// (python3 for python3.12) when that link leads to the exe.
    pub(crate) names: Vec<String>,
    /// `None` when they may not be read.
    pub(crate) pid_namespace: Option<String>,
    pub(crate) net_namespace: Option<String>,
}

impl Process {
    /// The same process, running the same program.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.pid == other.pid && self.start_time == other.start_time && self.exe == other.exe
    }
}

/// A process with a descriptor of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Owner {
    /// The process.
    pub process: Process,
    /// The descriptor's number in it.
    pub fd: i32,
}
