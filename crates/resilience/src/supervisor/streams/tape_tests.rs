//! A numbered tape under random schedules: nothing is repeated, every hole is a gap, and no stream is lost.
//!
//! A Gateway that gives each subscription the same tape, one number a second; a worker that keeps what the consumer has no room
//! for; consumers that sleep; and, in between, losses, outages, refusals, pacing, silence, and consumers that leave.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ibkr_connect_core::types::FarmKind;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const SCHEDULES: u64 = 1_000;
const STREAMS: u64 = 3;
/// How many events a consumer's buffer has room for, and how many a worker keeps behind it.
const ROOM: usize = 4;
const KEPT: usize = 4;
const SECOND: u64 = 1_000;
/// Longer than the longest pause between two questions for a stream.
const CALM: u64 = 310 * SECOND;

fn at(millis: u64) -> Reading {
    Reading::START + Duration::from_millis(millis)
}

fn millis(reading: Reading) -> u64 {
    u64::try_from(reading.since(Reading::START).as_millis()).unwrap()
}

/// What is done to them.
#[derive(Debug, Clone, Copy)]
enum Turn {
    SessionLost,
    /// IBKR's servers are gone for so long, and market data void afterwards.
    Outage(u64),
    /// The Gateway ends a subscription with this code.
    EndedWith(StreamId, i32),
    /// The Gateway refuses a stream for good.
    Refused(StreamId),
    /// So many openings meet our own limits.
    Pacing(u32),
    /// A farm flaps, and the subscription stays silent.
    Silent(StreamId),
    Sleeps(StreamId, u64),
    Leaves(StreamId),
}

/// What happens by itself.
#[derive(Debug)]
enum ScheduledEvent {
    Turn(Turn),
    SecondPasses,
    Ping,
    Wake,
    /// From now on nothing is done to them.
    Calm,
    SessionUp,
    OutageOver,
    Established(StreamId, OpeningId),
    Told(Event),
    CancelArrives(OpeningId),
}

#[derive(Debug)]
struct Subscription {
    stream: StreamId,
    session: u64,
    since: u64,
    /// At the Gateway.
    is_alive: bool,
    /// It gives nothing, and the Gateway does not say so.
    is_silent: bool,
    /// Nobody takes what it gives.
    is_cancelled: bool,
    received: u64,
    unread: VecDeque<u64>,
    kept: VecDeque<u64>,
    end: Option<Error>,
}

#[derive(Debug, Default)]
struct Consumer {
    current: Option<OpeningId>,
    pending: VecDeque<(OpeningId, Option<Gap>)>,
    last: Option<u64>,
    gaps: Vec<Gap>,
    awake_at: u64,
    has_said_end: bool,
    has_left: bool,
    is_refused: bool,
    is_over: bool,
    given: u64,
}

struct World {
    now: u64,
    queue: BTreeMap<(u64, u64), ScheduledEvent>,
    sequence: u64,
    streams: Streams,
    subscriptions: HashMap<OpeningId, Subscription>,
    consumers: BTreeMap<StreamId, Consumer>,
    session: Option<u64>,
    sessions: u64,
    last_answer: u64,
    wake: Option<u64>,
    outages: u32,
    outage_began: u64,
    pacing: u32,
    /// Whether a worker keeps what there is no room for.
    keeps: usize,
    holes: u64,
}

fn content(id: StreamId) -> Content {
    [Content::Market, Content::Account, Content::Bars][id.0 as usize % 3]
}

impl World {
    fn new(keeps: usize) -> Self {
        let mut world = Self {
            now: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            streams: Streams::new(Duration::from_secs(90), at(0)),
            subscriptions: HashMap::new(),
            consumers: BTreeMap::new(),
            session: None,
            sessions: 0,
            last_answer: 0,
            wake: None,
            outages: 0,
            outage_began: 0,
            pacing: 0,
            keeps,
            holes: 0,
        };
        for id in (0..STREAMS).map(StreamId) {
            world.consumers.insert(id, Consumer::default());
            world.tell(Event::Registered { id, content: content(id) });
        }
        world.plan(500, ScheduledEvent::SessionUp);
        world.plan(700, ScheduledEvent::Ping);
        world.plan(SECOND, ScheduledEvent::SecondPasses);
        world
    }

