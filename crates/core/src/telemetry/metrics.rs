//! The table of metrics.

use super::instrument::{Counter, Gauge, MetricInfo, Seconds};

macro_rules! metrics {
    ($( $(#[doc = $doc:literal])+ $Type:ident $NAME:ident $name:literal [$($label:literal),*]; )+) => {
        $(
            $(#[doc = $doc])+
            pub static $NAME: $Type<{ [$($label),*].len() }> =
                $Type::new($name, &[$($label),*], concat!($($doc),+).trim_ascii());
        )+

        /// Every metric.
        pub static METRICS: &[&MetricInfo] = &[$( $NAME.info() ),+];
    };
}

metrics! {
    /// Connects that have ended. `outcome` is `ok`, the kind of the error, or `abandoned`: nobody waited any more. A connect may
    /// take several attempts.
    Counter CONNECTS "ibkr_connect_connects_total" ["mode", "outcome"];
    /// The time that one phase of an attempt took, the phase in which it failed included.
    Seconds PHASE_SECONDS "ibkr_connect_phase_seconds" ["mode", "phase"];
    /// Attempts after a failed one, within one connect. `kind` is the failure's.
    Counter RETRIES "ibkr_connect_retries_total" ["mode", "kind"];
    /// The circuit breaker as this process saw it last: 0 closed, 1 half open, 2 open, 3 forced open, 4
    /// unreadable. All processes of a user share it.
    Gauge BREAKER_STATE "ibkr_connect_breaker_state" ["gateway"];
    /// Transitions of the circuit breaker that this process made or found.
    Counter BREAKER_TRANSITIONS "ibkr_connect_breaker_transitions_total" ["gateway", "from", "to"];
    /// Half-closed connections on the port when this process last looked: before each connect and after a failed one. With
    /// `IBKR_ZOMBIE_CLEANUP=clean`, the proved ones only.
    Gauge ZOMBIES_FOUND "ibkr_connect_zombies_found" ["gateway"];
    /// Half-closed connections that this process has removed.
    Counter ZOMBIES_CLEANED "ibkr_connect_zombies_cleaned_total" ["gateway"];
    /// Sessions that a supervisor made because the worker of the one before was gone. Nothing in direct mode, which has no worker.
    Counter WORKER_RESTARTS "ibkr_connect_worker_restarts_total" ["gateway"];
    /// From a request's call to its answer, the wait for its turn included. `outcome` is `ok` or the kind of the error. A request
    /// that was dropped before its answer is not in it.
    Seconds REQUEST_SECONDS "ibkr_connect_request_seconds" ["mode", "command", "outcome"];
    /// How long an event of a stream waits in this process until its consumer reads it. One event at a time is timed, at most ten a
    /// second and stream; one that gives way to a newer value counts from the older one's arrival.
    Seconds STREAM_LAG "ibkr_connect_stream_lag_seconds" ["mode", "command"];
    /// The age of a supervised session, as of the last thing that happened to it (each ping at the latest); 0 while there is none.
    Gauge SESSION_UPTIME "ibkr_connect_session_uptime_seconds" ["mode", "gateway"];
    /// From the loss of a supervised session until another one is usable. `cause` is `disconnected`, `worker_exited`, `closed` (by
    /// this program) or `silence` (pings without an answer).
    Seconds RECOVERY_SECONDS "ibkr_connect_recovery_seconds" ["mode", "cause"];
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn names_are_as_prometheus_has_them() {
        for MetricInfo { name, kind, .. } in METRICS {
            assert!(name.starts_with("ibkr_connect_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        }
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
    }
}
