//! What a connect waits for, told to whoever shows it.

use std::time::Duration;

use ibkr_connect_core::Error;

/// What a connect waits for now: the next step begins when it is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectWait {
    /// For its turn to shake hands: another program has it.
    Turn {
        /// Who has it, in words.
        holder: String,
        /// How long this one waits.
        at_most: Duration,
    },
    /// For another program's attempt, which finds out whether the Gateway works again.
    Trial {
        /// How long this one waits.
        at_most: Duration,
    },
    /// For the end of a handshake.
    Handshake {
        /// Which attempt of the connect it belongs to, from 1.
        attempt: u32,
        /// How many there may be.
        most: u32,
        /// The deadline of an attempt.
        at_most: Duration,
    },
    /// For the time of the next attempt.
    Retry {
        /// Which attempt that will be, from 1.
        attempt: u32,
        /// How many there may be.
        most: u32,
        /// How long it is put off.
        pause: Duration,
        /// Why there is another one.
        after: Error,
    },
}