    fn plan(&mut self, at: u64, happening: ScheduledEvent) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    fn soon(&mut self, after: u64, happening: ScheduledEvent) {
        self.plan(self.now + after, happening);
    }

    fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happens(happening);
        }
        self.now = end;
    }

    fn happens(&mut self, happening: ScheduledEvent) {
        match happening {
            ScheduledEvent::Turn(turn) => self.turn(turn),
            ScheduledEvent::SecondPasses => self.second_passes(),
            ScheduledEvent::Ping => {
                self.last_answer = if self.session.is_some() { self.now } else { self.last_answer };
                self.soon(7 * SECOND, ScheduledEvent::Ping);
            }
            ScheduledEvent::Wake => {
                self.wake = None;
                self.tell(Event::Tick);
            }
            ScheduledEvent::Calm => self.pacing = 0,
            ScheduledEvent::SessionUp => {
                self.sessions += 1;
                (self.session, self.last_answer) = (Some(self.sessions), self.now);
                self.tell(Event::SessionUp);
                if self.outages > 0 {
                    self.tell(Event::Connectivity(Connectivity::Lost {}));
                }
            }
            ScheduledEvent::OutageOver => {
                self.outages -= 1;
                if self.outages == 0 && self.session.is_some() {
                    let since = at(self.outage_began);
                    self.tell(Event::Void { since });
                    self.tell(Event::Connectivity(Connectivity::Restored { data_kept: false }));
                }
            }
            ScheduledEvent::Established(id, opening) => self.established(id, opening),
            ScheduledEvent::Told(event) => self.tell(event),
            ScheduledEvent::CancelArrives(opening) => self.dies(opening),
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::SessionLost => self.session_lost(),
            Turn::Outage(length) => {
                // Void are those of now, and nothing says so yet.
                let market = |it: &&mut Subscription| content(it.stream) != Content::Account;
                self.subscriptions.values_mut().filter(market).for_each(|it| it.is_silent = true);
                if self.outages == 0 {
                    self.outage_began = self.now;
                }
                self.outages += 1;
                if self.session.is_some() {
                    self.tell(Event::Connectivity(Connectivity::Lost {}));
                }
                self.soon(length, ScheduledEvent::OutageOver);
            }
            Turn::EndedWith(id, code) => {
                let error = Error::new(ErrorKind::GatewayError, "as planned").with_code(code);
                self.ends(id, error);
            }
            Turn::Refused(id) => {
                self.consumers.get_mut(&id).unwrap().is_refused = true;
                self.ends(id, Error::new(ErrorKind::GatewayError, "as planned").with_code(354));
            }
            Turn::Pacing(openings) => self.pacing += openings,
            Turn::Silent(id) => self.falls_silent(id),
            Turn::Sleeps(id, length) => self.consumers.get_mut(&id).unwrap().awake_at = self.now + length,
            Turn::Leaves(id) => {
                self.consumers.get_mut(&id).unwrap().has_left = true;
                self.tell(Event::Dropped { id });
            }
        }
    }

    fn session_lost(&mut self) {
        let Some(session) = self.session.take() else { return };
        let lost: Vec<_> = self
            .subscriptions
            .iter()
            .filter(|(_, it)| it.session == session && it.is_alive)
            .map(|(id, _)| *id)
            .collect();
        for opening in lost {
            self.dies(opening);
            let subscription = self.subscriptions.get_mut(&opening).unwrap();
            subscription.kept.clear();
            subscription.end.get_or_insert(Error::new(ErrorKind::Disconnected, "as planned"));
            // Before or after the session's own end.
            let event = ended(opening, subscription);
            self.soon(u64::from(opening.0 % 2 == 0) * 2, ScheduledEvent::Told(event));
        }
        self.soon(1, ScheduledEvent::Told(Event::SessionLost { last_answer: at(self.last_answer) }));
        self.soon(900, ScheduledEvent::SessionUp);
    }

    /// The Gateway ends the stream's subscription.
    fn ends(&mut self, id: StreamId, error: Error) {
        let alive = self.subscriptions.iter_mut().find(|(_, it)| it.stream == id && it.is_alive);
        if let Some((opening, subscription)) = alive {
            let opening = *opening;
            subscription.is_alive = false;
            subscription.end.get_or_insert(error);
            self.tell_end(opening);
        }
    }

    /// The end comes behind what the worker keeps.
    fn tell_end(&mut self, opening: OpeningId) {
        let subscription = &self.subscriptions[&opening];
        if subscription.kept.is_empty() && !subscription.is_cancelled && subscription.end.is_some() {
            let event = ended(opening, subscription);
            self.soon(1, ScheduledEvent::Told(event));
        }
    }

    fn falls_silent(&mut self, id: StreamId) {
        let (now, is_awake) = (self.now, self.consumers[&id].awake_at <= self.now);
        // One that was just opened is not known to be lively, and an account does not depend on a farm.
        let lively = self.subscriptions.values_mut().find(|it| {
            it.stream == id
                && it.is_alive
                && !it.is_cancelled
                && it.since + 70 * SECOND < now
                && it.received >= 60
        });
        if let Some(subscription) = lively.filter(|_| is_awake && content(id) != Content::Account) {
            subscription.is_silent = true;
            for status in [FarmStatus::Disconnected, FarmStatus::Connected] {
                self.sample();
                let (kind, name) = (FarmKind::MarketData, "usfarm".to_owned());
                self.tell(Event::Connectivity(Connectivity::DataFarm { kind, name, status }));
            }
        }
    }

    fn second_passes(&mut self) {
        let number = self.now / SECOND;
        let keeps = self.keeps;
        let mut ended = Vec::new();
        for (opening, it) in &mut self.subscriptions {
            let takes = it.is_alive && !it.is_silent && !it.is_cancelled && it.end.is_none();
            if !takes {
            } else if it.unread.len() < ROOM {
                it.unread.push_back(number);
                it.received += 1;
            } else if it.kept.len() < keeps {
                it.kept.push_back(number);
            } else {
                it.end = Some(Error::new(ErrorKind::SlowConsumer, "as planned"));
                it.is_alive = false;
                ended.push(*opening);
            }
        }
        ended.into_iter().for_each(|opening| self.tell_end(opening));
        let ids: Vec<_> = self.consumers.keys().copied().collect();
        ids.into_iter().for_each(|id| self.reads(id));
        if self.streams.sample_at().is_some_and(|due| at(self.now).has_reached(due)) {
            self.sample();
        }
        self.soon(SECOND, ScheduledEvent::SecondPasses);
    }

    fn sample(&mut self) {
        let open = self.subscriptions.iter().filter(|(_, it)| !it.is_cancelled);
        let sample = |(opening, it): (&OpeningId, &Subscription)| Sample {
            id: it.stream,
            opening: *opening,
            received: it.received,
            unread: it.unread.len(),
        };
        let samples = open.map(sample).collect();
        self.tell(Event::Sampled(samples));
    }

    /// The consumer reads what there is.
    fn reads(&mut self, id: StreamId) {
        let consumer = self.consumers.get_mut(&id).unwrap();
        if consumer.has_left || consumer.is_over || consumer.awake_at > self.now {
            return;
        }
        loop {
            if let Some(opening) = consumer.current {
                let it = self.subscriptions.get_mut(&opening).unwrap();
                while let Some(number) = it.unread.pop_front() {
                    self.holes += consumer.take(number);
                    if let Some(next) = it.kept.pop_front() {
                        it.unread.push_back(next);
                        it.received += 1;
                    }
                }
                let is_read = it.is_cancelled || it.end.is_some();
                if is_read && !consumer.has_said_end {
                    consumer.has_said_end = true;
                    let (told, end) = (Event::ReadToEnd { id, opening }, ended(opening, it));
                    let is_late = self.keeps > 0 && !it.is_cancelled && it.end.is_some();
                    self.sequence += 1;
                    self.queue.insert((self.now + 1, self.sequence), ScheduledEvent::Told(told));
                    if is_late {
                        self.sequence += 1;
                        self.queue.insert((self.now + 2, self.sequence), ScheduledEvent::Told(end));
                    }
                }
            }
            let Some((opening, gap)) = consumer.pending.pop_front() else { return };
            let old = consumer.current.and_then(|old| self.subscriptions.get(&old));
            assert!(old.is_none_or(|old| !old.is_alive), "the old subscription of {id:?} lives");
            consumer.gaps.extend(gap);
            if let Some(old) = consumer.current.replace(opening) {
                self.subscriptions.remove(&old);
            }
            consumer.has_said_end = false;
            self.sequence += 1;
            self.queue
                .insert((self.now + 1, self.sequence), ScheduledEvent::Told(Event::Taken { id, opening }));
        }
    }

    /// The Gateway serves what was asked for.
    fn established(&mut self, id: StreamId, opening: OpeningId) {
        let Some(session) = self.session else { return };
        if self.consumers[&id].is_refused {
            let error = Error::new(ErrorKind::GatewayError, "as planned").with_code(354);
            return self.soon(1, ScheduledEvent::Told(Event::OpenFailed { id, opening, error }));
        }
        let others = self.subscriptions.values().filter(|it| it.stream == id && it.is_alive);
        assert_eq!(others.count(), 0, "{id:?} has two subscriptions at the Gateway");
        let subscription = Subscription {
            stream: id,
            session,
            since: self.now,
            is_alive: true,
            is_silent: self.outages > 0 && content(id) != Content::Account,
            is_cancelled: false,
            received: 0,
            unread: VecDeque::new(),
            kept: VecDeque::new(),
            end: None,
        };
        self.subscriptions.insert(opening, subscription);
        self.soon(1, ScheduledEvent::Told(Event::Opened { id, opening }));
    }

    fn dies(&mut self, opening: OpeningId) {
        if let Some(it) = self.subscriptions.get_mut(&opening) {
            it.is_alive = false;
        }
    }

    fn tell(&mut self, event: Event) {
        let opened = match &event {
            Event::Opened { opening, .. } => Some(*opening),
            _ => None,
        };
        let actions = self.streams.on(at(self.now), event);
        let is_claimed = actions.iter().any(|action| matches!(action, Action::Deliver { .. }));
        if let Some(opening) = opened.filter(|_| !is_claimed) {
            self.dies(opening);
        }
        for action in actions {
            self.act(action, opened);
        }
        let wake = self.streams.wake_at().map(|wake| millis(wake).max(self.now + 1));
        if let Some(wake) = wake.filter(|wake| self.wake.is_none_or(|planned| *wake < planned)) {
            self.wake = Some(wake);
            self.plan(wake, ScheduledEvent::Wake);
        }
    }

    fn act(&mut self, action: Action, opened: Option<OpeningId>) {
        match action {
            Action::Open { id, opening } if self.pacing > 0 => {
                self.pacing -= 1;
                let kind = if self.pacing.is_multiple_of(2) { ErrorKind::Timeout } else { ErrorKind::Busy };
                let error = Error::new(kind, "as planned");
                self.soon(10, ScheduledEvent::Told(Event::OpenFailed { id, opening, error }));
            }
            Action::Open { id, opening } => self.soon(20, ScheduledEvent::Established(id, opening)),
            Action::Cancel { id, opening } => {
                self.queue.retain(
                    |_, it| !matches!(it, ScheduledEvent::Established(_, asked) if *asked == opening),
                );
                if let Some(it) = self.subscriptions.get_mut(&opening) {
                    it.is_cancelled = true;
                    it.kept.clear();
                }
                let is_being_told = self.queue.values().any(
                    |it| matches!(it, ScheduledEvent::Told(Event::Opened { opening: told, .. }) if *told == opening),
                );
                if !is_being_told {
                    self.soon(15, ScheduledEvent::CancelArrives(opening));
                    self.soon(16, ScheduledEvent::Told(Event::Released { id, opening }));
                }
            }
            Action::Deliver { id, gap } => {
                let consumer = self.consumers.get_mut(&id).unwrap();
                consumer.pending.push_back((opened.unwrap(), gap));
                assert!(
                    consumer.pending.len() == 1,
                    "one buffer for each session that {id:?} sleeps through"
                );
            }
            Action::End { id, end } => {
                let consumer = self.consumers.get_mut(&id).unwrap();
                assert!(consumer.is_refused, "{id:?} ends without a refusal: {end:?}");
                consumer.is_over = true;
            }
            Action::Forget { .. } | Action::AskAgain { .. } => {}
        }
    }

    /// The streams that are neither over nor served.
    fn lost(&self) -> Vec<StreamId> {
        let is_lost = |consumer: &Consumer| {
            let is_served = consumer.last.is_some_and(|last| last * SECOND + 3 * SECOND >= self.now);
            !is_served && !consumer.has_left && !consumer.is_over
        };
        self.consumers.iter().filter(|(_, consumer)| is_lost(consumer)).map(|(id, _)| *id).collect()
    }

    /// Waits until all streams are served, as long as the longest pause between two questions.
    fn comes_back(&mut self) {
        let end = self.now + CALM;
        while !self.lost().is_empty() {
            assert!(self.now < end, "{:?} are lost: {:?} {:?}", self.lost(), self.consumers, self.streams);
            self.run_until(self.now + 5 * SECOND);
        }
    }
}

