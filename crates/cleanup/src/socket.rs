//! TCP sockets as the kernel lists them, and what a half-closed one means.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

/// Who has to close a half-closed connection. The three are never the same trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ZombieClass {
    /// A process on the client's side has not closed after the Gateway did. We can close it.
    ClientHeld,
    /// The Gateway accepted the connection, its client is gone, and the Gateway's process has not closed.
    GatewayHeld,
    /// The connection still waits in the Gateway's accept queue: no process owns it, lsof does not show it, and only the
    /// Gateway itself can clear it.
    GatewayUnaccepted,
}

/// One half-closed TCP socket (CLOSE_WAIT) with one end on an API port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HalfClosed {
    /// Who has to close it.
    pub class: ZombieClass,
    /// The API port that was asked about.
    pub port: u16,
    /// Its own end. IPv4-mapped addresses are shown as IPv4.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Its inode; 0 when no process owns it.
    pub inode: u64,
    /// The kernel's identity of the socket, never reused. `None` when only /proc/net/tcp could be read.
    pub cookie: Option<u64>,
    /// The user it belongs to.
    pub uid: u32,
    /// What its process has not read, in bytes. The peer's FIN counts as one: 0 is "saw the end and did not close".
    pub unread: u32,
    /// At least so long it has been half closed. `None` when the kernel does not tell.
    pub age: Option<Duration>,
}

impl HalfClosed {
    /// `row` if it is half closed and has an end on one of `ports`.
    pub(crate) fn from_row(row: &Row, ports: &[u16]) -> Option<Self> {
        if row.state != TcpState::CloseWait {
            return None;
        }
        // A port on the local side is asked first: should both match, it must not pass for a client that may be closed.
        let (class, port) = if ports.contains(&row.local.port()) {
            let class =
                if row.inode == 0 { ZombieClass::GatewayUnaccepted } else { ZombieClass::GatewayHeld };
            (class, row.local.port())
        } else if ports.contains(&row.remote.port()) {
            (ZombieClass::ClientHeld, row.remote.port())
        } else {
            return None;
        };
        Some(Self {
            class,
            port,
            local: row.local,
            remote: row.remote,
            inode: row.inode,
            cookie: row.cookie,
            uid: row.uid,
            unread: row.recv_queue,
            age: row.last_ack,
        })
    }

    /// The same socket, not a later one of the same addresses.
    pub(crate) fn is(&self, row: &Row) -> bool {
        self.cookie == row.cookie
            && self.inode == row.inode
            && self.local == row.local
            && self.remote == row.remote
    }
}

/// The states we ask about; every other is [`TcpState::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TcpState {
    Established,
    FinWait,
    CloseWait,
    Listen,
    Other,
}

impl TcpState {
    /// The numbers of include/net/tcp_states.h, the same in netlink and in /proc/net/tcp.
    pub(crate) fn from_kernel(number: u8) -> Self {
        match number {
            1 => Self::Established,
            4 | 5 => Self::FinWait,
            8 => Self::CloseWait,
            10 => Self::Listen,
            _ => Self::Other,
        }
    }
}

/// The kernel's table a socket is in. A dual-stack socket (Java's) is in the IPv6 one, its client may be in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// One line of the kernel's socket table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) family: Family,
    /// Canonical: never an IPv4-mapped address.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) interface: u32,
    pub(crate) state: TcpState,
    pub(crate) inode: u64,
    pub(crate) cookie: Option<u64>,
    pub(crate) uid: u32,
    /// Bytes unread; of a LISTEN socket the length of its accept queue.
    pub(crate) recv_queue: u32,
    /// Bytes unsent; of a LISTEN socket the limit of its accept queue.
    pub(crate) send_queue: u32,
    /// `tcpi_last_ack_recv`: never longer than the time in CLOSE_WAIT, since a later ACK only shortens it.
    pub(crate) last_ack: Option<Duration>,
    /// `tcpi_bytes_acked`: grows while a legitimate half-close still sends.
    pub(crate) bytes_acked: Option<u64>,
    /// How long the kernel will still keep an ownerless FIN_WAIT.
    pub(crate) expires: Option<Duration>,
}

impl Row {
    /// No process can read from it or write to it any more.
    pub(crate) fn is_ownerless(&self) -> bool {
        self.inode == 0
    }

    /// The other end of the same connection.
    pub(crate) fn is_peer_of(&self, other: &HalfClosed) -> bool {
        self.local == other.remote && self.remote == other.local
    }
}
