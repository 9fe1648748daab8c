//! What is said to everybody who follows. Who does not listen costs a bounded memory, is told so, and delays nobody.

use std::collections::VecDeque;

use ibkr_connect_core::{Error, ErrorKind};
use tokio::sync::broadcast::{self, error::RecvError};

/// How much is kept for those who follow: they are tasks of the thread that speaks, and are there in time.
pub(crate) const CAPACITY: usize = 1_024;

/// Those who follow. Who has left leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Followers<T>(broadcast::Sender<T>);

/// One of them: what was said before it came, then what comes.
#[derive(Debug)]
pub(crate) struct Follower<T> {
    past: VecDeque<T>,
    coming: broadcast::Receiver<T>,
}

/// So much was said while a follower did not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed(u64);

impl From<Missed> for Error {
    /// The end of a stream that must miss nothing.
    fn from(missed: Missed) -> Self {
        let message = format!("{} events were lost: more than {CAPACITY} came at once", missed.0);
        Self::new(ErrorKind::SlowConsumer, message).with_advice("ask again; what is kept comes first")
    }
}

impl<T: Clone> Default for Followers<T> {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl<T: Clone> Followers<T> {
    /// Says it to all who follow.
    pub(crate) fn tell(&self, said: T) {
        // An error means that nobody is there.
        let _ = self.0.send(said);
    }

    /// One more, who is told the past first.
    pub(crate) fn add(&self, past: VecDeque<T>) -> Follower<T> {
        Follower { past, coming: self.0.subscribe() }
    }
}

impl<T: Clone> Follower<T> {
    /// The next thing that is said; `None` when nothing more will be.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, Missed> {
        if let Some(past) = self.past.pop_front() {
            return Ok(Some(past));
        }
        match self.coming.recv().await {
            Ok(said) => Ok(Some(said)),
            Err(RecvError::Lagged(count)) => Err(Missed(count)),
            Err(RecvError::Closed) => Ok(None),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What a follower has to hear at once.
    pub(crate) fn heard<T: Clone>(follower: &mut Follower<T>) -> Vec<Result<T, Missed>> {
        let mut heard = Vec::new();
        loop {
            let next = pin!(follower.next()).poll(&mut Context::from_waker(Waker::noop()));
            match next {
                Poll::Ready(Ok(Some(said))) => heard.push(Ok(said)),
                Poll::Ready(Err(missed)) => heard.push(Err(missed)),
                Poll::Ready(Ok(None)) | Poll::Pending => return heard,
            }
        }
    }

    #[test]
    fn everybody_hears_the_past_and_what_comes() {
        let followers = Followers::default();
        let mut early = followers.add(VecDeque::new());
        followers.tell(1);
        let mut late = followers.add([1].into());
        followers.tell(2);
        drop(followers.add(VecDeque::new()));
        followers.tell(3);
        assert_eq!(heard(&mut early), [Ok(1), Ok(2), Ok(3)]);
        assert_eq!(heard(&mut late), [Ok(1), Ok(2), Ok(3)]);
    }

    #[test]
    fn who_does_not_listen_is_told_what_it_has_missed() {
        let followers = Followers::default();
        let mut deaf = followers.add([0].into());
        (1..=CAPACITY as i32 + 5).for_each(|said| followers.tell(said));
        let heard = heard(&mut deaf);
        assert_eq!((&heard[0], &heard[1], &heard[2]), (&Ok(0), &Err(Missed(5)), &Ok(6)));
        assert_eq!(heard.len(), CAPACITY + 2);
        let error = Error::from(Missed(5));
        assert_eq!(error.kind(), ErrorKind::SlowConsumer);
        assert!(error.message().starts_with("5 events were lost"), "{error}");
    }

    #[tokio::test]
    async fn it_ends_with_who_speaks() {
        let followers = Followers::<i32>::default();
        let mut follower = followers.add(VecDeque::new());
        followers.tell(1);
        drop(followers);
        assert_eq!((follower.next().await, follower.next().await), (Ok(Some(1)), Ok(None)));
    }
}
