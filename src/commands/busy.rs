//! A program whose runtime is busy, as trading programs' are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

/// How many it takes to keep a runtime of two workers blocked nearly all the time.
pub(crate) const ENOUGH: usize = 4;

/// Tasks that do what they should not: block their runtime, a second at a time.
#[derive(Debug)]
pub(crate) struct Hogs(Arc<AtomicBool>);

impl Hogs {
    pub(crate) fn start(runtime: &Runtime, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..count {
            let stop = Arc::clone(&stop);
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_secs(1));
                    tokio::task::yield_now().await;
                }
            });
        }
        Self(stop)
    }

    pub(crate) fn stop(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
