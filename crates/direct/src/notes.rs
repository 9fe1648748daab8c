//! What a deadline has to know about an operation when it ends it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// How far an operation has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Others have their turn before it.
    Waits,
    /// The Gateway has been asked.
    Asked,
    /// A part of the answer has come.
    Begun,
}

/// The notes about one operation.
#[derive(Debug)]
pub(crate) struct Notes(Mutex<Page>);

#[derive(Debug)]
struct Page {
    stage: Stage,
    /// Whether the Gateway has been asked at any time.
    was_asked: bool,
    /// What the Gateway has said since then may be about it.
    since: Instant,
    /// When it was asked, or a part of the answer came.
    moved: Instant,
    request_ids: Vec<i32>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Page {
            stage: Stage::Asked,
            was_asked: false,
            since: now,
            moved: now,
            request_ids: Vec::new(),
        }))
    }

    /// It is not its turn yet.
    pub(crate) fn wait(&self) {
        self.page().stage = Stage::Waits;
    }

    /// The Gateway is asked.
    pub(crate) fn ask(&self) {
        let mut page = self.page();
        (page.stage, page.was_asked, page.moved) = (Stage::Asked, true, Instant::now());
    }

    /// The Gateway is asked under this request id.
    pub(crate) fn ask_as(&self, request_id: i32) {
        self.ask();
        let mut page = self.page();
        if page.request_ids.last() != Some(&request_id) {
            page.request_ids.push(request_id);
        }
    }

    /// Its question is one that was asked at `since`, perhaps by another.
    pub(crate) fn share(&self, since: Instant) {
        self.ask();
        let mut page = self.page();
        page.since = page.since.min(since);
    }

    /// A part of the answer has come.
    pub(crate) fn hear(&self) {
        let mut page = self.page();
        (page.stage, page.moved) = (Stage::Begun, Instant::now());
    }

    pub(crate) fn stage(&self) -> Stage {
        self.page().stage
    }

    /// Whether it has waited for its turn all the time: nothing was sent.
    pub(crate) fn is_unsent(&self) -> bool {
        let page = self.page();
        page.stage == Stage::Waits && !page.was_asked
    }

    pub(crate) fn since(&self) -> Instant {
        self.page().since
    }

    /// Since when nothing has moved.
    pub(crate) fn silent_since(&self) -> Instant {
        self.page().moved
    }

    /// The ids under which the Gateway was asked, the newest last; empty for questions that have none.
    pub(crate) fn request_ids(&self) -> Vec<i32> {
        self.page().request_ids.clone()
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_shares_a_question_was_not_asked_later_than_that_nor_earlier_than_itself() {
        let notes = Notes::new();
        let (begun, earlier) = (notes.since(), notes.since() - Duration::from_secs(1));
        notes.share(begun + Duration::from_secs(1));
        assert_eq!(notes.since(), begun);
        notes.share(earlier);
        assert_eq!((notes.since(), notes.stage()), (earlier, Stage::Asked));
    }

    #[test]
    fn an_operation_moves_when_it_is_asked_and_when_it_is_answered() {
        let notes = Notes::new();
        notes.wait();
        assert_eq!((notes.stage(), notes.request_ids(), notes.is_unsent()), (Stage::Waits, vec![], true));
        let waited = notes.silent_since();
        notes.ask_as(7);
        assert_eq!((notes.stage(), notes.request_ids(), notes.is_unsent()), (Stage::Asked, vec![7], false));
        notes.wait();
        assert!(!notes.is_unsent(), "it waits for its next question");
        notes.ask();
        let asked = notes.silent_since();
        notes.hear();
        assert_eq!(notes.stage(), Stage::Begun);
        assert!(waited <= asked && asked <= notes.silent_since());
    }
}
