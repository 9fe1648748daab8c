//! One bound over all streams of a session: how much memory their unread events may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes the unread events of all streams of a session may take together, beside [`STREAM_RESERVE`] for each of them.
pub const SESSION_CAPACITY: usize = 64 << 20;

/// How many bytes of unread events each stream may keep, whatever the other streams of its session do.
pub const STREAM_RESERVE: usize = 16 << 10;

/// A stream takes and gives back so much at a time: most events pass without a look at what is shared.
const STEP: usize = 16 << 10;

/// What the streams of a session share: the bound over their unread events. Clones are the same.
///
/// # Behavior
/// - Counted is what an event takes in memory, its texts included, as an estimate.
/// - A stream always has its [`STREAM_RESERVE`]. Of the [`SESSION_CAPACITY`] it may hold no more than is left for the others: those
///   that nobody reads never take all of it, and the one that is furthest behind is the first for which there is no room.
/// - A stream without room ends as one whose consumer is too slow, see [`FlowControl`](crate::FlowControl).
#[derive(Debug, Clone)]
pub struct StreamBudget(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    capacity: usize,
    taken: AtomicUsize,
}

impl Default for StreamBudget {
    fn default() -> Self {
        Self::of(SESSION_CAPACITY)
    }
}

impl StreamBudget {
    pub(crate) fn of(capacity: usize) -> Self {
        Self(Arc::new(Pool { capacity, taken: AtomicUsize::new(0) }))
    }

    /// How many bytes the streams hold beside their reserves, at most [`SESSION_CAPACITY`].
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// Takes `more` for a stream that has `own` of it, unless that is more than is left.
    fn take(&self, own: usize, more: usize) -> bool {
        // Nothing but the number itself is passed between threads.
        let take = |taken: usize| {
            let left = self.0.capacity.saturating_sub(taken);
            own.checked_add(more).filter(|wanted| *wanted <= left).map(|_| taken + more)
        };
        self.0.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What the unread events of one stream take. Dropping it gives back what it holds of the budget.
#[derive(Debug)]
pub(crate) struct Share {
    budget: StreamBudget,
    /// What the events take.
    used: usize,
    /// What is held of the budget for them, beside the reserve.
    held: usize,
}

impl Share {
    pub(crate) fn new(budget: StreamBudget) -> Self {
        Self { budget, used: 0, held: 0 }
    }

    /// Makes room for so many bytes more; whether there was any.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let missing = used.saturating_sub(STREAM_RESERVE).saturating_sub(self.held);
        if missing > 0 {
            let Some(more) = missing.checked_next_multiple_of(STEP) else { return false };
            if !self.budget.take(self.held, more) {
                return false;
            }
            self.held += more;
        }
        self.used = used;
        true
    }

    /// Makes room for an event in place of another one; whether there was any.
    pub(crate) fn replace(&mut self, old: usize, new: usize) -> bool {
        if new > old {
            return self.take(new - old);
        }
        self.give_back(old - new);
        true
    }

    /// So many bytes were read.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
        // A stream that goes up and down around a step must not give and take each time.
        let needed = match self.used.saturating_sub(STREAM_RESERVE) {
            0 if self.used > STREAM_RESERVE / 2 => STEP,
            0 => 0,
            needed => needed.next_multiple_of(STEP) + STEP,
        };
        let spare = self.held.saturating_sub(needed);
        if spare > 0 {
            self.budget.give_back(spare);
            self.held -= spare;
        }
    }

    /// What the events take.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn budget(&self) -> &StreamBudget {
        &self.budget
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// Takes a kilobyte at a time until there is no room.
    fn hoard(share: &mut Share) {
        while share.take(1 << 10) {}
    }

    #[test]
    fn a_stream_alone_leaves_half_for_another() {
        let budget = StreamBudget::of(1 << 20);
        let mut alone = Share::new(budget.clone());
        hoard(&mut alone);
        assert_eq!((alone.used(), budget.taken()), (STREAM_RESERVE + (1 << 19), 1 << 19));
        let mut second = Share::new(budget);
        hoard(&mut second);
        assert_eq!(second.used(), STREAM_RESERVE + (1 << 18));
    }

    #[test]
    fn whatever_is_hoarded_a_stream_that_is_read_goes_on() {
        let budget = StreamBudget::of(1 << 20);
        let mut hoarders: Vec<_> = (0..500).map(|_| Share::new(budget.clone())).collect();
        hoarders.iter_mut().for_each(hoard);
        let mut read = Share::new(budget.clone());
        for _ in 0..10_000 {
            assert!(read.take(STREAM_RESERVE));
            read.give_back(STREAM_RESERVE);
        }
        assert!(budget.taken() <= 1 << 20, "{}", budget.taken());
        assert!(hoarders.iter().all(|hoarder| hoarder.used() >= STREAM_RESERVE));
        drop((hoarders, read));
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn most_events_touch_nothing_that_is_shared() {
        let budget = StreamBudget::default();
        let mut share = Share::new(budget.clone());
        let mut changes = 0;
        let mut before = budget.taken();
        // A consumer that stays a little behind, at the edge of the reserve.
        assert!(share.take(STREAM_RESERVE));
        for _ in 0..1_000 {
            assert!(share.take(100));
            share.give_back(100);
            changes += usize::from(budget.taken() != before);
            before = budget.taken();
        }
        assert_eq!(changes, 1);
    }

    #[test]
    fn what_no_address_space_could_hold_is_refused() {
        let mut share = Share::new(StreamBudget::of(usize::MAX));
        assert!(share.take(1 << 20));
        assert!(!share.take(usize::MAX), "nothing overflows");
        share.give_back(1 << 20);
        assert_eq!(share.budget().taken(), 0);
    }

    proptest! {
        /// Whatever comes, is read and is dropped: nothing leaks, nothing is promised twice, no stream has less than it holds.
        #[test]
        fn the_sum_is_what_is_held(
            capacity in 0_usize..1 << 20,
            steps in prop::collection::vec((0_usize..6, 0_usize..100_000, any::<bool>()), 1..200),
        ) {
            let budget = StreamBudget::of(capacity);
            let mut shares: Vec<_> = (0..6).map(|_| Share::new(budget.clone())).collect();
            for (number, bytes, is_read) in steps {
                let share = &mut shares[number];
                let before = share.used();
                match is_read {
                    true => share.give_back(bytes.min(before)),
                    false if bytes == 99_999 => *share = Share::new(budget.clone()),
                    false => {
                        let fits = share.take(bytes);
                        prop_assert!(fits || before + bytes > STREAM_RESERVE);
                        prop_assert_eq!(share.used(), before + if fits { bytes } else { 0 });
                    }
                }
                prop_assert!(share.used() <= STREAM_RESERVE + share.held);
                prop_assert_eq!(budget.taken(), shares.iter().map(|share| share.held).sum::<usize>());
                prop_assert!(budget.taken() <= capacity);
            }
            for share in &mut shares {
                share.give_back(share.used());
            }
            prop_assert_eq!(budget.taken(), 0);
        }
    }

    #[test]
    fn threads_that_take_at_the_same_time_do_not_take_more_than_there_is() {
        let budget = StreamBudget::of(1 << 20);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..200 {
                        let mut share = Share::new(budget.clone());
                        hoard(&mut share);
                        assert!(budget.taken() <= 1 << 20, "{round}");
                    }
                });
            }
        });
        assert_eq!(budget.taken(), 0);
    }
}
