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

use super::lifecycle::{Lifecycle, LifecycleEvent, join};
use super::machine::{Admits, Event, ListenerCheck, Machine};
use super::options::SupervisorOptions;
use super::restart::RestartHook;
use super::status::{Published, StatusPublisher, SupervisedSession, usable};
use super::stream::Signal;
use super::streams::{self, StreamId, Streams};
use super::subscriptions::{StreamSpec, Subscriptions};
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
    Subscribe(Box<StreamSpec>),
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
    lifecycle: Lifecycle,
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
            lifecycle: Lifecycle::default(),
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

    /// Runs until the handle closes its channel or the machine stops.
    pub(crate) async fn run(mut self) {
        self.feed(Event::Tick, TransitionCause::AttemptDue);
        while !self.publisher.is_closed() {
            let wait = self.wait();
            tokio::select! {
                biased;
                command = self.inbox.recv() => self.on_command(command),
                Some((id, signal)) = self.signals.recv() => self.on_signal(id, signal),
                event = self.lifecycle.next(&self.clock) => self.on_lifecycle_event(event),
                event = self.subscriptions.next() => self.feed_streams(event),
                admits = join(&mut self.breaker) => {
                    let admits = admits.unwrap_or(Admits::NotYet);
                    self.feed(Event::Breaker(admits), TransitionCause::AttemptDue);
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
        let wake = [
            self.machine.wake_at(),
            self.streams.wake_at(),
            self.streams.sample_at(),
            self.lifecycle.wake_at(),
        ];
        earliest(wake).map_or(LONGEST_SLEEP, |at| at.since(self.now())).min(LONGEST_SLEEP)
    }

    fn tick(&mut self) {
        self.feed(Event::Tick, TransitionCause::AttemptDue);
        let now = self.now();
        self.lifecycle.tick(now);
        if self.streams.sample_at().is_some_and(|due| now.has_reached(due)) {
            self.sample();
        } else {
            self.feed_streams(streams::Event::Tick);
        }
    }

    fn sample(&mut self) {
        let samples = self.subscriptions.samples();
        self.feed_streams(streams::Event::Sampled(samples));
    }

    fn on_command(&mut self, command: Option<Command>) {
        match command {
            None => self.feed(Event::Close, TransitionCause::Closed),
            Some(Command::Subscribe(spec)) => self.subscribe(*spec),
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

    fn subscribe(&mut self, spec: StreamSpec) {
        // The user has given it up, and its signal came before this command.
        if spec.updates.is_closed() {
            return;
        }
        let (id, content) = (spec.id, (&spec.request).into());
        self.subscriptions.add(spec);
        self.feed_streams(streams::Event::Registered { id, content });
    }

    fn on_signal(&mut self, id: StreamId, signal: Signal) {
        self.feed_streams(match signal {
            Signal::Taken(opening) => streams::Event::Taken { id, opening },
            Signal::ReadToEnd(opening) => streams::Event::ReadToEnd { id, opening },
            Signal::Dropped => streams::Event::Dropped { id },
        });
    }

    fn on_lifecycle_event(&mut self, event: LifecycleEvent) {
        match event {
            LifecycleEvent::Connected(session) => {
                self.failure = None;
                self.telemetry.connected(self.now());
                let (last_answer, initial_notices) = (session.last_answer, session.initial_notices.clone());
                initial_notices.iter().for_each(log_retirement);
                let changes: Vec<_> = initial_notices.iter().filter_map(Notice::connectivity).collect();
                let actions = self.machine.on(self.now(), Event::Connected { last_answer, initial_notices });
                self.perform(actions, TransitionCause::Connected, Some(*session));
                for change in changes {
                    self.feed_streams(streams::Event::Connectivity(change));
                }
            }
            LifecycleEvent::Failed(error) => {
                tracing::warn!(error = %self.target.log_accounts.text(&error), "attempt_failed");
                self.failure = Some(error.clone());
                self.feed(Event::Failed(error.clone()), TransitionCause::AttemptFailed(error));
            }
            LifecycleEvent::Ended(reason) => {
                self.telemetry.ended(reason.clone());
                self.feed(Event::Lost, TransitionCause::SessionEnded(reason));
            }
            LifecycleEvent::Answered(took) => {
                tracing::trace!(ms = took.as_secs_f64() * 1e3, "ping_answered");
                self.feed(Event::Answered, TransitionCause::PingAnswered);
            }
            LifecycleEvent::PingFailed(error) => self.ping_failed(&error),
            LifecycleEvent::Noticed(notice) => {
                log_retirement(&notice);
                // An event that came before the notice must not count as one that came after it.
                self.sample();
                let change = notice.connectivity();
                self.feed(Event::Notice(notice.clone()), TransitionCause::Notice(notice));
                if let Some(change) = change {
                    self.feed_streams(streams::Event::Connectivity(change));
                }
            }
            LifecycleEvent::RequestsUnanswered(count) => {
                self.feed(Event::RequestsUnanswered(count), TransitionCause::RequestsUnanswered(count));
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
        if let Lifecycle::Connecting(attempt) = &mut self.lifecycle
            && let Some(attempt) = attempt.take()
        {
            attempt.abort();
            // Dropping its future is what abandons it; a connection that came at the last moment is dropped, too.
            let _ = attempt.await;
        }
        self.discard();
        if let Lifecycle::Idle { closing: Some(closing) } = self.lifecycle {
            let _ = closing.await;
        }
    }
}

/// Warns of the day from which on this version of the Gateway does not start, also where no program reads notices.
fn log_retirement(notice: &Notice) {
    if let Some(retirement) = notice.version_retirement() {
        tracing::warn!(detail = %retirement, "gateway_version_ends");
    }
}
