//! Streams across sessions: a state machine of events and time beside the session's, which knows no channels and no clocks.
//!
//! Its rules: a lost session is waited for; only the Gateway's refusal ends a stream; the old subscription is ended before the
//! new one is opened, so that nothing is repeated; and all that may be missing is told as a gap. `failure` judges what ends a
//! subscription, `activity` finds those that stay silent, `entry` is what is known about one stream, `content` what it depends on,
//! and `events` is what goes in and comes out.

mod activity;
mod content;
mod entry;
mod events;
mod failure;

use std::collections::BTreeMap;
use std::time::Duration;

use ibkr_connect_core::types::{Connectivity, FarmStatus};
use ibkr_connect_core::{Error, ErrorKind};

pub(crate) use self::content::Content;
use self::entry::{Entry, State};
pub(crate) use self::events::{Action, Event, Gap, OpeningId, ResubscribeReason, Sample, StreamId};
pub(crate) use self::failure::{Pace, Pauses};
use self::failure::{Verdict, judge};
use super::outage::Servers;
use super::time::{Reading, earliest};

/// How often open streams are looked at.
pub(crate) const SAMPLE: Duration = Duration::from_secs(5);
/// How long the backend may take to let go of a cancelled subscription before the next one is opened all the same.
const RELEASE: Duration = Duration::from_secs(2);

/// All streams of a supervisor.
#[derive(Debug)]
pub(crate) struct Streams {
    entries: BTreeMap<StreamId, Entry>,
    /// How long an opening may take: its backend keeps deadlines of its own, which are shorter.
    opening_limit: Duration,
    has_session: bool,
    /// While they are lost, nothing comes from them.
    servers: Servers,
    last_opening: OpeningId,
    sampled: Reading,
}

impl Streams {
    pub(crate) fn new(opening_limit: Duration, now: Reading) -> Self {
        Self {
            entries: BTreeMap::new(),
            opening_limit,
            has_session: false,
            servers: Servers::default(),
            last_opening: OpeningId(0),
            sampled: now,
        }
    }

