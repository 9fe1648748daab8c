//! The table of events and spans.

/// An event of `tracing`. Its name is its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventInfo {
    /// Its name, which never changes.
    pub name: &'static str,
    /// Its target, or what it begins with.
    pub target: &'static str,
    /// The levels it may have.
    pub levels: &'static [&'static str],
    /// Its fields: these and no others. One without a value (`None`) is left out.
    pub fields: &'static [&'static str],
    /// When it happens.
    pub doc: &'static str,
}

/// A span of `tracing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanInfo {
    /// Its name.
    pub name: &'static str,
    /// Its target, or what it begins with.
    pub target: &'static str,
    /// Its level.
    pub level: &'static str,
    /// Its fields: these and no others.
    pub fields: &'static [&'static str],
    /// What is in it.
    pub doc: &'static str,
}

/// The target of the lines on a worker's stderr: events without a name, with the line as message, the level that it begins with,
/// and the field `worker_pid`.
pub const WORKER_LINES: &str = "ibkr_connect::worker";

macro_rules! events {
    ($( $target:literal { $( $($level:ident)|+ $name:ident ($($field:ident),*) $doc:literal )+ } )+) => {
        /// Every event.
        pub static EVENTS: &[EventInfo] = &[ $( $( EventInfo {
            name: stringify!($name),
            target: $target,
            levels: &[$( stringify!($level) ),+],
            fields: &[$( stringify!($field) ),*],
            doc: $doc,
        } ),+ ),+ ];
    };
}

