//! The demo's Gateway: the simulator, as slow as a real one at a login and as sensitive to clients that vanish.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::cleanup;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};

use crate::commands::port::SETTLE;

/// How long it takes for each frame of a handshake.
pub(crate) const FRAME_DELAY: Duration = Duration::from_millis(80);

/// The frames that it sends in a handshake: its version, three notices, the accounts, the next order id.
pub(crate) const FRAMES: u32 = 6;

/// How many connections without a client it takes until it accepts nobody. Users report 3 or 4 of a real one.
pub(crate) const WEDGED_BY: usize = 3;

/// A Gateway that can be restarted.
#[derive(Debug)]
pub(crate) struct Gateway {
    simulator: Simulator,
}

impl Gateway {
    pub(crate) fn start() -> io::Result<Self> {
        Self::on_port(0)
    }

    /// Another one in its place, on the same port. What it held is gone with it.
    pub(crate) fn restart(self) -> io::Result<Self> {
        let port = self.port();
        drop(self);
        Self::on_port(port)
    }

    fn on_port(port: u16) -> io::Result<Self> {
        let options = SimOptions {
            port,
            wedge_after: Some(WEDGED_BY),
            faults: vec![Fault::DelayHandshake(FRAME_DELAY)],
            ..SimOptions::default()
        };
        Simulator::start(options).map(|simulator| Self { simulator })
    }

    /// Takes so long for each frame of the handshakes to come.
    pub(crate) fn slow_down(&self, frame_delay: Duration) {
        self.simulator.set_faults(vec![Fault::DelayHandshake(frame_delay)]);
    }

    pub(crate) fn port(&self) -> u16 {
        self.simulator.port()
    }

    /// Whether it accepts nobody any more. Clients that have just left are waited for.
    pub(crate) fn is_wedged(&self) -> bool {
        self.simulator.wait_until(SETTLE, |stats| stats.active == 0);
        self.simulator.stats().zombies_held >= WEDGED_BY
    }

    /// Half-closed connections on its port, those of both sides, once they are no more than `expected` or have had
    /// [`SETTLE`] to become so. The kernel is asked.
    pub(crate) fn half_closed(&self, expected: usize) -> anyhow::Result<usize> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let left = cleanup::half_closed(&[self.port()])?.len();
            if left <= expected || Instant::now() >= deadline {
                return Ok(left);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
