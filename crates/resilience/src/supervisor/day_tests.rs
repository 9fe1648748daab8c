//! Days with a Gateway, in virtual time: the connects are counted.

use std::path::Path;
use std::time::Duration;

use ibkr_connect_core::config::GatewayRestart;
use jiff::SignedDuration;

use super::machine::ListenerCheck;
use super::options::SupervisorOptions;
use super::simulation::{GatewayMode, START, Simulation, Step};
use super::state::SupervisorState;
use super::time::Reading;
use crate::breaker::Breaker;
use crate::breaker::BreakerSettings;
use crate::supervisor::restart::RestartHook;

const HOUR: u64 = 3_600;
const OK: &str = "Market data farm connection is OK:usfarm";
const BROKEN: &str = "Market data farm connection is broken:usfarm";
const LOST: &str = "Connectivity between IB and Trader Workstation has been lost.";
const MAINTAINED: &str =
    "Connectivity between IB and Trader Workstation has been restored - data maintained.";
const VOID: &str = "Connectivity between IB and Trader Workstation has been restored - data lost.";

fn at(seconds: u64) -> Reading {
    START + Duration::from_secs(seconds)
}

fn outage(listener: ListenerCheck, gateway_mode: GatewayMode) -> Simulation {
    outage_of(Simulation::new(listener), gateway_mode)
}

fn outage_of(mut simulation: Simulation, gateway_mode: GatewayMode) -> Simulation {
    simulation.plan(at(HOUR), Step::GatewayMode(gateway_mode));
    simulation.plan(at(7 * HOUR), Step::GatewayMode(GatewayMode::Up));
    simulation.run_until(at(8 * HOUR));
    assert_eq!(simulation.state(), SupervisorState::Ready);
    simulation
}

/// When the session after the outage was ready.
fn back(simulation: &Simulation) -> Duration {
    let (back, _) = simulation
        .states
        .iter()
        .rfind(|(_, state)| matches!(state, SupervisorState::Ready))
        .expect("it is back");
    back.since(at(7 * HOUR))
}

#[test]
fn a_quiet_day_needs_one_connect() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    simulation.run_until(at(24 * HOUR));
    assert_eq!((simulation.connects.len(), simulation.machine.generation()), (1, 1));
    assert_eq!(simulation.states_between(START, at(24 * HOUR)), ["connecting", "ready"]);
}

#[test]
fn six_hours_of_a_refused_port_cost_no_connect() {
    let simulation = outage(ListenerCheck::Kernel, GatewayMode::Refusing);
    assert_eq!(simulation.connects_between(at(HOUR), at(7 * HOUR)), 0);
    assert!(back(&simulation) <= Duration::from_secs(2), "{:?}", back(&simulation));
    let [lost_at] = simulation.lost[..] else { panic!("{:?}", simulation.lost) };
    assert!(at(HOUR).since(lost_at) <= Duration::from_secs(30), "the gap begins at the last answer");
}

#[test]
fn six_hours_of_a_mute_gateway_are_no_storm_and_never_ready() {
    for listener in [ListenerCheck::Kernel, ListenerCheck::Off] {
        let simulation = outage(listener, GatewayMode::Mute);
        let connects = simulation.connects_between(at(HOUR), at(7 * HOUR));
        assert!((70..=80).contains(&connects), "{connects}");
        assert!(
            back(&simulation) <= Duration::from_secs(300) + Duration::from_secs(11),
            "{:?}",
            back(&simulation)
        );
        let noticed = at(HOUR + 30);
        assert_eq!(
            simulation.states_between(noticed, at(7 * HOUR)),
            ["degraded", "recovering", "gateway_wedged"],
            "{listener:?}"
        );
        assert_eq!(simulation.restarts, [], "nobody has said how");
    }
}

#[test]
fn a_wedged_gateway_is_restarted_if_somebody_said_how_and_every_ten_minutes_at_most() {
    let how = GatewayRestart::Command(vec!["true".to_owned()]);
    let gateway_restart = Some(RestartHook::new(how, Path::new("/nowhere")));
    let options = SupervisorOptions { gateway_restart, ..SupervisorOptions::default() };
    let mut simulation = Simulation::with(options, ListenerCheck::Kernel);
    simulation.plan(at(HOUR), Step::GatewayMode(GatewayMode::Mute));
    simulation.plan(at(2 * HOUR), Step::GatewayMode(GatewayMode::Refusing));
    simulation.plan(at(2 * HOUR + 80), Step::GatewayMode(GatewayMode::Up));
    simulation.plan(at(3 * HOUR), Step::GatewayMode(GatewayMode::NotReady));
    simulation.run_until(at(4 * HOUR));
    // The third attempt is the first that is sure of it.
    let third =
        simulation.connects.iter().filter(|began| began.since(at(HOUR)) > Duration::ZERO).nth(2).unwrap();
    assert_eq!(simulation.restarts[0].since(*third), Duration::from_secs(10), "when it has failed");
    assert!(simulation.restarts.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(600)));
    assert!((4..=6).contains(&simulation.restarts.len()), "{:?}", simulation.restarts);
    assert!(
        !simulation.restarts.last().unwrap().has_reached(at(2 * HOUR + 10)),
        "a Gateway that answers is not wedged"
    );
}

