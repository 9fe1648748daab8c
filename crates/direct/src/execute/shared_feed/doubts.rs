//! Answers that nobody waits for any more, but that may still come, and then without saying whose they are.

use tokio::time::Instant;

use super::board::{Board, Entry};

/// What they are about, and until when.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<(String, Instant)>);

impl Doubts {
    /// A feed about `subject` leaves its place.
    pub(super) fn note<E: Entry>(&mut self, now: Instant, subject: &str, board: &Board<E>) {
        self.0.retain(|(_, until)| now < *until);
        self.0.extend(board.leaves_something_until().map(|until| (subject.to_owned(), until)));
    }

    /// Whether the first end mark that comes about `subject` may be that of an answer whose beginning nobody has got.
    pub(super) fn has(&self, now: Instant, subject: &str) -> bool {
        self.0.iter().any(|(of, until)| of == subject && now < *until)
    }
}
