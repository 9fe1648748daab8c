//! The thread of a supervisor: feeds its state machines with what happens, and does what they say.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_cleanup::{ListenState, listening};
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Connector, Error, ErrorKind, Result, Session, Target, millis};
use ibkr_connect_state::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::Span;

use super::life::{Happened, Life, NewSession, Up, establish, join};
use super::machine::{Action, Admits, Event, ListenerCheck, Machine, Port};
use super::options::SupervisorOptions;
use super::restart::RestartHook;
use super::status::{Published, Snapshot, Status, StatusPublisher, SupervisedSession, Update, usable};
use super::stream::{Signal, Switch, is_loss};
use super::streams::{self, Gap, StreamId, Streams, Why};
use super::subscriptions::{Subscriptions, Wanted};
use super::time::{Reading, earliest};
use super::transition::TransitionCause;
use crate::breaker::{BreakerStore, Refused};
use crate::connect::PortCheck;
use crate::gateway::Gateway;
use crate::telemetry::SessionTelemetry;

/// How long a lost session may take to close before the next attempt begins.
const CLOSE_GRACE: Duration = Duration::from_secs(3);
/// The longest sleep. Timers stand still while the machine sleeps, and the clock does not: after that it is looked at again.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What the handle asks of the thread.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(Box<Wanted>),
    /// Answers when there is a usable session, or with an error after `limit`.
    Wait {
        limit: Duration,
        reply: oneshot::Sender<Result<SupervisedSession>>,
    },
}

/// Everything the thread needs.
pub(crate) struct Shell {
    connector: Arc<dyn Connector>,
    target: Target,
    clock: Arc<dyn Clock>,
    restart: Option<RestartHook>,
    machine: Machine,
    streams: Streams,
    subscriptions: Subscriptions,
    inbox: mpsc::UnboundedReceiver<Command>,
    signals: mpsc::UnboundedReceiver<(StreamId, Signal)>,
    publisher: StatusPublisher,
    telemetry: SessionTelemetry,
    life: Life,
    /// Why the last attempt failed, until one succeeds.
    failure: Option<Error>,
    waits: JoinSet<()>,
    /// The breaker that has refused the last attempt is being asked.
    breaker: Option<JoinHandle<Admits>>,
}

impl Shell {
    pub(crate) fn new(
        connector: Arc<dyn Connector>,
        target: Target,
        options: SupervisorOptions,
        clock: Arc<dyn Clock>,
        inbox: mpsc::UnboundedReceiver<Command>,
        signals: mpsc::UnboundedReceiver<(StreamId, Signal)>,
    ) -> (Self, Published) {
        let listener = match options.port_check {
            PortCheck::Local if Gateway::from(&target).is_local() => ListenerCheck::Kernel,
            PortCheck::Local | PortCheck::Off => ListenerCheck::Off,
        };
        let now = clock.now().into();
        let (publisher, published) = StatusPublisher::new(Arc::clone(&clock));
        let shell = Self {
            telemetry: SessionTelemetry::new(connector.mode(), &target),
            // The backend's own deadlines are shorter: that of the queue, and that of the opening.
            streams: Streams::new(target.request_timeout.saturating_mul(3), now),
            restart: options.gateway_restart.clone(),
            machine: Machine::new(options, listener, now),
            subscriptions: Subscriptions::default(),
            publisher,
            life: Life::default(),
            failure: None,
            waits: JoinSet::new(),
            breaker: None,
            connector,
            target,
            clock,
            inbox,
            signals,
        };
        (shell, published)
    }

    pub(crate) fn span(&self) -> Span {
        let (gateway, mode) = (Gateway::from(&self.target), self.connector.mode());
        tracing::info_span!("supervisor", %gateway, mode = mode.as_str())
    }