#[test]
fn six_hours_of_a_mute_gateway_behind_a_breaker_are_no_storm_either() {
    let breaker = Breaker::new(BreakerSettings::default());
    let simulation = outage_of(Simulation::behind(breaker, ListenerCheck::Kernel), GatewayMode::Mute);
    let connects = simulation.connects_between(at(HOUR), at(7 * HOUR));
    assert!((60..=80).contains(&connects), "{connects}");
    assert!(back(&simulation) <= Duration::from_secs(311), "{:?}", back(&simulation));
    assert!(!simulation.states_between(at(HOUR + 30), at(7 * HOUR)).contains(&"ready"));
}

#[test]
fn a_breaker_that_opens_is_shown_with_the_time_at_which_it_is_asked_again() {
    // With the default the schedule waits as long as the breaker, and never meets it open unless others opened it.
    let long = Duration::from_secs(1_000);
    let settings = BreakerSettings { recovery: long, max_recovery: long, ..BreakerSettings::default() };
    let breaker = Breaker::new(settings);
    let simulation = outage_of(Simulation::behind(breaker, ListenerCheck::Kernel), GatewayMode::NotReady);
    let shown: Vec<_> = simulation
        .states
        .iter()
        .filter_map(|(_, state)| match state {
            SupervisorState::CircuitOpen { until } => Some(*until),
            _ => None,
        })
        .collect();
    assert!(!shown.is_empty());
    assert!(shown.iter().all(|until| simulation.connects.contains(until)), "{shown:?}");
}

#[test]
fn what_is_said_during_the_handshake_counts_and_voids_nothing() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    let millis = |millis| START + Duration::from_millis(millis);
    simulation.plan(millis(100), Step::Notice(1100, LOST));
    simulation.plan(millis(150), Step::Notice(1101, VOID));
    simulation.plan(millis(200), Step::Notice(2103, BROKEN));
    simulation.plan(at(60), Step::Notice(2104, OK));
    simulation.run_until(at(HOUR));
    assert_eq!((simulation.connects.len(), simulation.resubscribed.len()), (1, 0));
    assert_eq!(simulation.states_between(START, at(HOUR)), ["connecting", "degraded", "ready"]);
}

#[test]
fn six_hours_behind_a_forwarder_cost_a_connect_every_half_minute_and_it_is_back_as_soon() {
    let simulation = outage(ListenerCheck::Off, GatewayMode::NotReady);
    let connects = simulation.connects_between(at(HOUR), at(7 * HOUR));
    assert!((700..=720).contains(&connects), "{connects}");
    assert!(back(&simulation) <= Duration::from_secs(31), "{:?}", back(&simulation));
}

#[test]
fn six_hours_of_sessions_that_die_young_are_no_storm() {
    let simulation = outage(ListenerCheck::Kernel, GatewayMode::Fickle);
    // The session from before the outage lives on.
    assert_eq!(simulation.connects.len(), 1);
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    simulation.plan(START, Step::GatewayMode(GatewayMode::Fickle));
    simulation.run_until(at(6 * HOUR));
    assert!((70..=85).contains(&simulation.connects.len()), "{}", simulation.connects.len());
    assert!(simulation.states_between(START, simulation.now).contains(&"circuit_open"));
}

#[test]
fn a_night_of_1100_tears_nothing_down() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    for turn in 0..833_u64 {
        simulation.plan(at(HOUR + turn * 15 * HOUR / 833), Step::Notice(1100, LOST));
    }
    simulation.plan(at(16 * HOUR), Step::Notice(1102, MAINTAINED));
    simulation.run_until(at(17 * HOUR));
    assert_eq!((simulation.connects.len(), simulation.resubscribed.len()), (1, 0));
    assert_eq!(simulation.states_between(at(HOUR), at(17 * HOUR)), ["degraded", "ready"]);
}

