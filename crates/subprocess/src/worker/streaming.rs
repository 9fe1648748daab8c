//! Forwarding a stream: in batches while there is more, at once when there is not.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use ibkr_connect_core::EventStream;

use super::output::{Batch, Output};
use crate::wire::Answer;

/// Forwards `events` until their end. What was merged is told, so that the reader knows.
pub(super) async fn forward(id: u64, mut events: EventStream, output: &Output) {
    let mut batch = Batch::default();
    let mut told = 0;
    let mut next = events.next().await;
    loop {
        let merged = events.merged();
        if merged > told {
            batch.push_answer(&Answer::merged(id, merged - told));
            told = merged;
        }
        let ended = !matches!(next, Some(Ok(_)));
        match next {
            Some(Ok(event)) => batch.push_answer(&Answer::event(id, event)),
            Some(Err(error)) => batch.push_answer(&Answer::error(id, error)),
            None => batch.push_answer(&Answer::end(id)),
        }
        if ended {
            return output.write(&batch);
        }
        let waiting = if batch.is_full() { None } else { ready(events.next()).await };
        next = match waiting {
            Some(more) => more,
            None => {
                output.write(&batch);
                batch.clear();
                // Commands come before the next batch.
                tokio::task::yield_now().await;
                events.next().await
            }
        };
    }
}

/// What `future` has ready, without waiting for it.
pub(super) async fn ready<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
