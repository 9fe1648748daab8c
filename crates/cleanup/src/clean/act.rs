//! The hands of the cleanup, and what can stay them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

use std::fmt;
use std::io;

use super::report::MissingRight;
#[cfg(target_os = "linux")]
pub(super) use linux::{close, kill};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{close, kill};

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The process or its descriptor is not what it was.
    Gone,
    Missing(MissingRight),
    Failed(String),
}

impl Obstacle {
    pub(super) fn from_destroy(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Missing(MissingRight::NetAdmin),
            Some(libc::EOPNOTSUPP) => Self::Missing(MissingRight::KernelDestroy),
            Some(libc::ENOENT) => Self::Gone,
            _ => Self::Failed(format!("the socket can't be destroyed: {error}")),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it is not there any more"),
            Self::Missing(right) => right.fmt(f),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_name() {
        let of = |errno| Obstacle::from_destroy(io::Error::from_raw_os_error(errno));
        assert_eq!(of(libc::EPERM), Obstacle::Missing(MissingRight::NetAdmin));
        assert_eq!(of(libc::EOPNOTSUPP), Obstacle::Missing(MissingRight::KernelDestroy));
        assert_eq!(of(libc::ENOENT), Obstacle::Gone);
        assert!(MissingRight::Ptrace.to_string().contains("yama"));
        assert!(MissingRight::NetAdmin.to_string().contains("CAP_NET_ADMIN"));
    }
}
