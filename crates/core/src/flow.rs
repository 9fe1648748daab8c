//! What a stream does with events that its consumer has not read yet.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::budget::{STREAM_RESERVE, Share, StreamBudget};
use crate::conflation::ConflationKey;
use crate::{Error, ErrorKind, Event};

/// How many unread events a stream keeps unless the caller chooses otherwise.
pub const STREAM_CAPACITY: usize = 16_384;

/// What happens when the consumer of a stream falls behind. Nothing is ever lost silently.
///
/// Beside the bound of each stream there is one over all streams of a session, see [`StreamBudget`]: their unread events may take
/// [`SESSION_CAPACITY`](crate::SESSION_CAPACITY), 64 MiB, and one stream no more of it than is left for the others. A stream for
/// which there is no room ends as one that is too slow. One with less than [`STREAM_RESERVE`], 16 KiB, unread never does: a hundred
/// ticks and more. In subprocess mode this holds for each of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FlowControl {
    /// Every event, in order. A consumer that is `capacity` events behind loses the stream: what is unread stays readable,
    /// then comes an error of kind `slow_consumer`, and the stream is cancelled at the Gateway.
    Lossless {
        /// How many unread events are kept, at least 1. In subprocess mode what is on its way between the processes, at
        /// most as much again, comes on top.
        capacity: usize,
    },
    /// The newest value of each field, see [`Event::conflation_key`]. It takes the place of the unread one. It never
    /// overtakes an event that must be kept, such as a notice or a snapshot's end. When [`STREAM_CAPACITY`] of those are
    /// unread, the stream ends as a lossless one does.
    Conflate,
}

impl FlowControl {
    /// How many unread events are kept.
    pub fn capacity(self) -> usize {
        match self {
            Self::Lossless { capacity } => capacity.max(1),
            Self::Conflate => STREAM_CAPACITY,
        }
    }
}

impl Default for FlowControl {
    fn default() -> Self {
        Self::Lossless { capacity: STREAM_CAPACITY }
    }
}

/// The unread events of a stream. No lock and no waiting here; see `stream.rs` for those.
#[derive(Debug)]
pub(crate) struct Unread {
    events: VecDeque<Kept>,
    capacity: usize,
    share: Share,
    /// Events are numbered as they come; this is the first unread one's number.
    first: u64,
    merged: u64,
    lost: u64,
    /// Why events were lost.
    exhausted: Exhausted,
    newest: Option<Newest>,
}

/// An unread event, and what it takes in memory.
#[derive(Debug)]
struct Kept {
    event: Event,
    weight: usize,
}

/// What there was not enough of.
#[derive(Debug)]
enum Exhausted {
    /// Of the stream's own capacity.
    Capacity,
    /// Of what all streams of the session may keep.
    Budget { unread: usize, bytes: usize },
}

/// Which unread event has the newest value of a field.
#[derive(Debug, Default)]
struct Newest {
    numbers: HashMap<ConflationKey, u64>,
    /// What comes before this number is behind an event that is kept, and is not replaced any more.
    barrier: u64,
}

impl Unread {
    pub(crate) fn new(flow: FlowControl, budget: StreamBudget) -> Self {
        let newest = matches!(flow, FlowControl::Conflate).then(Newest::default);
        Self {
            events: VecDeque::new(),
            capacity: flow.capacity(),
            share: Share::new(budget),
            first: 0,
            merged: 0,
            lost: 0,
            exhausted: Exhausted::Capacity,
            newest,
        }
    }

    /// Keeps the event, merges it, or counts it as lost; after a loss everything is lost.
    pub(crate) fn push(&mut self, event: Event) {
        if self.lost > 0 {
            self.lost += 1;
            return;
        }
        let (number, weight) = (self.next(), event.weight());
        let replaced = self.newest.as_mut().and_then(|newest| newest.enter(&event, number, self.first));
        let kept = Kept { event, weight };
        if let Some(replaced) =
            replaced.and_then(|number| self.events.get_mut((number - self.first) as usize))
        {
            if self.share.replace(replaced.weight, weight) {
                *replaced = kept;
                self.merged = self.merged.saturating_add(1);
                return;
            }
        } else if self.events.len() == self.capacity {
            self.lost += 1;
            return;
        } else if self.share.take(weight) {
            self.events.push_back(kept);
            return;
        }
        self.lost += 1;
        self.exhausted = Exhausted::Budget { unread: self.events.len(), bytes: self.share.used() };
    }

