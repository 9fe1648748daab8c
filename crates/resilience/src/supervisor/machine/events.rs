//! What goes into the state machine, and what comes out.

use ibkr_connect_core::Error;
use ibkr_connect_core::types::Notice;

use crate::supervisor::time::Reading;

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Time has passed; see [`wake_at`](super::Machine::wake_at).
    Tick,
    /// The attempt has made a session, and no stream is open in it yet.
    Connected {
        /// When its Gateway last answered.
        last_answer: Reading,
        /// What its Gateway has said so far.
        initial_notices: Vec<Notice>,
    },
    /// The attempt has failed.
    Failed(Error),
    /// The Gateway has answered the ping.
    Answered,
    /// The session is gone: socket lost, worker dead.
    Lost,
    /// The Gateway has said something.
    Notice(Notice),
    /// So many requests in a row got no answer in time.
    RequestsUnanswered(u32),
    /// Whether somebody listens.
    Port(Port),
    /// Whether the breaker that has refused the last attempt would admit one.
    Breaker(Admits),
    /// The user wants an end.
    Close,
}

/// Whether a breaker admits an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admits {
    Now,
    NotYet,
}

/// Whether somebody listens on the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Somebody listens, or nobody can tell.
    Open,
    /// Nobody listens.
    Shut,
}

/// What is to be done. Of each kind there is at most one under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask whether somebody listens, and report at once.
    CheckPort,
    /// Ask the breaker that has refused the last attempt, and report.
    AskBreaker,
    /// Begin an attempt.
    Connect,
    /// Ask the Gateway whether it answers; a question still open is given up.
    Ping,
    /// Put the new session, the one with this number, to use, and open all streams in it.
    Resume { generation: u64 },
    /// Open all market data streams again in the same session. Events since then are missing.
    ResubscribeMarketData { since: Reading },
    /// Have the Gateway restarted, and go on.
    RestartGateway,
    /// Close what is left of the session. Its Gateway last answered then.
    Discard { last_answer: Reading },
    /// Stop for good.
    Stop,
}

/// Whether somebody listens is asked before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerCheck {
    /// The kernel knows.
    Kernel,
    /// The Gateway is on another machine, or the user says that its listener can't be seen.
    Off,
}
