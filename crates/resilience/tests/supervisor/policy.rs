//! Over the connector that programs use: one handshake per attempt, under the policy.

use std::time::Instant;

use ibkr_connect_core::Config;
use ibkr_connect_resilience::{
    BreakerSettings, BreakerStore, Gateway, Note, Policy, Refusal, RobustConnector, parts::KernelClock,
};
use jiff::SignedDuration;

use super::*;

#[test]
fn with_the_policy_a_lost_session_gets_its_client_id_again() {
    let gateway = gateway(Vec::new());
    let state = tempfile::tempdir().unwrap();
    let connector = robust(&state, BreakerSettings::default());
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    let first = session(&supervisor).info().client_id;
    gateway.reset_all();
    until_generation(&supervisor, 2);
    assert_eq!(session(&supervisor).info().client_id, first, "the lost session was closed first");
}

#[test]
fn an_open_breaker_is_shown_with_its_time_and_kept() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let state = tempfile::tempdir().unwrap();
    let connector = robust(&state, BreakerSettings::default().with_failures(2));
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    let open = until(&supervisor, "circuit open", is_circuit_open);
    let SupervisorState::CircuitOpen { until } = open else { unreachable!() };
    let error = supervisor.failure().unwrap();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    let admitted = Timestamp::now() + Refusal::of_error(&error).unwrap().retry_in().unwrap();
    assert!(until.duration_since(admitted).abs() < SignedDuration::from_secs(5), "{until} and {admitted}");
    assert_eq!(gateway.stats().accepted, 2);
}

#[test]
fn an_attempt_is_made_as_soon_as_the_breaker_admits_one() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let state = tempfile::tempdir().unwrap();
    let recovery = Duration::from_millis(500);
    let breaker = BreakerSettings::default().with_failures(2).with_recovery(recovery);
    // Guesses would be an hour long.
    let schedule = vec![Duration::from_millis(1), Duration::from_millis(1), Duration::from_secs(3_600)];
    let options = quick().with_schedule(schedule);
    let supervisor = Supervisor::start(robust(&state, breaker), target(gateway.port()), options).unwrap();
    until(&supervisor, "circuit open", is_circuit_open);
    gateway.set_faults(Vec::new());
    assert_eq!(session(&supervisor).generation(), 1);
}

#[test]
fn sessions_that_are_lost_six_times_in_an_hour_open_the_circuit() {
    let gateway = gateway(Vec::new());
    let state = tempfile::tempdir().unwrap();
    let connector = robust(&state, BreakerSettings::default());
    let schedule = vec![Duration::from_secs(3_600)];
    let options = quick().with_schedule(schedule);
    let supervisor = Supervisor::start(connector, target(gateway.port()), options).unwrap();
    for generation in 1..=6 {
        until_generation(&supervisor, generation);
        gateway.reset_all();
    }
    let open = until(&supervisor, "circuit open", is_circuit_open);
    let SupervisorState::CircuitOpen { until } = open else { unreachable!() };
    assert!(until > Timestamp::now() + SignedDuration::from_mins(50), "{until}");
    assert_eq!((supervisor.generation(), gateway.stats().accepted), (6, 6), "five restarts");
    let error = supervisor.current().unwrap_err();
    assert!(error.message().contains("circuit open"), "{error}");
}

#[test]
fn a_breaker_that_is_reset_or_whose_time_is_over_lets_a_session_in_within_a_second() {
    for is_reset in [true, false] {
        let gateway = gateway(Vec::new());
        let state = tempfile::tempdir().unwrap();
        let breaker = store(&state, gateway.port());
        let by = || Note { actor: "ops".to_owned(), reason: "update".to_owned() };
        let limit = if is_reset { Duration::from_secs(3_600) } else { Duration::from_millis(700) };
        breaker.force_open_for(by(), limit).unwrap();
        // What the schedule says would be an hour.
        let options = quick().with_schedule(vec![Duration::from_secs(3_600)]);
        let connector = robust(&state, BreakerSettings::default());
        let supervisor = Supervisor::start(connector, target(gateway.port()), options).unwrap();
        until(&supervisor, "circuit open", is_circuit_open);
        assert_eq!(gateway.stats().accepted, 0);
        if is_reset {
            breaker.reset(&by()).unwrap();
        }
        let begun = Instant::now();
        session(&supervisor);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[test]
fn whoever_waited_for_a_trial_that_succeeded_goes_on_at_once() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let state = tempfile::tempdir().unwrap();
    let recovery = Duration::from_millis(300);
    let breaker = BreakerSettings::default().with_failures(2).with_recovery(recovery);
    // Guesses would be an hour long.
    let schedule = vec![Duration::from_millis(1), Duration::from_millis(1), Duration::from_secs(3_600)];
    let start = || {
        let options = quick().with_schedule(schedule.clone());
        Supervisor::start(robust(&state, breaker.clone()), target(gateway.port()), options).unwrap()
    };
    let supervisors = [(); 6].map(|()| start());
    supervisors.iter().for_each(|supervisor| drop(until(supervisor, "circuit open", is_circuit_open)));
    gateway.set_faults(Vec::new());
    let begun = Instant::now();
    supervisors.iter().for_each(|supervisor| drop(session(supervisor)));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// The breaker that the connector has.
fn store(state: &tempfile::TempDir, port: u16) -> BreakerStore {
    let clock = Arc::new(KernelClock::default());
    BreakerStore::new(state.path(), Gateway::new("127.0.0.1", port), BreakerSettings::default(), clock)
}

fn is_circuit_open(state: &SupervisorState) -> bool {
    matches!(state, SupervisorState::CircuitOpen { .. })
}

/// The direct backend under the policy, without retries of its own.
fn robust(state: &tempfile::TempDir, breaker: BreakerSettings) -> Arc<dyn Connector> {
    let config = Config::default().with_state_dir(state.path().to_owned());
    let policy = Policy::from(&config).with_max_retries(0).with_breaker(breaker);
    let inner = Arc::new(DirectConnector) as Arc<dyn Connector>;
    Arc::new(RobustConnector::new(inner, policy))
}
