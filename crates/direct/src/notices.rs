//! What the Gateway says to nobody in particular, kept for those who ask later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ibapi::subscriptions::NoticeStream;
use ibkr_connect_core::types::Notice;
use tokio::time::Instant;

use crate::convert;
use crate::followers::{Follower, Followers};
use crate::standing::{Reasons, Standing, Topic};

/// How many are kept: a night of connectivity messages, not a history.
const KEPT: usize = 256;

/// The notices of a session. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Notice>,
    followers: Followers<Notice>,
    standing: Standing,
}

impl Notices {
    /// Collects until ibapi's client ends.
    pub(crate) async fn collect(self, mut source: NoticeStream) {
        while let Some(notice) = source.next().await {
            self.publish(convert::notice(notice));
        }
    }

    /// Those that come.
    pub(crate) fn follow_from_now(&self) -> Follower<Notice> {
        self.state().followers.add(VecDeque::new())
    }

    /// Those that are kept, then those that come.
    pub(crate) fn follow(&self) -> Follower<Notice> {
        let state = self.state();
        state.followers.add(state.kept.clone())
    }

    /// Why an operation about `topic` that was asked at `since` may have got no answer.
    pub(crate) fn reasons(&self, topic: Topic, since: Instant) -> Reasons {
        self.state().standing.reasons(topic, since)
    }

    fn publish(&self, notice: Notice) {
        let mut state = self.state();
        state.standing.hear(Instant::now(), &notice);
        state.followers.tell(notice.clone());
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(notice);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::followers::tests::heard;

    fn notice(code: i32) -> Notice {
        ibkr_connect_core::literal!(Notice { code, message: String::new(), time: None })
    }

    fn codes(notices: &mut Follower<Notice>) -> Vec<i32> {
        heard(notices).into_iter().map(|notice| notice.unwrap().code).collect()
    }

    #[test]
    fn a_follower_gets_what_was_said_before_it_came_and_after() {
        let notices = Notices::default();
        notices.publish(notice(2104));
        let mut first = notices.follow();
        notices.publish(notice(1100));
        let mut second = notices.follow();
        let mut from_now = notices.follow_from_now();
        notices.publish(notice(1102));
        assert_eq!(codes(&mut first), [2104, 1100, 1102]);
        assert_eq!(codes(&mut second), [2104, 1100, 1102]);
        assert_eq!(codes(&mut from_now), [1102]);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let notices = Notices::default();
        (0..300).for_each(|code| notices.publish(notice(code)));
        assert_eq!(codes(&mut notices.follow()), (44..300).collect::<Vec<_>>());
    }
}
