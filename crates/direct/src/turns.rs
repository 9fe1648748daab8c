//! Turns to ask what TWS answers without a request id.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

/// How long an answer that nobody waits for any more is waited for, before the next question is asked.
const LEFTOVERS: Duration = Duration::from_secs(30);

/// Turns to ask a question whose answer has no request id: what comes is taken for the answer to whatever was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<()>>);

impl Turns {
    /// Asks when the answer to the question before is through, even if nobody waits for that any more: its rest would be
    /// taken for the beginning of this one.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.0).lock_owned().await;
        let (mut asker, answer) = oneshot::channel();
        tokio::spawn(async move {
            let _turn = turn;
            let mut question = pin!(question);
            tokio::select! {
                answer = &mut question => drop(asker.send(answer)),
                () = asker.closed() => drop(timeout(LEFTOVERS, question).await),
            }
        });
        answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the question's task panicked")))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_for_the_rest_of_an_answer_that_nobody_wants() {
        let turns = Turns::default();
        let (end, mark) = oneshot::channel::<()>();
        let first = turns.ask(async move {
            let _ = mark.await;
            Ok(())
        });
        let impatient = timeout(Duration::from_millis(1), first);
        impatient.await.unwrap_err();

        let second = turns.ask(async { Ok(2) });
        let mut second = pin!(second);
        let early = timeout(Duration::from_millis(1), &mut second);
        early.await.expect_err("the first answer is not through");
        end.send(()).unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_ends_holds_the_next_question_up_for_so_long() {
        let turns = Turns::default();
        let first = turns.ask(std::future::pending::<Result<()>>());
        timeout(Duration::from_millis(1), first).await.unwrap_err();
        let begun = Instant::now();
        turns.ask(async { Ok(()) }).await.unwrap();
        assert_eq!(begun.elapsed(), LEFTOVERS);
    }
}
