//! Every transition of a supervisor, for any number of readers: written once, kept once, read at each reader's own pace.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::transition::Transition;

/// So many transitions are kept. A reader that follows never needs them: a bad day has a few hundred.
const KEPT: usize = 1_024;

/// The transitions of a supervised session, from [`Supervisor::transitions`](super::Supervisor::transitions).
///
/// # Behavior
/// - It begins with the first transition of the supervisor, of which the state is `Connecting`, and gives each one since.
///   [`from_now`](Self::from_now) leaves out the past.
/// - The newest 1,024 transitions are kept, once for all readers. A reader that never reads costs no memory and delays nobody. One
///   that falls behind by more than 1,024 goes on with the oldest that is kept: [`number`](Transition::number) shows what is
///   missing, and [`missed`](Self::missed) counts it.
/// - The last transition is that to `Closed`. The stream ends when nothing is left of the last session. Dropping the last clone of
///   the supervisor is such an end: holding transitions does not keep it alive.
#[derive(Debug)]
pub struct Transitions {
    log: Arc<Mutex<Log>>,
    reader: ReaderId,
    /// The number of the last one that was read or left out.
    read: u64,
    missed: u64,
}

/// Where a supervisor writes its transitions. Dropping it ends them.
#[derive(Debug)]
pub(super) struct TransitionWriter(Arc<Mutex<Log>>);

/// Where readers come from.
#[derive(Debug, Clone)]
pub(super) struct TransitionSource(Arc<Mutex<Log>>);

type ReaderId = u64;

#[derive(Debug, Default)]
struct Log {
    newest: VecDeque<Transition>,
    /// The number of the last one that was written.
    written: u64,
    has_ended: bool,
    readers: ReaderId,
    /// Those who have read everything.
    waiting: HashMap<ReaderId, Waker>,
}

pub(super) fn log() -> (TransitionWriter, TransitionSource) {
    let log = Arc::default();
    (TransitionWriter(Arc::clone(&log)), TransitionSource(log))
}

impl TransitionWriter {
    /// Writes the transition that is made with its number.
    pub(super) fn write(&self, transition: impl FnOnce(u64) -> Transition) {
        let mut log = lock(&self.0);
        log.written += 1;
        let transition = transition(log.written);
        log.newest.push_back(transition);
        if log.newest.len() > KEPT {
            log.newest.pop_front();
        }
        wake_all(log);
    }
}

impl Drop for TransitionWriter {
    fn drop(&mut self) {
        let mut log = lock(&self.0);
        log.has_ended = true;
        wake_all(log);
    }
}

impl TransitionSource {
    pub(super) fn read(&self) -> Transitions {
        let mut log = lock(&self.0);
        log.readers += 1;
        Transitions { log: Arc::clone(&self.0), reader: log.readers, read: 0, missed: 0 }
    }
}

impl Transitions {
    /// The next transition; `None` after the last one.
    pub async fn next(&mut self) -> Option<Transition> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Leaves out what is past: begins with the newest transition, whose state is the current one.
    #[must_use]
    pub fn from_now(mut self) -> Self {
        let past = lock(&self.log).written.saturating_sub(1);
        self.read = self.read.max(past);
        self
    }

    /// How many transitions are lost to this reader, because they were no longer kept when it read on.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Transition>> {
        let mut log = lock(&self.log);
        let kept = u64::try_from(log.newest.len()).unwrap_or(u64::MAX);
        let oldest = log.written - kept + 1;
        let next = (self.read + 1).max(oldest);
        let place = usize::try_from(next - oldest).unwrap_or(usize::MAX);
        if let Some(transition) = log.newest.get(place) {
            self.missed += next - self.read - 1;
            self.read = next;
            return Poll::Ready(Some(transition.clone()));
        }
        if log.has_ended {
            return Poll::Ready(None);
        }
        let outdated = log.waiting.insert(self.reader, context.waker().clone());
        // In this order: it may be the last of its task, which may hold another reader.
        drop(log);
        drop(outdated);
        Poll::Pending
    }
}

