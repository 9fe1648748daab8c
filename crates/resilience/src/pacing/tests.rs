//! The pacer in front of a Gateway, in virtual time, with several processes.

mod messages;
mod rules;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::{BarSize, Contract, HistoricalBarsParams};
use ibkr_connect_core::{Request, Result};
use ibkr_connect_state::{Clock, ManualClock, Stamp};
use tempfile::TempDir;
use tokio::time::Instant;

use super::pacer::{Admission, ConnectionPacer, Limits, Pacer};
use super::timer::Timer;

use crate::gateway::Gateway;

/// How long a request may wait.
const LIMIT: Duration = Duration::from_secs(30);

/// A clock that goes on by itself with tokio's virtual time.
#[derive(Debug, Clone)]
struct VirtualClock {
    manual: ManualClock,
    start: Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Stamp {
        let (now, passed) = (self.manual.now(), self.start.elapsed());
        Stamp { at: now.at + passed, wall: now.wall + passed, ..now }
    }
}

/// A machine with one state directory.
struct Machine {
    temp: TempDir,
    clock: VirtualClock,
}

impl Machine {
    fn new() -> Self {
        let clock = VirtualClock { manual: ManualClock::new(), start: Instant::now() };
        Self { temp: tempfile::tempdir().unwrap(), clock }
    }

    /// A process that shares the directory.
    fn process(&self) -> ConnectionPacer {
        self.process_in(self.temp.path())
    }

    fn process_in(&self, state_dir: &Path) -> ConnectionPacer {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let gateway = Gateway::new("localhost", 4002);
        let pacer = Pacer::new(state_dir, &gateway, &clock, Timer::of_this_runtime());
        pacer.open();
        ConnectionPacer { pacer: Arc::new(pacer), limits: Limits::All, limit: LIMIT }
    }
}

/// The request is sent, and answered.
async fn send(process: &ConnectionPacer, request: &Request) -> Result<()> {
    process.request(request, None).await.map(Admission::answered)
}

/// Whether the request would be sent at once. If so it is.
async fn goes_at_once(process: &ConnectionPacer, request: &Request) -> bool {
    let start = Instant::now();
    tokio::select! {
        biased;
        sent = send(process, request) => sent.is_ok() && start.elapsed().is_zero(),
        () = tokio::task::yield_now() => false,
    }
}

fn next_in(process: &ConnectionPacer) -> Duration {
    process.pacer.status().next_in
}

fn bars(symbol: &str, bar_size: BarSize) -> Request {
    let params = HistoricalBarsParams { bar_size, ..HistoricalBarsParams::last_day(Contract::stock(symbol)) };
    Request::HistoricalBars(params)
}

fn small_bars(symbol: &str) -> Request {
    bars(symbol, BarSize::Secs30)
}
