//! What an answer could not see, and what would help.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::forwarder::Forwarder;

/// Something the answer could not take into account. `Display` says what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Netlink did not answer; the socket table came from /proc/net/tcp, which knows no cookies and no ages.
    NoSockDiag {
        /// What the kernel said.
        reason: String,
    },
    /// The descriptors of this many processes may not be read, and some socket has no visible owner.
    OwnersHidden {
        /// How many processes.
        processes: usize,
    },
    /// /proc can't be read at all.
    NoProcesses {
        /// What the system said.
        reason: String,
    },
    /// Who listens passes connections on: the Gateway's own sockets are elsewhere.
    Forwarded {
        /// The program.
        by: Forwarder,
    },
    /// The Gateway that was asked about is on another machine.
    Elsewhere {
        /// Its host.
        host: String,
    },
    /// The other side is on another host, behind a port mapping or in another network namespace.
    PeerOutOfSight {
        /// How many connections.
        connections: usize,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSockDiag { reason } => write!(
                f,
                "netlink sock_diag is not available ({reason}): read from /proc/net/tcp, without ages, so a proof takes as \
                 long as the minimum age; allow AF_NETLINK sockets, or load the kernel module tcp_diag"
            ),
            Self::OwnersHidden { processes } => write!(
                f,
                "the open files of {processes} processes of other users can't be read, so owners may be missing; run as \
                 their user, as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
            ),
            Self::NoProcesses { reason } => {
                write!(f, "/proc can't be read ({reason}): no owner is known; mount it")
            }
            Self::Forwarded { by } => write!(
                f,
                "{by} listens and passes connections on: the Gateway's own sockets are where it is, so look there too"
            ),
            Self::Elsewhere { host } => write!(
                f,
                "{host} is another machine, and these are the sockets of this one: look where the Gateway runs, too"
            ),
            Self::PeerOutOfSight { connections } => write!(
                f,
                "the other side of {connections} connections is on another host or in another network namespace: they \
                 count as proved only after a minute; look there too"
            ),
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