impl Stream for Transitions {
    type Item = Transition;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Transition>> {
        self.poll(context)
    }
}

impl Drop for Transitions {
    fn drop(&mut self) {
        // Not in one expression, for the same reason.
        let outdated = lock(&self.log).waiting.remove(&self.reader);
        drop(outdated);
    }
}

/// Nothing here panics while it holds the lock.
fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Outside of the lock: a waker may run its task at once.
fn wake_all(mut log: MutexGuard<'_, Log>) {
    let waiting = std::mem::take(&mut log.waiting);
    drop(log);
    waiting.into_values().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::supervisor::state::SupervisorState;
    use crate::supervisor::transition::TransitionCause;

    fn write(writer: &TransitionWriter, count: usize) {
        for _ in 0..count {
            writer.write(|number| Transition {
                number,
                at: Timestamp::UNIX_EPOCH,
                generation: 0,
                state: SupervisorState::Ready,
                cause: TransitionCause::Connected,
                attempt: None,
                next: None,
            });
        }
    }

    fn poll(reader: &mut Transitions) -> Poll<Option<u64>> {
        let next = reader.poll(&Context::from_waker(Waker::noop()));
        next.map(|next| next.map(|transition| transition.number))
    }

    fn read_all(reader: &mut Transitions) -> Vec<u64> {
        std::iter::from_fn(|| match poll(reader) {
            Poll::Ready(number) => number,
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn every_reader_gets_everything_from_the_first_and_then_the_end() {
        let (writer, source) = log();
        let mut early = source.read();
        assert_eq!(poll(&mut early), Poll::Pending);
        write(&writer, 2);
        let mut late = source.read();
        assert_eq!((read_all(&mut early), read_all(&mut late)), (vec![1, 2], vec![1, 2]));
        write(&writer, 1);
        drop(writer);
        for reader in [&mut early, &mut late] {
            assert_eq!((read_all(reader), poll(reader), reader.missed()), (vec![3], Poll::Ready(None), 0));
        }
        assert_eq!(read_all(&mut source.read()), [1, 2, 3], "after the end, too");
    }

    #[test]
    fn from_now_on_it_begins_with_the_newest() {
        let (writer, source) = log();
        let mut before = source.read().from_now();
        assert_eq!(poll(&mut before), Poll::Pending);
        write(&writer, 3);
        let mut after = source.read().from_now();
        assert_eq!((read_all(&mut before), read_all(&mut after)), (vec![1, 2, 3], vec![3]));
        assert_eq!(after.missed(), 0, "what was left out was not wanted");
    }

    #[test]
    fn who_never_reads_costs_nothing_and_is_told_how_many_are_lost() {
        let (writer, source) = log();
        let mut reader = source.read();
        write(&writer, 3 * KEPT);
        assert_eq!(lock(&source.0).newest.len(), KEPT);
        let numbers = read_all(&mut reader);
        assert_eq!((numbers.len(), numbers[0]), (KEPT, 2 * 1_024 + 1));
        assert_eq!(reader.missed(), 2 * 1_024);
        write(&writer, KEPT);
        assert_eq!((read_all(&mut reader).len(), reader.missed()), (KEPT, 2 * 1_024), "as many as are kept");
    }

    #[test]
    fn a_waiting_reader_is_woken_by_a_transition_and_by_the_end_and_leaves_nothing() {
        let (writer, source) = log();
        let mut gone = source.read();
        assert_eq!(poll(&mut gone), Poll::Pending);
        drop(gone);
        assert!(lock(&source.0).waiting.is_empty());
        let mut reader = source.read();
        let waits = std::thread::spawn(move || {
            pollster::block_on(async {
                let first = reader.next().await.map(|transition| transition.number);
                (first, reader.next().await.map(|transition| transition.number))
            })
        });
        let is_waiting = || lock(&source.0).waiting.len() == 1;
        while !is_waiting() {
            std::thread::yield_now();
        }
        write(&writer, 1);
        while !is_waiting() {
            std::thread::yield_now();
        }
        drop(writer);
        assert_eq!(waits.join().unwrap(), (Some(1), None));
    }
}
