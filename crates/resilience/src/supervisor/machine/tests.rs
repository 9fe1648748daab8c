//! The state machine event by event.

use std::time::Duration;

use ibkr_connect_core::Phase;

use super::*;
use crate::breaker::Note;
use crate::supervisor::options::RestartLimit;
use crate::supervisor::state::Damage;

const START: Reading = Reading::START;

fn at(seconds: u64) -> Reading {
    START + Duration::from_secs(seconds)
}

fn fails(kind: ErrorKind, phase: Phase) -> Event {
    Event::Failed(Error::new(kind, "as planned").in_phase(phase))
}

fn mute() -> Event {
    fails(ErrorKind::HandshakeTimeout, Phase::Version)
}

/// A session that was proved just now, and in which nothing was said.
fn connected(now: u64) -> Event {
    Event::Connected { last_answer: at(now), initial_notices: Vec::new() }
}

fn notice(code: i32, message: &str) -> Notice {
    ibkr_connect_core::literal!(Notice { code, message: message.to_owned(), time: None })
}

fn machine_with(options: SupervisorOptions, listener: ListenerCheck) -> Machine {
    Machine::new(options, listener, START)
}

fn remote() -> Machine {
    machine_with(SupervisorOptions::default(), ListenerCheck::Off)
}

/// A machine whose first session began at 0 s and was proved to live at 72 s.
fn settled() -> Machine {
    let mut machine = remote();
    assert_eq!(machine.on(START, Event::Tick), [Action::Connect]);
    assert_eq!(machine.on(START, connected(0)), [Action::Resume { generation: 1 }]);
    for now in [24, 48, 72] {
        assert_eq!(machine.on(at(now), Event::Tick), [Action::Ping]);
        assert_eq!(machine.on(at(now), Event::Answered), []);
    }
    machine
}

#[test]
fn a_lost_session_is_replaced_at_once_and_the_gap_begins_at_its_last_sign_of_life() {
    let mut machine = settled();
    assert_eq!(machine.on(at(90), Event::Lost), [Action::Discard { last_answer: at(72) }, Action::Connect]);
    let next = NextAttempt::Now;
    assert_eq!(machine.state(at(90)), SupervisorState::Recovering { attempt: 1, next });
    assert_eq!(machine.on(at(91), connected(91)), [Action::Resume { generation: 2 }]);
    assert_eq!((machine.generation(), machine.state(at(91))), (2, SupervisorState::Ready));
}

#[test]
fn failed_attempts_follow_the_schedule_and_the_state_tells_when() {
    let mut machine = settled();
    machine.on(at(90), Event::Lost);
    let mut now = 90;
    for (attempt, wait) in [(2, 15), (3, 30), (4, 60), (5, 120), (6, 300), (7, 300)] {
        now += 1;
        assert_eq!(machine.on(at(now), fails(ErrorKind::Rejected, Phase::StartApi)), []);
        let next = NextAttempt::At(at(now + wait));
        assert_eq!(machine.state(at(now)), SupervisorState::Recovering { attempt, next });
        assert_eq!(machine.on(at(now + wait - 1), Event::Tick), []);
        assert_eq!(machine.wake_at(), Some(at(now + wait)));
        now += wait;
        assert_eq!(machine.on(at(now), Event::Tick), [Action::Connect]);
    }
}

#[test]
fn it_is_connecting_until_something_fails() {
    let mut machine = remote();
    assert_eq!(machine.state(START), SupervisorState::Connecting);
    machine.on(START, Event::Tick);
    assert_eq!(machine.state(START), SupervisorState::Connecting);
    machine.on(at(1), fails(ErrorKind::Rejected, Phase::Version));
    let next = NextAttempt::At(at(16));
    assert_eq!(machine.state(at(1)), SupervisorState::Recovering { attempt: 2, next });
}

#[test]
fn while_nothing_listens_it_waits_for_the_listener() {
    let mut machine = machine_with(SupervisorOptions::default(), ListenerCheck::Kernel);
    assert_eq!(machine.on(START, Event::Tick), [Action::CheckPort]);
    for now in 0..3600 {
        assert_eq!(machine.on(at(now), Event::Port(Port::Shut)), []);
        let next = NextAttempt::WhenListening;
        assert_eq!(machine.state(at(now)), SupervisorState::Recovering { attempt: 1, next });
        assert_eq!(machine.on(at(now + 1), Event::Tick), [Action::CheckPort]);
    }
    assert_eq!(machine.on(at(3600), Event::Port(Port::Open)), [Action::Connect]);
}

