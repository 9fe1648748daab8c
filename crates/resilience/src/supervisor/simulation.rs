//! A Gateway in virtual time, and the state machine that lives with it: for tests.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Phase};
use ibkr_connect_state::KernelClock;
use jiff::SignedDuration;

use super::machine::{Action, Admits, Event, ListenerCheck, Machine, Port};
use super::options::SupervisorOptions;
use super::state::SupervisorState;
use super::time::Reading;
use crate::breaker::{
    Admission, Attempt, Breaker, BreakerSettings, BreakerStore, Note, Outcome, Refusal, Refused, TrialId,
};
use crate::gateway::Gateway;

pub(crate) const START: Reading = Reading::START;
const ROUND_TRIP: Duration = Duration::from_millis(5);
const HANDSHAKE: Duration = Duration::from_millis(300);
const DEADLINE: Duration = Duration::from_secs(10);

/// How the Gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GatewayMode {
    /// Well.
    Up,
    /// Not running.
    Refusing,
    /// Accepts, and answers nothing; sessions stay and are mute.
    Mute,
    /// Accepts, and closes at once.
    NotReady,
    /// Serves, and closes every session after two seconds.
    Fickle,
}

/// What happens to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    GatewayMode(GatewayMode),
    Notice(i32, &'static str),
    /// Somebody forces the breaker open, until it is reset.
    BreakerOpens,
    BreakerIsReset,
    /// This process is stopped for so long, or the whole machine sleeps: nothing is heard or done meanwhile.
    Stopped(Duration),
    /// The wall clock is set by so much.
    WallClock(SignedDuration),
}

/// The Gateway, the machine, and what was seen.
pub(crate) struct Simulation {
    pub(crate) machine: Machine,
    pub(crate) now: Reading,
    pub(crate) connects: Vec<Reading>,
    pub(crate) resumed: Vec<Reading>,
    /// When the Gateway had last answered in sessions that were lost.
    pub(crate) lost: Vec<Reading>,
    pub(crate) resubscribed: Vec<Reading>,
    pub(crate) restarts: Vec<Reading>,
    pub(crate) states: Vec<(Reading, SupervisorState<Reading>)>,
    options: SupervisorOptions,
    gateway_mode: GatewayMode,
    script: VecDeque<(Reading, Step)>,
    attempt: Option<(Reading, Option<Error>)>,
    /// The one in front of the Gateway, if the connector has one.
    breaker: Option<Breaker>,
    admission: Option<Admission>,
    is_up: bool,
    /// By how much the wall clock was set.
    wall_clock: SignedDuration,
    /// Notices of a session that is being made.
    initial_notices: Vec<Notice>,
    session_end: Option<Reading>,
    ping: Option<Reading>,
    answered: Option<Reading>,
    failures: usize,
    not_before: Reading,
}

impl Simulation {
    pub(crate) fn new(listener: ListenerCheck) -> Self {
        Self::with(SupervisorOptions::default(), listener)
    }

    pub(crate) fn with(options: SupervisorOptions, listener: ListenerCheck) -> Self {
        Self {
            machine: Machine::new(options.clone(), listener, START),
            now: START,
            connects: Vec::new(),
            resumed: Vec::new(),
            lost: Vec::new(),
            resubscribed: Vec::new(),
            restarts: Vec::new(),
            states: Vec::new(),
            options,
            gateway_mode: GatewayMode::Up,
            script: VecDeque::new(),
            attempt: None,
            breaker: None,
            admission: None,
            is_up: false,
            wall_clock: SignedDuration::ZERO,
            initial_notices: Vec::new(),
            session_end: None,
            ping: None,
            answered: None,
            failures: 0,
            not_before: START,
        }
    }

    /// The same, with a circuit breaker between the machine and the Gateway.
    pub(crate) fn behind(breaker: Breaker, listener: ListenerCheck) -> Self {
        Self { breaker: Some(breaker), ..Self::new(listener) }
    }

    /// Adds what happens, in order of time.
    pub(crate) fn plan(&mut self, at: Reading, turn: Step) {
        assert!(self.script.back().is_none_or(|(last, _)| at.has_reached(*last)), "{at:?} is out of order");
        self.script.push_back((at, turn));
    }

    /// Lets the time pass.
    pub(crate) fn run_until(&mut self, end: Reading) {
        self.tell(Event::Tick);
        while let Some((at, event)) = self.next().filter(|(at, _)| end.has_reached(*at)) {
            self.look_back(at);
            self.time_passes(at);
            self.happens(event);
        }
        self.look_back(end);
        self.time_passes(end);
    }

    /// Until then, if that is still to come.
    fn time_passes(&mut self, then: Reading) {
        let then = self.now.later_of(then);
        self.now = then.with_wall(START.wall() + then.since(START) + self.wall_clock);
    }