events! {
    "ibkr_connect_resilience" {
        // A connect.
        debug connect_attempt_begun(attempt, client_id, waited_ms) "An attempt begins, after waits for the breaker and the lock."
        warn connect_attempt_failed(attempt, kind, phase, client_id, ms, waited_ms, error) "An attempt has failed."
        info connect_attempt_succeeded(attempt, client_id, ms, waited_ms, accounts) "An attempt has succeeded."
        debug connect_phase(phase, ms) "A phase of the attempt that has just ended took so long."
        info connect_retry(kind, wait_ms) "The next attempt follows after this wait."
        warn connect_refused(gateway, kind, error) "No attempt is made (any more): the breaker is open, or the lock was not to be had."
        debug connect_abandoned() "Nobody waits for the connect any more."
        info maintenance_window(window, effect) "An attempt has failed while IBKR may be resetting its servers. The effect is `longer_waits`, and the failure does not count; or `none`, because nobody has said that the login is of that region."
        debug port_not_checked(port, error) "The kernel does not say whether anybody listens; taken for yes."
        // What processes share.
        info breaker_transition(gateway, from, to, details) "The breaker has changed; by time alone: the next attempt tells."
        warn breaker_forced_open(gateway, actor, reason) "Somebody has opened the breaker."
        warn breaker_reset(gateway, actor, reason) "Somebody has closed the breaker."
        warn breaker_file_unwritable(gateway, path, error) "The breaker can't be written: only this process knows what has just happened."
        info handshake_lock_busy(lock, holder) "Another process shakes hands; this one waits."
        debug handshake_lock_acquired(lock, waited_ms) "It is this process's turn."
        warn handshake_lock_unwritable(lock, error) "The holder of the lock can't leave its name."
        debug client_id_leased(gateway, client_id) "The client id is this connection's."
        info client_id_refused(client_id, hold_ms) "The Gateway says that the leased id is in use; left alone for so long."
        debug client_id_released(client_id) "The client id is free again."
        warn client_id_note_unwritable(client_id, error) "The holder of a client id can't leave its name."
        // Requests.
        info|warn request_paced(command, wait_ms) "A request waits for its turn, to keep IBKR's limits: a warning, once a second and command, if it waits longer than a second."
        warn request_not_sent(command, wait_ms, limit_ms) "It would wait longer than it may."
        warn request_not_paced(command, error) "The limits can't be shared with other processes; told once, and kept by this process alone."
        // A supervised session.
        info session_state(state, generation, detail) "The state has changed."
        warn attempt_failed(error) "The supervisor's attempt has failed."
        warn session_lost(reason, generation, cause) "The session is gone: it ended, or the Gateway is silent."
        info session_recovered(generation, cause, ms) "There is a usable session again."
        warn session_not_closed(error) "What was left of a session did not close gracefully."
        trace ping_answered(ms) "A ping was answered."
        debug|error ping_failed(error) "A ping was not answered: an error, if the connection panicked."
        debug gateway_notice(code, text) "The Gateway says something about itself."
        warn gateway_version_ends(detail) "IBKR will refuse this version of the Gateway (2172), and from which day on."
        debug|warn gateway_not_heard(error) "The session has no notices: a warning, unless the connection has none."
        info market_data_void(generation) "The Gateway has lost all market data (1101): their streams are opened again."
        debug stream_opening(command, generation) "A stream is asked for in the session."
        info stream_gap(command, generation, gap_ms) "A stream goes on, after a gap."
        debug|warn stream_waits(command, error, wait_ms) "A stream has ended or could not be opened, and is asked for again after this wait, or at once in the next session: a warning, unless the session is lost."
        warn stream_silent(command) "A stream that was lively before an outage is silent since it is over: it is opened again."
        warn stream_refused(command, error) "The Gateway refuses a stream; it ends."
        info|warn gateway_restart(gateway, outcome, by, ms, detail) "A restart of the Gateway is `done`, has `failed`, or was `too_soon`."
        info gateway_restart_output(line) "A line of the restart command's output."
        warn supervisor_still_closing() "The dropped supervisor's thread needs longer."
    }
    "ibkr_connect" {
        warn zombies_found(gateway, found, removed) "There are half-closed connections on the port."
        warn zombies_not_looked_for(gateway, error) "The look for half-closed connections failed."
        warn worker_not_registered(worker_pid, error) "The worker is not in the register: a cleanup would take it for a stranger."
        warn worker_fallback(error) "The worker can't start; the connect goes on in this process."
        error worker_not_serving(error) "The worker itself can't serve."
        warn register_unreadable(error) "The `zombies` command knows no worker."
        info chaos(faults) "`soak --chaos` gives the simulator these faults."
    }
    "ibkr_connect_subprocess" {
        warn worker_lost(worker_pid, reason) "The worker is gone, or was ended because it is of no use."
    }
    "ibkr_connect_protocol" {
        warn worker_line_refused(error) "The worker did not understand a line."
        warn link_writer_not_started(error) "Nobody writes what the pipe to the worker did not take at once."
        debug answer_unknown(id, status) "A worker of a newer version says something that this version does not know, and that answers nothing."
        warn trade_unheard(command, outcome) "A trade has come to its end after its caller had gone."
    }
    "ibkr_connect_direct" {
        debug connection_ended(reason) "The connection with the Gateway ends."
        info clock_question_waits(command, wait_ms) "A question for the Gateway's time waits: the last one was asked within 4.25 s, and this one would stay unanswered."
        warn bulletins_not_kept(count) "A stream of bulletins begins without so many of the day's oldest ones: more have come than are kept."
        warn relay_stranger(peer) "A program of this machine has connected to the port that is ibapi's, and was turned away."
        warn message_refused(refused) "A message of ibapi's that does more than read did not leave this read-only session; ibapi was told so."
        info request_notice(command, code, text) "The Gateway says something about a request that goes on."
        warn connection_still_closing(client_id) "The dropped connection's thread needs longer."
    }
    "ibkr_connect_core" {
        warn dotenv_line_skipped(file, error) "A line of the `.env` file that is not a setting of ours makes no sense."
    }
    "ibkr_connect_cleanup" {
        error child_unkillable(pid, label, waited_ms) "The child is still there after SIGKILL."
        warn child_not_signalled(pid, signal, error) "The child's group can't be signalled."
        error child_not_waited_for(pid, error) "The child can't be waited for."
        warn child_stderr_held() "A process outside the child's group holds its stderr, which is no longer read."
        warn zombie_holder_terminated(pid, command) "SIGTERM to the process that holds a half-closed connection."
        warn zombie_holder_killed(pid, command) "SIGKILL: it did not end."
    }
}

/// Every span.
pub static SPANS: &[SpanInfo] = &[
    SpanInfo {
        name: "connect",
        target: "ibkr_connect_resilience",
        level: "info",
        fields: &["gateway", "mode"],
        doc: "A connect, with all its attempts.",
    },
    SpanInfo {
        name: "supervisor",
        target: "ibkr_connect_resilience",
        level: "info",
        fields: &["gateway", "mode"],
        doc: "A supervisor's life: its sessions and its attempts.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_name_alone() {
        let mut names: Vec<_> = EVENTS.iter().map(|event| event.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EVENTS.len());
    }
}