    /// Takes an event and says what is to be done. What comes too late changes nothing.
    pub(crate) fn on(&mut self, now: Reading, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Registered { id, content } => drop(self.entries.insert(id, Entry::new(content, now))),
            Event::Dropped { id } => self.dropped(id, &mut actions),
            Event::Opened { id, opening } => self.opened(now, id, opening, &mut actions),
            Event::OpenFailed { id, opening, error } => {
                self.open_failed(now, id, opening, error, &mut actions);
            }
            Event::Ended { id, opening, received, end } => {
                self.ended(now, (id, opening), received, end, &mut actions);
            }
            Event::Released { id, opening } => self.released(id, opening),
            Event::Taken { id, opening } => self.consumer(id, |entry| entry.taken = opening),
            Event::ReadToEnd { id, opening } => self.consumer(id, |entry| entry.read = opening),
            Event::Sampled(samples) => self.sampled(now, &samples),
            Event::SessionUp => self.session_up(),
            Event::SessionLost { last_answer } => self.session_lost(last_answer, &mut actions),
            Event::Void { since } => self.void(now, since, &mut actions),
            Event::Connectivity(change) => self.connectivity(now, &change),
        }
        self.advance(now, &mut actions);
        actions
    }

    /// When the next [`Event::Tick`] is wanted, if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Reading> {
        earliest(self.entries.values().map(|entry| entry.wake_at(self.has_session)))
    }

    /// When the next [`Event::Sampled`] is wanted; `None` while nothing is open.
    pub(crate) fn sample_at(&self) -> Option<Reading> {
        self.entries.values().any(Entry::is_open).then(|| self.sampled + SAMPLE)
    }

    fn dropped(&mut self, id: StreamId, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.remove(&id) else { return };
        actions.extend(entry.subscription().map(|opening| Action::Cancel { id, opening }));
        actions.push(Action::Forget { id });
    }

    fn opened(&mut self, now: Reading, id: StreamId, opening: OpeningId, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.is_opening(opening) {
            let gap = entry.open(now, opening);
            actions.push(Action::Deliver { id, gap });
        } else {
            // It was cancelled in the meantime, and nobody takes it.
            entry.release(opening);
        }
    }

    fn open_failed(
        &mut self,
        now: Reading,
        id: StreamId,
        opening: OpeningId,
        error: Error,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.is_opening(opening) {
            self.failed(now, id, error, actions);
        } else {
            entry.release(opening);
        }
    }

    fn ended(
        &mut self,
        now: Reading,
        (id, opening): (StreamId, OpeningId),
        received: u64,
        end: Result<(), Error>,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let State::Open { opening: current, since, .. } = entry.state else { return };
        if current != opening {
            return;
        }
        entry.has_given |= received > 0;
        entry.interrupted(self.servers.lost_since().unwrap_or(now));
        entry.pauses.served(now.since(since));
        match end {
            Ok(()) if entry.content == Content::Snapshot => {
                self.entries.remove(&id);
                actions.push(Action::End { id, end: Ok(()) });
            }
            Ok(()) => self.failed(now, id, cut_short(), actions),
            Err(error) => {
                if error.kind() == ErrorKind::SlowConsumer {
                    // Asking before that only fills the next buffer.
                    entry.must_read = opening;
                }
                self.failed(now, id, error, actions);
            }
        }
    }

    fn failed(&mut self, now: Reading, id: StreamId, error: Error, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let pace = match judge(&error, entry.has_given) {
            Verdict::Refused => {
                self.entries.remove(&id);
                return actions.push(Action::End { id, end: Err(error) });
            }
            // If the session is lost, the next one comes first.
            Verdict::Lost => Pace::Soon,
            Verdict::Again(pace) => pace,
        };
        let pause = entry.pauses.next(pace);
        entry.state = State::Waiting { due: Some(now + pause) };
        actions.push(Action::AskAgain { id, why: ResubscribeReason::Failed(error), pause });
    }

    fn released(&mut self, id: StreamId, opening: OpeningId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.release(opening);
        }
    }

    fn consumer(&mut self, id: StreamId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
        }
    }

    fn sampled(&mut self, now: Reading, samples: &[Sample]) {
        self.sampled = now;
        for sample in samples {
            if let Some(entry) = self.entries.get_mut(&sample.id) {
                entry.sampled(now, sample);
            }
        }
    }

    fn session_up(&mut self) {
        (self.has_session, self.servers) = (true, Servers::default());
        for entry in self.entries.values_mut() {
            if let State::Waiting { due } = &mut entry.state {
                *due = None;
            }
        }
    }

    fn session_lost(&mut self, last_answer: Reading, actions: &mut Vec<Action>) {
        self.has_session = false;
        let since = self.servers.lost_since().map_or(last_answer, |lost| last_answer.earlier_of(lost));
        for (id, entry) in &mut self.entries {
            // A subscription that has just ended was lost with the session.
            entry.interrupted(since);
            actions.extend(entry.subscription().map(|opening| Action::Cancel { id: *id, opening }));
            entry.state = State::Waiting { due: None };
        }
    }

    fn void(&mut self, now: Reading, since: Reading, actions: &mut Vec<Action>) {
        for (id, entry) in &mut self.entries {
            if entry.content.is_market_data()
                && let Some(opening) = entry.subscription()
            {
                // Whether one that is being opened was asked for before the 1101 is not known.
                if entry.is_open() {
                    entry.interrupted(since);
                }
                entry.close(opening, now + RELEASE, None);
                actions.push(Action::Cancel { id: *id, opening });
            }
        }
    }

    fn connectivity(&mut self, now: Reading, change: &Connectivity) {
        use Connectivity::{Broken, DataFarm, Lost, Restored};
        self.servers.on(now, change);
        for entry in self.entries.values_mut() {
            let State::Open { activity, .. } = &mut entry.state else { continue };
            match change {
                Lost {} | Broken {} if entry.content.depends_on_servers() => activity.outage_began(now),
                Restored { .. } => activity.outage_ended(now),
                DataFarm { kind, status: FarmStatus::Disconnected, .. }
                    if entry.content.depends_on_farm(*kind) =>
                {
                    activity.outage_began(now);
                }
                // Whichever farm it is: a stream that goes on shows it by its events.
                DataFarm { status: FarmStatus::Connected, .. } => activity.outage_ended(now),
                _ => {}
            }
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Reading, actions: &mut Vec<Action>) {
        for (id, entry) in &mut self.entries {
            let id = *id;
            match &entry.state {
                State::Opening { opening, until } if now.has_reached(*until) => {
                    let opening = *opening;
                    let pause = entry.pauses.next(Pace::Soon);
                    let error = overdue(self.opening_limit);
                    entry.close(opening, now + RELEASE, Some(now + pause));
                    actions.push(Action::Cancel { id, opening });
                    actions.push(Action::AskAgain { id, why: ResubscribeReason::Failed(error), pause });
                }
                State::Open { opening, activity, .. }
                    if activity.suspected_at().is_some_and(|suspected| now.has_reached(suspected)) =>
                {
                    let opening = *opening;
                    entry.interrupted(now);
                    entry.close(opening, now + RELEASE, None);
                    actions.push(Action::Cancel { id, opening });
                    actions.push(Action::AskAgain {
                        id,
                        why: ResubscribeReason::Silent,
                        pause: Duration::ZERO,
                    });
                }
                State::Closing { opening, until, .. } if now.has_reached(*until) => {
                    let opening = *opening;
                    entry.release(opening);
                }
                _ => {}
            }
            if self.has_session && entry.may_be_opened(now) {
                self.last_opening.0 += 1;
                let opening = self.last_opening;
                entry.state = State::Opening { opening, until: now + self.opening_limit };
                actions.push(Action::Open { id, opening });
            }
        }
    }
}

/// A stream that has no end of its own has ended without an error.
fn cut_short() -> Error {
    Error::new(ErrorKind::Disconnected, "the stream was cut short")
}

fn overdue(limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("the stream was not open within {limit:?}"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
mod tape_tests;