#[test]
fn a_night_of_1100_with_unanswered_pings_tears_nothing_down() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    simulation.plan(at(HOUR), Step::GatewayMode(GatewayMode::Mute));
    for turn in 0..833_u64 {
        simulation.plan(at(HOUR + turn * 15 * HOUR / 833), Step::Notice(1100, LOST));
    }
    simulation.plan(at(16 * HOUR), Step::GatewayMode(GatewayMode::Up));
    simulation.plan(at(16 * HOUR), Step::Notice(1101, VOID));
    simulation.run_until(at(17 * HOUR));
    assert_eq!(simulation.connects.len(), 1);
    assert_eq!(simulation.resubscribed, [at(HOUR)]);
    assert_eq!(simulation.state(), SupervisorState::Ready);
}

#[test]
fn eight_minutes_of_farm_flaps_tear_nothing_down() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    for turn in 0..160 {
        simulation.plan(at(HOUR + turn * 3), Step::Notice(2103, BROKEN));
        simulation.plan(at(HOUR + turn * 3 + 1), Step::Notice(2104, OK));
    }
    simulation.run_until(at(2 * HOUR));
    assert_eq!((simulation.connects.len(), simulation.resubscribed.len()), (1, 0));
    assert_eq!(simulation.state(), SupervisorState::Ready);
}

#[test]
fn a_daily_restart_is_over_within_seconds_of_the_gateways_return() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    let down = 23 * HOUR + 45 * 60;
    simulation.plan(at(down), Step::GatewayMode(GatewayMode::Refusing));
    // TCP accepts before the API is ready.
    simulation.plan(at(down + 80), Step::GatewayMode(GatewayMode::NotReady));
    simulation.plan(at(down + 83), Step::GatewayMode(GatewayMode::Up));
    simulation.run_until(at(24 * HOUR));
    assert_eq!(simulation.connects_between(at(down), at(24 * HOUR)), 2);
    let (ready, _) = simulation.states.last().unwrap();
    assert!(ready.since(at(down + 83)) <= Duration::from_secs(15), "{ready:?}");
    assert_eq!(simulation.state(), SupervisorState::Ready);
}

#[test]
fn a_whole_day_of_everything() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    let turns = [
        // The nightly reset, with the socket up.
        (15 * 60, Step::Notice(1100, LOST)),
        (15 * 60 + 14, Step::Notice(1102, MAINTAINED)),
        (HOUR, Step::Notice(2103, BROKEN)),
        (HOUR + 3, Step::Notice(2104, OK)),
        // Somebody must confirm the login.
        (2 * HOUR, Step::GatewayMode(GatewayMode::Refusing)),
        (8 * HOUR, Step::GatewayMode(GatewayMode::NotReady)),
        (8 * HOUR + 3, Step::GatewayMode(GatewayMode::Up)),
        // The Gateway is stuck, and restarted six hours later.
        (9 * HOUR, Step::GatewayMode(GatewayMode::Mute)),
        (15 * HOUR, Step::GatewayMode(GatewayMode::Refusing)),
        (15 * HOUR + 80, Step::GatewayMode(GatewayMode::Up)),
        // The weekly window: the servers come and go.
        (20 * HOUR, Step::GatewayMode(GatewayMode::NotReady)),
        (21 * HOUR, Step::GatewayMode(GatewayMode::Fickle)),
        (22 * HOUR, Step::Notice(1100, LOST)),
        (23 * HOUR, Step::GatewayMode(GatewayMode::Up)),
    ];
    for (seconds, turn) in turns {
        simulation.plan(at(seconds), turn);
    }
    simulation.run_until(at(24 * HOUR));
    assert_eq!(simulation.connects_between(START, at(2 * HOUR)), 1);
    let night = ["connecting", "ready", "degraded", "ready", "degraded", "ready"];
    assert_eq!(simulation.states_between(START, at(2 * HOUR)), night);
    assert_eq!(simulation.connects_between(at(2 * HOUR), at(8 * HOUR)), 0);
    assert!(simulation.connects_between(at(9 * HOUR), at(15 * HOUR)) <= 80);
    assert!(
        !simulation.states_between(at(9 * HOUR + 30), at(15 * HOUR + 80)).contains(&"ready"),
        "it is mute"
    );
    assert_eq!(simulation.connects_between(at(15 * HOUR + 1), at(15 * HOUR + 80)), 0, "nothing listens");
    for (returned, interval) in [(8 * HOUR + 3, 15), (15 * HOUR + 80, 301), (23 * HOUR, 301)] {
        let back = simulation.states_between(at(returned), at(returned + interval));
        assert!(back.contains(&"ready"), "{returned}: {back:?}");
    }
    let (free, logins) = (at(20 * HOUR), at(21 * HOUR));
    assert!(
        (110..=120).contains(&simulation.connects_between(free, logins)),
        "{}",
        simulation.connects_between(free, logins)
    );
    assert!(
        simulation.connects_between(logins, at(23 * HOUR)) <= 40,
        "{}",
        simulation.connects_between(logins, at(23 * HOUR))
    );
    assert!(simulation.connects.len() <= 250, "{}", simulation.connects.len());
    assert_eq!(simulation.state(), SupervisorState::Ready);
}

