//! Crowds: many programs want the same Gateway at the same moment, and it serves one handshake at a time. The policy of
//! `connect` makes them take turns, so nobody ever waits for another one's handshake, or times out because of it.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use ibkr_connect::ConnectionMode;
use ibkr_connect::resilience::BreakerState;
use ibkr_connect_sim::{Fault, Handshakes, SimOptions, Simulator, Stats};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::host::{Running, User};
use crate::support::real_backends::on_real_backends;
use crate::support::shared::SharedState;
use crate::support::{PATIENCE, traces};

on_real_backends! {
    fn two_programs_get_in(mode) {
        everybody_gets_in(mode, 2);
    }
    fn twenty_programs_get_in(mode) {
        everybody_gets_in(mode, 20);
    }
}

/// `count` programs start at once; all stay connected until all are.
fn everybody_gets_in(mode: ConnectionMode, count: usize) {
    let gateway = Simulator::start(SimOptions {
        handshakes: Handshakes::OneByOne,
        // Long enough to be in each other's way.
        faults: vec![Fault::DelayHandshake(Duration::from_millis(5))],
        ..SimOptions::default()
    })
    .unwrap();
    let user = User::new();
    let state = SharedState::new(&user.home().join("state"), gateway.port());

    let mut programs: Vec<_> = (0..count).map(|_| start(&user, mode, gateway.port())).collect();
    programs.iter_mut().for_each(assert_is_in);
    let stats = gateway.stats();
    assert_took_turns(&stats, count);
    assert_eq!((stats.client_ids, stats.active), (state.client_ids(), count));
    state.assert_lock_is_free();

    for (number, program) in programs.iter_mut().enumerate() {
        leave(program, if number % 2 == 0 { Signal::INT } else { Signal::KILL });
    }
    assert!(gateway.wait_until(PATIENCE / 2, |stats| stats.active == 0), "{:?}", gateway.stats());
    assert_eq!(gateway.stats().zombies_held_max, 0);
    traces::assert_no_half_closed(gateway.port());
    user.worker().assert_none_runs();
    state.assert_leases(0);
    state.assert_lock_is_free();
    let breaker = state.breaker();
    assert!(matches!(breaker, BreakerState::Closed { failures: 0, .. }), "{breaker:?}");
}

fn start(user: &User, mode: ConnectionMode, port: u16) -> Running {
    let port = port.to_string();
    let mut command =
        user.command(["ticks", "AAPL", "--for", "10m", "--json", "--mode", mode.as_str(), "--port", &port]);
    command.env("IBKR_STATE_DIR", user.home().join("state"));
    Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Its first tick has come, or its last words say why not.
fn assert_is_in(program: &mut Running) {
    let mut tick = String::new();
    BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut tick).unwrap();
    if !tick.starts_with('{') {
        let mut last_words = String::new();
        program.0.stderr.as_mut().unwrap().read_to_string(&mut last_words).unwrap();
        panic!("not in: {last_words}");
    }
}

/// As many handshakes as programs, none refused, and none begun before the one before it was over.
fn assert_took_turns(stats: &Stats, count: usize) {
    let outcome = (stats.accepted, stats.handshakes, stats.rejected, stats.queued);
    assert_eq!(outcome, (count, count, 0, 0), "{stats:?}");
}

fn leave(program: &mut Running, signal: Signal) {
    kill_process(Pid::from_child(&program.0), signal).unwrap();
    let status = program.wait(PATIENCE / 2);
    assert_eq!(status.success(), signal == Signal::INT, "{status}");
}
