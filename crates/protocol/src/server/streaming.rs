//! Forwarding a stream: in batches while there is more, at once when there is not, within the reader's credit.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use ibkr_connect_core::EventStream;
use tokio::sync::watch;

use super::output::{Batch, Output};
use crate::frames::Answer;

/// How many events are forwarded before it is another stream's or command's turn.
const TURN: usize = 512;

/// Forwards `events` until their end, and no more of them than `granted` since the beginning.
pub(super) async fn forward(
    id: u64,
    mut events: EventStream,
    mut granted: watch::Receiver<u64>,
    output: &Output,
) {
    let mut batch = Batch::default();
    let mut turn = Vec::new();
    let longest = output.form().longest_line();
    let (mut sent, mut told) = (0, 0);
    loop {
        let credit = granted.borrow_and_update().saturating_sub(sent);
        let most = usize::try_from(credit).unwrap_or(TURN).min(TURN);
        let taken = tokio::select! {
            biased;
            taken = events.take(most, &mut turn) => taken,
            Ok(()) = granted.changed(), if most == 0 => continue,
        };
        let merged = events.merged();
        if merged > told {
            batch.push_answer(&Answer::merged(id, merged - told));
            told = merged;
        }
        sent += turn.len() as u64;
        for event in turn.drain(..) {
            if let Err(long) = batch.push_event(Answer::event(id, event), longest) {
                output.write_batch(&batch).await;
                batch.clear();
                if output.deliver(long).await.is_err() {
                    // It has ended with the error, and is cancelled at the Gateway.
                    return;
                }
            }
        }
        match taken {
            Some(Ok(())) => {
                output.write_batch(&batch).await;
                batch.clear();
                tokio::task::yield_now().await;
            }
            Some(Err(error)) => {
                batch.push_answer(&Answer::error(id, error));
                return output.write_batch(&batch).await;
            }
            None => {
                batch.push_answer(&Answer::end(id));
                return output.write_batch(&batch).await;
            }
        }
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
