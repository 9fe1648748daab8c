//! What backends, and connectors around them, share: what runs the operations of the table, threads of their own, and no wait on
//! a thread of somebody else's but one that its owner has asked for.
//! Programs have no use for it.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

pub use crate::blocking::block_on_until;
pub use crate::dispatch::{Carrying, Events, Operations, dispatch, dispatch_stream};
pub use crate::operation::in_json_words;
pub use crate::phase::known_timings;
use crate::{Connection, Error, ErrorKind, Result, block_on};

/// Where a thread reports its outcome. It is closed when nobody waits for that any more.
pub type Ready<T> = oneshot::Sender<Result<T>>;

thread_local! {
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether a `Drop` on this thread may wait. Inside a runtime it may not, because everything else in that would wait too.
/// On a thread that was started here it may, runtime or not.
pub fn may_wait() -> bool {
    IS_OURS.get() || Handle::try_current().is_err()
}

/// In the `Drop` of a connection around another one: where that may not wait, a thread of its own closes `inner`, and drops
/// what is `kept` until nothing of `inner` is left. Where it may wait nothing happens here, and the fields are dropped.
pub fn close_elsewhere<K: Send + 'static>(inner: &Arc<dyn Connection>, kept: impl FnOnce() -> K) {
    if may_wait() {
        return;
    }
    let (inner, kept) = (Arc::clone(inner), kept());
    let close = move || {
        // Nobody is left to be told what went wrong; the backend has told the log.
        drop(block_on(inner.close()));
        drop((inner, kept));
    };
    // Without a thread it ends all the same, but what is kept is given back too early.
    drop(spawn("ibkr-closing", close));
}

/// Starts a thread of ours.
///
/// # Errors
/// `busy`, when the system gives none.
pub fn spawn(name: &'static str, life: impl FnOnce() + Send + 'static) -> Result<()> {
    let marked = move || {
        IS_OURS.set(true);
        life();
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(marked);
    spawned.map(drop).map_err(|error| Error::unstartable(format_args!("the thread {name}"), error))
}

/// Starts a thread with a runtime of its own.
///
/// # Errors
/// `busy`, when the system gives none.
pub fn spawn_runtime<F: Future<Output = ()>>(
    name: &'static str,
    life: impl FnOnce() -> F + Send + 'static,
) -> Result<()> {
    let runtime = OwnRuntime::new(name)?;
    spawn(name, move || runtime.run(life()))
}

/// Runs `work` on a thread with a runtime of its own, so that its steps follow each other while the caller's runtime is
/// blocked. Dropping the future abandons the work; what it gives at the last moment is dropped on its thread.
///
/// # Errors
/// Those of `work`; `busy`, when the system gives no thread; `internal`, when it panics.
pub async fn own_thread<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = OwnRuntime::new(name)?;
    reported(name, move |mut ready: Ready<T>| {
        let mut outcome = None;
        runtime.run(async {
            tokio::select! {
                biased;
                () = ready.closed() => {}
                done = work => outcome = Some(done),
            }
        });
        if let Some(outcome) = outcome {
            drop(ready.send(outcome));
        }
    })
    .await
}

/// Runs `life` on a thread with a runtime of its own and waits for what it reports; it may go on after that.
///
/// # Errors
/// What is reported; `busy`, when the system gives no thread; `internal`, when it panics before.
pub async fn own_runtime<T: Send + 'static, F: Future<Output = ()>>(
    name: &'static str,
    life: impl FnOnce(Ready<T>) -> F + Send + 'static,
) -> Result<T> {
    let runtime = OwnRuntime::new(name)?;
    reported(name, move |ready| runtime.run(life(ready))).await
}

/// Runs `life` on a thread of its own and waits for what it reports; it may go on after that.
///
/// # Errors
/// What is reported; `busy`, when the system gives no thread; `internal`, when it panics before.
pub async fn reported<T: Send + 'static>(
    name: &'static str,
    life: impl FnOnce(Ready<T>) + Send + 'static,
) -> Result<T> {
    let (ready, outcome) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    spawn(name, move || {
        let panic = catch_unwind(AssertUnwindSafe(|| life(ready))).err();
        drop(ended.send(panic.map(|panic| text(&*panic))));
    })?;
    match outcome.await {
        Ok(outcome) => outcome,
        Err(_) => Err(silent(name, end.await.ok().flatten())),
    }
}

/// A thread that ended without an outcome. The next one begins with nothing of this one's, as after the crash of a worker,
/// and so it may do better.
fn silent(name: &str, panic: Option<String>) -> Error {
    let how = match panic {
        Some(panic) => format!("the thread {name} panicked: {panic}"),
        None => format!("the thread {name} ended without an outcome"),
    };
    Error::new(ErrorKind::Internal, how).retryable()
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text").to_owned()
}

/// A runtime that waits for nobody when it is dropped: a look-up of a name may hang in a thread of it, and it may be
/// dropped inside another runtime.
#[derive(Debug)]
pub struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// One of the current thread. `name` says in the error whose it would have been.
    ///
    /// # Errors
    /// `busy`, when the system gives none.
    pub fn new(name: &str) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| Error::unstartable(format_args!("the runtime of {name}"), error))
    }

    /// Runs `life` to its end on this thread.
    pub fn run(self, life: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(life);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn an_outcome_comes_from_a_thread_of_its_own() {
        let name = block_on(own_thread("ibkr-test", async {
            tokio::task::yield_now().await;
            Ok(thread::current().name().map(str::to_owned))
        }));
        assert_eq!(name.unwrap().as_deref(), Some("ibkr-test"));
    }

    #[test]
    fn a_panic_is_internal_and_says_what_it_said() {
        let number = 7;
        for error in [
            block_on(own_thread::<()>("ibkr-test", async move { panic!("no {number}") })).unwrap_err(),
            block_on(reported::<()>("ibkr-test", |_ready| std::panic::panic_any("no 7"))).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Internal, true));
            assert_eq!(error.message(), "the thread ibkr-test panicked: no 7");
        }
        let mute = block_on(reported::<()>("ibkr-test", drop)).unwrap_err();
        assert_eq!(mute.message(), "the thread ibkr-test ended without an outcome");
    }

    #[test]
    fn who_drops_the_future_abandons_the_work() {
        let (dropped, drops) = mpsc::channel::<()>();
        let (started, starts) = mpsc::channel();
        let abandoned = {
            let mut work = pin!(own_thread::<()>("ibkr-test", async move {
                let _dropped = dropped;
                started.send(()).unwrap();
                std::future::pending().await
            }));
            assert!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            starts.recv().unwrap();
            drops
        };
        assert_eq!(abandoned.recv(), Err(mpsc::RecvError), "the work was dropped on its thread");
    }

    #[test]
    fn only_a_runtime_of_somebody_else_must_not_wait() {
        assert!(may_wait());
        let theirs = Builder::new_current_thread().build().unwrap();
        assert!(!theirs.block_on(async { may_wait() }));
        assert!(block_on(own_thread("ibkr-test", async { Ok(may_wait()) })).unwrap());
        let from_theirs = theirs.block_on(own_thread("ibkr-test", async { Ok(may_wait()) }));
        assert!(from_theirs.unwrap());
    }

    #[test]
    fn a_runtime_that_found_no_thread_may_be_dropped_inside_another() {
        let theirs = Builder::new_current_thread().build().unwrap();
        theirs.block_on(async { drop(OwnRuntime::new("ibkr-test").unwrap()) });
    }
}
