//! What the thread does when the state machine of the streams says so.

use std::time::Duration;

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::millis;

use super::Shell;
use crate::supervisor::lifecycle::Lifecycle;
use crate::supervisor::stream::{StreamUpdate, is_loss};
use crate::supervisor::streams::{self, Gap, ResubscribeReason, StreamId};
use crate::supervisor::subscriptions::Subscriptions;

impl Shell {
    /// Tells the machine of the streams, and does what it says.
    pub(super) fn feed_streams(&mut self, event: streams::Event) {
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
                let Lifecycle::Connected(up) = &self.lifecycle else { return };
                let generation = self.machine.generation();
                tracing::debug!(command = command(&self.subscriptions, id), generation, "stream_opening");
                self.subscriptions.open(id, opening, up.session());
            }
            streams::Action::Cancel { id, opening } => self.subscriptions.cancel(id, opening),
            streams::Action::Deliver { id, gap } => self.deliver(id, gap),
            streams::Action::End { id, end } => {
                if let Err(error) = &end {
                    let text = self.target.log_accounts.text(error);
                    tracing::warn!(command = command(&self.subscriptions, id), error = %text, "stream_refused");
                }
                self.subscriptions.end(id, end);
            }
            streams::Action::Forget { id } => self.subscriptions.forget(id),
            streams::Action::AskAgain { id, why, pause } => {
                log_retry(command(&self.subscriptions, id), &why, pause, self.target.log_accounts);
            }
        }
    }

    fn deliver(&mut self, id: StreamId, gap: Option<Gap>) {
        let generation = self.machine.generation();
        if let (Some(Gap { from, to }), Some(request)) = (gap, self.subscriptions.request(id)) {
            let gap_ms = millis(to.since(from));
            tracing::info!(command = request.command(), generation, gap_ms, "stream_gap");
        }
        let gap = gap.map(|Gap { from, to }| (from.wall(), to.wall()));
        self.subscriptions.deliver(id, |opening, events| StreamUpdate::Opened {
            opening,
            events,
            generation,
            gap,
        });
    }
}

fn log_retry(command: &str, why: &ResubscribeReason, pause: Duration, log_accounts: LogAccounts) {
    let wait_ms = millis(pause);
    match why {
        ResubscribeReason::Failed(error) if is_loss(error) => {
            tracing::debug!(command, error = %log_accounts.text(error), wait_ms, "stream_waits");
        }
        ResubscribeReason::Failed(error) => {
            tracing::warn!(command, error = %log_accounts.text(error), wait_ms, "stream_waits");
        }
        ResubscribeReason::Silent => tracing::warn!(command, "stream_silent"),
    }
}