#[test]
fn a_listener_that_comes_back_does_not_shorten_the_schedule() {
    let mut machine = machine_with(SupervisorOptions::default(), ListenerCheck::Kernel);
    machine.on(START, Event::Tick);
    machine.on(START, Event::Port(Port::Open));
    assert_eq!(machine.on(at(1), fails(ErrorKind::Rejected, Phase::Version)), []);
    assert_eq!(machine.on(at(2), Event::Port(Port::Open)), [], "nobody was asked to look");
    assert_eq!(machine.on(at(15), Event::Tick), []);
    assert_eq!(machine.on(at(16), Event::Tick), [Action::CheckPort]);
}

#[test]
fn a_wedged_gateway_that_goes_away_is_not_wedged_any_more() {
    let options = SupervisorOptions { wedged_after: 1, ..Default::default() };
    let mut machine = machine_with(options, ListenerCheck::Kernel);
    machine.on(START, Event::Tick);
    machine.on(START, Event::Port(Port::Open));
    machine.on(at(10), mute());
    assert_eq!(machine.state(at(10)), SupervisorState::GatewayWedged);
    machine.on(at(25), Event::Tick);
    machine.on(at(25), Event::Port(Port::Shut));
    assert_eq!(machine.state(at(25)).as_str(), "recovering");
}

#[test]
fn silence_is_lost_after_three_intervals_and_the_new_attempt_is_immediate() {
    let mut machine = settled();
    assert_eq!(machine.on(at(96), Event::Tick), [Action::Ping]);
    for (now, unanswered) in [(102, 1), (132, 2)] {
        assert_eq!(machine.on(at(now), Event::Tick), [Action::Ping]);
        let damage = Damage { unanswered, ..Damage::default() };
        assert_eq!(machine.state(at(now)), SupervisorState::Degraded(damage));
    }
    assert_eq!(machine.on(at(162), Event::Tick), [Action::Discard { last_answer: at(72) }, Action::Connect]);
    assert_eq!(machine.on(at(163), Event::Answered), [], "too late");
}

#[test]
fn a_gateway_that_lets_nobody_in_is_wedged_until_it_does() {
    let mut machine = settled();
    machine.on(at(90), Event::Lost);
    let mut now = 100;
    for state in ["recovering", "recovering", "gateway_wedged", "gateway_wedged"] {
        machine.on(at(now), mute());
        assert_eq!(machine.state(at(now)).as_str(), state);
        now += 300;
        assert_eq!(machine.on(at(now), Event::Tick), [Action::Connect]);
    }
    assert_eq!(machine.state(at(now)), SupervisorState::GatewayWedged);
    machine.on(at(now), connected(now));
    assert_eq!(machine.state(at(now)), SupervisorState::Ready);
}

#[test]
fn the_kernels_word_for_a_wedge_counts_at_once_and_an_answer_ends_it() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    machine
        .on(at(1), Event::Failed(Error::new(ErrorKind::GatewayWedged, "stuck").in_phase(Phase::Preflight)));
    assert_eq!(machine.state(at(1)), SupervisorState::GatewayWedged);
    machine.on(at(16), Event::Tick);
    machine.on(at(17), fails(ErrorKind::CircuitOpen, Phase::Preflight));
    assert_eq!(machine.state(at(17)), SupervisorState::GatewayWedged, "the breaker knows nothing better");
    machine.on(at(47), Event::Tick);
    machine.on(at(48), fails(ErrorKind::Rejected, Phase::Version));
    assert_eq!(machine.state(at(48)).as_str(), "recovering");
}

#[test]
fn an_attempt_is_made_when_the_breaker_admits_one() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    let open = Refusal::Open { retry_in: Duration::from_secs(240), last_failure: None };
    let pausing = Refusal::Maintenance { retry_in: Duration::from_secs(30) };
    for (now, refusal, until) in [(0, open, 240), (240, pausing, 270)] {
        let error = Error::new(ErrorKind::CircuitOpen, "as planned").in_phase(Phase::Preflight);
        assert_eq!(machine.on(at(now), Event::Failed(error.with_source(refusal))), []);
        assert_eq!(machine.state(at(now)), SupervisorState::CircuitOpen { until: at(until) });
        assert_eq!(machine.on(at(until - 1), Event::Tick), []);
        assert_eq!(machine.on(at(until), Event::Tick), [Action::Connect]);
    }
}

#[test]
fn a_breaker_that_cannot_tell_is_asked_again_at_an_even_pace() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    for now in (0..10).map(|turn| turn * 15) {
        assert_eq!(machine.on(at(now), fails(ErrorKind::CircuitOpen, Phase::Preflight)), []);
        assert_eq!(machine.state(at(now)), SupervisorState::CircuitOpen { until: at(now + 15) });
        assert_eq!(machine.on(at(now + 15), Event::Tick), [Action::Connect]);
    }
}