#[test]
fn a_breaker_that_is_reset_lets_a_session_back_in_within_a_second() {
    let mut simulation = Simulation::behind(Breaker::new(BreakerSettings::default()), ListenerCheck::Kernel);
    simulation.plan(at(HOUR), Step::BreakerOpens);
    simulation.plan(at(HOUR + 1), Step::GatewayMode(GatewayMode::Refusing));
    simulation.plan(at(HOUR + 2), Step::GatewayMode(GatewayMode::Up));
    simulation.plan(at(2 * HOUR), Step::BreakerIsReset);
    simulation.run_until(at(3 * HOUR));
    assert_eq!(simulation.connects_between(at(HOUR), at(2 * HOUR)), 0);
    let (ready, _) = simulation.states.last().unwrap();
    assert!(ready.since(at(2 * HOUR)) <= Duration::from_millis(1_300), "{ready:?}");
    assert_eq!(simulation.state(), SupervisorState::Ready);
}

#[test]
fn a_process_that_was_stopped_for_ten_minutes_asks_before_it_condemns() {
    let mut simulation = Simulation::new(ListenerCheck::Kernel);
    simulation.plan(at(HOUR), Step::Stopped(Duration::from_secs(600)));
    simulation.run_until(at(2 * HOUR));
    assert_eq!((simulation.connects.len(), simulation.lost.len()), (1, 0), "the session has lived on");
    assert_eq!(simulation.states_between(at(1), at(2 * HOUR)), ["degraded", "ready"]);
    let (degraded, _) = &simulation.states[2];
    assert_eq!(*degraded, at(HOUR + 600), "never ready on an old answer");
}

#[test]
fn a_session_that_was_lost_while_the_process_was_stopped_is_replaced_once() {
    for gateway_mode in [GatewayMode::Refusing, GatewayMode::NotReady] {
        let mut simulation = Simulation::new(ListenerCheck::Kernel);
        simulation.plan(at(HOUR), Step::Stopped(Duration::from_secs(600)));
        simulation.plan(at(HOUR + 60), Step::GatewayMode(gateway_mode));
        simulation.plan(at(HOUR + 120), Step::GatewayMode(GatewayMode::Up));
        simulation.run_until(at(2 * HOUR));
        let [last_answer] = simulation.lost[..] else { panic!("{:?}", simulation.lost) };
        assert!(
            at(HOUR).since(last_answer) <= Duration::from_secs(30),
            "the gap begins before the stop: {last_answer:?}"
        );
        assert!(simulation.connects.len() <= 3, "{:?}", simulation.connects);
        assert_eq!(simulation.state(), SupervisorState::Ready);
    }
}

#[test]
fn a_wall_clock_that_is_set_by_a_day_changes_nothing_but_the_times_that_are_shown() {
    for day in [SignedDuration::from_hours(24), SignedDuration::from_hours(-24)] {
        let mut simulation = Simulation::new(ListenerCheck::Off);
        simulation.plan(at(HOUR), Step::WallClock(day));
        simulation.plan(at(2 * HOUR), Step::GatewayMode(GatewayMode::NotReady));
        simulation.plan(at(2 * HOUR + 60), Step::WallClock(-day));
        simulation.plan(at(3 * HOUR), Step::GatewayMode(GatewayMode::Up));
        simulation.run_until(at(4 * HOUR));
        let states = ["ready", "recovering", "ready"];
        assert_eq!(simulation.states_between(at(0), at(4 * HOUR))[1..], states);
        let [last_answer] = simulation.lost[..] else { panic!("{:?}", simulation.lost) };
        assert!(at(2 * HOUR).since(last_answer) <= Duration::from_secs(30));
        assert_eq!(
            last_answer.wall(),
            at(0).wall() + last_answer.since(at(0)) + day,
            "as the clock was when it was answered"
        );
        let back = simulation.resumed[1];
        assert_eq!(back.wall(), at(0).wall() + back.since(at(0)), "the gap ends by the clock of its end");
        assert!((115..=125).contains(&simulation.connects.len()), "{}", simulation.connects.len());
    }
}
