//! What the demo's program and its Gateway are like.

use std::thread;
use std::time::Duration;

use ibkr_connect::cleanup;
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use tokio::runtime::{Builder, Runtime};

use super::Way;
use super::client::{Attempt, attempt};
use super::row::Row;
use crate::commands::busy::{ENOUGH, Hogs};
use crate::commands::port::SETTLE;

/// A program and a Gateway.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) story: &'static str,
    pub(crate) attempts: usize,
    /// How many attempts run at the same time.
    concurrent: usize,
    /// The deadline of a connect.
    pub(crate) deadline: Duration,
    /// How long the Gateway takes for each frame of the handshake.
    frame_delay: Duration,
    /// How many tasks of the program block its runtime, a second at a time.
    hogs: usize,
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "idle",
        story: "a program with nothing else to do, a Gateway that answers at once",
        attempts: 20,
        concurrent: 1,
        deadline: Duration::from_secs(5),
        frame_delay: Duration::ZERO,
        hogs: 0,
    },
    Scenario {
        name: "busy_runtime",
        story: "a runtime of 2 workers with 4 tasks that each block 1 s and yield, a Gateway that takes 300 ms per \
                handshake frame, a deadline of 5 s",
        attempts: 4,
        concurrent: 4,
        deadline: Duration::from_secs(5),
        frame_delay: Duration::from_millis(300),
        hogs: ENOUGH,
    },
];

impl Scenario {
    /// Runs all attempts in one way, against a Gateway of their own.
    pub(crate) fn measure(&'static self, way: Way) -> anyhow::Result<Row> {
        let simulator = Simulator::start(self.gateway())?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let hogs = Hogs::start(&runtime, self.hogs);
        let attempts = self.attempts(&runtime, way, simulator.port());
        hogs.stop();
        runtime.shutdown_timeout(SETTLE);
        let zombies = zombies_after_settling(simulator.port())?;
        Ok(Row::new(self, way, attempts, zombies))
    }

    fn gateway(&self) -> SimOptions {
        let mut options = SimOptions::default();
        if !self.frame_delay.is_zero() {
            options.faults.push(Fault::DelayHandshake(self.frame_delay));
        }
        options
    }

    fn attempts(&'static self, runtime: &Runtime, way: Way, port: u16) -> Vec<Attempt> {
        let mut done = Vec::with_capacity(self.attempts);
        while done.len() < self.attempts {
            let batch: Vec<_> = (done.len()..self.attempts)
                .take(self.concurrent)
                .map(|number| runtime.spawn(attempt(way, port, number, self.deadline)))
                .collect();
            done.extend(batch.into_iter().map(|task| {
                runtime.block_on(task).unwrap_or_else(|error| Attempt::failed(format!("panicked: {error}")))
            }));
        }
        done
    }
}

/// Half-closed connections on the port, both sides, once they stop becoming fewer.
fn zombies_after_settling(port: u16) -> anyhow::Result<usize> {
    let deadline = std::time::Instant::now() + SETTLE;
    loop {
        let left = cleanup::half_closed(&[port])?.len();
        if left == 0 || std::time::Instant::now() >= deadline {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