#[test]
fn sessions_that_are_lost_too_often_open_the_circuit() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    for now in 0..5 {
        machine.on(at(now), connected(now));
        assert_eq!(
            machine.on(at(now), Event::Lost),
            [Action::Discard { last_answer: at(now) }, Action::Connect]
        );
    }
    machine.on(at(5), connected(5));
    assert_eq!(machine.on(at(6), Event::Lost), [Action::Discard { last_answer: at(5) }]);
    assert_eq!(machine.state(at(6)), SupervisorState::CircuitOpen { until: at(21) });
    assert_eq!(machine.on(at(21), Event::Tick), [Action::Connect]);
}

#[test]
fn what_costs_the_gateway_nothing_is_tried_every_half_minute() {
    let free = [
        (ErrorKind::NotListening, Phase::Tcp),
        (ErrorKind::Unreachable, Phase::Tcp),
        (ErrorKind::Rejected, Phase::Version),
    ];
    for (kind, phase) in free {
        let mut machine = remote();
        machine.on(START, Event::Tick);
        let mut now = 1;
        for wait in [15, 30, 30, 30, 30, 30] {
            machine.on(at(now), fails(kind, phase));
            assert_eq!(machine.wake_at(), Some(at(now + wait)), "{kind}");
            now += wait;
            assert_eq!(machine.on(at(now), Event::Tick), [Action::Connect]);
        }
        machine.on(at(now), fails(ErrorKind::Rejected, Phase::StartApi));
        assert_eq!(machine.wake_at(), Some(at(now + 15)), "the schedule begins with what costs something");
    }
}

/// An error as the connector's breaker gives it.
fn refused(refusal: Refusal) -> Event {
    let error = Error::new(ErrorKind::CircuitOpen, "as planned").in_phase(Phase::Preflight).permanent();
    Event::Failed(error.with_source(super::super::simulation::refused(refusal)))
}

#[test]
fn a_breaker_that_somebody_closes_is_noticed_within_a_second() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    let open = Refusal::Open { retry_in: Duration::from_secs(240), last_failure: None };
    assert_eq!(machine.on(START, refused(open)), []);
    for now in 1..=5 {
        assert_eq!(machine.wake_at(), Some(at(now)));
        assert_eq!(machine.on(at(now), Event::Tick), [Action::AskBreaker]);
        assert_eq!(machine.on(at(now), Event::Tick), [], "it is being asked");
        assert_eq!(machine.wake_at(), Some(at(240)));
        assert_eq!(machine.on(at(now), Event::Breaker(Admits::NotYet)), []);
        assert_eq!(machine.state(at(now)), SupervisorState::CircuitOpen { until: at(240) });
    }
    machine.on(at(6), Event::Tick);
    assert_eq!(machine.on(at(6), Event::Breaker(Admits::Now)), [Action::Connect]);
    assert_eq!(machine.on(at(7), Event::Breaker(Admits::Now)), [], "too late");
}

#[test]
fn losses_and_other_waits_are_not_shortened_by_a_breaker() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    machine.on(at(1), mute());
    assert_eq!(machine.on(at(2), Event::Breaker(Admits::Now)), []);
    assert_eq!(machine.wake_at(), Some(at(16)));
}

#[test]
fn requests_without_an_answer_degrade_a_session_that_answers_pings() {
    let mut machine = settled();
    machine.on(at(73), Event::RequestsUnanswered(3));
    let damage = Damage { requests_unanswered: 3, ..Damage::default() };
    assert_eq!(machine.state(at(73)), SupervisorState::Degraded(damage));
    machine.on(at(74), Event::RequestsUnanswered(0));
    assert_eq!(machine.state(at(74)), SupervisorState::Ready);
    machine.on(at(75), Event::RequestsUnanswered(9));
    machine.on(at(76), Event::Lost);
    machine.on(at(77), connected(77));
    assert_eq!(machine.state(at(77)), SupervisorState::Ready, "another session");
}

#[test]
fn a_port_that_refuses_is_not_wedged_and_a_failure_on_this_machine_says_nothing() {
    let wedged = || {
        let options = SupervisorOptions { wedged_after: 1, ..Default::default() };
        let mut machine = machine_with(options, ListenerCheck::Off);
        machine.on(START, Event::Tick);
        machine.on(at(1), mute());
        machine.on(at(16), Event::Tick);
        machine
    };
    for (kind, phase, state) in [
        (ErrorKind::NotListening, Phase::Preflight, "recovering"),
        (ErrorKind::NotListening, Phase::Tcp, "recovering"),
        (ErrorKind::Rejected, Phase::Version, "recovering"),
        (ErrorKind::LockTimeout, Phase::Preflight, "gateway_wedged"),
        (ErrorKind::WorkerSpawn, Phase::Spawn, "gateway_wedged"),
        (ErrorKind::CircuitOpen, Phase::Preflight, "gateway_wedged"),
    ] {
        let mut machine = wedged();
        machine.on(at(17), fails(kind, phase));
        assert_eq!(machine.state(at(17)).as_str(), state, "{kind} in {phase}");
    }
}

