//! The thread of a supervisor: feeds the state machine with what happens, and does what it says.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_cleanup::{ListenState, listening};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{
    CloseReason, Connector, Error, ErrorKind, EventStream, Result, Session, Target, millis,
};
use ibkr_connect_state::Moment;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::hearing::{Heard, listen, next_notice};
use super::machine::{Action, Event, Machine, Port};
use super::status::{Board, Status, SupervisedSession, usable};
use super::stream::{Registration, Switch, is_loss};
use super::tally::Tally;
use super::uptime::{Uptime, sleep_until};
use crate::gateway::Gateway;
use crate::supervisor::restart::RestartHook;

/// How long a lost session may take to close before the next attempt begins.
const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// What the handle asks of the thread.
#[derive(Debug)]
pub(crate) enum Command {
    Register(Box<Registration>),
    /// Answers when there is a usable session, or with an error after `limit`.
    Wait {
        limit: Duration,
        reply: oneshot::Sender<Result<SupervisedSession>>,
    },
}

/// Everything the thread needs.
pub(crate) struct Shell {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) target: Target,
    pub(crate) machine: Machine,
    pub(crate) restart: Option<RestartHook>,
    pub(crate) uptime: Uptime,
    pub(crate) inbox: mpsc::UnboundedReceiver<Command>,
    pub(crate) board: Board,
    pub(crate) tally: Tally,
    pub(crate) jobs: Jobs,
}

/// What is under way. A job is a task of its own, so that its panic is its own too.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    attempt: Option<JoinHandle<Result<Heard>>>,
    ping: Option<JoinHandle<Result<Duration>>>,
    end: Option<JoinHandle<CloseReason>>,
    closing: Option<JoinHandle<()>>,
    session: Option<SupervisedSession>,
    notices: Option<EventStream>,
    streams: Vec<Registration>,
    openings: JoinSet<(Registration, Result<EventStream>)>,
    waits: JoinSet<()>,
    epoch: u64,
    failure: Option<Error>,
}

impl Shell {
    /// Lives until the handle hangs up or the machine stops.
    pub(crate) async fn run(mut self) {
        self.tell(Event::Tick);
        while !self.is_stopped() {
            let wake = self.machine.wake_at().map(|at| self.uptime.instant(at));
            tokio::select! {
                biased;
                command = self.inbox.recv() => self.obey(command),
                reason = join(&mut self.jobs.end) => self.session_ended(reason),
                outcome = join(&mut self.jobs.attempt) => self.attempt_ended(outcome),
                answer = join(&mut self.jobs.ping) => self.ping_ended(answer),
                Some(opened) = self.jobs.openings.join_next() => self.stream_opened(opened.ok()),
                Some(_) = self.jobs.waits.join_next() => {}
                notice = next_notice(&mut self.jobs.notices, self.target.log_accounts) => {
                    self.tell(Event::Notice(notice));
                }
                () = sleep_until(wake) => self.tell(Event::Tick),
            }
        }
        self.close().await;
    }