impl Consumer {
    /// Takes the next number, and tells how many are missing before it.
    fn take(&mut self, number: u64) -> u64 {
        let first = self.last.map_or(number, |last| last + 1);
        assert!(number >= first, "{number} is repeated after {:?}", self.last);
        for missing in first..number {
            let time = at(missing * SECOND);
            let is_told = |gap: &Gap| time.has_reached(gap.from) && gap.to.has_reached(time);
            assert!(self.gaps.iter().any(is_told), "{missing} is missing before {number}: {:?}", self.gaps);
        }
        self.gaps.clear();
        self.last = Some(number);
        self.given += 1;
        number - first
    }
}

fn ended(opening: OpeningId, it: &Subscription) -> Event {
    let end = it.end.clone().map_or(Ok(()), Err);
    Event::Ended { id: it.stream, opening, received: it.received, end }
}

fn schedule(dice: &mut ChaCha8Rng) -> Vec<(u64, Turn)> {
    let mut at = SECOND;
    let count = dice.random_range(0..12);
    let turns = (0..count).map(|_| {
        at += match dice.random_range(0..4) {
            0 => dice.random_range(0..50),
            1 => dice.random_range(0..2_000),
            2 => dice.random_range(0..20_000),
            _ => dice.random_range(0..90_000),
        };
        (at, turn(dice))
    });
    turns.collect()
}