    /// Lives until the handle hangs up or the machine stops.
    pub(crate) async fn run(mut self) {
        self.tell(Event::Tick, TransitionCause::AttemptDue);
        while !self.publisher.is_closed() {
            let wait = self.wait();
            tokio::select! {
                biased;
                command = self.inbox.recv() => self.obey(command),
                Some((id, signal)) = self.signals.recv() => self.signalled(id, signal),
                happened = self.life.next(&self.clock) => self.lived(happened),
                event = self.subscriptions.next() => self.tell_streams(event),
                admits = join(&mut self.breaker) => {
                    let admits = admits.unwrap_or(Admits::NotYet);
                    self.tell(Event::Breaker(admits), TransitionCause::AttemptDue);
                }
                Some(_) = self.waits.join_next() => {}
                () = sleep(wait) => self.tick(),
            }
        }
        self.close().await;
    }

    fn now(&self) -> Reading {
        self.clock.now().into()
    }

    /// How long there is nothing to do.
    fn wait(&self) -> Duration {
        let wake =
            [self.machine.wake_at(), self.streams.wake_at(), self.streams.sample_at(), self.life.wake_at()];
        earliest(wake).map_or(LONGEST_SLEEP, |at| at.since(self.now())).min(LONGEST_SLEEP)
    }

    fn tick(&mut self) {
        self.tell(Event::Tick, TransitionCause::AttemptDue);
        let now = self.now();
        self.life.tick(now);
        if self.streams.sample_at().is_some_and(|due| now.has_reached(due)) {
            self.sample();
        } else {
            self.tell_streams(streams::Event::Tick);
        }
    }

