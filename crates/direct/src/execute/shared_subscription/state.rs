//! The rows of a feed so far, its users, and the next step. Pure: events and time in, nothing out but to the listeners.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result};
use indexmap::IndexMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::permits::{Others, SILENCE};

/// How long a feed that nobody uses may be silent before the end of its first download before it is given up.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// How many rows are kept: more than any login has positions.
const MOST_ROWS: usize = 100_000;

/// An event of a feed that keeps a table up to date.
pub(crate) trait Entry: Debug + Clone + Send + 'static {
    /// What tells the rows apart.
    type Key: Debug + Eq + Hash + Send;

    /// The operation that the log names.
    const COMMAND: &'static str;

    /// What it does to the table.
    fn change(&self) -> Change<Self::Key>;

    /// The code and the text of a notice.
    fn notice(&self) -> Option<(i32, &str)>;
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

/// What a user is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update<E> {
    Event(E),
    /// The download starts over: what was told of it may be the answer to another question.
    Restart,
}

/// Whether a user stays when the first download is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// It wants the changes too.
    Updates,
    /// It leaves then.
    Snapshot,
}

/// What is to be done with the subscription.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing until then, or until something happens.
    Wait(Option<Instant>),
    /// The Gateway is to be asked once more.
    AskAgain,
    /// Another feed goes first.
    MakeRoom,
    /// Nobody uses it any more.
    Close,
}

#[derive(Debug)]
pub(super) struct FeedState<E: Entry> {
    rows: IndexMap<E::Key, E>,
    /// The event that has completed the first download.
    end: Option<E>,
    users: Vec<User<E>>,
    /// When the Gateway was asked last.
    asked: Option<Instant>,
    /// When it has told something last since it was asked first.
    heard: Option<Instant>,
    /// How often it was asked, and has come to an end.
    questions: u32,
    ends: u32,
    /// End marks that may be those of others.
    doubtful: u32,
    retry: Retry,
}

/// Whether somebody has found a question without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    No,
    /// It was nobody's question any more.
    AtOnce,
    /// Others wait for the answer too.
    WhenSilent,
}

#[derive(Debug)]
struct User<E> {
    told: mpsc::UnboundedSender<Result<Update<E>>>,
    interest: Interest,
}

impl<E> User<E> {
    fn is_there(&self) -> bool {
        !self.told.is_closed()
    }
}

impl<E: Entry> FeedState<E> {
    pub(super) fn new() -> Self {
        Self {
            rows: IndexMap::new(),
            end: None,
            users: Vec::new(),
            asked: None,
            heard: None,
            questions: 0,
            ends: 0,
            doubtful: 0,
            retry: Retry::No,
        }
    }

    /// What was told so far, then what comes.
    pub(super) fn join(
        &mut self,
        now: Instant,
        interest: Interest,
    ) -> mpsc::UnboundedReceiver<Result<Update<E>>> {
        let (told, received) = mpsc::unbounded_channel();
        for event in self.rows.values().chain(&self.end) {
            // The receiver is in our hands.
            let _ = told.send(Ok(Update::Event(event.clone())));
        }
        if self.asked.is_some() && self.end.is_none() && self.retry != Retry::AtOnce {
            let is_abandoned = !self.is_used() && (self.heard.is_none() || self.is_silent(now));
            self.retry = if is_abandoned { Retry::AtOnce } else { Retry::WhenSilent };
        }
        // While the Gateway is silent nobody else notices who has left.
        if self.users.len() == self.users.capacity() {
            self.users.retain(User::is_there);
        }
        self.users.push(User { told, interest });
        received
    }

    /// The Gateway is asked by a subscription that has nothing to do with one before.
    pub(super) fn ask_first(&mut self, now: Instant) {
        if self.heard.take().is_some() {
            self.rows.clear();
            self.tell(&Update::Restart);
        }
        (self.questions, self.ends, self.doubtful) = (0, 0, 0);
        self.ask_again(now);
    }

