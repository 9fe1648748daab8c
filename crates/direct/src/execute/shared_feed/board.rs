//! What a feed has told so far, and who listens. Pure: events and time in, nothing out but to the listeners.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use ibkr_connect_core::{Error, Result};
use indexmap::IndexMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long a feed that nobody uses may be silent in the middle of its first download before it is given up.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// An event of a feed that keeps a table up to date.
pub(crate) trait Entry: Debug + Clone + Send + 'static {
    /// What tells the rows apart.
    type Key: Debug + Eq + Hash + Send;

    /// What it does to the table.
    fn change(&self) -> Change<Self::Key>;
}

/// What an event does to the table of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<K> {
    /// A row, in place of the one with the same key.
    Row(K),
    /// A row of something that is no more.
    Gone(K),
    /// The first download is complete.
    End,
    /// Nothing: it is news.
    None,
}

/// Whether a user stays when the first download is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It wants the changes too.
    ForChanges,
    /// It leaves then.
    UntilTheEnd,
}

#[derive(Debug)]
pub(super) struct Board<E: Entry> {
    rows: IndexMap<E::Key, E>,
    /// The event that has completed the first download.
    end: Option<E>,
    users: Vec<User<E>>,
    /// Since when it has been silent without a user.
    silent_since: Option<Instant>,
}

#[derive(Debug)]
struct User<E> {
    events: mpsc::UnboundedSender<Result<E>>,
    stay: Stay,
}

impl<E> User<E> {
    fn is_there(&self) -> bool {
        !self.events.is_closed()
    }
}

impl<E: Entry> Board<E> {
    pub(super) fn new() -> Self {
        Self { rows: IndexMap::new(), end: None, users: Vec::new(), silent_since: None }
    }

    /// What was told so far, then what comes.
    pub(super) fn join(&mut self, stay: Stay) -> mpsc::UnboundedReceiver<Result<E>> {
        let (events, received) = mpsc::unbounded_channel();
        for event in self.rows.values().chain(&self.end) {
            // The receiver is in our hands.
            let _ = events.send(Ok(event.clone()));
        }
        // Those that have left: a quiet feed has no event that would tell.
        self.users.retain(User::is_there);
        self.users.push(User { events, stay });
        received
    }

    /// Takes an event in and passes it on.
    pub(super) fn take(&mut self, event: E) {
        self.silent_since = None;
        match event.change() {
            // What is closed before the end was in the download, and TWS would say so again.
            Change::Gone(key) if self.end.is_some() => drop(self.rows.shift_remove(&key)),
            Change::Row(key) | Change::Gone(key) => drop(self.rows.insert(key, event.clone())),
            Change::End => self.end = Some(event.clone()),
            Change::None => {}
        }
        self.users.retain(|user| user.events.send(Ok(event.clone())).is_ok());
    }

    /// Sends everybody away.
    pub(super) fn fail(&mut self, error: &Error) {
        for user in self.users.drain(..) {
            // Who has left needs no error.
            let _ = user.events.send(Err(error.clone()));
        }
    }

    /// Whether somebody uses it.
    pub(super) fn is_used(&self) -> bool {
        self.users.iter().any(User::is_there)
    }

    /// Whether somebody uses it who does not leave by itself.
    pub(super) fn is_held(&self) -> bool {
        self.users.iter().any(|user| user.is_there() && user.stay == Stay::ForChanges)
    }

    /// Whether it has told all that it was asked for, and nobody is there any more.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some() && !self.is_used()
    }

    /// When it may be cancelled if nothing happens: never while somebody uses it, at once when it is over, else when it has
    /// been silent for long.
    pub(super) fn ends_at(&mut self, now: Instant) -> Option<Instant> {
        if self.is_used() {
            return None;
        }
        if self.is_over() {
            return Some(now);
        }
        Some(*self.silent_since.get_or_insert(now) + GIVEN_UP)
    }
}

