//! A program whose runtime is busy, as trading programs' are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// How long the first block is at most: what is begun in it need not wait for long.
const FIRST_BLOCK: Duration = Duration::from_millis(200);

/// Tasks that do what they should not: as many as the runtime has workers, they block all of them at the same time, again
/// and again, like a strategy that recalculates every symbol when a bar is complete.
#[derive(Debug)]
pub(crate) struct Hogs {
    stop: Arc<AtomicBool>,
}

impl Hogs {
    /// Blocks `workers` workers of `runtime` for `block` at a time; the first block is a short one.
    pub(crate) fn start(runtime: &Runtime, workers: usize, block: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicUsize::new(0));
        let origin = Instant::now();
        let ahead = block.saturating_sub(FIRST_BLOCK);
        for _ in 0..workers {
            let (stop, begun) = (Arc::clone(&stop), Arc::clone(&begun));
            runtime.spawn(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                await_others(&begun, workers);
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(until_next(origin.elapsed() + ahead, block));
                    tokio::task::yield_now().await;
                }
            });
        }
        Self { stop }
    }

    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Holds this worker until the other tasks have begun: so each has a worker of its own.
fn await_others(begun: &AtomicUsize, workers: usize) {
    /// They begin at once; if not, this one goes on alone.
    const PATIENCE: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + PATIENCE;
    while begun.load(Ordering::Relaxed) < workers && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// How long it is until `elapsed` is a multiple of `block` again.
fn until_next(elapsed: Duration, block: Duration) -> Duration {
    let begun = elapsed.as_nanos() / block.as_nanos().max(1);
    let end = block.saturating_mul(u32::try_from(begun + 1).unwrap_or(u32::MAX));
    end.saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tasks_block_until_the_same_moments() {
        let block = Duration::from_millis(100);
        let cases = [(0, 100), (1, 99), (99, 1), (100, 100), (250, 50)];
        for (elapsed, expected) in cases {
            let left = until_next(Duration::from_millis(elapsed), block);
            assert_eq!(left, Duration::from_millis(expected), "{elapsed}");
        }
    }
}
