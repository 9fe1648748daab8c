//! The breaker under virtual time.

use ibkr_connect_core::{Error, ErrorKind, Phase};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: i64) -> Moment {
    Moment::from_millis(seconds * 1_000)
}

fn failure() -> Outcome {
    Outcome::Failure("handshake_timeout in version".to_owned())
}

/// How an attempt of the same party ended.
fn settle(breaker: &mut Breaker, now: Moment, admission: Admission, outcome: Outcome) {
    breaker.settle(now, &Attempt { party: 0, since: now, asked: now, begun: now }, admission, outcome);
}

/// A breaker that has just opened at second 0.
fn opened(settings: BreakerSettings) -> Breaker {
    let mut breaker = Breaker::new(settings);
    for _ in 0..breaker.settings.failures {
        settle(&mut breaker, at(0), Admission::Free, failure());
    }
    assert_eq!(breaker.state(at(0)).as_str(), "open");
    breaker
}

fn retry_in(breaker: &Breaker, now: Moment) -> u64 {
    match breaker.check(now) {
        Err(Refusal::Open { retry_in, .. }) => retry_in.as_secs(),
        other => panic!("not open: {other:?}"),
    }
}

#[test]
fn the_fifth_failure_opens_it_and_says_until_when() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for second in 0..4 {
        settle(&mut breaker, at(second), Admission::Free, failure());
        assert_eq!(breaker.admit(at(second), TrialId(0)), Ok(Admission::Free));
    }
    settle(&mut breaker, at(4), Admission::Free, failure());
    let refusal = breaker.admit(at(10), TrialId(0)).unwrap_err();
    assert_eq!(refusal.to_string(), "open for another 54 s (last failure: handshake_timeout in version)");
}

#[test]
fn failures_that_are_old_or_outnumbered_do_not_open_it() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for second in (0..6_000).step_by(150) {
        settle(&mut breaker, at(second), Admission::Free, failure());
    }
    assert_eq!(breaker.state(at(6_000)), BreakerState::Closed { failures: 3, attempts: 3 });
    breaker.reset();
    for second in 0..40 {
        let outcome = if second % 3 == 0 { failure() } else { Outcome::Success(SECOND) };
        settle(&mut breaker, at(second), Admission::Free, outcome);
    }
    assert_eq!(breaker.state(at(40)), BreakerState::Closed { failures: 14, attempts: 40 });
}

#[test]
fn a_good_past_does_not_keep_it_closed() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for _ in 0..20 {
        settle(&mut breaker, at(0), Admission::Free, Outcome::Success(SECOND));
    }
    assert_eq!(breaker, Breaker::new(BreakerSettings::default()), "nothing to write down");
    for _ in 0..5 {
        settle(&mut breaker, at(1), Admission::Free, failure());
    }
    assert_eq!(breaker.state(at(1)).as_str(), "open");
}

#[test]
fn slow_connects_count_as_failures() {
    let settings = BreakerSettings { slow_connect: Some(SECOND * 8), ..BreakerSettings::default() };
    let mut breaker = Breaker::new(settings);
    for _ in 0..5 {
        settle(&mut breaker, at(0), Admission::Free, Outcome::Success(SECOND * 9));
    }
    assert_eq!(breaker.state(at(0)).as_str(), "open");
}

#[test]
fn one_trial_finds_out_for_all() {
    let mut breaker = opened(BreakerSettings::default());
    let trial = breaker.admit(at(60), TrialId(1)).unwrap();
    assert_eq!(trial, Admission::Trial(TrialId(1)));
    assert_eq!(breaker.admit(at(61), TrialId(2)), Err(Refusal::TrialsRunning { running: 1 }));
    settle(&mut breaker, at(62), trial, Outcome::Success(SECOND));
    assert_eq!(breaker.state(at(62)), BreakerState::Closed { failures: 0, attempts: 0 });
}

#[test]
fn failed_trials_double_the_wait_up_to_its_limit() {
    let mut breaker = opened(BreakerSettings::default());
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let wait = retry_in(&breaker, at(now));
        waits.push(wait);
        now += i64::try_from(wait).unwrap();
        let trial = breaker.admit(at(now), TrialId(0)).unwrap();
        settle(&mut breaker, at(now), trial, failure());
    }
    assert_eq!(waits, [60, 120, 240, 300, 300]);
}

