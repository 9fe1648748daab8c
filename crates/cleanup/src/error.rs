//! What can keep this crate from seeing or doing something.

use std::io;
use std::path::PathBuf;

/// Why sockets or processes could not be looked at. What merely limits the answer is a [`Limit`](crate::Limit) in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Port 0 is nobody's port.
    #[error("port 0 can't be looked at: give the API port (4002, 4001, 7497 or 7496)")]
    PortZero,
    /// The kernel's socket table can't be read.
    #[error("the socket table can't be read: {netlink} (netlink sock_diag), and {fallback} (the fallback, {}); is /proc mounted?", path.display())]
    SocketTable {
        /// Why netlink did not answer.
        netlink: io::Error,
        /// Why the fallback did not.
        fallback: io::Error,
        /// The fallback.
        path: PathBuf,
    },
    /// Who this process itself is, or who listens, can't be read, so nobody can be told from those to be spared.
    #[error("/proc can't be read ({0}): without it nothing is closed or killed; mount it")]
    NoIdentity(#[source] io::Error),
    /// A program that this platform needs failed.
    #[error("{program}: {message}; without it sockets can't be looked at on this system")]
    Tool {
        /// The program.
        program: &'static str,
        /// What went wrong.
        message: String,
    },
    /// The register of live workers can't be read or written.
    #[error("the register of workers, {}: {message}; check IBKR_STATE_DIR, its owner and its mode (0700)", path.display())]
    Register {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        message: String,
    },
}
