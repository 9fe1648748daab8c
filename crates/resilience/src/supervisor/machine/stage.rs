//! Where the machine is.

use crate::supervisor::health::Health;
use crate::supervisor::time::Reading;

/// What is going on.
#[derive(Debug)]
pub(super) enum Stage {
    Waiting { due: Reading, reason: Reason },
    CheckingPort,
    Attempting,
    Up { health: Health },
    Ended,
}

/// Why there is no attempt under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Schedule,
    /// Sessions were lost too often.
    Losses,
    /// The breaker has refused an attempt.
    Breaker(BreakerPoll),
    NoListener,
}

/// Whether the breaker that has refused is looked at before the attempt is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakerPoll {
    /// The connector's breaker can't be reached.
    Off,
    /// Then.
    At(Reading),
    /// It is being asked.
    Asked,
}
