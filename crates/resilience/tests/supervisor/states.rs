//! What a supervisor says about a Gateway that misbehaves, and about its own end.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use ibkr_connect_core::config::GatewayRestart;
use ibkr_connect_resilience::{GiveUp, RestartHook};

use super::*;
use crate::connectors::{Muffler, PanicsOnce};

#[test]
fn a_mute_gateway_is_never_ready_and_said_to_be_wedged() {
    for fault in [Fault::Silent, Fault::MuteAfterVersion, Fault::MuteAfterHandshake] {
        let gateway = gateway(vec![fault.clone()]);
        let target = target(gateway.port()).with_timeout(Duration::from_millis(100));
        let supervisor =
            Supervisor::start(Arc::new(DirectConnector) as Arc<dyn Connector>, target, quick()).unwrap();
        let mut seen = Vec::new();
        until(&supervisor, "wedged", |state| {
            seen.push(state.as_str());
            *state == SupervisorState::GatewayWedged
        });
        assert!(!seen.iter().any(|name| ["ready", "degraded"].contains(name)), "{fault}: {seen:?}");
        assert_eq!(supervisor.generation(), 0, "{fault}");
        assert_eq!(supervisor.failure().unwrap().kind(), ErrorKind::HandshakeTimeout);
        let late = block_on(supervisor.session_within(Duration::from_millis(10))).unwrap_err();
        assert!(late.message().contains("answers nobody"), "{late}");

        gateway.set_faults(Vec::new());
        // Its deadline is tight for a loaded machine: it may need another attempt.
        assert_eq!(session(&supervisor).generation(), 1);
        assert_eq!(supervisor.failure().map(|error| error.kind()), None);
    }
}

#[test]
fn a_wedged_gateway_is_restarted_once_if_somebody_said_how() {
    let gateway = gateway(vec![Fault::Silent]);
    let state = tempfile::tempdir().unwrap();
    let restarts = state.path().join("restarts");
    let script = format!("echo restart >> {}", restarts.display());
    let how = GatewayRestart::Command(["sh", "-c", &script].map(str::to_owned).to_vec());
    let gateway_restart = Some(RestartHook::new(how, state.path()));
    let options = quick().with_gateway_restart(gateway_restart);
    let target = target(gateway.port()).with_timeout(Duration::from_millis(50));
    let connector = || Arc::new(DirectConnector) as Arc<dyn Connector>;
    let begun = Instant::now();
    // Two supervisors are like two processes: they share the state directory.
    let _both = [(); 2].map(|()| Supervisor::start(connector(), target.clone(), options.clone()).unwrap());
    let count = || std::fs::read_to_string(&restarts).unwrap_or_default().lines().count();
    while count() == 0 || gateway.stats().accepted < 12 {
        assert!(begun.elapsed() < PATIENCE, "nothing was restarted");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(count(), 1);
}

#[test]
fn a_session_that_falls_silent_is_degraded_then_lost() {
    let gateway = gateway(Vec::new());
    let muffler = Arc::new(Muffler::default());
    let interval = Duration::from_millis(300);
    let options = quick().with_ping_interval(interval);
    let connector = Arc::clone(&muffler) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), options).unwrap();
    until(&supervisor, "ready", |state| *state == SupervisorState::Ready);

    let muted = Instant::now();
    muffler.switches.muted_generation.store(1, Ordering::SeqCst);
    let degraded = until(&supervisor, "degraded", |state| matches!(state, SupervisorState::Degraded(_)));
    assert!(!degraded.is_usable());
    until_generation(&supervisor, 2);
    assert!(muted.elapsed() >= interval * 2, "{:?}", muted.elapsed());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 1), "the mute session was closed");
}

#[test]
fn market_data_that_is_void_is_opened_anew_in_the_same_session() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    data(&mut stream);
    gateway.broadcast_notice(1100, "Connectivity between IB and Trader Workstation has been lost.");
    let degraded = until(&supervisor, "degraded", |state| matches!(state, SupervisorState::Degraded(_)));
    assert!(degraded.is_usable(), "the Gateway answers");
    gateway.broadcast_notice(1101, "... restored - data lost");
    gap(&mut stream);
    assert_eq!((stream.generation(), supervisor.state()), (1, SupervisorState::Ready));
    assert_eq!(gateway.stats().accepted, 1);
    assert_eq!(gateway.stats().requested("reqMktData"), 2);
}

#[test]
fn farm_flaps_and_lost_servers_are_shown_and_tear_nothing_down() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    for (lost, back) in [(1100, 1102), (2103, 2104), (2105, 2106), (2157, 2158), (2110, 2104)] {
        gateway.broadcast_notice(lost, "it is broken:usfarm");
        until(&supervisor, "degraded", |state| matches!(state, SupervisorState::Degraded(_)));
        gateway.broadcast_notice(back, "it is OK:usfarm");
        until(&supervisor, "ready", |state| *state == SupervisorState::Ready);
        data(&mut stream);
    }
    assert_eq!((supervisor.generation(), gateway.stats().requested("reqMktData")), (1, 1));
}

#[test]
fn the_end_is_told_to_everybody_and_leaves_nothing() {
    let gateway = gateway(Vec::new());
    let supervisor = supervise(&gateway, quick());
    let session = session(&supervisor);
    let mut stream = block_on(supervisor.subscribe(quotes())).unwrap();
    block_on(supervisor.close());
    block_on(supervisor.close());
    assert_eq!(supervisor.state(), SupervisorState::Closed);
    assert_eq!(block_on(session.ping()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(supervisor.session()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(block_on(supervisor.session_within(PATIENCE)).unwrap_err().kind(), ErrorKind::Closed);
    let end = loop {
        match next(&mut stream) {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(next(&mut stream).is_none());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
}

#[test]
fn dropped_in_the_middle_of_an_attempt_it_abandons_it() {
    let gateway = gateway(vec![Fault::Silent]);
    let supervisor = supervise(&gateway, quick());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 1));
    let begun = Instant::now();
    drop(supervisor);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(gateway.wait_until(PATIENCE, |stats| stats.active == 0));
    assert_eq!(gateway.stats().zombies_held_max, 0);
}

#[test]
fn dropped_inside_a_runtime_it_stops_nothing_and_closes_all_the_same() {
    // It keeps its socket, so that closing a session takes half a second.
    let gateway = gateway(vec![Fault::Hold]);
    let supervisor = supervise(&gateway, quick());
    drop(session(&supervisor));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let begun = Instant::now();
    runtime.block_on(async { drop(supervisor) });
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
    assert!(
        gateway.wait_until(PATIENCE, |stats| stats.eofs_seen == 1),
        "closed in order: {:?}",
        gateway.stats()
    );
}

#[test]
fn told_to_give_up_it_does_and_says_why() {
    let gateway = gateway(vec![Fault::CloseBeforeVersion]);
    let options = quick().with_give_up(GiveUp::AfterFailures(3));
    let supervisor = supervise(&gateway, options);
    let error = block_on(supervisor.session()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.message().contains("rejected in version"), "{error}");
    assert_eq!((gateway.stats().accepted, supervisor.state()), (3, SupervisorState::Closed));
}

#[test]
fn a_connector_that_panics_is_a_failed_attempt() {
    let gateway = gateway(Vec::new());
    let connector = Arc::new(PanicsOnce::default()) as Arc<dyn Connector>;
    let supervisor = Supervisor::start(connector, target(gateway.port()), quick()).unwrap();
    assert_eq!(session(&supervisor).generation(), 1);
}
