//! Waiting without the caller's runtime.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// A thread that wakes sleepers; started when the first one sleeps. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timer(Arc<OnceLock<Option<Waker>>>);

#[derive(Debug)]
struct Waker(Option<Runtime>);

impl Timer {
    /// Waits. If no thread can be started it does not wait: it is a courtesy to the Gateway, not a promise.
    pub(crate) async fn sleep(&self, duration: Duration) {
        let Some(Waker(Some(runtime))) = self.0.get_or_init(Waker::start) else { return };
        let sleep = {
            let _context = runtime.enter();
            tokio::time::sleep(duration)
        };
        sleep.await;
    }
}

impl Waker {
    fn start() -> Option<Self> {
        let built =
            Builder::new_multi_thread().worker_threads(1).thread_name("ibkr-timer").enable_time().build();
        built
            .inspect_err(|error| tracing::warn!(%error, "timer_not_started"))
            .ok()
            .map(|runtime| Self(Some(runtime)))
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // A plain drop would block, which a caller's runtime forbids.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_needs_no_runtime() {
        let start = Instant::now();
        pollster::block_on(Timer::default().sleep(Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn it_may_be_dropped_inside_a_runtime() {
        let timer = Timer::default();
        timer.sleep(Duration::from_millis(1)).await;
        drop(timer);
    }
}
