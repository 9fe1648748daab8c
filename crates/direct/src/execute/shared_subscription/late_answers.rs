//! Answers to abandoned questions. They may still arrive, and do not say which question they answer.

use tokio::time::Instant;

use super::state::{Entry, FeedState};

/// What they are about, and until when.
#[derive(Debug, Default)]
pub(super) struct LateAnswers(Vec<(String, Instant)>);

impl LateAnswers {
    /// A feed about `subject` gives its permit back.
    pub(super) fn note<E: Entry>(&mut self, now: Instant, subject: &str, state: &FeedState<E>) {
        self.0.retain(|(_, until)| now < *until);
        self.0.extend(state.leaves_something_until().map(|until| (subject.to_owned(), until)));
    }

    /// Whether the first end mark that comes about `subject` may be that of an answer whose beginning nobody has got.
    pub(super) fn has(&self, now: Instant, subject: &str) -> bool {
        self.0.iter().any(|(of, until)| of == subject && now < *until)
    }
}