#[cfg(test)]
mod tests {
    use ibkr_connect_core::ErrorKind;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Told {
        Held(&'static str, i32),
        End,
        News,
    }

    use Told::{End, Held, News};

    impl Entry for Told {
        type Key = &'static str;

        fn change(&self) -> Change<&'static str> {
            match self {
                Held(name, 0) => Change::Gone(name),
                Held(name, _) => Change::Row(name),
                End => Change::End,
                News => Change::None,
            }
        }
    }

    fn board(told: &[Told]) -> Board<Told> {
        let mut board = Board::new();
        told.iter().for_each(|event| board.take(*event));
        board
    }

    fn heard(events: &mut mpsc::UnboundedReceiver<Result<Told>>) -> Vec<Told> {
        std::iter::from_fn(|| events.try_recv().ok()).map(Result::unwrap).collect()
    }

    #[test]
    fn whoever_comes_late_hears_the_newest_of_everything_and_then_the_rest() {
        let mut board = board(&[Held("a", 1), Held("b", 1), News, Held("a", 2)]);
        let mut early = board.join(Stay::ForChanges);
        board.take(Held("c", 1));
        board.take(End);
        board.take(Held("b", 3));
        let mut late = board.join(Stay::UntilTheEnd);
        board.take(Held("c", 0));
        assert_eq!(
            heard(&mut early),
            [Held("a", 2), Held("b", 1), Held("c", 1), End, Held("b", 3), Held("c", 0)]
        );
        assert_eq!(heard(&mut late), [Held("a", 2), Held("b", 3), Held("c", 1), End, Held("c", 0)]);
    }

    #[test]
    fn what_was_closed_is_in_the_download_but_not_kept_afterwards() {
        let mut board = board(&[Held("a", 0), Held("b", 1), End, Held("b", 0)]);
        assert_eq!(heard(&mut board.join(Stay::UntilTheEnd)), [Held("a", 0), End]);
    }

    #[test]
    fn it_is_held_by_those_who_stay_and_used_by_all() {
        let mut board = board(&[]);
        let leaves = board.join(Stay::UntilTheEnd);
        assert!(board.is_used() && !board.is_held());
        let stays = board.join(Stay::ForChanges);
        assert!(board.is_held());
        drop(stays);
        assert!(board.is_used() && !board.is_held());
        drop(leaves);
        assert!(!board.is_used());
    }

    #[test]
    fn those_who_left_are_forgotten_also_while_nothing_is_told() {
        let mut board = board(&[Held("a", 1), End]);
        let _stays = board.join(Stay::ForChanges);
        (0..100).for_each(|_| drop(board.join(Stay::UntilTheEnd)));
        assert_eq!(board.users.len(), 2, "the one that stays, and the last until the next comes");
    }

    #[test]
    fn a_complete_one_ends_with_its_last_user() {
        let now = Instant::now();
        let mut board = board(&[Held("a", 1), End]);
        let user = board.join(Stay::ForChanges);
        assert_eq!(board.ends_at(now), None);
        drop(user);
        assert_eq!(board.ends_at(now), Some(now));
    }

    #[test]
    fn an_unfinished_one_is_given_up_when_it_stays_silent_whoever_looks_in() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut board = board(&[Held("a", 1)]);
        assert_eq!(board.ends_at(now), Some(now + GIVEN_UP));
        let in_vain = board.join(Stay::UntilTheEnd);
        assert_eq!(board.ends_at(now + second), None);
        drop(in_vain);
        assert_eq!(board.ends_at(now + 2 * second), Some(now + GIVEN_UP));
        board.take(Held("b", 1));
        assert_eq!(board.ends_at(now + 3 * second), Some(now + 3 * second + GIVEN_UP));
        board.take(End);
        assert_eq!(board.ends_at(now + 4 * second), Some(now + 4 * second));
    }

    #[test]
    fn an_error_sends_everybody_away() {
        let mut board = board(&[Held("a", 1)]);
        let mut user = board.join(Stay::ForChanges);
        board.fail(&Error::new(ErrorKind::Disconnected, "the line is dead"));
        assert_eq!(user.try_recv().unwrap().unwrap(), Held("a", 1));
        assert_eq!(user.try_recv().unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
        assert!(user.try_recv().is_err() && !board.is_used());
    }
}
