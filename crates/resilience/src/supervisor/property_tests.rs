//! What holds whatever happens.

use std::time::Duration;

use ibkr_connect_core::types::Notice;
use ibkr_connect_core::{Error, ErrorKind, Phase};
use proptest::prelude::*;

use super::machine::{Action, Event, ListenerCheck, Machine, Port};
use super::options::SupervisorOptions;
use super::simulation::{GatewayMode, START, Simulation, Step};
use super::state::SupervisorState;
use super::time::Reading;

fn gateway_mode() -> impl Strategy<Value = GatewayMode> {
    prop_oneof![
        Just(GatewayMode::Up),
        Just(GatewayMode::Refusing),
        Just(GatewayMode::Mute),
        Just(GatewayMode::NotReady),
        Just(GatewayMode::Fickle)
    ]
}

const CODES: [i32; 10] = [1100, 1101, 1102, 2103, 2104, 2105, 2106, 2110, 2157, 2158];

fn turn() -> impl Strategy<Value = Step> {
    prop_oneof![
        gateway_mode().prop_map(Step::GatewayMode),
        prop::sample::select(&CODES[..]).prop_map(|code| Step::Notice(code, "farm:x")),
    ]
}

fn listener() -> impl Strategy<Value = ListenerCheck> {
    prop_oneof![Just(ListenerCheck::Kernel), Just(ListenerCheck::Off)]
}

/// From a moment to some minutes.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![0..2_000_u64, 0..400_000_u64]
}

fn event() -> impl Strategy<Value = Event> {
    let kinds = [
        (ErrorKind::NotListening, Phase::Tcp),
        (ErrorKind::HandshakeTimeout, Phase::Version),
        (ErrorKind::CircuitOpen, Phase::Preflight),
        (ErrorKind::GatewayWedged, Phase::Preflight),
        (ErrorKind::Config, Phase::Preflight),
    ];
    prop_oneof![
        Just(Event::Tick),
        Just(Event::Tick),
        said().prop_map(|said| Event::Connected { last_answer: START, initial_notices: said }),
        Just(Event::Answered),
        Just(Event::Lost),
        Just(Event::Port(Port::Open)),
        Just(Event::Port(Port::Shut)),
        prop::sample::select(kinds.to_vec())
            .prop_map(|(kind, phase)| Event::Failed(Error::new(kind, "random").in_phase(phase))),
        notice().prop_map(Event::Notice),
    ]
}

fn said() -> impl Strategy<Value = Vec<Notice>> {
    prop::collection::vec(notice(), 0..4)
}

fn notice() -> impl Strategy<Value = Notice> {
    let notice =
        |code| ibkr_connect_core::literal!(Notice { code, message: "farm:x".to_owned(), time: None });
    prop::sample::select(&CODES[..]).prop_map(notice)
}

proptest! {
    /// The simulation checks at every instant: never ready without an answer within the interval, never two attempts at
    /// once, never a wait shorter than the schedule.
    #[test]
    fn whatever_the_gateway_does_the_rules_are_kept_and_it_comes_back(
        listener in listener(),
        turns in prop::collection::vec((pause(), turn()), 0..40),
    ) {
        let mut simulation = Simulation::new(listener);
        let mut at = START;
        for (pause, turn) in turns {
            at = at + Duration::from_millis(pause);
            simulation.plan(at, turn);
        }
        simulation.plan(at, Step::GatewayMode(GatewayMode::Up));
        // A session that went mute is given up first, with all patience: an outage may excuse it.
        simulation.run_until(at + Duration::from_secs(900 + 90 + 311));
        prop_assert!(simulation.state().is_usable(), "{:?}", simulation.state());
    }

    /// Events that make no sense: too late, twice, out of order.
    #[test]
    fn no_sequence_of_events_makes_two_attempts_or_a_lie(
        listener in listener(),
        events in prop::collection::vec((pause(), event()), 0..200),
    ) {
        let options = SupervisorOptions::default();
        let mut machine = Machine::new(options.clone(), listener, START);
        let mut now = START;
        let mut is_attempting = false;
        let mut answered: Option<Reading> = None;
        for (pause, mut event) in events {
            now = now + Duration::from_millis(pause);
            match &mut event {
                Event::Connected { last_answer, .. } => {
                    *last_answer = now;
                    answered = Some(now);
                }
                Event::Answered => answered = Some(now),
                _ => {}
            }
            is_attempting &= !matches!(event, Event::Connected { .. } | Event::Failed(_));
            for action in machine.on(now, event) {
                if action == Action::Connect {
                    prop_assert!(!is_attempting, "two attempts at once");
                    is_attempting = true;
                }
            }
            for later in [0, 1, 29_999, 30_001, 1_000_000] {
                let then = now + Duration::from_millis(later);
                let is_fresh = answered.is_some_and(|answered| then.since(answered) <= options.ping_interval);
                let state = machine.state(then);
                prop_assert!(state != SupervisorState::Ready || is_fresh);
                let has_session = matches!(state, SupervisorState::Ready | SupervisorState::Degraded(_));
                prop_assert_eq!(machine.attempt().is_none(), has_session, "{:?}", state);
                if let SupervisorState::Recovering { attempt, next } = state {
                    prop_assert_eq!(machine.attempt(), Some((attempt, next)));
                }
            }
        }
    }
}
