//! Account summaries, of which TWS has two at a time for a connection; it refuses the third with 322.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ibkr_connect_core::{Error, ErrorKind, Result};

use crate::notes::Notes;
use crate::permits::{Permit, Permits};

/// TWS's limit.
const AT_A_TIME: usize = 2;

/// The summaries of a connection. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Summaries {
    permits: Permits,
    /// How many streams have a permit or wait for one.
    streams: Arc<AtomicUsize>,
}

impl Default for Summaries {
    fn default() -> Self {
        Self { permits: Permits::new(AT_A_TIME), streams: Arc::default() }
    }
}

/// A stream's permit. Dropping it returns it.
#[derive(Debug)]
pub(super) struct StreamPermit {
    _permit: Permit,
    _stream: CountedStream,
}

impl Summaries {
    /// A permit for a request, when it is its turn.
    ///
    /// # Errors
    /// `busy` when streams have all permits: they don't leave by themselves.
    pub(super) async fn permit_for_request(&self, notes: &Notes) -> Result<Permit> {
        if self.streams.load(Ordering::Relaxed) >= AT_A_TIME {
            return Err(all_taken());
        }
        notes.wait();
        self.permits.acquire().await
    }

    /// A permit for a stream, when the requests before it are answered.
    ///
    /// # Errors
    /// `busy` when other streams have all permits.
    pub(super) async fn permit_for_stream(&self, notes: &Notes) -> Result<StreamPermit> {
        let stream = CountedStream::new(&self.streams).ok_or_else(all_taken)?;
        notes.wait();
        Ok(StreamPermit { _permit: self.permits.acquire().await?, _stream: stream })
    }
}

#[derive(Debug)]
struct CountedStream(Arc<AtomicUsize>);

impl CountedStream {
    /// Counts one more, unless that is too many.
    fn new(streams: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |count: usize| (count < AT_A_TIME).then_some(count + 1);
        streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(streams)))
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn all_taken() -> Error {
    let message = format!("TWS has {AT_A_TIME} account summaries at a time, and as many streams are open");
    Error::new(ErrorKind::Busy, message).with_advice(
        "drop one of the streams of account_summary_updates, or ask for the tags of several with one",
    )
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::block_on;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn requests_wait_for_each_other() {
        let (summaries, notes) = (Summaries::default(), Notes::new());
        let first = block_on(summaries.permit_for_request(&notes)).unwrap();
        let _second = block_on(summaries.permit_for_request(&notes)).unwrap();
        assert!(now(summaries.permit_for_request(&notes)).is_pending());
        assert!(now(summaries.permit_for_stream(&notes)).is_pending());
        drop(first);
        block_on(summaries.permit_for_stream(&notes)).expect("a stream that gave up waiting is not counted");
    }

    #[test]
    fn nobody_waits_for_streams() {
        let (summaries, notes) = (Summaries::default(), Notes::new());
        let first = block_on(summaries.permit_for_stream(&notes)).unwrap();
        let _second = block_on(summaries.permit_for_stream(&notes)).unwrap();
        for error in [
            block_on(summaries.permit_for_request(&notes)).unwrap_err(),
            block_on(summaries.permit_for_stream(&notes)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        }
        drop(first);
        block_on(summaries.permit_for_request(&notes)).unwrap();
    }
}
