//! The state machine of a supervised session: events and the time in, actions out. It knows no sockets, threads or clocks.
//!
//! `events` is what goes in and comes out, `failure` says what a failed attempt means, `stage` is where the machine is.

mod events;
mod failure;
mod stage;

use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind};

pub(crate) use self::events::{Action, Admits, Event, ListenerCheck, Port};
use self::failure::{Cost, Evidence};
use self::stage::{BreakerPoll, Reason, Stage};
use super::health::{Health, Verdict};
use super::options::{GiveUp, SupervisorOptions};
use super::restart::PAUSE as RESTART_PAUSE;
use super::retry::Retry;
use super::state::{NextAttempt, SupervisorState};
use super::time::{Reading, earliest};
use crate::breaker::{Refusal, Refused};

/// So many attempts are made before the Gateway is restarted.
const ATTEMPTS_BEFORE_RESTART: u32 = 3;
/// How often an open breaker is looked at: somebody may have closed it.
const BREAKER_POLL: Duration = Duration::from_secs(1);

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    options: SupervisorOptions,
    listener: ListenerCheck,
    stage: Stage,
    retry: Retry,
    generation: u64,
    /// Attempts begun since the last session.
    attempt: u32,
    /// Failed attempts since the last session.
    failures: u32,
    /// Handshakes in a row that got no answer.
    unanswered_handshakes: u32,
    /// When a restart of the Gateway was last asked for.
    restarted: Option<Reading>,
}

impl Machine {
    /// A machine that begins with its first event.
    pub(crate) fn new(options: SupervisorOptions, listener: ListenerCheck, now: Reading) -> Self {
        Self {
            listener,
            stage: Stage::Waiting { due: now, reason: Reason::Schedule },
            retry: Retry::new(&options),
            generation: 0,
            attempt: 0,
            failures: 0,
            unanswered_handshakes: 0,
            restarted: None,
            options,
        }
    }

