//! What a connection says in the log; account ids appear in it as the connect has said.

use ibkr_connect_core::CloseReason;
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_wire::Refusal;

/// The Gateway says something about a request that goes on.
pub(crate) fn request_notice(accounts: LogAccounts, command: &str, code: i32, message: &str) {
    let text = accounts.text(message);
    tracing::info!(command, code, %text, "request_notice");
}

pub(crate) fn connection_ended(accounts: LogAccounts, reason: &CloseReason) {
    tracing::debug!(reason = %accounts.text(reason), "connection_ended");
}

/// The guard has kept a message of ours from leaving a read-only session, which nothing here should send.
pub(crate) fn message_refused(refusal: &Refusal) {
    tracing::warn!(refused = %refusal.refused, "message_refused");
}