#[test]
fn an_outage_upstream_and_farm_flaps_tear_nothing_down() {
    let mut machine = settled();
    let mut tell = |now, code, message: &str| machine.on(at(now), Event::Notice(notice(code, message)));
    assert_eq!(tell(73, 2103, "Market data farm connection is broken:usfarm"), []);
    assert_eq!(tell(74, 2104, "Market data farm connection is OK:usfarm"), []);
    assert_eq!(tell(75, 1100, "lost"), []);
    assert_eq!(tell(76, 1102, "restored, data maintained"), []);
    assert_eq!(tell(80, 1100, "lost"), []);
    let resubscribe = Action::ResubscribeMarketData { since: at(80) };
    assert_eq!(tell(81, 1101, "restored, data lost"), [resubscribe]);
    assert_eq!((machine.generation(), machine.state(at(81))), (1, SupervisorState::Ready));
}

#[test]
fn what_was_said_before_the_first_stream_is_true_but_voids_none() {
    let connected = |said: &[(i32, &str)]| {
        let mut machine = remote();
        machine.on(START, Event::Tick);
        let initial_notices = said.iter().map(|(code, text)| notice(*code, text)).collect();
        let actions = machine.on(at(1), Event::Connected { last_answer: at(1), initial_notices });
        assert_eq!(actions, [Action::Resume { generation: 1 }]);
        machine.state(at(1))
    };
    assert_eq!(connected(&[(2104, "OK:usfarm"), (1101, "restored, data lost")]), SupervisorState::Ready);
    let upstream_lost = Damage { upstream_lost: true, ..Damage::default() };
    assert_eq!(connected(&[(1102, "restored"), (1100, "lost")]), SupervisorState::Degraded(upstream_lost));
    assert_eq!(connected(&[(2103, "broken:usfarm"), (2104, "OK:usfarm")]), SupervisorState::Ready);
    assert_eq!(connected(&[(2105, "broken:ushmds")]).as_str(), "degraded");
}

#[test]
fn a_session_is_as_fresh_as_its_gateways_last_answer() {
    let mut machine = remote();
    machine.on(START, Event::Tick);
    machine.on(at(10), Event::Connected { last_answer: at(8), initial_notices: Vec::new() });
    assert_eq!(machine.state(at(38)), SupervisorState::Ready);
    assert_eq!(machine.state(at(39)).as_str(), "degraded");
}

#[test]
fn it_gives_up_only_if_told_to() {
    let give_up = |give_up| {
        let mut machine =
            machine_with(SupervisorOptions { give_up, ..Default::default() }, ListenerCheck::Off);
        machine.on(START, Event::Tick);
        machine
    };
    let permanent = || fails(ErrorKind::Config, Phase::Preflight);
    assert_eq!(give_up(GiveUp::Never).on(at(1), permanent()), []);
    assert_eq!(give_up(GiveUp::WhenPermanent).on(at(1), mute()), []);
    assert_eq!(give_up(GiveUp::WhenPermanent).on(at(1), permanent()), [Action::Stop]);
    let forced = Refusal::Forced(Note { actor: "ops".to_owned(), reason: "update".to_owned() });
    for cured_outside in [fails(ErrorKind::GatewayWedged, Phase::Preflight), refused(forced)] {
        assert_eq!(give_up(GiveUp::WhenPermanent).on(at(1), cured_outside), []);
    }
    let mut machine = give_up(GiveUp::AfterFailures(2));
    assert_eq!(machine.on(at(1), mute()), []);
    machine.on(at(16), Event::Tick);
    assert_eq!(machine.on(at(17), mute()), [Action::Stop]);
    assert_eq!((machine.state(at(17)), machine.wake_at()), (SupervisorState::Closed, None));
}

#[test]
fn closed_is_the_end() {
    let mut machine = settled();
    assert_eq!(machine.on(at(80), Event::Close), [Action::Stop]);
    for event in [Event::Close, Event::Lost, connected(500), mute(), Event::Answered, Event::Tick] {
        assert_eq!(machine.on(at(500), event), []);
    }
    assert_eq!(machine.state(at(500)), SupervisorState::Closed);
}

#[test]
fn without_a_limit_every_loss_is_repaired_at_once() {
    let restarts = RestartLimit { count: u32::MAX, ..RestartLimit::default() };
    let mut machine = machine_with(SupervisorOptions { restarts, ..Default::default() }, ListenerCheck::Off);
    machine.on(START, Event::Tick);
    for _ in 0..1_000 {
        machine.on(START, connected(0));
        assert_eq!(machine.on(START, Event::Lost), [Action::Discard { last_answer: START }, Action::Connect]);
    }
}
