//! How to connect.

use ibkr_connect::ConnectionMode;

/// Our two modes, and what one would write without us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// ibapi awaited straight on the program's runtime.
    Naive,
    /// Through ibkr-connect.
    Ours(ConnectionMode),
}

impl Way {
    /// Both of ours.
    pub(crate) const OURS: [ConnectionMode; 2] = [ConnectionMode::Direct, ConnectionMode::Subprocess];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Ours(mode) => mode.as_str(),
        }
    }
}
