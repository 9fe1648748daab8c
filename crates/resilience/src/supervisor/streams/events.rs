//! What goes into the state machine of streams, and what comes out.

use std::time::Duration;

use ibkr_connect_core::Error;
use ibkr_connect_core::types::Connectivity;

use super::Content;
use crate::supervisor::time::Reading;

/// Which stream of the supervisor's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId(pub(crate) u64);

/// Which of all subscriptions that were ever opened. An event about an earlier one of a stream comes too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OpeningId(pub(crate) u64);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Time has passed; see [`wake_at`](super::Streams::wake_at).
    Tick,
    /// A user wants a stream.
    Registered { id: StreamId, content: Content },
    /// The user has dropped it.
    Dropped { id: StreamId },
    /// The subscription is open.
    Opened { id: StreamId, opening: OpeningId },
    /// It could not be opened.
    OpenFailed { id: StreamId, opening: OpeningId, error: Error },
    /// It has ended, by itself or with an error, after so many events.
    Ended { id: StreamId, opening: OpeningId, received: u64, end: Result<(), Error> },
    /// The backend has let go of a cancelled one.
    Released { id: StreamId, opening: OpeningId },
    /// The consumer reads from it.
    Taken { id: StreamId, opening: OpeningId },
    /// The consumer has read it to its end.
    ReadToEnd { id: StreamId, opening: OpeningId },
    /// A look at the open ones.
    Sampled(Vec<Sample>),
    /// There is a session, and nothing is open in it.
    SessionUp,
    /// It is lost; the Gateway last answered then.
    SessionLost { last_answer: Reading },
    /// All market data are void since then (1101).
    Void { since: Reading },
    /// The Gateway's connection to IBKR has changed.
    Connectivity(Connectivity),
}

/// A look at an open subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) id: StreamId,
    pub(crate) opening: OpeningId,
    /// How many events have come so far.
    pub(crate) received: u64,
    /// How many of them the consumer has not read.
    pub(crate) unread: usize,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Action {
    /// Open a subscription in the session.
    Open { id: StreamId, opening: OpeningId },
    /// End this one, also while it is being opened, and report when it is released. What it has given stays readable.
    Cancel { id: StreamId, opening: OpeningId },
    /// Give the subscription that was just opened to the consumer.
    Deliver { id: StreamId, gap: Option<Gap> },
    /// Tell the consumer the end, and forget the stream.
    End { id: StreamId, end: Result<(), Error> },
    /// Forget a stream that nobody reads.
    Forget { id: StreamId },
    /// Tell why it is asked for again, and after which pause.
    AskAgain { id: StreamId, why: ResubscribeReason, pause: Duration },
}

/// Events between these moments may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: Reading,
    pub(crate) to: Reading,
}

/// Why a stream is asked for again in a session that goes on.
#[derive(Debug)]
pub(crate) enum ResubscribeReason {
    Failed(Error),
    /// It was lively before an outage, and is silent since it is over.
    Silent,
}
