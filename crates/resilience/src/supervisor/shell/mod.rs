//! The thread of a supervisor: feeds its state machines with what happens, and does what they say (`actions`, `stream_actions`).

mod actions;
mod stream_actions;

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Connector, Error, ErrorKind, Result, Target};
use ibkr_connect_state::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::Span;

use super::life::{Happened, Life, join};
use super::machine::{Admits, Event, ListenerCheck, Machine};
use super::options::SupervisorOptions;
use super::restart::RestartHook;
use super::status::{Published, StatusPublisher, SupervisedSession, usable};
use super::stream::Signal;
use super::streams::{self, StreamId, Streams};
use super::subscriptions::{Subscriptions, Wanted};
use super::time::{Reading, earliest};
use super::transition::TransitionCause;
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
                    let too_late = |_| Err(status.borrow().late(limit));
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

/// A program that nobody reads the notices of is warned too: from that day on its Gateway does not start.
fn say_retirement(notice: &Notice) {
    if let Some(retirement) = notice.version_retirement() {
        tracing::warn!(detail = %retirement, "gateway_version_ends");
    }
}