    /// Takes an event and says what is to be done, in this order. An event that comes too late changes nothing.
    pub(crate) fn on(&mut self, now: Reading, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Connected { last_answer, initial_notices } => {
                self.connected(now, last_answer, &initial_notices, &mut actions);
            }
            Event::Failed(error) => self.failed(now, &error, &mut actions),
            Event::Answered => self.answered(now),
            Event::Lost => self.lost(now, &mut actions),
            Event::Notice(notice) => self.noticed(now, &notice, &mut actions),
            Event::RequestsUnanswered(count) => self.requests_unanswered(count),
            Event::Port(port) => self.port_checked(now, port, &mut actions),
            Event::Breaker(admits) => self.breaker_asked(now, admits),
            Event::Close => self.end(&mut actions),
        }
        self.advance(now, &mut actions);
        actions
    }

    /// When the next [`Event::Tick`] is wanted, if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Reading> {
        match &self.stage {
            Stage::Waiting { due, reason: Reason::Breaker(BreakerPoll::At(poll)) } => {
                earliest([Some(*due), Some(*poll)])
            }
            Stage::Waiting { due, .. } => Some(*due),
            Stage::Up { health } => Some(health.wake_at()),
            Stage::CheckingPort | Stage::Attempting | Stage::Ended => None,
        }
    }

    /// How many sessions there have been.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The state at `now`, also if the machine was not told that it is `now`.
    pub(crate) fn state(&self, now: Reading) -> SupervisorState<Reading> {
        if let Stage::Up { health } = &self.stage {
            return health.state(now);
        }
        let Some((attempt, next)) = self.attempt() else { return SupervisorState::Closed };
        match &self.stage {
            _ if self.is_wedged() => SupervisorState::GatewayWedged,
            Stage::Waiting { due, reason: Reason::Losses | Reason::Breaker(_) } => {
                SupervisorState::CircuitOpen { until: *due }
            }
            Stage::Waiting { reason: Reason::NoListener, .. } => {
                SupervisorState::Recovering { attempt, next }
            }
            _ if self.generation == 0 && self.failures == 0 => SupervisorState::Connecting,
            _ => SupervisorState::Recovering { attempt, next },
        }
    }

    /// The attempt that runs or is next, counted from 1 since the last session, and when it is made; `None` while there is a
    /// session, and after the end.
    pub(crate) fn attempt(&self) -> Option<(u32, NextAttempt<Reading>)> {
        let following = self.attempt.saturating_add(1);
        match &self.stage {
            Stage::Up { .. } | Stage::Ended => None,
            Stage::Waiting { reason: Reason::NoListener, .. } => {
                Some((following, NextAttempt::WhenListening))
            }
            Stage::Waiting { due, .. } => Some((following, NextAttempt::At(*due))),
            Stage::CheckingPort => Some((following, NextAttempt::Now)),
            Stage::Attempting => Some((self.attempt, NextAttempt::Now)),
        }
    }

    fn is_wedged(&self) -> bool {
        self.unanswered_handshakes >= self.options.wedged_after
    }

    fn connected(
        &mut self,
        now: Reading,
        last_answer: Reading,
        initial_notices: &[Notice],
        actions: &mut Vec<Action>,
    ) {
        if !matches!(self.stage, Stage::Attempting) {
            return;
        }
        let mut health = Health::new(&self.options, last_answer);
        for notice in initial_notices {
            // Void are the subscriptions from before it, and this session has none yet.
            let _ = health.notice(now, notice);
        }
        self.stage = Stage::Up { health };
        self.generation += 1;
        (self.attempt, self.failures, self.unanswered_handshakes) = (0, 0, 0);
        self.retry.connected();
        actions.push(Action::Resume { generation: self.generation });
    }

    fn failed(&mut self, now: Reading, error: &Error, actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Attempting) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.judge(error);
        if self.gives_up(error) {
            return self.end(actions);
        }
        if self.restarts_gateway(now, error) {
            self.restarted = Some(now);
            actions.push(Action::RestartGateway);
        }
        let wait = match Refusal::of_error(error).and_then(Refusal::retry_in) {
            Some(until_admitted) => until_admitted,
            None => match failure::cost(error) {
                Cost::NotAsked => self.retry.after_refusal(),
                Cost::Nothing => self.retry.after_free_failure(),
                Cost::Attempt => self.retry.after_failure(),
            },
        };
        let reason = match error.kind() {
            ErrorKind::CircuitOpen if Refused::breaker_of(error).is_some() => {
                Reason::Breaker(BreakerPoll::At(now + BREAKER_POLL))
            }
            ErrorKind::CircuitOpen => Reason::Breaker(BreakerPoll::Off),
            _ => Reason::Schedule,
        };
        self.stage = Stage::Waiting { due: now + wait, reason };
    }

    /// What the failure says about the Gateway being wedged.
    fn judge(&mut self, error: &Error) {
        match failure::evidence(error) {
            Evidence::Wedged => self.unanswered_handshakes = self.options.wedged_after,
            Evidence::Mute => self.unanswered_handshakes = self.unanswered_handshakes.saturating_add(1),
            Evidence::None => {}
            Evidence::Alive => self.unanswered_handshakes = 0,
        }
    }

    /// Whether the Gateway is to be restarted: this attempt found it wedged, and so did enough others, after each of which the
    /// connector has cleaned up.
    fn restarts_gateway(&self, now: Reading, error: &Error) -> bool {
        let found_mute = matches!(failure::evidence(error), Evidence::Wedged | Evidence::Mute);
        let is_due = self.restarted.is_none_or(|restarted| now.since(restarted) >= RESTART_PAUSE);
        let is_wanted = self.options.gateway_restart.is_some();
        is_wanted && is_due && found_mute && self.is_wedged() && self.attempt >= ATTEMPTS_BEFORE_RESTART
    }

    fn gives_up(&self, error: &Error) -> bool {
        match self.options.give_up {
            GiveUp::Never => false,
            GiveUp::AfterFailures(count) => self.failures >= count,
            GiveUp::WhenPermanent => failure::is_permanent(error),
        }
    }

    fn answered(&mut self, now: Reading) {
        if let Stage::Up { health } = &mut self.stage {
            health.answered(now);
        }
    }

    fn noticed(&mut self, now: Reading, notice: &Notice, actions: &mut Vec<Action>) {
        if let Stage::Up { health } = &mut self.stage
            && let Some(since) = health.notice(now, notice)
        {
            actions.push(Action::ResubscribeMarketData { since });
        }
    }

    fn lost(&mut self, now: Reading, actions: &mut Vec<Action>) {
        let Stage::Up { health } = &self.stage else { return };
        let last_answer = health.last_answer();
        self.stage = match self.retry.after_loss(now) {
            None => Stage::Waiting { due: now, reason: Reason::Schedule },
            Some(wait) => Stage::Waiting { due: now + wait, reason: Reason::Losses },
        };
        actions.push(Action::Discard { last_answer });
    }

    fn requests_unanswered(&mut self, count: u32) {
        if let Stage::Up { health } = &mut self.stage {
            health.requests_unanswered(count);
        }
    }

    fn breaker_asked(&mut self, now: Reading, admits: Admits) {
        if let Stage::Waiting { due, reason: Reason::Breaker(poll) } = &mut self.stage {
            match admits {
                Admits::Now => *due = now,
                Admits::NotYet => *poll = BreakerPoll::At(now + BREAKER_POLL),
            }
        }
    }

    fn port_checked(&mut self, now: Reading, port: Port, actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::CheckingPort) {
            return;
        }
        match port {
            Port::Open => self.begin_attempt(actions),
            Port::Shut => {
                self.unanswered_handshakes = 0;
                let due = now + self.options.listener_poll;
                self.stage = Stage::Waiting { due, reason: Reason::NoListener };
            }
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Reading, actions: &mut Vec<Action>) {
        match &mut self.stage {
            Stage::Waiting { due, .. } if now.has_reached(*due) => match self.listener {
                ListenerCheck::Kernel => {
                    self.stage = Stage::CheckingPort;
                    actions.push(Action::CheckPort);
                }
                ListenerCheck::Off => self.begin_attempt(actions),
            },
            Stage::Waiting { reason: Reason::Breaker(poll), .. } => {
                if let BreakerPoll::At(at) = poll
                    && now.has_reached(*at)
                {
                    *poll = BreakerPoll::Asked;
                    actions.push(Action::AskBreaker);
                }
            }
            Stage::Up { health } => match health.check(now) {
                Verdict::Wait => {}
                Verdict::Ask => actions.push(Action::Ping),
                Verdict::Lost => {
                    self.lost(now, actions);
                    self.advance(now, actions);
                }
            },
            _ => {}
        }
    }

    fn begin_attempt(&mut self, actions: &mut Vec<Action>) {
        self.attempt = self.attempt.saturating_add(1);
        self.stage = Stage::Attempting;
        actions.push(Action::Connect);
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Ended) {
            self.stage = Stage::Ended;
            actions.push(Action::Stop);
        }
    }
}

#[cfg(test)]
mod tests;