    /// Makes room for so many at once, of which most will not be merged.
    pub(crate) fn expect(&mut self, count: usize) {
        if self.newest.is_none() {
            self.events.reserve(count.min(self.room()));
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Kept { event, weight } = self.events.pop_front()?;
        self.first += 1;
        self.read(weight);
        Some(event)
    }

    /// Moves the first events, at most `most`, into `batch`; says how many.
    pub(crate) fn drain(&mut self, most: usize, batch: &mut Vec<Event>) -> usize {
        let count = most.min(self.events.len());
        let mut bytes = 0;
        batch.extend(self.events.drain(..count).map(|kept| {
            bytes += kept.weight;
            kept.event
        }));
        self.first += count as u64;
        self.read(bytes);
        count
    }

    /// So much was read: it is given back, and so is the room that it has left.
    fn read(&mut self, bytes: usize) {
        /// As many as a stream may always keep.
        const SPARE: usize = STREAM_RESERVE / size_of::<Kept>();
        self.share.give_back(bytes);
        if self.events.capacity() > SPARE && self.events.len() < self.events.capacity() / 4 {
            self.events.shrink_to(SPARE.max(2 * self.events.len()));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn clear(&mut self) {
        self.events = VecDeque::new();
        self.share.give_back(self.share.used());
    }

    /// The number of the first unread event.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next event will have, unless it is merged.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// How many more events fit.
    pub(crate) fn room(&self) -> usize {
        self.capacity - self.events.len()
    }

    /// Whether the consumer has read half of what fits: when a source that waits for room goes on.
    pub(crate) fn is_half_read(&self) -> bool {
        self.events.len() <= self.capacity / 2
    }

    /// How many events gave way to newer ones, here and before they came here.
    pub(crate) fn merged(&self) -> u64 {
        self.merged
    }

    pub(crate) fn add_merged(&mut self, count: u64) {
        self.merged = self.merged.saturating_add(count);
    }

    /// Whether the consumer fell too far behind.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.lost > 0
    }

    /// The end of a stream that has overflowed.
    pub(crate) fn slow_consumer(&self) -> Error {
        let lost = self.lost;
        let lost = if lost == 1 { "1 event was lost".to_owned() } else { format!("{lost} events were lost") };
        match self.exhausted {
            Exhausted::Capacity => Error::new(
                ErrorKind::SlowConsumer,
                format!("{lost}: the consumer was more than {} events behind", self.capacity),
            ),
            Exhausted::Budget { unread, bytes } => Error::new(
                ErrorKind::SlowConsumer,
                format!(
                    "{lost}: all streams of a session may keep {} KiB of unread events, and one stream no more of it than is \
                     left for the others; this one had {unread} unread events of {} KiB",
                    self.share.budget().capacity() >> 10,
                    bytes >> 10,
                ),
            )
            .with_advice(
                "read every open stream or drop it, ask for conflated events where only the newest value counts, open fewer \
                 streams, or spread them over several sessions",
            ),
        }
    }
}

impl Newest {
    /// Notes that `event` gets `number`, unless there is an unread event that it replaces: that one's number.
    fn enter(&mut self, event: &Event, number: u64, first: u64) -> Option<u64> {
        let Some(key) = event.conflation_key() else {
            self.barrier = number;
            return None;
        };
        let replaceable = self.barrier.max(first);
        self.forget_read(number, replaceable);
        let newest = self.numbers.entry(key).or_insert(number);
        if *newest >= replaceable && *newest < number {
            return Some(*newest);
        }
        *newest = number;
        None
    }

    /// Fields of events that were read are no more than those that are unread, or few: a Gateway may name new ones without end.
    fn forget_read(&mut self, number: u64, replaceable: u64) {
        const FEW: usize = 256;
        let unread = (number - replaceable.min(number)) as usize;
        if self.numbers.len() >= FEW.max(2 * unread) && self.numbers.len() == self.numbers.capacity() {
            self.numbers.retain(|_, number| *number >= replaceable);
            self.numbers.shrink_to(FEW);
        }
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