    pub(crate) fn connects_between(&self, from: Reading, to: Reading) -> usize {
        self.connects.iter().filter(|at| is_between(**at, from, to)).count()
    }

    /// The names of the states entered in this time, after the one it began with.
    pub(crate) fn states_between(&self, from: Reading, to: Reading) -> Vec<&'static str> {
        let mut names: Vec<_> = self
            .states
            .iter()
            .filter(|(at, _)| is_between(*at, from, to))
            .map(|(_, state)| state.as_str())
            .collect();
        names.dedup();
        names
    }

    pub(crate) fn state(&self) -> SupervisorState<Reading> {
        self.machine.state(self.now)
    }

    fn next(&self) -> Option<(Reading, ScheduledEvent)> {
        [
            self.script.front().map(|(at, _)| (*at, ScheduledEvent::Step)),
            self.session_end.map(|at| (at, ScheduledEvent::SessionEnds)),
            self.attempt.as_ref().map(|(at, _)| (*at, ScheduledEvent::AttemptEnds)),
            self.ping.map(|at| (at, ScheduledEvent::Answer)),
            self.machine.wake_at().map(|at| (at, ScheduledEvent::Tick)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| at.since(START))
    }

    fn happens(&mut self, happening: ScheduledEvent) {
        match happening {
            ScheduledEvent::Tick => self.tell(Event::Tick),
            ScheduledEvent::SessionEnds => self.session_ends(),
            ScheduledEvent::Answer => {
                self.ping = None;
                self.answered = Some(self.now);
                self.tell(Event::Answered);
            }
            ScheduledEvent::AttemptEnds => {
                let (_, error) = self.attempt.take().unwrap();
                self.settle(error.as_ref());
                match error {
                    Some(error) => self.attempt_fails(error),
                    None => self.attempt_succeeds(),
                }
            }
            ScheduledEvent::Step => match self.script.pop_front().unwrap().1 {
                Step::GatewayMode(gateway_mode) => self.turns(gateway_mode),
                Step::Notice(code, message) => {
                    self.speaks(ibkr_connect_core::literal!(Notice {
                        code,
                        message: message.to_owned(),
                        time: None
                    }));
                }
                Step::BreakerOpens => {
                    let by = Note { actor: "somebody".to_owned(), reason: "as planned".to_owned() };
                    let now = self.now.moment();
                    self.breaker.as_mut().unwrap().force_open(now, by);
                }
                Step::BreakerIsReset => self.breaker.as_mut().unwrap().reset(),
                Step::Stopped(length) => {
                    // Whoever looks at it then sees what was published before; the next look is its own.
                    self.time_passes(self.now + length);
                    self.tell(Event::Tick);
                }
                Step::WallClock(by) => {
                    self.wall_clock += by;
                    self.time_passes(self.now);
                }
            },
        }
    }

    /// Whoever shakes hands hears it too, but nobody else does later.
    fn speaks(&mut self, notice: Notice) {
        if self.is_up {
            self.tell(Event::Notice(notice));
        } else if matches!(self.attempt, Some((_, None))) {
            self.initial_notices.push(notice);
        }
    }

    fn turns(&mut self, gateway_mode: GatewayMode) {
        self.gateway_mode = gateway_mode;
        match gateway_mode {
            GatewayMode::Refusing | GatewayMode::NotReady => self.session_ends(),
            GatewayMode::Mute => self.ping = None,
            GatewayMode::Up | GatewayMode::Fickle => {}
        }
    }

    fn session_ends(&mut self) {
        self.session_end = None;
        if std::mem::take(&mut self.is_up) {
            self.ping = None;
            self.tell(Event::Lost);
        }
    }

    fn attempt_succeeds(&mut self) {
        self.is_up = true;
        self.failures = 0;
        self.not_before = self.now;
        self.answered = Some(self.now);
        self.session_end =
            (self.gateway_mode == GatewayMode::Fickle).then(|| self.now + Duration::from_secs(2));
        let initial_notices = std::mem::take(&mut self.initial_notices);
        self.tell(Event::Connected { last_answer: self.now, initial_notices });
    }

    fn attempt_fails(&mut self, error: Error) {
        let scheduled = self.options.schedule[self.failures.min(self.options.schedule.len() - 1)];
        let is_free = matches!(error.kind(), ErrorKind::Rejected | ErrorKind::NotListening);
        let wait = match Refusal::of_error(&error) {
            Some(refusal) => refusal.retry_in().unwrap_or(scheduled),
            None if is_free => Duration::from_secs(15),
            None => {
                self.failures += 1;
                scheduled
            }
        };
        self.not_before = self.now + wait;
        self.tell(Event::Failed(error));
    }

    fn tell(&mut self, event: Event) {
        let mut actions = VecDeque::from(self.machine.on(self.now, event));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::CheckPort => {
                    let port =
                        if self.gateway_mode == GatewayMode::Refusing { Port::Shut } else { Port::Open };
                    actions.extend(self.machine.on(self.now, Event::Port(port)));
                }
                Action::Connect => self.connect(),
                Action::Ping => {
                    assert!(self.is_up, "a ping without a session");
                    let answers = matches!(self.gateway_mode, GatewayMode::Up | GatewayMode::Fickle);
                    self.ping = answers.then(|| self.now + ROUND_TRIP);
                }
                Action::AskBreaker => {
                    let now = self.now.moment();
                    let is_open = self.breaker.as_ref().is_some_and(|breaker| breaker.check(now).is_err());
                    let admits = if is_open { Admits::NotYet } else { Admits::Now };
                    if admits == Admits::Now {
                        self.not_before = self.now;
                    }
                    actions.extend(self.machine.on(self.now, Event::Breaker(admits)));
                }
                Action::Resume { .. } => self.resumed.push(self.now),
                Action::ResubscribeMarketData { since } => self.resubscribed.push(since),
                Action::RestartGateway => self.restarts.push(self.now),
                Action::Discard { last_answer } => {
                    self.lost.push(last_answer);
                    (self.is_up, self.ping, self.session_end) = (false, None, None);
                }
                Action::Stop => panic!("nobody told it to give up"),
            }
        }
        self.note_state();
    }

    fn connect(&mut self) {
        assert!(self.attempt.is_none() && !self.is_up, "two attempts at once");
        assert!(self.now.has_reached(self.not_before), "{:?} is before {:?}", self.now, self.not_before);
        if let Some(refusal) = self.refusal() {
            let error = Error::new(ErrorKind::CircuitOpen, "open").in_phase(Phase::Preflight);
            self.attempt = Some((self.now, Some(error.with_source(refused(refusal)))));
            return;
        }
        self.connects.push(self.now);
        let fails = |kind, phase| Some(Error::new(kind, "as planned").in_phase(phase));
        self.attempt = Some(match self.gateway_mode {
            GatewayMode::Up | GatewayMode::Fickle => (self.now + HANDSHAKE, None),
            GatewayMode::Refusing => (self.now, fails(ErrorKind::NotListening, Phase::Tcp)),
            GatewayMode::Mute => (self.now + DEADLINE, fails(ErrorKind::HandshakeTimeout, Phase::Version)),
            GatewayMode::NotReady => (self.now + HANDSHAKE, fails(ErrorKind::Rejected, Phase::Version)),
        });
    }

    fn refusal(&mut self) -> Option<Refusal> {
        let admitted = self.breaker.as_mut()?.admit(self.now.moment(), TrialId(1));
        admitted.map(|admission| self.admission = Some(admission)).err()
    }

    fn settle(&mut self, error: Option<&Error>) {
        let (Some(breaker), Some(admission)) = (&mut self.breaker, self.admission.take()) else { return };
        let outcome = error.map_or(Outcome::Success(HANDSHAKE), Outcome::of_error);
        let now = self.now.moment();
        breaker.settle(now, &Attempt { party: 0, since: now, asked: now, begun: now }, admission, outcome);
    }

    /// The time until `then` passes without an event: no instant of it may be a lie.
    fn look_back(&self, then: Reading) {
        for part in 0..=4 {
            let at = self.now + then.since(self.now) * part / 4;
            let is_fresh =
                self.answered.is_some_and(|answered| at.since(answered) <= self.options.ping_interval);
            let is_ready = self.machine.state(at) == SupervisorState::Ready;
            assert!(!is_ready || (self.is_up && is_fresh), "ready at {at:?}, answered {:?}", self.answered);
        }
    }

    fn note_state(&mut self) {
        let state = self.state();
        if self.states.last().is_none_or(|(_, last)| *last != state) {
            self.states.push((self.now, state));
        }
    }
}

fn is_between(at: Reading, from: Reading, to: Reading) -> bool {
    at.has_reached(from) && !at.has_reached(to)
}

/// As the connector's breaker says it.
pub(crate) fn refused(refusal: Refusal) -> Refused {
    let gateway = Gateway::new("localhost", 4002);
    let clock = Arc::new(KernelClock::default());
    let breaker = BreakerStore::new(Path::new("/nowhere"), gateway, BreakerSettings::default(), clock);
    Refused { refusal, breaker }
}

enum ScheduledEvent {
    Step,
    SessionEnds,
    AttemptEnds,
    Answer,
    Tick,
}
