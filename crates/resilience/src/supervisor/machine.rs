//! The state machine of a supervised session: events and the time in, actions out. It knows no sockets, threads or clocks.

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Phase};
use ibkr_connect_state::Moment;

use super::health::{Health, Verdict};
use super::options::{GiveUp, SupervisorOptions};
use super::retry::Retry;
use super::state::{NextAttempt, SupervisorState};
use crate::breaker::Refusal;
use crate::supervisor::restart::PAUSE as RESTART_PAUSE;

/// So many attempts are made before the Gateway is restarted.
const ATTEMPTS_BEFORE_RESTART: u32 = 3;

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Time has passed; see [`Machine::wake_at`].
    Tick,
    /// The attempt has made a session, and no stream is open in it yet.
    Connected {
        /// When its Gateway last answered.
        proof: Moment,
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
    /// What a look at the port has found.
    Port(Port),
    /// The user wants an end.
    Close,
}

/// What a look at the port has found.
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
    /// Look whether somebody listens, and report at once.
    Look,
    /// Begin an attempt.
    Connect,
    /// Ask the session for the Gateway's time; a question still open is forgotten.
    Ping,
    /// Put the new session to use and open all streams in it. Events since then may be missing.
    Resume { dark_since: Option<Moment> },
    /// Open all market data streams anew in the same session. Events since then are missing.
    ResubscribeMarketData { dark_since: Moment },
    /// Have the Gateway restarted, and go on.
    RestartGateway,
    /// Close what is left of the session.
    Discard,
    /// Stop for good.
    Stop,
}

/// Who is asked whether somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookout {
    /// The kernel.
    Kernel,
    /// Nobody: the Gateway is on another machine, or the user says that it can't be seen.
    Nobody,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    options: SupervisorOptions,
    lookout: Lookout,
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
    restarted: Option<Moment>,
    /// The last session's last sign of life, once it is lost.
    dark_since: Option<Moment>,
}

#[derive(Debug)]
enum Stage {
    Waiting { due: Moment, reason: Reason },
    Looking,
    Attempting,
    Up { since: Moment, health: Health },
    Ended,
}

/// Why there is no attempt under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Schedule,
    Circuit,
    NoListener,
}

impl Machine {
    /// A machine that begins with its first event.
    pub(crate) fn new(options: SupervisorOptions, lookout: Lookout, now: Moment) -> Self {
        Self {
            lookout,
            stage: Stage::Waiting { due: now, reason: Reason::Schedule },
            retry: Retry::new(&options),
            generation: 0,
            attempt: 0,
            failures: 0,
            unheard: 0,
            restarted: None,
            dark_since: None,
            options,
        }
    }

