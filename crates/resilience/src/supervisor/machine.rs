//! The state machine of a supervised session: events and the time in, actions out. It knows no sockets, threads or clocks.

use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Phase};

use super::health::{Health, Verdict};
use super::options::{GiveUp, SupervisorOptions};
use super::retry::Retry;
use super::state::{NextAttempt, SupervisorState};
use super::time::{Reading, earliest};
use crate::breaker::{Refusal, Refused};
use crate::supervisor::restart::PAUSE as RESTART_PAUSE;

/// So many attempts are made before the Gateway is restarted.
const ATTEMPTS_BEFORE_RESTART: u32 = 3;
/// How often an open breaker is looked at: somebody may have closed it.
const BREAKER_POLL: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Time has passed; see [`Machine::wake_at`].
    Tick,
    /// The attempt has made a session, and no stream is open in it yet.
    Connected {
        /// When its Gateway last answered.
        proof: Reading,
        /// What its Gateway has said so far.
        said: Vec<Notice>,
    },
    /// The attempt has failed.
    Failed(Error),
    /// The Gateway has answered the ping.
    Answered,
    /// The session is gone: socket lost, worker dead.
    Lost,
    /// The Gateway has said something.
    Notice(Notice),
    /// So many requests in a row got no answer in time.
    RequestsUnanswered(u32),
    /// Whether somebody listens.
    Port(Port),
    /// Whether the breaker that has refused the last attempt would admit one.
    Breaker(Admits),
    /// The user wants an end.
    Close,
}

/// Whether a breaker admits an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admits {
    Now,
    NotYet,
}

/// Whether somebody listens on the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Somebody listens, or nobody can tell.
    Open,
    /// Nobody listens.
    Shut,
}

/// What is to be done. Of each kind there is at most one under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask whether somebody listens, and report at once.
    CheckPort,
    /// Ask the breaker that has refused the last attempt, and report.
    AskBreaker,
    /// Begin an attempt.
    Connect,
    /// Ask the Gateway whether it answers; a question still open is given up.
    Ping,
    /// Put the new session, the one with this number, to use, and open all streams in it.
    Resume { generation: u64 },
    /// Open all market data streams again in the same session. Events since then are missing.
    ResubscribeMarketData { since: Reading },
    /// Have the Gateway restarted, and go on.
    RestartGateway,
    /// Close what is left of the session. Its Gateway last answered then.
    Discard { proof: Reading },
    /// Stop for good.
    Stop,
}

/// Whether somebody listens is asked before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerCheck {
    /// The kernel knows.
    Kernel,
    /// The Gateway is on another machine, or the user says that its listener can't be seen.
    Off,
}

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
    unheard: u32,
    /// When a restart of the Gateway was last asked for.
    restarted: Option<Reading>,
}

#[derive(Debug)]
enum Stage {
    Waiting { due: Reading, reason: Reason },
    CheckingPort,
    Attempting,
    Up { health: Health },
    Ended,
}

/// Why there is no attempt under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Schedule,
    /// Sessions were lost too often.
    Losses,
    /// The breaker has refused an attempt.
    Breaker(BreakerPoll),
    NoListener,
}

/// Whether the breaker that has refused is looked at before the attempt is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BreakerPoll {
    /// The connector's breaker can't be reached.
    Off,
    /// Then.
    At(Reading),
    /// It is being asked.
    Asked,
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
            unheard: 0,
            restarted: None,
            options,
        }
    }

    /// Takes an event and says what is to be done, in this order. An event that comes too late changes nothing.
    pub(crate) fn on(&mut self, now: Reading, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Connected { proof, said } => self.connected(now, proof, &said, &mut actions),
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

    /// The attempt that runs or is next, counted from 1 since the last session, and when it is made; `None` while there is a session,
    /// and after the end.
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
        self.unheard >= self.options.wedged_after
    }

    fn connected(&mut self, now: Reading, proof: Reading, said: &[Notice], actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Attempting) {
            return;
        }
        let mut health = Health::new(&self.options, proof);
        for notice in said {
            // Void are the subscriptions from before it, and this session has none yet.
            let _ = health.notice(now, notice);
        }
        self.stage = Stage::Up { health };
        self.generation += 1;
        (self.attempt, self.failures, self.unheard) = (0, 0, 0);
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
            None if is_refusal(error) => self.retry.after_refusal(),
            None if is_free(error) => self.retry.after_free_failure(),
            None => self.retry.after_failure(),
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
        match error.kind() {
            ErrorKind::GatewayWedged => self.unheard = self.options.wedged_after,
            ErrorKind::HandshakeTimeout => self.unheard = self.unheard.saturating_add(1),
            // It never came to the Gateway, and says nothing about it.
            _ if error.phase() <= Some(Phase::Spawn) && error.kind() != ErrorKind::NotListening => {}
            _ => self.unheard = 0,
        }
    }

    /// Whether the Gateway is to be restarted: this attempt found it wedged, and so did enough others, after each of which the
    /// connector has cleaned up.
    fn restarts_gateway(&self, now: Reading, error: &Error) -> bool {
        let found_mute = matches!(error.kind(), ErrorKind::GatewayWedged | ErrorKind::HandshakeTimeout);
        let is_due = self.restarted.is_none_or(|restarted| now.since(restarted) >= RESTART_PAUSE);
        let is_wanted = self.options.gateway_restart.is_some();
        is_wanted && is_due && found_mute && self.is_wedged() && self.attempt >= ATTEMPTS_BEFORE_RESTART
    }

    fn gives_up(&self, error: &Error) -> bool {
        match self.options.give_up {
            GiveUp::Never => false,
            GiveUp::AfterFailures(count) => self.failures >= count,
            GiveUp::WhenPermanent => is_permanent(error),
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
        let proof = health.proof();
        self.stage = match self.retry.after_loss(now) {
            None => Stage::Waiting { due: now, reason: Reason::Schedule },
            Some(wait) => Stage::Waiting { due: now + wait, reason: Reason::Losses },
        };
        actions.push(Action::Discard { proof });
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
                self.unheard = 0;
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

/// Whether neither time nor somebody else cures it: a wedged Gateway is restarted, and a forced breaker reset, from outside.
fn is_permanent(error: &Error) -> bool {
    let is_cured_outside = matches!(error.kind(), ErrorKind::GatewayWedged | ErrorKind::CircuitOpen);
    !error.is_retryable() && !is_cured_outside
}

/// Whether the attempt cost the Gateway nothing: its machine has refused or was not reached, or somebody has closed the connection
/// without a byte, as a forwarder does while the Gateway behind it is down.
fn is_free(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotListening | ErrorKind::Unreachable => error.phase() <= Some(Phase::Tcp),
        ErrorKind::Rejected => error.phase() == Some(Phase::Version),
        _ => false,
    }
}

/// Whether the attempt was refused on this machine, for now: then asking again costs the Gateway nothing, and waiting
/// longer each time would only delay the return.
fn is_refusal(error: &Error) -> bool {
    error.is_retryable() && error.phase() == Some(Phase::Preflight)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
