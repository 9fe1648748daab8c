//! Permits for what the Gateway does for one, or for two, at a time.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::notes::Notes;

/// How long the Gateway may be silent about a question before those who wait behind it go first: it has overlooked the question, or
/// will not end its answer. An answer that comes does so within a fraction of a second.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// Permits, given in the order in which they are asked for. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    permits: Arc<Semaphore>,
    waiting: Arc<watch::Sender<usize>>,
}

/// A permit. Dropping it returns it.
#[derive(Debug)]
pub(crate) struct Permit {
    _permit: OwnedSemaphorePermit,
    waiting: watch::Receiver<usize>,
}

/// Whether others wait for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Wait,
    None,
}

impl Permits {
    pub(crate) fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), waiting: Arc::new(watch::Sender::new(0)) }
    }

    /// A permit, when it is its turn.
    pub(crate) async fn acquire(&self) -> Result<Permit> {
        let permit = {
            let _counted = Waiting::new(&self.waiting);
            Arc::clone(&self.permits).acquire_owned().await
        };
        let permit =
            permit.map_err(|_| Error::new(ErrorKind::Internal, "the semaphore of permits is closed"))?;
        Ok(Permit { _permit: permit, waiting: self.waiting.subscribe() })
    }
}

impl Permit {
    /// Whether others wait for one.
    pub(crate) fn others(&self) -> Others {
        if *self.waiting.borrow() > 0 { Others::Wait } else { Others::None }
    }

    /// Resolves when that may have changed.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as the permits.
        let _ = self.waiting.changed().await;
    }

    /// Resolves when somebody waits and the Gateway has been silent about the operation of these `notes` for long enough.
    pub(crate) async fn is_due(&mut self, notes: &Notes) {
        loop {
            let due = notes.silent_since() + SILENCE;
            if Instant::now() < due {
                sleep_until(due).await;
            } else if self.others() == Others::Wait {
                return;
            } else {
                self.changed().await;
            }
        }
    }
}

/// One who waits.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_place_is_due_when_nothing_moves_and_somebody_waits() {
        let (permits, notes) = (Permits::new(1), Notes::new());
        let begun = Instant::now();
        let mut permit = permits.acquire().await.unwrap();
        timeout(10 * SILENCE, permit.is_due(&notes)).await.expect_err("nobody waits");
        notes.hear();
        let (moved, next) = (Instant::now(), permits.clone());
        let waits = tokio::spawn(async move { next.acquire().await.map(drop) });
        permit.is_due(&notes).await;
        assert_eq!((begun.elapsed(), moved.elapsed()), (11 * SILENCE, SILENCE));
        drop(permit);
        waits.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_given_up_waiting_does_not_count() {
        let (permits, notes) = (Permits::new(1), Notes::new());
        let mut permit = permits.acquire().await.unwrap();
        timeout(SHORT, permits.acquire()).await.unwrap_err();
        assert_eq!(permit.others(), Others::None);
        timeout(10 * SILENCE, permit.is_due(&notes)).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_moves_keeps_its_place() {
        let (permits, notes) = (Permits::new(1), Notes::new());
        let mut permit = permits.acquire().await.unwrap();
        let next = permits.clone();
        let _waits = tokio::spawn(async move { next.acquire().await.map(drop) });
        for _ in 0..5 {
            timeout(SILENCE - SHORT, permit.is_due(&notes)).await.unwrap_err();
            notes.hear();
        }
        timeout(SILENCE + SHORT, permit.is_due(&notes)).await.unwrap();
    }
}
