//! What a cleanup found, did and left.

use std::fmt;

use serde::{Serialize, Serializer};

use super::act::Obstacle;
use crate::limit::Limit;
use crate::policy::{Reason, Run};
use crate::process::Owner;
use crate::scan::{Scan, Zombie};

/// What a cleanup found, did and left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CleanupReport {
    /// The port.
    pub port: u16,
    /// Whether anything was to be done.
    pub run: Run,
    /// The proved zombies.
    pub found: Vec<Zombie>,
    /// Closed in their process, which lives on.
    pub closed: Vec<Done>,
    /// Destroyed in the kernel; their process lives on.
    pub destroyed: Vec<Done>,
    /// Gone with their process.
    pub killed: Vec<Done>,
    /// Left alone, and why.
    pub skipped: Vec<Skipped>,
    /// Those found that are still half closed.
    pub remaining: Vec<Zombie>,
    /// The socket table was read again, and nothing that was closed, destroyed or killed is still in it.
    pub verified: bool,
    /// What was not allowed, and what else can be done.
    pub missing_rights: Vec<MissingRight>,
    /// What could not be seen.
    pub limits: Vec<Limit>,
}

/// A zombie that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// The process that held it.
    pub pid: Option<u32>,
    /// Its short name.
    pub command: Option<String>,
    /// Its own end of the connection.
    pub local: String,
    /// The other end.
    pub remote: String,
}

/// A zombie that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The process that holds it, where one is known.
    pub pid: Option<u32>,
    /// Its short name.
    pub command: Option<String>,
    /// Its own end of the connection.
    pub local: String,
    /// The other end.
    pub remote: String,
    /// Why.
    pub reason: Reason,
}

/// Something this process may not do. `Display` says what else can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingRight {
    /// `pidfd_getfd`: closing a socket inside another process.
    Ptrace,
    /// `pidfd_open` or `pidfd_getfd` does not exist.
    Pidfd,
    /// `SOCK_DESTROY` without CAP_NET_ADMIN.
    NetAdmin,
    /// `SOCK_DESTROY` is not built into the kernel.
    KernelDestroy,
    /// Signalling another user's process.
    Signal,
}

impl CleanupReport {
    pub(super) fn new(port: u16, run: Run, scan: Scan) -> Self {
        Self {
            port,
            run,
            remaining: scan.zombies.clone(),
            found: scan.zombies,
            closed: Vec::new(),
            destroyed: Vec::new(),
            killed: Vec::new(),
            skipped: Vec::new(),
            verified: false,
            missing_rights: Vec::new(),
            limits: scan.limits,
        }
    }

    pub(super) fn skip(&mut self, zombie: &Zombie, reason: Reason) {
        let Done { pid, command, local, remote } = Done::of(zombie);
        self.skipped.push(Skipped { pid, command, local, remote, reason });
    }

    pub(super) fn note(&mut self, zombie: &Zombie, outcome: Result<(), Obstacle>) {
        match outcome {
            Ok(()) => {}
            Err(Obstacle::Gone) => self.skip(zombie, Reason::Vanished),
            Err(obstacle) => {
                self.miss(&obstacle);
                self.skip(zombie, Reason::Failed { message: obstacle.to_string() });
            }
        }
    }

    pub(super) fn miss(&mut self, obstacle: &Obstacle) {
        if let Obstacle::Missing(right) = obstacle
            && !self.missing_rights.contains(right)
        {
            self.missing_rights.push(*right);
        }
    }

    pub(super) fn was_treated(&self, zombie: &Zombie) -> bool {
        let ends = (zombie.socket.local.to_string(), zombie.socket.remote.to_string());
        let treated = |done: &Done| (&done.local, &done.remote) == (&ends.0, &ends.1);
        self.closed.iter().chain(&self.destroyed).chain(&self.killed).any(treated)
    }
}

impl Done {
    pub(super) fn of(zombie: &Zombie) -> Self {
        Self::held(zombie, zombie.owners.first())
    }

    pub(super) fn by(zombie: &Zombie, owner: &Owner) -> Self {
        Self::held(zombie, Some(owner))
    }

    fn held(zombie: &Zombie, owner: Option<&Owner>) -> Self {
        Self {
            pid: owner.map(|owner| owner.process.pid),
            command: owner.map(|owner| owner.process.command.clone()),
            local: zombie.socket.local.to_string(),
            remote: zombie.socket.remote.to_string(),
        }
    }
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ptrace => {
                "closing a socket in another process is not permitted (pidfd_getfd needs the rights of ptrace: same user \
                 and kernel.yama.ptrace_scope=0, or CAP_SYS_PTRACE; a container's seccomp profile may forbid it too)"
            }
            Self::Pidfd => "this system has no pidfd_open and pidfd_getfd (Linux 5.6 has), so no process is touched safely",
            Self::NetAdmin => {
                "destroying sockets is not permitted: it needs CAP_NET_ADMIN in this network namespace (root, or setcap \
                 cap_net_admin+ep)"
            }
            Self::KernelDestroy => {
                "this kernel can't destroy sockets (CONFIG_INET_DIAG_DESTROY is off): end the process that holds them"
            }
            Self::Signal => "that process may not be signalled: run as its user, as root, or with CAP_KILL",
        })
    }
}

impl Serialize for MissingRight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for CleanupReport {
    /// `{"found","closed","destroyed","killed","skipped","remaining","verified","missing_rights","limits"}`; found and
    /// remaining are counts.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            port: u16,
            dry_run: bool,
            found: usize,
            closed: &'a [Done],
            destroyed: &'a [Done],
            killed: &'a [Done],
            skipped: &'a [Skipped],
            remaining: usize,
            verified: bool,
            missing_rights: &'a [MissingRight],
            limits: &'a [Limit],
        }
        Json {
            port: self.port,
            dry_run: self.run == Run::Dry,
            found: self.found.len(),
            closed: &self.closed,
            destroyed: &self.destroyed,
            killed: &self.killed,
            skipped: &self.skipped,
            remaining: self.remaining.len(),
            verified: self.verified,
            missing_rights: &self.missing_rights,
            limits: &self.limits,
        }
        .serialize(serializer)
    }
}
