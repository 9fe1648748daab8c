//! Linux: the socket table from netlink sock_diag (or /proc/net), owners from /proc.

mod netlink;
mod proc_net;
mod procs;

use std::io;
use std::path::Path;

use netlink_packet_sock_diag::inet::StateFlags;

use crate::Error;
use crate::limit::Limit;
use crate::socket::{Row, TcpState};
use netlink::{End, SockDiag};
pub(crate) use procs::{Procs, descriptor_link};

const PROC_NET: &str = "/proc/net";
const FIN_TIMEOUT: &str = "/proc/sys/net/ipv4/tcp_fin_timeout";

/// Where socket rows come from.
pub(crate) enum Source {
    SockDiag(SockDiag),
    /// Netlink failed with this error.
    ProcNet(io::Error),
}

impl Source {
    pub(crate) fn open() -> Self {
        SockDiag::open().map_or_else(Self::ProcNet, Self::SockDiag)
    }

    /// Everything half closed in this network namespace: the cheapest question that rules out zombies.
    pub(crate) fn half_closed(&mut self) -> Result<Vec<Row>, Error> {
        self.rows(End::Any, &StateFlags::CLOSE_WAIT)
    }

    /// Everything that waits for the other side's FIN: the peers of what is half closed.
    pub(crate) fn fin_wait(&mut self) -> Result<Vec<Row>, Error> {
        self.rows(End::Any, &(StateFlags::FIN_WAIT1 | StateFlags::FIN_WAIT2))
    }

    /// Who listens on `port`.
    pub(crate) fn listeners(&mut self, port: u16) -> Result<Vec<Row>, Error> {
        self.rows(End::Local(port), &StateFlags::LISTEN)
    }

    /// Connections to `port` that nobody has accepted yet.
    pub(crate) fn unaccepted(&mut self, port: u16) -> Result<Vec<Row>, Error> {
        let mut rows = self.rows(End::Local(port), &(StateFlags::ESTABLISHED | StateFlags::CLOSE_WAIT))?;
        rows.retain(Row::is_ownerless);
        Ok(rows)
    }

    /// Destroys exactly this socket.
    pub(crate) fn destroy(&mut self, row: &Row) -> io::Result<()> {
        match self {
            Self::SockDiag(kernel) => kernel.destroy(row),
            Self::ProcNet(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) fn limit(&self) -> Option<Limit> {
        match self {
            Self::SockDiag(_) => None,
            Self::ProcNet(error) => Some(Limit::NoSockDiag { reason: error.to_string() }),
        }
    }

    fn rows(&mut self, end: End, states: &StateFlags) -> Result<Vec<Row>, Error> {
        if let Self::SockDiag(kernel) = self {
            match kernel.dump(end, states) {
                Ok(rows) => return Ok(rows),
                Err(error) => *self = Self::ProcNet(error),
            }
        }
        let Self::ProcNet(netlink) = self else { return Ok(Vec::new()) };
        let path = Path::new(PROC_NET);
        let mut rows = proc_net::rows(path).map_err(|fallback| Error::SocketTable {
            netlink: io::Error::new(netlink.kind(), netlink.to_string()),
            fallback,
            path: path.to_path_buf(),
        })?;
        rows.retain(|row| wanted(row, end, states));
        Ok(rows)
    }
}

/// How long the kernel keeps an ownerless FIN_WAIT2.
pub(crate) fn fin_timeout() -> Option<std::time::Duration> {
    let seconds = std::fs::read_to_string(FIN_TIMEOUT).ok()?;
    Some(std::time::Duration::from_secs(seconds.trim().parse().ok()?))
}

/// Identifies this boot: start times count from it.
pub(crate) fn boot_id() -> String {
    ibkr_connect_state::boot()
}

fn wanted(row: &Row, end: End, states: &StateFlags) -> bool {
    let state = match row.state {
        TcpState::Established => StateFlags::ESTABLISHED,
        TcpState::FinWait => StateFlags::FIN_WAIT1,
        TcpState::CloseWait => StateFlags::CLOSE_WAIT,
        TcpState::Listen => StateFlags::LISTEN,
        TcpState::Other => return false,
    };
    let in_place = match end {
        End::Any => true,
        End::Local(port) => row.local.port() == port,
    };
    states.contains(state) && in_place
}