#[test]
fn several_trials_must_all_succeed() {
    let mut breaker = opened(BreakerSettings { trials: 2, ..BreakerSettings::default() });
    let first = breaker.admit(at(60), TrialId(1)).unwrap();
    let second = breaker.admit(at(60), TrialId(2)).unwrap();
    settle(&mut breaker, at(61), first, Outcome::Success(SECOND));
    assert!(breaker.admit(at(61), TrialId(3)).is_err(), "one succeeded, one runs");
    settle(&mut breaker, at(62), second, failure());
    assert_eq!(breaker.state(at(62)).as_str(), "open");
}

#[test]
fn who_wants_fewer_trials_is_not_kept_out_by_those_that_have_succeeded() {
    let mut breaker = opened(BreakerSettings { trials: 3, ..BreakerSettings::default() });
    let first = breaker.admit(at(60), TrialId(1)).unwrap();
    settle(&mut breaker, at(61), first, Outcome::Success(SECOND));
    let mut breaker = Breaker::resume(BreakerSettings::default(), breaker.into_memory());
    let last = breaker.admit(at(62), TrialId(2)).unwrap();
    settle(&mut breaker, at(63), last, Outcome::Success(SECOND));
    assert_eq!(breaker.state(at(63)).as_str(), "closed");
}

#[test]
fn an_abandoned_hung_or_dead_trial_makes_room() {
    let mut breaker = opened(BreakerSettings::default());
    let trial = breaker.admit(at(60), TrialId(1)).unwrap();
    settle(&mut breaker, at(61), trial, Outcome::Neutral);
    breaker.admit(at(61), TrialId(2)).unwrap();
    let hung = Admission::Trial(TrialId(2));
    breaker.admit(at(121), TrialId(3)).unwrap();
    settle(&mut breaker, at(122), hung, failure());
    assert_eq!(breaker.state(at(122)), BreakerState::HalfOpen { running: 1 }, "it was given up");
    breaker.retain_trials(|id| id != TrialId(3));
    assert!(breaker.admit(at(122), TrialId(4)).is_ok());
}

#[test]
fn maintenance_neither_opens_it_nor_lengthens_the_wait() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for second in (0..600).step_by(30) {
        assert_eq!(breaker.admit(at(second), TrialId(0)), Ok(Admission::Free));
        settle(&mut breaker, at(second), Admission::Free, failure().in_maintenance());
        let pause = Refusal::Maintenance { retry_in: SECOND * 30 };
        assert_eq!(breaker.check(at(second)), Err(pause), "no storm either");
    }
    assert_eq!(breaker.state(at(600)), BreakerState::Closed { failures: 0, attempts: 0 });
    let mut breaker = opened(BreakerSettings::default());
    let trial = breaker.admit(at(60), TrialId(1)).unwrap();
    settle(&mut breaker, at(60), trial, failure().in_maintenance());
    assert_eq!(retry_in(&breaker, at(60)), 60);
}

#[test]
fn forced_open_stays_until_reset() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    breaker.force_open(at(0), Note { actor: "ops".to_owned(), reason: "Gateway update".to_owned() });
    settle(&mut breaker, at(1), Admission::Free, Outcome::Success(SECOND));
    let refusal = breaker.admit(at(1_000_000), TrialId(0)).unwrap_err();
    assert_eq!(refusal.to_string(), "forced open by ops: Gateway update");
    breaker.reset();
    assert_eq!(breaker.admit(at(1_000_000), TrialId(0)), Ok(Admission::Free));
}

#[test]
fn forced_open_for_a_time_ends_as_a_reset_does() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    let by = Note { actor: "ops".to_owned(), reason: "Gateway update".to_owned() };
    breaker.force_open_for(at(0), by.clone(), SECOND * 90);
    let open = BreakerState::ForcedOpen { for_ms: 60_000, left_ms: Some(30_000), by };
    assert_eq!(breaker.state(at(60)), open);
    assert!(breaker.check(at(89)).is_err());
    assert_eq!(breaker.state(at(90)), BreakerState::Closed { failures: 0, attempts: 0 });
    assert_eq!(breaker.admit(at(90), TrialId(0)), Ok(Admission::Free));
    assert_eq!(breaker.into_memory(), Memory::default());
}

