//! What is known about one stream.

use super::activity::Activity;
use super::failure::Pauses;
use super::{Content, Gap, OpeningId, Sample};
use crate::supervisor::time::Reading;

/// No subscription has this number.
const NONE: OpeningId = OpeningId(0);

/// One stream of a user's.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) state: State,
    pub(super) pauses: Pauses,
    /// Whether an event has ever come.
    pub(super) has_given: bool,
    /// The last subscription that the consumer was given, and the last one that it reads from.
    delivered: OpeningId,
    pub(super) taken: OpeningId,
    /// The last subscription that the consumer has read to its end, and the one that it must have before the next is opened.
    pub(super) read: OpeningId,
    pub(super) must_read: OpeningId,
    /// When it was last opened.
    since: Reading,
    /// Where the gap begins that the consumer has not been told of.
    gap_start: Option<Reading>,
}

/// Where it is.
#[derive(Debug)]
pub(super) enum State {
    /// Not at the Gateway. It is asked for in the next session, or then in this one.
    Waiting {
        due: Option<Reading>,
    },
    /// The Gateway was asked for it. At `until` that is given up.
    Opening {
        opening: OpeningId,
        until: Reading,
    },
    Open {
        opening: OpeningId,
        since: Reading,
        activity: Activity,
    },
    /// Cancelled, and not released yet: taken for released at `until`. Then as in `Waiting`.
    Closing {
        opening: OpeningId,
        until: Reading,
        due: Option<Reading>,
    },
}

impl Entry {
    pub(super) fn new(content: Content, now: Reading) -> Self {
        Self {
            content,
            state: State::Waiting { due: None },
            pauses: Pauses::default(),
            has_given: false,
            delivered: NONE,
            taken: NONE,
            read: NONE,
            must_read: NONE,
            since: now,
            gap_start: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    pub(super) fn is_opening(&self, number: OpeningId) -> bool {
        matches!(self.state, State::Opening { opening, .. } if opening == number)
    }

    /// The subscription that is open, or being opened.
    pub(super) fn subscription(&self) -> Option<OpeningId> {
        match self.state {
            State::Opening { opening, .. } | State::Open { opening, .. } => Some(opening),
            State::Waiting { .. } | State::Closing { .. } => None,
        }
    }

    /// Whether it is its turn, given a session.
    ///
    /// A consumer that has not taken the last subscription yet keeps up to two buffers of events; a third would be one more for
    /// each session that it sleeps through.
    pub(super) fn may_be_opened(&self, now: Reading) -> bool {
        let is_due = match self.state {
            State::Waiting { due } => due.is_none_or(|due| now.has_reached(due)),
            _ => false,
        };
        is_due && self.has_room()
    }

    /// Whether the consumer has room for another subscription.
    fn has_room(&self) -> bool {
        self.taken >= self.delivered && self.read >= self.must_read
    }

    pub(super) fn wake_at(&self, has_session: bool) -> Option<Reading> {
        match &self.state {
            State::Waiting { due } => due.filter(|_| has_session && self.has_room()),
            State::Opening { until, .. } | State::Closing { until, .. } => Some(*until),
            State::Open { activity, .. } => activity.suspected_at(),
        }
    }

    /// It is open from now on. The gap that ends with it, if it was open before.
    pub(super) fn open(&mut self, now: Reading, opening: OpeningId) -> Option<Gap> {
        let was_given = self.delivered != NONE;
        let from = self.gap_start.take().unwrap_or(self.since);
        self.state = State::Open { opening, since: now, activity: Activity::new(now) };
        (self.delivered, self.since) = (opening, now);
        was_given.then_some(Gap { from, to: now })
    }

    /// Events from then on may be missing; but not from before the subscription that was interrupted.
    pub(super) fn interrupted(&mut self, from: Reading) {
        let from = match &self.state {
            State::Open { activity, .. } => from.earlier_of(activity.missing_since()),
            _ => from,
        };
        let from = from.later_of(self.since);
        self.gap_start = Some(self.gap_start.map_or(from, |start| start.earlier_of(from)));
    }

    /// The subscription was cancelled; it is asked for again when it is released and `due`.
    pub(super) fn close(&mut self, opening: OpeningId, until: Reading, due: Option<Reading>) {
        self.state = State::Closing { opening, until, due };
    }

    /// The cancelled subscription is gone.
    pub(super) fn release(&mut self, number: OpeningId) {
        if let State::Closing { opening, due, .. } = self.state
            && opening == number
        {
            self.state = State::Waiting { due };
        }
    }

    pub(super) fn sampled(&mut self, now: Reading, sample: &Sample) {
        if let State::Open { opening, activity, .. } = &mut self.state
            && *opening == sample.opening
        {
            activity.received(now, sample.received, sample.unread);
            self.has_given |= sample.received > 0;
        }
    }
}
