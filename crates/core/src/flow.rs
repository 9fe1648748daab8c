//! What a stream does with events that its consumer has not read yet.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::conflation::ConflationKey;
use crate::{Error, ErrorKind, Event};

/// How many unread events a stream keeps unless the caller chooses otherwise.
pub const STREAM_CAPACITY: usize = 16_384;

/// What happens when the consumer of a stream falls behind. Nothing is ever lost silently.
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
    /// The newest value of each field, see [`Event::conflation_key`]. It takes the place of the unread one, so that no field
    /// waits longer for being busy, but never passes an event that is kept: notices, a snapshot's end. What is kept ends the
    /// stream like a lossless one when [`STREAM_CAPACITY`] events are unread.
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
    events: VecDeque<Event>,
    capacity: usize,
    /// Events are numbered as they come; this is the first unread one's number.
    first: u64,
    merged: u64,
    lost: u64,
    newest: Option<Newest>,
}

/// Which unread event has the newest value of a field.
#[derive(Debug, Default)]
struct Newest {
    numbers: HashMap<ConflationKey, u64>,
    /// What comes before this number is behind an event that is kept, and is not replaced any more.
    barrier: u64,
}

impl Unread {
    pub(crate) fn new(flow: FlowControl) -> Self {
        let newest = matches!(flow, FlowControl::Conflate).then(Newest::default);
        Self { events: VecDeque::new(), capacity: flow.capacity(), first: 0, merged: 0, lost: 0, newest }
    }

    /// Keeps the event, merges it, or counts it as lost; after a loss everything is lost.
    pub(crate) fn push(&mut self, event: Event) {
        if self.lost > 0 {
            self.lost += 1;
            return;
        }
        let number = self.next();
        let replaced = self.newest.as_mut().and_then(|newest| newest.enter(&event, number, self.first));
        if let Some(replaced) =
            replaced.and_then(|number| self.events.get_mut((number - self.first) as usize))
        {
            *replaced = event;
            self.merged += 1;
        } else if self.events.len() < self.capacity {
            self.events.push_back(event);
        } else {
            self.lost += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.first += 1;
        Some(event)
    }

    /// Moves the first events, at most `most`, into `batch`; says how many.
    pub(crate) fn drain(&mut self, most: usize, batch: &mut Vec<Event>) -> usize {
        let count = most.min(self.events.len());
        batch.extend(self.events.drain(..count));
        self.first += count as u64;
        count
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn clear(&mut self) {
        self.events = VecDeque::new();
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
        self.merged += count;
    }

    /// Whether the consumer fell too far behind.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.lost > 0
    }

    /// The end of a stream that has overflowed.
    pub(crate) fn slow_consumer(&self) -> Error {
        let (lost, capacity) = (self.lost, self.capacity);
        let (events, were) = if lost == 1 { ("event", "was") } else { ("events", "were") };
        let message =
            format!("{lost} {events} {were} lost: the consumer was more than {capacity} events behind");
        Error::new(ErrorKind::SlowConsumer, message)
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
        let newest = self.numbers.entry(key).or_insert(number);
        if *newest >= replaceable && *newest < number {
            return Some(*newest);
        }
        *newest = number;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{MarketDataEvent, TickType};

    fn price(tick_type: TickType, price: f64) -> Event {
        Event::MarketData(MarketDataEvent::Price { tick_type, price: Some(price), size: None })
    }

    fn notice(code: i32) -> Event {
        Event::MarketData(MarketDataEvent::Notice { code, message: String::new() })
    }

    fn unread(flow: FlowControl, events: impl IntoIterator<Item = Event>) -> Unread {
        let mut unread = Unread::new(flow);
        events.into_iter().for_each(|event| unread.push(event));
        unread
    }

    fn all(unread: &mut Unread) -> Vec<Event> {
        std::iter::from_fn(|| unread.pop()).collect()
    }

    #[test]
    fn lossless_keeps_what_fits_and_counts_the_rest() {
        let mut unread = unread(FlowControl::Lossless { capacity: 2 }, (0..5).map(notice));
        assert!(unread.has_overflowed());
        assert_eq!(all(&mut unread), [notice(0), notice(1)]);
        unread.push(notice(5));
        assert_eq!(unread.len(), 0, "nothing follows a loss");
        let error = unread.slow_consumer();
        assert_eq!(error.kind(), ErrorKind::SlowConsumer);
        assert_eq!(error.message(), "4 events were lost: the consumer was more than 2 events behind");
    }

    #[test]
    fn a_newer_value_takes_the_place_of_the_unread_one() {
        let (bid, ask) = (TickType::BID, TickType::ASK);
        let mut unread = unread(
            FlowControl::Conflate,
            [price(bid, 1.0), price(ask, 2.0), price(bid, 1.1), price(bid, 1.2)],
        );
        assert_eq!(unread.merged(), 2);
        assert_eq!(all(&mut unread), [price(bid, 1.2), price(ask, 2.0)]);
        unread.push(price(bid, 1.3));
        assert_eq!(all(&mut unread), [price(bid, 1.3)], "what was read is not replaced");
        assert_eq!(unread.merged(), 2);
    }

    #[test]
    fn price_and_size_of_one_tick_type_are_two_fields() {
        let size = Event::MarketData(MarketDataEvent::Size { tick_type: TickType::BID, size: Some(1.0) });
        let mut unread = unread(FlowControl::Conflate, [price(TickType::BID, 1.0), size.clone()]);
        assert_eq!(all(&mut unread), [price(TickType::BID, 1.0), size]);
    }

    #[test]
    fn no_value_passes_an_event_that_is_kept() {
        let (bid, end) = (TickType::BID, Event::MarketData(MarketDataEvent::SnapshotEnd {}));
        let events =
            [price(bid, 1.0), end.clone(), price(bid, 1.1), price(bid, 1.2), end.clone(), end.clone()];
        let mut unread = unread(FlowControl::Conflate, events);
        assert_eq!(unread.merged(), 1);
        assert_eq!(all(&mut unread), [price(bid, 1.0), end.clone(), price(bid, 1.2), end.clone(), end]);
    }

    #[test]
    fn a_million_quotes_take_the_room_of_their_fields_and_what_is_kept_is_bounded() {
        let fields = 50;
        let quotes = (0..1_000_000).map(|number| price(TickType(number % fields), f64::from(number)));
        let mut quotes = unread(FlowControl::Conflate, quotes);
        assert_eq!((quotes.len(), quotes.merged()), (50, 999_950));
        let last = (999_950..1_000_000).map(|number| price(TickType(number % fields), f64::from(number)));
        assert_eq!(all(&mut quotes), last.collect::<Vec<_>>());

        let capacity = STREAM_CAPACITY as i32;
        let mut notices = unread(FlowControl::Conflate, (0..capacity + 3).map(notice));
        assert_eq!(all(&mut notices).len(), STREAM_CAPACITY);
        assert!(notices.slow_consumer().message().starts_with("3 events were lost"));
    }

    #[test]
    fn the_policy_is_a_word_or_an_object_in_json() {
        for (flow, json) in [
            (FlowControl::Conflate, r#""conflate""#),
            (FlowControl::Lossless { capacity: 7 }, r#"{"lossless":{"capacity":7}}"#),
        ] {
            assert_eq!(serde_json::to_string(&flow).unwrap(), json);
            assert_eq!(serde_json::from_str::<FlowControl>(json).unwrap(), flow);
        }
    }
}