#[test]
fn only_what_the_gateway_did_counts() {
    let outcome = |kind, phase: Option<Phase>| {
        let error = Error::new(kind, "");
        Outcome::of_error(&phase.map_or(error.clone(), |phase| error.in_phase(phase)))
    };
    let counts = |kind, phase| outcome(kind, Some(phase)) != Outcome::Neutral;
    assert_eq!(outcome(ErrorKind::HandshakeTimeout, Some(Phase::Version)), failure());
    assert!(counts(ErrorKind::Rejected, Phase::StartApi));
    assert!(counts(ErrorKind::NotListening, Phase::Tcp));
    assert!(counts(ErrorKind::WorkerCrashed, Phase::Version), "the Gateway saw a handshake break off");
    assert!(!counts(ErrorKind::WorkerCrashed, Phase::Spawn));
    assert!(!counts(ErrorKind::NotListening, Phase::Preflight));
    assert!(!counts(ErrorKind::Unreachable, Phase::Version), "a local relay that can't be set up");
    for kind in [
        ErrorKind::Config,
        ErrorKind::WorkerSpawn,
        ErrorKind::ClientIdInUse,
        ErrorKind::LockTimeout,
        ErrorKind::Internal,
        ErrorKind::Busy,
        ErrorKind::InvalidRequest,
    ] {
        assert_eq!(outcome(kind, None), Outcome::Neutral);
        assert!(!counts(kind, Phase::StartApi), "{kind}");
    }
}

/// How an attempt failed at `now`, of a party that has been there from the beginning.
fn fail(breaker: &mut Breaker, now: i64, party: u64, (waited, took): (i64, i64), how: &str) {
    let millis = Moment::from_millis;
    let (asked, begun) = (millis(now - took - waited), millis(now - took));
    let by = Attempt { party, since: millis(0), asked, begun };
    breaker.settle(millis(now), &by, Admission::Free, Outcome::Failure(how.to_owned()));
}

fn failures(breaker: &Breaker, now: i64) -> usize {
    match breaker.state(Moment::from_millis(now)) {
        BreakerState::Closed { failures, .. } => failures,
        BreakerState::Open { .. } => usize::MAX,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_stumble_of_six_programs_is_one_failure() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    // All ask at 0; the handshake lock lets one after the other through, and each fails within 400 ms.
    for party in 0..6 {
        let begun = i64::try_from(party).unwrap() * 400;
        fail(&mut breaker, begun + 400, party, (begun, 400), "rejected in version");
    }
    assert_eq!(failures(&breaker, 2_400), 1);
}

#[test]
fn who_comes_after_the_moment_fails_again() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    fail(&mut breaker, 100, 1, (0, 100), "rejected in version");
    fail(&mut breaker, 1_100, 2, (0, 0), "rejected in version");
    assert_eq!(failures(&breaker, 1_100), 1, "asked within the second");
    fail(&mut breaker, 1_101, 3, (0, 0), "rejected in version");
    assert_eq!(failures(&breaker, 1_101), 2);
    fail(&mut breaker, 1_200, 4, (0, 0), "rejected in version");
    assert_eq!(failures(&breaker, 1_200), 2, "the same as the second");
}

#[test]
fn another_failure_counts_however_soon_it_comes() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    fail(&mut breaker, 0, 1, (0, 0), "rejected in version");
    fail(&mut breaker, 10, 1, (0, 0), "rejected in version");
    assert_eq!(failures(&breaker, 10), 2, "the same party");
    fail(&mut breaker, 20, 2, (0, 0), "rejected in start_api");
    assert_eq!(failures(&breaker, 20), 3, "in another way");
    fail(&mut breaker, 1_019, 3, (0, 999), "rejected in start_api");
    assert_eq!(failures(&breaker, 1_019), 3, "at once");
    fail(&mut breaker, 1_020, 4, (0, 1_000), "rejected in start_api");
    assert_eq!(failures(&breaker, 1_020), 4, "not at once");
}