fn turn(dice: &mut ChaCha8Rng) -> Turn {
    let id = StreamId(dice.random_range(0..STREAMS));
    match dice.random_range(0..20) {
        0..6 => Turn::SessionLost,
        6..9 => Turn::Outage(dice.random_range(0..30_000)),
        9..12 => Turn::EndedWith(id, *[10225, 10182, 316, 10197].choose(dice).unwrap()),
        12 => Turn::Refused(id),
        13..15 => Turn::Pacing(dice.random_range(1..6)),
        15 => Turn::Leaves(id),
        16..18 => Turn::Silent(id),
        _ => Turn::Sleeps(id, dice.random_range(0..60_000)),
    }
}

/// A failure names its schedule by its number.
#[test]
fn nothing_is_repeated_every_hole_is_a_gap_and_no_stream_is_lost() {
    let (mut given, mut holes, mut over) = (0, 0, 0);
    for number in 0..SCHEDULES {
        let mut dice = ChaCha8Rng::seed_from_u64(number);
        let mut world = World::new(if number % 2 == 0 { KEPT } else { 0 });
        let turns = schedule(&mut dice);
        let calm = turns.last().map_or(SECOND, |(at, _)| *at) + 60 * SECOND;
        turns.iter().for_each(|(at, turn)| world.plan(*at, ScheduledEvent::Turn(*turn)));
        world.plan(calm, ScheduledEvent::Calm);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.run_until(calm + 5 * SECOND);
            world.comes_back();
        }));
        assert!(outcome.is_ok(), "schedule {number}: {turns:?}");
        given += world.consumers.values().map(|consumer| consumer.given).sum::<u64>();
        over += world.consumers.values().filter(|consumer| consumer.is_over || consumer.has_left).count();
        holes += world.holes;
    }
    // Schedules in which nothing happens would find nothing.
    assert!(given > 100_000 && holes > 10_000 && over > 100, "{given} {holes} {over}");
}