    /// Takes an event and says what is to be done, in this order. An event that comes too late changes nothing.
    pub(crate) fn on(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Connected { proof, said } => self.connected(now, proof, &said, &mut actions),
            Event::Failed(error) => self.failed(now, &error, &mut actions),
            Event::Answered => self.answered(now),
            Event::Lost => self.lost(now, &mut actions),
            Event::Notice(notice) => self.noticed(now, &notice, &mut actions),
            Event::Port(port) => self.looked(now, port, &mut actions),
            Event::Close => self.end(&mut actions),
        }
        self.advance(now, &mut actions);
        actions
    }

    /// When the next [`Event::Tick`] is wanted, if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Waiting { due, .. } => Some(*due),
            Stage::Up { health, .. } => Some(health.wake_at()),
            Stage::Looking | Stage::Attempting | Stage::Ended => None,
        }
    }

    /// How many sessions there have been.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The state at `now`, also if the machine was not told that it is `now`.
    pub(crate) fn state(&self, now: Moment) -> SupervisorState<Moment> {
        match &self.stage {
            Stage::Ended => SupervisorState::Closed,
            Stage::Up { health, .. } => health.state(now),
            _ if self.is_wedged() => SupervisorState::GatewayWedged,
            Stage::Waiting { due, reason: Reason::Circuit } => SupervisorState::CircuitOpen { until: *due },
            Stage::Waiting { reason: Reason::NoListener, .. } => self.recovering(NextAttempt::WhenListening),
            _ if self.generation == 0 && self.failures == 0 => SupervisorState::Connecting,
            Stage::Waiting { due, .. } => self.recovering(NextAttempt::At(*due)),
            Stage::Looking | Stage::Attempting => self.recovering(NextAttempt::Now),
        }
    }

    fn recovering(&self, next: NextAttempt<Moment>) -> SupervisorState<Moment> {
        let is_under_way = matches!(self.stage, Stage::Attempting);
        SupervisorState::Recovering { attempt: self.attempt + u32::from(!is_under_way), next }
    }

    fn is_wedged(&self) -> bool {
        self.unheard >= self.options.wedged_after
    }

    fn connected(&mut self, now: Moment, proof: Moment, said: &[Notice], actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Attempting) {
            return;
        }
        let mut health = Health::new(&self.options, proof);
        for notice in said {
            // Void are the subscriptions from before it, and this session has none yet.
            let _ = health.notice(now, notice);
        }
        self.stage = Stage::Up { since: now, health };
        self.generation += 1;
        (self.attempt, self.failures, self.unheard) = (0, 0, 0);
        actions.push(Action::Resume { dark_since: self.dark_since });
    }

    fn failed(&mut self, now: Moment, error: &Error, actions: &mut Vec<Action>) {
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
            None => self.retry.after_failure(),
        };
        let reason = match error.kind() {
            ErrorKind::CircuitOpen => Reason::Circuit,
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
    fn restarts_gateway(&self, now: Moment, error: &Error) -> bool {
        let found_mute = matches!(error.kind(), ErrorKind::GatewayWedged | ErrorKind::HandshakeTimeout);
        let is_due = self.restarted.is_none_or(|restarted| now.since(restarted) >= RESTART_PAUSE);
        let is_wanted = self.options.gateway_restart.is_some();
        is_wanted && is_due && found_mute && self.is_wedged() && self.attempt >= ATTEMPTS_BEFORE_RESTART
    }

    fn gives_up(&self, error: &Error) -> bool {
        match self.options.give_up {
            GiveUp::Never => false,
            GiveUp::AfterFailures(count) => self.failures >= count,
            GiveUp::WhenPermanent => !error.is_retryable(),
        }
    }

    fn answered(&mut self, now: Moment) {
        if let Stage::Up { health, .. } = &mut self.stage {
            health.answered(now);
        }
    }

    fn noticed(&mut self, now: Moment, notice: &Notice, actions: &mut Vec<Action>) {
        if let Stage::Up { health, .. } = &mut self.stage
            && let Some(dark_since) = health.notice(now, notice)
        {
            actions.push(Action::ResubscribeMarketData { dark_since });
        }
    }

    fn lost(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Stage::Up { since, health } = &self.stage else { return };
        let (since, proof) = (*since, health.proof());
        self.dark_since = Some(proof);
        self.stage = match self.retry.after_loss(proof.since(since)) {
            None => Stage::Waiting { due: now, reason: Reason::Schedule },
            Some(wait) => Stage::Waiting { due: now + wait, reason: Reason::Circuit },
        };
        actions.push(Action::Discard);
    }

    fn looked(&mut self, now: Moment, port: Port, actions: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Looking) {
            return;
        }
        match port {
            Port::Open => self.attempt(actions),
            Port::Shut => {
                self.unheard = 0;
                let due = now + self.options.listener_poll;
                self.stage = Stage::Waiting { due, reason: Reason::NoListener };
            }
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match &mut self.stage {
            Stage::Waiting { due, .. } if now >= *due => match self.lookout {
                Lookout::Kernel => {
                    self.stage = Stage::Looking;
                    actions.push(Action::Look);
                }
                Lookout::Nobody => self.attempt(actions),
            },
            Stage::Up { health, .. } => match health.check(now) {
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

    fn attempt(&mut self, actions: &mut Vec<Action>) {
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

/// Whether the attempt was refused on this machine, for now: then asking again costs the Gateway nothing, and waiting
/// longer each time would only delay the return.
fn is_refusal(error: &Error) -> bool {
    error.is_retryable() && error.phase() == Some(Phase::Preflight)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