    fn is_stopped(&self) -> bool {
        self.board.status.borrow().state == super::SupervisorState::Closed
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            None => self.tell(Event::Close),
            Some(Command::Register(registration)) => self.settle(*registration),
            Some(Command::Wait { limit, mut reply }) => {
                let status = self.board.status.subscribe();
                self.jobs.waits.spawn(async move {
                    let found = tokio::select! {
                        biased;
                        () = reply.closed() => return,
                        found = timeout(limit, usable(status.clone())) => found,
                    };
                    let too_late = |_| Err(late(&status.borrow(), limit));
                    drop(reply.send(found.unwrap_or_else(too_late)));
                });
            }
        }
    }

    fn session_ended(&mut self, reason: Joined<CloseReason>) {
        self.tally.ended(reason.unwrap_or_else(CloseReason::Disconnected));
        self.tell(Event::Lost);
    }

    fn attempt_ended(&mut self, outcome: Joined<Result<Heard>>) {
        let panicked = |panic| {
            Err(Error::new(ErrorKind::Internal, format!("the connector failed: {panic}")).retryable())
        };
        match outcome.unwrap_or_else(panicked) {
            Ok(Heard { session, proof, said, notices }) => {
                self.jobs.failure = None;
                self.tally.connected(self.uptime.now());
                let generation = self.machine.generation() + 1;
                self.jobs.session = Some(SupervisedSession { session, generation });
                self.jobs.notices = notices;
                self.tell(Event::Connected { proof, said });
            }
            Err(error) => {
                tracing::warn!(error = %self.target.log_accounts.text(&error), "attempt_failed");
                self.jobs.failure = Some(error.clone());
                self.tell(Event::Failed(error));
            }
        }
    }

    fn ping_ended(&mut self, answer: Joined<Result<Duration>>) {
        match answer {
            Ok(Ok(took)) => {
                tracing::trace!(ms = took.as_secs_f64() * 1e3, "ping_answered");
                self.tell(Event::Answered);
            }
            // No answer: the machine counts the interval when it is over.
            Ok(Err(error)) => tracing::debug!(error = %self.target.log_accounts.text(error), "ping_failed"),
            Err(panic) => tracing::error!(error = %self.target.log_accounts.text(panic), "ping_failed"),
        }
    }

    /// Tells the machine, does what it says, and tells the world.
    fn tell(&mut self, event: Event) {
        let mut actions = VecDeque::from(self.machine.on(self.uptime.now(), event));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Look => {
                    let port = look(self.target.port);
                    actions.extend(self.machine.on(self.uptime.now(), Event::Port(port)));
                }
                Action::Connect => self.connect(),
                Action::Ping => self.ping(),
                Action::Resume { dark_since } => self.resume(dark_since),
                Action::ResubscribeMarketData { dark_since } => self.resubscribe_market_data(dark_since),
                Action::RestartGateway => self.restart_gateway(),
                Action::Discard => {
                    self.tally.lost(self.uptime.now(), self.machine.generation());
                    self.discard();
                }
                Action::Stop => self.discard(),
            }
        }
        self.publish();
    }

    /// The lost session is closed first: its client id and its slot are needed again.
    fn connect(&mut self) {
        let (connector, target) = (Arc::clone(&self.connector), self.target.clone());
        let (closing, uptime, log_accounts) =
            (self.jobs.closing.take(), self.uptime, self.target.log_accounts);
        self.jobs.attempt = Some(tokio::spawn(async move {
            if let Some(closing) = closing {
                let _ = closing.await;
            }
            let session = Session::new(connector.connect(&target).await?);
            Ok(listen(session, uptime, log_accounts).await)
        }));
    }

    fn ping(&mut self) {
        let Some(SupervisedSession { session, .. }) = self.jobs.session.clone() else { return };
        let ping = tokio::spawn(async move { session.ping().await });
        if let Some(unanswered) = self.jobs.ping.replace(ping) {
            unanswered.abort();
        }
    }

    fn restart_gateway(&self) {
        if let Some(hook) = self.restart.clone() {
            hook.run(Gateway::from(&self.target), self.target.log_accounts);
        }
    }

    fn resume(&mut self, dark_since: Option<Moment>) {
        let Some(SupervisedSession { session, .. }) = self.jobs.session.clone() else { return };
        self.jobs.end = Some(tokio::spawn(async move { session.closed().await }));
        self.jobs.epoch += 1;
        for registration in std::mem::take(&mut self.jobs.streams) {
            self.reopen(registration, dark_since);
        }
    }

    fn resubscribe_market_data(&mut self, dark_since: Moment) {
        tracing::info!(generation = self.machine.generation(), "market_data_void");
        self.jobs.epoch += 1;
        for registration in std::mem::take(&mut self.jobs.streams) {
            if registration.request.is_market_data() {
                self.reopen(registration, Some(dark_since));
            } else {
                self.jobs.streams.push(Registration { epoch: self.jobs.epoch, ..registration });
            }
        }
    }

    fn reopen(&mut self, mut registration: Registration, dark_since: Option<Moment>) {
        let Some(SupervisedSession { session, .. }) = self.jobs.session.clone() else {
            return self.jobs.streams.push(registration);
        };
        if registration.is_abandoned() {
            return;
        }
        registration.epoch = self.jobs.epoch;
        registration.interrupted(dark_since);
        let (request, session) = (registration.request.clone(), session.with_flow(registration.flow));
        let generation = self.machine.generation();
        tracing::debug!(command = request.command(), generation, "stream_resubscribing");
        self.jobs.openings.spawn(async move { (registration, session.subscribe(request).await) });
    }

    /// A panic in a backend takes its registration with it, which ends the stream.
    fn stream_opened(&mut self, opened: Option<(Registration, Result<EventStream>)>) {
        let Some((mut registration, outcome)) = opened else { return };
        match outcome {
            Ok(events) => {
                let now = self.uptime.now();
                let from = registration.dark_since.take().unwrap_or(registration.since);
                let (generation, gap_ms) = (self.machine.generation(), millis(now.since(from)));
                let command = registration.request.command();
                tracing::info!(command, generation, gap_ms, "stream_gap");
                let (from, to) = (self.uptime.wall(from), self.uptime.wall(now));
                registration.since = now;
                // An error means that the consumer has gone, which settling finds out too.
                let _ = registration.switches.send(Switch::Resumed { events, from, to, generation });
                self.settle(registration);
            }
            // The session is lost again; the next one opens it.
            Err(error) if is_loss(&error) => self.settle(registration),
            Err(error) => {
                let command = registration.request.command();
                tracing::warn!(command, error = %self.target.log_accounts.text(&error), "stream_refused");
                drop(registration.switches.send(Switch::Refused(error)));
            }
        }
    }

    /// Keeps the stream; opens it anew if others were while it was being opened.
    fn settle(&mut self, registration: Registration) {
        self.jobs.streams.retain(|registration| !registration.is_abandoned());
        if registration.epoch < self.jobs.epoch {
            self.reopen(registration, None);
        } else if !registration.is_abandoned() {
            self.jobs.streams.push(registration);
        }
    }

    fn discard(&mut self) {
        self.jobs.ping.take().inspect(JoinHandle::abort);
        self.tally.gone();
        self.jobs.notices = None;
        self.jobs.end.take().inspect(JoinHandle::abort);
        if let Some(SupervisedSession { session, .. }) = self.jobs.session.take() {
            let log_accounts = self.target.log_accounts;
            self.jobs.closing = Some(tokio::spawn(async move { hang_up(&session, log_accounts).await }));
        }
    }

    fn publish(&mut self) {
        let (now, generation) = (self.uptime.now(), self.machine.generation());
        let state = self.machine.state(now);
        // First, so that who has seen the state finds what belongs to it.
        self.tally.at(now, generation, state.is_usable());
        self.board.publish(Status {
            state: state.map(|at| self.uptime.wall(at)),
            session: self.jobs.session.clone(),
            generation,
            epoch: self.jobs.epoch,
            failure: self.jobs.failure.clone(),
        });
    }

    async fn close(mut self) {
        if let Some(attempt) = self.jobs.attempt.take() {
            attempt.abort();
            // Dropping its future is what abandons it; a connection that came at the last moment is dropped, too.
            let _ = attempt.await;
        }
        self.discard();
        if let Some(closing) = self.jobs.closing.take() {
            let _ = closing.await;
        }
    }
}

