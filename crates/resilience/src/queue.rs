//! The queue in front of a Gateway: requests wait for their turn instead of breaking a limit.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::history::{HistoricalKey, HistoricalPacer, Turn};
use crate::pacing::MessageRate;
use crate::timer::Timer;

/// While too many historical requests are open.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Shorter waits are not worth a line.
const NOTABLE: Duration = Duration::from_millis(100);

/// The queues of a connector, one per Gateway.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<Gateway, Arc<Queue>>>);

impl Queues {
    pub(crate) fn of(&self, gateway: &Gateway, state_dir: &Path, clock: &Arc<dyn Clock>) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(gateway.clone()).or_insert_with(|| {
            let rate = MessageRate::new(state_dir, gateway, Arc::clone(clock));
            Arc::new(Queue::new(rate, Arc::clone(clock)))
        });
        Arc::clone(queue)
    }
}

/// The queue in front of one Gateway.
#[derive(Debug)]
pub(crate) struct Queue {
    rate: MessageRate,
    history: Mutex<HistoricalPacer>,
    clock: Arc<dyn Clock>,
    timer: Timer,
}

impl Queue {
    fn new(rate: MessageRate, clock: Arc<dyn Clock>) -> Self {
        Self { rate, history: Mutex::default(), clock, timer: Timer::default() }
    }

    /// Waits until a message may be sent.
    pub(crate) async fn message(&self, command: &str) {
        match self.rate.take() {
            Ok(wait) => self.wait(command, wait).await,
            // Pacing is a courtesy: without its file requests go out as they come.
            Err(error) => tracing::debug!(%error, command, "request_not_paced"),
        }
    }

    /// Waits until a historical request may be sent; it is open until the turn is dropped.
    pub(crate) async fn historical(&self, command: &str, key: &HistoricalKey) -> OpenRequest<'_> {
        loop {
            let turn = self.history().ask(self.clock.now().at, key);
            match turn {
                Turn::Now => return OpenRequest(self),
                Turn::In(wait) => self.wait(command, wait).await,
                Turn::AfterAnswer => self.wait(command, ASK_AGAIN).await,
            }
        }
    }

    async fn wait(&self, command: &str, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        if wait >= NOTABLE {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(command, wait_ms, "request_paced");
        }
        self.timer.sleep(wait).await;
    }

    fn history(&self) -> MutexGuard<'_, HistoricalPacer> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A historical request without an answer yet.
pub(crate) struct OpenRequest<'a>(&'a Queue);

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.0.history().answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::KernelClock;

    #[test]
    fn a_cancelled_wait_or_request_is_no_longer_open() {
        let temp = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        let queue = Queues::default().of(&Gateway::new("localhost", 4002), temp.path(), &clock);
        let key = HistoricalKey { identity: "1".to_owned(), series: "1".to_owned(), weight: 1 };
        let turn = pollster::block_on(queue.historical("historical_bars", &key));
        assert_eq!(queue.history().open(), 1);
        drop(turn);
        assert_eq!(queue.history().open(), 0);
        let mut identical = Box::pin(queue.historical("historical_bars", &key));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(identical.as_mut().poll(&mut context).is_pending(), "it waits 15 s");
        drop(identical);
        assert_eq!(queue.history().open(), 0);
    }

    #[test]
    fn one_gateway_has_one_queue() {
        let clock: Arc<dyn Clock> = Arc::new(KernelClock::default());
        let queues = Queues::default();
        let of = |host| queues.of(&Gateway::new(host, 4002), Path::new("/nowhere"), &clock);
        assert!(Arc::ptr_eq(&of("localhost"), &of("127.0.0.1")));
        assert!(!Arc::ptr_eq(&of("localhost"), &of("gw.example")));
    }
}
