//! Waiting, and work that may block, without the caller's runtime.

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// A thread that wakes sleepers; started when the first one sleeps. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timer(Arc<OnceLock<io::Result<Waker>>>);

#[derive(Debug)]
struct Waker {
    /// `None` when it is being dropped, and where a test's own runtime keeps the time.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Timer {
    /// A timer that keeps the time of the runtime that this is called in, e.g. a paused one.
    #[cfg(test)]
    pub(crate) fn of_this_runtime() -> Self {
        let timer = Self::default();
        timer.0.get_or_init(|| Ok(Waker { runtime: None, handle: Handle::current() })).as_ref().unwrap();
        timer
    }

    /// Waits.
    ///
    /// # Errors
    /// `busy`, if no thread can be started.
    pub(crate) async fn sleep(&self, duration: Duration) -> Result<()> {
        let sleep = {
            let _context = self.handle()?.enter();
            tokio::time::sleep(duration)
        };
        sleep.await;
        Ok(())
    }

    /// Waits for `future` at most so long; `None` if that was too short.
    ///
    /// # Errors
    /// As [`sleep`](Self::sleep).
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<Option<T>> {
        tokio::select! {
            biased;
            value = future => Ok(Some(value)),
            slept = self.sleep(limit) => slept.map(|()| None),
        }
    }

    /// Does work that may block, e.g. on a file, on a thread of its own.
    ///
    /// # Errors
    /// As [`sleep`](Self::sleep); `internal`, if the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let work = self.handle()?.spawn_blocking(work);
        work.await.map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the work on a shared file failed: {error}"))
        })
    }

    /// Runs `task` in the background, if a thread can be started.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(handle) = self.handle() {
            drop(handle.spawn(task));
        }
    }

    fn handle(&self) -> Result<&Handle> {
        self.0.get_or_init(Waker::start).as_ref().map(|waker| &waker.handle).map_err(|error| {
            let error = io::Error::new(error.kind(), error.to_string());
            Error::unstartable("the thread on which requests wait for their turn", error)
        })
    }
}

impl Waker {
    fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("ibkr-timer").enable_time().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // A plain drop would block, which a caller's runtime forbids.
        if let Some(runtime) = self.runtime.take() {
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
        pollster::block_on(Timer::default().sleep(Duration::from_millis(20))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(pollster::block_on(Timer::default().run(|| 7)).unwrap(), 7);
    }

    #[tokio::test]
    async fn it_may_be_dropped_inside_a_runtime() {
        let timer = Timer::default();
        timer.sleep(Duration::from_millis(1)).await.unwrap();
        drop(timer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_its_limit() {
        let timer = Timer::of_this_runtime();
        let second = Duration::from_secs(1);
        timer.within(second, timer.sleep(second / 2)).await.unwrap().expect("in time").unwrap();
        assert!(timer.within(second, std::future::pending::<()>()).await.unwrap().is_none());
    }
}