/// One question to the kernel; what can't be seen counts as open.
fn look(port: u16) -> Port {
    match listening(port) {
        Ok(ListenState::NotListening) => Port::Shut,
        Ok(_) => Port::Open,
        Err(error) => {
            tracing::debug!(%error, port, "port_not_checked");
            Port::Open
        }
    }
}

async fn hang_up(session: &Session, log_accounts: LogAccounts) {
    match timeout(CLOSE_GRACE, session.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %log_accounts.text(error), "session_not_closed"),
        Err(_) => {
            let error = format!("not within {CLOSE_GRACE:?}");
            tracing::warn!(error, "session_not_closed");
        }
    }
}

fn late(status: &Status, limit: Duration) -> Error {
    let error = status.absence(ErrorKind::Timeout);
    let late =
        Error::new(ErrorKind::Timeout, format!("no usable session within {limit:?}: {}", error.message()));
    match error.advice() {
        Some(advice) => late.with_advice(advice.to_owned()),
        None => late,
    }
    .with_source(error)
}

/// The outcome of a task, or what it panicked with.
type Joined<T> = Result<T, String>;

/// Waits for the job, for ever if there is none, and clears its place.
async fn join<T>(job: &mut Option<JoinHandle<T>>) -> Joined<T> {
    let Some(handle) = job else { return pending().await };
    let outcome = handle.await;
    *job = None;
    outcome.map_err(|error| error.to_string())
}