#[test]
fn a_silent_gateway_fails_everybody_for_itself() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for party in 0..5 {
        let begun = i64::try_from(party).unwrap() * 10_000;
        fail(&mut breaker, begun + 10_000, party, (begun, 10_000), "handshake_timeout in version");
    }
    assert_eq!(failures(&breaker, 50_000), usize::MAX);
}

#[test]
fn a_program_that_is_started_again_and_again_fails_every_time() {
    let mut breaker = Breaker::new(BreakerSettings::default());
    for now in 0..5_i64 {
        let at = Moment::from_millis(now * 100);
        let by = Attempt { party: u64::try_from(now).unwrap(), since: at, asked: at, begun: at };
        assert_eq!(failures(&breaker, now * 100), usize::try_from(now).unwrap());
        breaker.settle(at + SECOND / 50, &by, Admission::Free, failure());
    }
    assert_eq!(failures(&breaker, 500), usize::MAX);
}

#[test]
fn the_majority_of_the_attempts_has_to_fail() {
    let settings = BreakerSettings { failures: 1, ..BreakerSettings::default() };
    let mut breaker = Breaker::new(settings);
    // One failure that is outnumbered, then as many failures as successes.
    breaker.memory.samples = [false, true, true].map(|good| Sample { at: at(0), good }).to_vec();
    settle(&mut breaker, at(1), Admission::Free, failure());
    assert_eq!(breaker.state(at(1)).as_str(), "open", "half of them is enough");
    let mut breaker = Breaker::new(BreakerSettings { failures: 1, ..BreakerSettings::default() });
    breaker.memory.samples = [true, true].map(|good| Sample { at: at(0), good }).to_vec();
    settle(&mut breaker, at(1), Admission::Free, failure());
    assert_eq!(breaker.state(at(1)).as_str(), "closed", "a third is not");
}

#[test]
fn no_more_samples_are_kept_than_say_something() {
    let settings = BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() };
    let mut breaker = Breaker::new(settings);
    for _ in 0..LONGEST_WINDOW + 10 {
        settle(&mut breaker, at(0), Admission::Free, failure());
    }
    assert_eq!(breaker.into_memory().samples.len(), LONGEST_WINDOW);
}

#[test]
fn a_recovery_longer_than_the_longest_wait_is_kept() {
    let settings = BreakerSettings { recovery: SECOND * 600, ..BreakerSettings::default() };
    assert_eq!(retry_in(&opened(settings), at(0)), 600);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Ask,
    Settle(usize, Outcome),
    Die(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = prop_oneof![
        3 => Just(failure()),
        1 => Just(failure().in_maintenance()),
        2 => Just(Outcome::Success(SECOND)),
        1 => Just(Outcome::Neutral),
    ];
    let step = prop_oneof![
        (0_u64..120).prop_map(Step::Wait),
        Just(Step::Ask),
        (0_usize..4, outcome).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        (0_usize..4).prop_map(Step::Die),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens: no more trials than allowed, no wait longer than its limit, and never stuck.
    #[test]
    fn it_is_never_stuck_and_never_storms(steps in steps(), trials in 1_u32..4) {
        let settings = BreakerSettings { trials, failures: 2, ..BreakerSettings::default() };
        let mut breaker = Breaker::new(settings.clone());
        let (mut now, mut next) = (at(0), 0);
        let mut running: Vec<Admission> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now = now + SECOND * u32::try_from(seconds).unwrap(),
                Step::Ask => {
                    next += 1;
                    match breaker.admit(now, TrialId(next)) {
                        Ok(admission) => running.push(admission),
                        Err(Refusal::Open { retry_in, .. }) => prop_assert!(retry_in <= settings.max_recovery),
                        Err(_) => {}
                    }
                }
                Step::Settle(which, outcome) if which < running.len() => {
                    settle(&mut breaker, now, running.remove(which), outcome);
                }
                Step::Die(which) if which < running.len() => {
                    let dead = running.remove(which);
                    breaker.retain_trials(|id| dead != Admission::Trial(id));
                }
                Step::Settle(..) | Step::Die(_) => {}
            }
            if let BreakerState::HalfOpen { running } = breaker.state(now) {
                prop_assert!(running <= trials as usize);
            }
        }
        let patient = now + settings.max_recovery + settings.trial_limit;
        prop_assert!(breaker.admit(patient, TrialId(u32::MAX)).is_ok());
    }
}