    fn sample(&mut self) {
        let samples = self.subscriptions.samples();
        self.tell_streams(streams::Event::Sampled(samples));
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            None => self.tell(Event::Close, TransitionCause::Closed),
            Some(Command::Subscribe(wanted)) => self.subscribe(*wanted),
            Some(Command::Wait { limit, mut reply }) => {
                let status = self.publisher.status();
                self.waits.spawn(async move {
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

    fn subscribe(&mut self, wanted: Wanted) {
        // Who has left already has said so before it was known here.
        if wanted.switches.is_closed() {
            return;
        }
        let (id, content) = (wanted.id, (&wanted.request).into());
        self.subscriptions.add(wanted);
        self.tell_streams(streams::Event::Registered { id, content });
    }

    fn signalled(&mut self, id: StreamId, signal: Signal) {
        self.tell_streams(match signal {
            Signal::Taken(opening) => streams::Event::Taken { id, opening },
            Signal::ReadToEnd(opening) => streams::Event::ReadToEnd { id, opening },
            Signal::Dropped => streams::Event::Dropped { id },
        });
    }

    fn lived(&mut self, happened: Happened) {
        match happened {
            Happened::Connected(session) => {
                self.failure = None;
                self.telemetry.connected(self.now());
                let (proof, said) = (session.proof, session.said.clone());
                said.iter().for_each(say_retirement);
                let changes: Vec<_> = said.iter().filter_map(Notice::connectivity).collect();
                let actions = self.machine.on(self.now(), Event::Connected { proof, said });
                self.perform(actions, TransitionCause::Connected, Some(*session));
                for change in changes {
                    self.tell_streams(streams::Event::Connectivity(change));
                }
            }
            Happened::Failed(error) => {
                tracing::warn!(error = %self.target.log_accounts.text(&error), "attempt_failed");
                self.failure = Some(error.clone());
                self.tell(Event::Failed(error.clone()), TransitionCause::AttemptFailed(error));
            }
            Happened::Ended(reason) => {
                self.telemetry.ended(reason.clone());
                self.tell(Event::Lost, TransitionCause::SessionEnded(reason));
            }
            Happened::Answered(took) => {
                tracing::trace!(ms = took.as_secs_f64() * 1e3, "ping_answered");
                self.tell(Event::Answered, TransitionCause::PingAnswered);
            }
            Happened::PingFailed(error) => self.ping_failed(&error),
            Happened::Noticed(notice) => {
                say_retirement(&notice);
                // What came before it must not be taken for what comes after it.
                self.sample();
                let change = notice.connectivity();
                self.tell(Event::Notice(notice.clone()), TransitionCause::Notice(notice));
                if let Some(change) = change {
                    self.tell_streams(streams::Event::Connectivity(change));
                }
            }
            Happened::RequestsUnanswered(count) => {
                self.tell(Event::RequestsUnanswered(count), TransitionCause::RequestsUnanswered(count));
            }
        }
    }

    /// No answer: the machine counts the interval when it is over.
    fn ping_failed(&self, error: &Error) {
        let text = self.target.log_accounts.text(error);
        if error.kind() == ErrorKind::Internal {
            tracing::error!(error = %text, "ping_failed");
        } else {
            tracing::debug!(error = %text, "ping_failed");
        }
    }

    /// Tells the machine of the session, does what it says, and publishes what has changed with this cause.
    fn tell(&mut self, event: Event, cause: TransitionCause) {
        let actions = self.machine.on(self.now(), event);
        self.perform(actions, cause, None);
    }

    fn perform(&mut self, actions: Vec<Action>, mut cause: TransitionCause, mut arrived: Option<NewSession>) {
        for action in actions {
            match action {
                Action::CheckPort => {
                    let port = port(self.target.port);
                    if port == Port::Shut && matches!(cause, TransitionCause::AttemptDue) {
                        cause = TransitionCause::NotListening;
                    }
                    let actions = self.machine.on(self.now(), Event::Port(port));
                    self.perform(actions, cause.clone(), None);
                }
                Action::AskBreaker => self.ask_breaker(),
                Action::Connect => self.connect(),
                Action::Ping => self.life.ping(),
                Action::Resume { generation } => {
                    if let Some(session) = arrived.take() {
                        self.life = Life::Up(Box::new(Up::begin(session, generation)));
                        self.tell_streams(streams::Event::SessionUp);
                    }
                }
                Action::ResubscribeMarketData { since } => {
                    tracing::info!(generation = self.machine.generation(), "market_data_void");
                    self.tell_streams(streams::Event::Void { since });
                }
                Action::RestartGateway => self.restart_gateway(),
                Action::Discard { proof } => {
                    if !matches!(cause, TransitionCause::SessionEnded(_)) {
                        cause = TransitionCause::SessionSilent;
                    }
                    self.telemetry.lost(self.now(), self.machine.generation());
                    self.tell_streams(streams::Event::SessionLost { proof });
                    self.discard();
                }
                Action::Stop => self.discard(),
            }
        }
        self.publish(cause);
    }

    /// The lost session is closed first: its client id and its slot are needed again.
    fn connect(&mut self) {
        let closing = match &mut self.life {
            Life::Between { closing } => closing.take(),
            Life::Attempting(_) | Life::Up(_) => return,
        };
        let (connector, target, clock) =
            (Arc::clone(&self.connector), self.target.clone(), Arc::clone(&self.clock));
        self.life = Life::Attempting(Some(tokio::spawn(async move {
            if let Some(closing) = closing {
                let _ = closing.await;
            }
            establish(&*connector, &target, &clock).await
        })));
    }

    /// Its file may be held by a stopped process, which must not hold up this thread.
    fn ask_breaker(&mut self) {
        let breaker = self.failure.as_ref().and_then(Refused::breaker_of).cloned();
        self.breaker = breaker.map(|breaker| tokio::task::spawn_blocking(move || admits(&breaker)));
    }

    fn restart_gateway(&self) {
        if let Some(hook) = self.restart.clone() {
            hook.run(Gateway::from(&self.target), self.target.log_accounts);
        }
    }

    /// Tells the machine of the streams, and does what it says.
    fn tell_streams(&mut self, event: streams::Event) {
        for action in self.streams.on(self.now(), event) {
            self.perform_on_stream(action);
        }
    }

    fn perform_on_stream(&mut self, action: streams::Action) {
        let command = |subscriptions: &Subscriptions, id| {
            subscriptions.request(id).map_or("", |request| request.command())
        };
        match action {
            streams::Action::Open { id, opening } => {
                let Life::Up(up) = &self.life else { return };
                let generation = self.machine.generation();
                tracing::debug!(command = command(&self.subscriptions, id), generation, "stream_opening");
                self.subscriptions.open(id, opening, up.session());
            }
            streams::Action::Cancel { id, opening } => self.subscriptions.cancel(id, opening),
            streams::Action::Hand { id, gap } => self.hand(id, gap),
            streams::Action::End { id, end } => {
                if let Err(error) = &end {
                    let text = self.target.log_accounts.text(error);
                    tracing::warn!(command = command(&self.subscriptions, id), error = %text, "stream_refused");
                }
                self.subscriptions.end(id, end);
            }
            streams::Action::Forget { id } => self.subscriptions.forget(id),
            streams::Action::AskAgain { id, why, pause } => {
                say_why(command(&self.subscriptions, id), &why, pause, self.target.log_accounts);
            }
        }
    }

    fn hand(&mut self, id: StreamId, gap: Option<Gap>) {
        let generation = self.machine.generation();
        if let (Some(Gap { from, to }), Some(request)) = (gap, self.subscriptions.request(id)) {
            let gap_ms = millis(to.since(from));
            tracing::info!(command = request.command(), generation, gap_ms, "stream_gap");
        }
        let gap = gap.map(|Gap { from, to }| (from.wall(), to.wall()));
        self.subscriptions.hand(id, |opening, events| Switch::Opened { opening, events, generation, gap });
    }

    fn discard(&mut self) {
        self.telemetry.gone();
        let life = std::mem::take(&mut self.life);
        self.life = match life {
            Life::Up(up) => {
                let (session, log_accounts) = (up.end(), self.target.log_accounts);
                let closing = tokio::spawn(async move { hang_up(&session, log_accounts).await });
                Life::Between { closing: Some(closing) }
            }
            other => other,
        };
    }

    fn publish(&mut self, cause: TransitionCause) {
        let now = self.now();
        let snapshot = Snapshot::of(&self.machine, now);
        // First, so that who has seen the state finds what belongs to it.
        self.telemetry.at(now, snapshot.generation, snapshot.state.is_usable());
        let (session, failure) = (self.life.session(), self.failure.clone());
        self.publisher.publish(now, Update { snapshot, session, failure, cause });
    }

    async fn close(mut self) {
        if let Life::Attempting(attempt) = &mut self.life
            && let Some(attempt) = attempt.take()
        {
            attempt.abort();
            // Dropping its future is what abandons it; a connection that came at the last moment is dropped, too.
            let _ = attempt.await;
        }
        self.discard();
        if let Life::Between { closing: Some(closing) } = self.life {
            let _ = closing.await;
        }
    }
}

/// One question to the kernel; what can't be seen counts as open.
fn port(port: u16) -> Port {
    match listening(port) {
        Ok(ListenState::NotListening) => Port::Shut,
        Ok(_) => Port::Open,
        Err(error) => {
            tracing::debug!(%error, port, "port_not_checked");
            Port::Open
        }
    }
}

/// A breaker that can't be asked would not admit anybody either.
fn admits(breaker: &BreakerStore) -> Admits {
    match breaker.refusal() {
        Ok(None) => Admits::Now,
        Ok(Some(_)) | Err(_) => Admits::NotYet,
    }
}

/// A program that nobody reads the notices of is warned too: from that day on its Gateway does not start.
fn say_retirement(notice: &Notice) {
    if let Some(retirement) = notice.version_retirement() {
        tracing::warn!(detail = %retirement, "gateway_version_ends");
    }
}

fn say_why(command: &str, why: &Why, pause: Duration, log_accounts: LogAccounts) {
    let wait_ms = millis(pause);
    match why {
        Why::Failed(error) if is_loss(error) => {
            tracing::debug!(command, error = %log_accounts.text(error), wait_ms, "stream_waits");
        }
        Why::Failed(error) => {
            tracing::warn!(command, error = %log_accounts.text(error), wait_ms, "stream_waits");
        }
        Why::Silent => tracing::warn!(command, "stream_silent"),
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
