//! What a Gateway can make us keep: it sends errors without end, and our memory stays small until the deadline.

mod support;

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::ConnectionMode;

use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Running, User};
use crate::support::traces;

/// What a connect may cost beside that of a healthy Gateway, in KiB.
const BOUND: usize = 24 * 1024;

/// The deadline of each connect.
const DEADLINE: Duration = Duration::from_secs(2);

mod direct {
    use super::*;

    #[test]
    fn errors_fill_no_memory() {
        check(ConnectionMode::Direct);
    }
}

mod subprocess {
    use super::*;

    #[test]
    fn errors_fill_no_memory() {
        check(ConnectionMode::Subprocess);
    }
}

fn check(mode: ConnectionMode) {
    let healthy = cost(mode, Behaviour::Healthy).0;
    for behaviour in [
        // Just below the limit of what is kept before the accounts.
        Behaviour::SendsOtherThings(8 << 20),
        Behaviour::ComplainsWithoutEnd(50),
        Behaviour::ComplainsWithoutEnd(8 << 20),
    ] {
        let (memory, took) = cost(mode, behaviour);
        let more = memory.saturating_sub(healthy);
        assert!(more < BOUND, "{behaviour:?}: {more} KiB more than the {healthy} of a healthy Gateway");
        assert!((DEADLINE..2 * DEADLINE).contains(&took), "{behaviour:?}: the deadline holds: {took:?}");
    }
}

/// The most that any process of a connect had in memory, in KiB, and how long it took.
fn cost(mode: ConnectionMode, behaviour: Behaviour) -> (usize, Duration) {
    let gateway = FakeGateway::start(behaviour);
    let (port, deadline) = (gateway.port().to_string(), DEADLINE.as_secs().to_string());
    let user = User::new();
    let arguments = ["check", "--mode", mode.as_str(), "--port", &port, "--timeout", &deadline];
    let begun = Instant::now();
    // What it logs is for nobody.
    let mut check = user.command(arguments);
    let mut check = Running(check.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut most = 0;
    while check.0.try_wait().unwrap().is_none() {
        let workers = traces::processes(user.worker().path());
        most = workers.into_iter().chain([check.0.id()]).filter_map(peak).fold(most, usize::max);
        thread::sleep(Duration::from_millis(2));
    }
    (most, begun.elapsed())
}

/// The most that a process has had in memory so far; `None` if it has ended.
fn peak(pid: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
