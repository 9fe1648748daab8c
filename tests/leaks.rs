//! A program that connects all day: neither descriptors nor threads nor processes pile up. The only test in its
//! process, which it counts.

mod support;

use std::fs;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};

use crate::support::backend::{Backend, target};
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::{run, until};

/// One way to end in every phase, and a good one.
const FAULTS: [&[Fault]; 6] = [
    &[Fault::CloseBeforeVersion],
    &[Fault::GarbageVersion],
    &[Fault::ResetAfterStartApi],
    &[Fault::ClientIdInUse],
    &[Fault::EmptyAccounts],
    &[],
];

#[test]
fn connecting_leaks_nothing() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    for mode in REAL_BACKENDS {
        let backend = Backend::new(mode);
        // The first time may open what stays open for good.
        connect_in_every_way(&backend, &gateway);
        let before = run(async { holdings() });
        for _ in 0..10 {
            connect_in_every_way(&backend, &gateway);
        }
        run(until(&format!("{mode}: again no more than {before:?}"), || {
            let now = holdings();
            now.descriptors <= before.descriptors && now.threads <= before.threads
        }));
        backend.assert_left_nothing(gateway.port());
    }
}

fn connect_in_every_way(backend: &Backend, gateway: &Simulator) {
    for faults in FAULTS {
        gateway.set_faults(faults.to_vec());
        let outcome = run(backend.connect(&target(gateway.port())));
        assert_eq!(outcome.is_ok(), faults.is_empty(), "{outcome:?}");
        if let Ok(connection) = outcome {
            run(connection.close()).unwrap();
        }
    }
    assert!(gateway.wait_until(support::PATIENCE, |stats| stats.active == 0));
}

/// What this process has.
#[derive(Debug)]
struct Holdings {
    descriptors: usize,
    threads: usize,
}

fn holdings() -> Holdings {
    let count = |directory| fs::read_dir(directory).unwrap().count();
    Holdings { descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }
}
