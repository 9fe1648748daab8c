//! What a supervisor tells and counts of its sessions: how old they are, how they are lost, and how soon there is another.

use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_core::{CloseReason, ConnectionMode, Target};
use ibkr_connect_state::Moment;

use crate::gateway::Gateway;
use crate::telemetry::{self, Cause, Recovery};

/// How a session is lost that has not ended.
const SILENCE: &str = "the Gateway no longer answers";

#[derive(Debug)]
pub(crate) struct Tally {
    mode: ConnectionMode,
    gateway: Gateway,
    log_accounts: LogAccounts,
    /// Since when there is the session.
    connected: Option<Moment>,
    /// How it has ended, until it is taken for lost.
    end: Option<CloseReason>,
    /// The loss that is being recovered from.
    loss: Option<(Moment, Cause)>,
}

impl Tally {
    pub(crate) fn new(mode: ConnectionMode, target: &Target) -> Self {
        let (gateway, log_accounts) = (Gateway::from(target), target.log_accounts);
        Self { mode, gateway, log_accounts, connected: None, end: None, loss: None }
    }

    pub(crate) fn connected(&mut self, now: Moment) {
        self.connected = Some(now);
    }

    pub(crate) fn ended(&mut self, reason: CloseReason) {
        self.end = Some(reason);
    }

    /// The session is taken for lost.
    pub(crate) fn lost(&mut self, now: Moment, generation: u64) {
        let end = self.end.take();
        let cause = Cause::of(end.as_ref());
        let reason = end.map_or_else(|| SILENCE.to_owned(), |reason| reason.to_string());
        telemetry::session_lost(generation, cause, &self.log_accounts.text(reason).to_string());
        self.loss = Some((now, cause));
    }

    /// There is no session any more, or not yet.
    pub(crate) fn gone(&mut self) {
        self.connected = None;
    }

    /// What is to be told and counted now.
    pub(crate) fn at(&mut self, now: Moment, generation: u64, is_usable: bool) {
        let age = self.connected.map(|connected| now.since(connected));
        telemetry::session_is(self.mode, &self.gateway, age);
        if is_usable && let Some((lost, cause)) = self.loss.take() {
            let recovery = Recovery { mode: self.mode, cause, took: now.since(lost) };
            telemetry::session_recovered(generation, &self.gateway, &recovery);
        }
    }
}
