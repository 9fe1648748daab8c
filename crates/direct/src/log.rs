//! What a connection says in the log. It has a thread of its own, and so has its way to show account ids.

use std::cell::Cell;

use ibkr_connect_core::CloseReason;
use ibkr_connect_core::config::LogAccounts;
use ibkr_connect_wire::Refusal;

thread_local! {
    static ACCOUNTS: Cell<LogAccounts> = const { Cell::new(LogAccounts::Masked) };
}

/// How account ids appear from here on, on this thread.
pub(crate) fn show_accounts(accounts: LogAccounts) {
    ACCOUNTS.set(accounts);
}

/// The Gateway says something about a request that goes on.
pub(crate) fn request_notice(command: &str, code: i32, message: &str) {
    let text = ACCOUNTS.get().text(message);
    tracing::info!(command, code, %text, "request_notice");
}

pub(crate) fn connection_ended(reason: &CloseReason) {
    tracing::debug!(reason = %ACCOUNTS.get().text(reason), "connection_ended");
}

/// The guard has kept a message of ours from leaving a read-only session, which nothing here should send.
pub(crate) fn message_refused(refusal: &Refusal) {
    tracing::warn!(refused = %refusal.refused, "message_refused");
}
