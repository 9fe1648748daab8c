//! What the thread does when the state machine of the session says so.

use std::sync::Arc;

use ibkr_connect_cleanup::{ListenState, listening};
use ibkr_connect_core::Session;
use ibkr_connect_core::config::LogAccounts;
use tokio::time::timeout;

use super::{CLOSE_GRACE, Shell};
use crate::breaker::{BreakerStore, Refused};
use crate::gateway::Gateway;
use crate::supervisor::lifecycle::{Lifecycle, LiveSession, NewSession, establish};
use crate::supervisor::machine::{Action, Admits, Event, Port};
use crate::supervisor::status::{Snapshot, Update};
use crate::supervisor::streams;
use crate::supervisor::transition::TransitionCause;

impl Shell {
    /// Tells the machine of the session, does what it says, and publishes what has changed with this cause.
    pub(super) fn feed(&mut self, event: Event, cause: TransitionCause) {
        let actions = self.machine.on(self.now(), event);
        self.perform(actions, cause, None);
    }

    pub(super) fn perform(
        &mut self,
        actions: Vec<Action>,
        mut cause: TransitionCause,
        mut new_session: Option<NewSession>,
    ) {
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
                Action::Ping => self.lifecycle.ping(),
                Action::Resume { generation } => {
                    if let Some(session) = new_session.take() {
                        self.lifecycle =
                            Lifecycle::Connected(Box::new(LiveSession::begin(session, generation)));
                        self.feed_streams(streams::Event::SessionUp);
                    }
                }
                Action::ResubscribeMarketData { since } => {
                    tracing::info!(generation = self.machine.generation(), "market_data_void");
                    self.feed_streams(streams::Event::Void { since });
                }
                Action::RestartGateway => self.restart_gateway(),
                Action::Discard { last_answer } => {
                    if !matches!(cause, TransitionCause::SessionEnded(_)) {
                        cause = TransitionCause::SessionSilent;
                    }
                    self.telemetry.lost(self.now(), self.machine.generation());
                    self.feed_streams(streams::Event::SessionLost { last_answer });
                    self.discard();
                }
                Action::Stop => self.discard(),
            }
        }
        self.publish(cause);
    }

    /// The lost session is closed first: its client id and its slot are needed again.
    fn connect(&mut self) {
        let closing = match &mut self.lifecycle {
            Lifecycle::Idle { closing } => closing.take(),
            Lifecycle::Connecting(_) | Lifecycle::Connected(_) => return,
        };
        let (connector, target, clock) =
            (Arc::clone(&self.connector), self.target.clone(), Arc::clone(&self.clock));
        self.lifecycle = Lifecycle::Connecting(Some(tokio::spawn(async move {
            if let Some(closing) = closing {
                let _ = closing.await;
            }
            establish(&*connector, &target, &clock).await
        })));
    }

    /// Not on this thread: a stopped process may hold the lock of the breaker's file.
    fn ask_breaker(&mut self) {
        let breaker = self.failure.as_ref().and_then(Refused::breaker_of).cloned();
        self.breaker = breaker.map(|breaker| tokio::task::spawn_blocking(move || admits(&breaker)));
    }

    fn restart_gateway(&self) {
        if let Some(hook) = self.restart.clone() {
            hook.run(Gateway::from(&self.target), self.target.log_accounts);
        }
    }

    pub(super) fn discard(&mut self) {
        self.telemetry.gone();
        let lifecycle = std::mem::take(&mut self.lifecycle);
        self.lifecycle = match lifecycle {
            Lifecycle::Connected(up) => {
                let (session, log_accounts) = (up.end(), self.target.log_accounts);
                let closing = tokio::spawn(async move { close_session(&session, log_accounts).await });
                Lifecycle::Idle { closing: Some(closing) }
            }
            other => other,
        };
    }

    fn publish(&mut self, cause: TransitionCause) {
        let now = self.now();
        let snapshot = Snapshot::of(&self.machine, now);
        // First, so that who has seen the state finds what belongs to it.
        self.telemetry.at(now, snapshot.generation, snapshot.state.is_usable());
        let (session, failure) = (self.lifecycle.session(), self.failure.clone());
        self.publisher.publish(now, Update { snapshot, session, failure, cause });
    }
}

/// Asks the kernel. A port counts as open when the kernel does not say.
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

async fn close_session(session: &Session, log_accounts: LogAccounts) {
    match timeout(CLOSE_GRACE, session.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %log_accounts.text(error), "session_not_closed"),
        Err(_) => {
            let error = format!("not within {CLOSE_GRACE:?}");
            tracing::warn!(error, "session_not_closed");
        }
    }
}
