//! What the Gateway says to nobody in particular, kept for those who ask later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ibapi::subscriptions::NoticeStream;
use ibkr_connect_core::types::Notice;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::convert;
use crate::standing::{Reasons, Standing, Topic};

/// How many are kept: a night of connectivity messages, not a history.
const KEPT: usize = 256;

/// The notices of a session. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices {
    board: Arc<Mutex<Board>>,
}

#[derive(Debug, Default)]
struct Board {
    kept: VecDeque<Notice>,
    followers: Vec<mpsc::UnboundedSender<Notice>>,
    standing: Standing,
}

impl Board {
    /// Adds a follower and forgets those that have left: on a quiet day there is no notice that would tell.
    fn add(&mut self, follower: mpsc::UnboundedSender<Notice>) {
        self.followers.retain(|follower| !follower.is_closed());
        self.followers.push(follower);
    }
}

impl Notices {
    /// Collects until ibapi's client ends.
    pub(crate) async fn collect(self, mut source: NoticeStream) {
        while let Some(notice) = source.next().await {
            self.publish(convert::notice(notice));
        }
    }

    /// Those that come.
    pub(crate) fn follow_from_now(&self) -> mpsc::UnboundedReceiver<Notice> {
        let (follower, notices) = mpsc::unbounded_channel();
        self.board().add(follower);
        notices
    }

    /// Those that are kept, then those that come.
    pub(crate) fn follow(&self) -> mpsc::UnboundedReceiver<Notice> {
        let (follower, notices) = mpsc::unbounded_channel();
        let mut board = self.board();
        for notice in &board.kept {
            // The receiver is in our hands.
            let _ = follower.send(notice.clone());
        }
        board.add(follower);
        notices
    }

    /// Why an operation about `topic` that was asked at `since` may have got no answer.
    pub(crate) fn reasons(&self, topic: Topic, since: Instant) -> Reasons {
        self.board().standing.reasons(topic, since)
    }

    fn publish(&self, notice: Notice) {
        let mut board = self.board();
        board.standing.hear(Instant::now(), &notice);
        board.followers.retain(|follower| follower.send(notice.clone()).is_ok());
        if board.kept.len() == KEPT {
            board.kept.pop_front();
        }
        board.kept.push_back(notice);
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(code: i32) -> Notice {
        Notice { code, message: String::new(), time: None }
    }

    fn codes(notices: &mut mpsc::UnboundedReceiver<Notice>) -> Vec<i32> {
        std::iter::from_fn(|| notices.try_recv().ok()).map(|notice| notice.code).collect()
    }

    #[test]
    fn a_follower_gets_what_was_said_before_it_came_and_after() {
        let notices = Notices::default();
        notices.publish(notice(2104));
        let mut first = notices.follow();
        notices.publish(notice(1100));
        let mut second = notices.follow();
        notices.publish(notice(1102));
        assert_eq!(codes(&mut first), [2104, 1100, 1102]);
        assert_eq!(codes(&mut second), [2104, 1100, 1102]);
    }

    #[test]
    fn followers_that_left_are_forgotten_also_while_nothing_is_said() {
        let notices = Notices::default();
        let _stays = notices.follow();
        (0..100).for_each(|_| drop(notices.follow_from_now()));
        (0..100).for_each(|_| drop(notices.follow()));
        assert_eq!(
            notices.board().followers.len(),
            2,
            "the one that stays, and the last until the next comes"
        );
    }

    #[test]
    fn only_the_newest_are_kept_and_a_follower_that_left_is_forgotten() {
        let notices = Notices::default();
        drop(notices.follow());
        (0..300).for_each(|code| notices.publish(notice(code)));
        assert_eq!(codes(&mut notices.follow()), (44..300).collect::<Vec<_>>());
        assert_eq!(
            notices.board().followers.len(),
            1,
            "the one before has been dropped after the last notice"
        );
    }
}