    /// The Gateway is asked once more.
    pub(super) fn ask_again(&mut self, now: Instant) {
        self.asked = Some(now);
        self.questions += 1;
        self.retry = Retry::No;
    }

    /// The next end mark may be that of an answer whose beginning nobody has got.
    pub(super) fn doubt(&mut self) {
        self.doubtful += 1;
    }

    /// Takes an event in and passes it on.
    pub(super) fn take(&mut self, now: Instant, event: E) {
        let change = event.change();
        if change != Change::None {
            self.heard = Some(now);
        }
        let is_new = |key: &E::Key| !self.rows.contains_key(key);
        if let Change::Row(key) | Change::Gone(key) = &change
            && self.rows.len() == MOST_ROWS
            && is_new(key)
        {
            return self.fail(&too_many());
        }
        match change {
            // What is closed before the end was in the download, and TWS would say so again.
            Change::Gone(key) if self.end.is_some() => drop(self.rows.shift_remove(&key)),
            Change::Row(key) | Change::Gone(key) => drop(self.rows.insert(key, event.clone())),
            Change::End => {
                self.ends += 1;
                if self.doubtful > 0 {
                    return self.restart();
                }
                // Of several, only the first one ends something.
                if self.end.replace(event.clone()).is_some() {
                    return;
                }
            }
            Change::None => {}
        }
        self.tell(&Update::Event(event));
    }

    fn restart(&mut self) {
        self.doubtful -= 1;
        self.rows.clear();
        self.retry = Retry::AtOnce;
        self.tell(&Update::Restart);
    }

    fn tell(&mut self, told: &Update<E>) {
        self.users.retain(|user| user.told.send(Ok(told.clone())).is_ok());
    }

    /// Sends everybody away.
    pub(super) fn fail(&mut self, error: &Error) {
        for user in self.users.drain(..) {
            // Who has left needs no error.
            let _ = user.told.send(Err(error.clone()));
        }
    }

    /// Whether somebody uses it.
    pub(super) fn is_used(&self) -> bool {
        self.users.iter().any(User::is_there)
    }

    /// Whether it has a user that stays after the first download.
    pub(super) fn is_held(&self) -> bool {
        self.users.iter().any(|user| user.is_there() && user.interest == Interest::Updates)
    }

    /// Whether it has told all that it was asked for, and nobody is there any more.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some() && !self.is_used()
    }

    /// Until when an answer, or the rest of one, may still come when it is cancelled now.
    pub(super) fn leaves_something_until(&self) -> Option<Instant> {
        (self.ends < self.questions).then(|| self.silent_since().map(|since| since + GIVEN_UP)).flatten()
    }

    /// What is to be done.
    pub(super) fn step(&self, now: Instant, others: Others) -> Step {
        let Some(silent) = self.silent_since() else { return Step::Wait(None) };
        match (&self.end, self.is_used()) {
            (Some(_), true) => Step::Wait(None),
            (Some(_), false) => Step::Close,
            (None, false) if others == Others::Wait || now >= silent + GIVEN_UP => Step::Close,
            (None, false) => Step::Wait(Some(silent + GIVEN_UP)),
            (None, true) => self.step_for_users(now, others, silent + SILENCE),
        }
    }

    /// The same while users wait for the end, and the Gateway will have been silent for long enough at `due`.
    fn step_for_users(&self, now: Instant, others: Others, due: Instant) -> Step {
        let makes_room = others == Others::Wait && !self.is_held();
        match self.retry {
            Retry::AtOnce => Step::AskAgain,
            Retry::No if !makes_room => Step::Wait(None),
            _ if now < due => Step::Wait(Some(due)),
            _ if makes_room => Step::MakeRoom,
            _ => Step::AskAgain,
        }
    }

    fn silent_since(&self) -> Option<Instant> {
        Some(self.asked?.max(self.heard.unwrap_or(self.asked?)))
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.silent_since().is_some_and(|since| now >= since + SILENCE)
    }
}

fn too_many() -> Error {
    let message = format!("the Gateway has sent more than {MOST_ROWS} rows");
    Error::new(ErrorKind::Protocol, message)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
