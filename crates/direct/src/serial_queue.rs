//! SerialQueue to ask what TWS answers without a request id: what comes is taken for the answer to whatever was asked.
//!
//! A question that was given up may still be answered, or may have been overlooked for good; nothing tells. So the next one is asked
//! at once. Where the answer that comes then could be another's, or the rest of one, it is not taken: the question is asked once
//! more, and what comes after that end mark is its answer.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Result;
use tokio::time::Instant;

use crate::notes::Notes;
use crate::permits::Permits;
use crate::wiretap::{HaltGuard, Wiretap};
use ibkr_connect_wire::Family;

/// After that long, a question that was not answered is one that was overlooked.
const OVERLOOKED: Duration = Duration::from_secs(30);

/// An answer as it comes.
pub(crate) trait Answer: Send {
    type Row: Send;

    /// The next row; `None` at the end mark.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Row>>> + Send;
}

/// A question that can be asked as often as it takes.
pub(crate) trait Question: Sync {
    type Answer: Answer;

    /// What tells it from other questions with the same end mark.
    const KIND: &'static str;

    /// Asks the Gateway. Everything that comes from the first poll on is in the answer.
    fn ask(&self) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// SerialQueue for the questions of a family. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct SerialQueue {
    family: Family,
    tap: Wiretap,
    permits: Permits,
    unanswered: Arc<Mutex<Vec<Unanswered>>>,
}

/// A question whose answer may still come, and reaches nobody.
#[derive(Debug, Clone, Copy)]
struct Unanswered {
    kind: &'static str,
    asked: Instant,
    /// How many frames of the family had passed by then.
    frames: u64,
}

impl SerialQueue {
    pub(crate) fn new(family: Family, tap: &Wiretap) -> Self {
        Self { family, tap: tap.clone(), permits: Permits::new(1), unanswered: Arc::default() }
    }

    /// The whole answer. Who waits behind a question about which the Gateway is silent goes first, and it is asked again after that.
    pub(crate) async fn ask<Q: Question>(
        &self,
        notes: &Notes,
        question: &Q,
    ) -> Result<Vec<<Q::Answer as Answer>::Row>> {
        loop {
            notes.wait();
            let mut permit = self.permits.acquire().await?;
            tokio::select! {
                biased;
                answer = self.answer(notes, question) => return answer,
                () = permit.is_due(notes) => {}
            }
        }
    }

    async fn answer<Q: Question>(
        &self,
        notes: &Notes,
        question: &Q,
    ) -> Result<Vec<<Q::Answer as Answer>::Row>> {
        let mut rest = self.spoilers(Q::KIND);
        let mut halting = (rest > 0).then(|| self.tap.halt_at_ends(self.family));
        let mut asked = Asked { queue: self, questions: Vec::new() };
        loop {
            asked.questions.push(self.unanswered(Q::KIND));
            notes.ask();
            let mut answer = question.ask().await?;
            // Between the end mark before and this question nothing may have passed unseen.
            rest +=
                usize::from(halting.as_ref().is_some_and(|halting| missed(halting, asked.questions.len())));
            if rest == 0 {
                halting = None;
            }
            let mut rows = Vec::new();
            while let Some(row) = answer.next().await? {
                notes.hear();
                rows.push(row);
            }
            if rest == 0 {
                asked.is_answered();
                return Ok(rows);
            }
            rest -= 1;
        }
    }

    /// How many questions there are whose answer, or the rest of it, could be taken for that to a question of `kind`.
    fn spoilers(&self, kind: &'static str) -> usize {
        let (now, frames) = (Instant::now(), self.tap.frames(self.family));
        let mut unanswered = self.all_unanswered();
        unanswered.retain(|question| now - question.asked < OVERLOOKED);
        // Another one's answer is whole, and the same, if nothing of it has come.
        let spoils = |question: &&Unanswered| question.kind != kind || question.frames != frames;
        unanswered.iter().filter(spoils).count()
    }

    fn unanswered(&self, kind: &'static str) -> Unanswered {
        Unanswered { kind, asked: Instant::now(), frames: self.tap.frames(self.family) }
    }

    fn all_unanswered(&self) -> MutexGuard<'_, Vec<Unanswered>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the relay did not wait at the end mark before the question, of which it is the so-manieth.
fn missed(halting: &HaltGuard<'_>, question: usize) -> bool {
    question > 1 && !halting.go_on()
}

/// The times that a question was asked. Dropped without an answer, they are all still open.
struct Asked<'a> {
    queue: &'a SerialQueue,
    questions: Vec<Unanswered>,
}

impl Asked<'_> {
    /// Nothing of it is open any more. A question that was asked once more for each that spoiled it may be answered once more for
    /// each; but those are still counted.
    fn is_answered(&mut self) {
        self.questions.clear();
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.queue.all_unanswered().append(&mut self.questions);
    }
}

#[cfg(test)]
#[path = "serial_queue_tests.rs"]
mod tests;
