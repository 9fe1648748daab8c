//! The pacer in front of a Gateway, in virtual time, with several processes.

mod messages;
mod rules;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ibkr_connect_core::types::{BarSize, Contract, HistoricalBarsParams};
use ibkr_connect_core::{Request, Result};
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Clock, DiskFault, ManualClock, ManualDisk, Shared, Stamp};
use tempfile::TempDir;
use tokio::time::Instant;

use super::history_ledger::HistoryLedger;
use super::pacer::{Admission, ConnectionPacer, Limits, Pacer};
use super::timer::Timer;

use crate::gateway::Gateway;
use crate::observer::Observer;

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
        paced_by(Pacer::new(state_dir, &gateway(), &self.clock(), Timer::of_this_runtime()))
    }

    /// A process whose histories are on another disk.
    fn process_on(&self, disk: &ManualDisk) -> ConnectionPacer {
        let shared = Shared::new(self.temp.path(), Kept::History.of(&gateway().file_stem()), self.clock());
        let history =
            HistoryLedger::of(shared.on(Arc::new(disk.clone())), self.clock(), Timer::of_this_runtime());
        let pacer = Pacer::new(self.temp.path(), &gateway(), &self.clock(), Timer::of_this_runtime());
        paced_by(pacer.with_history(history))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }
}

fn gateway() -> Gateway {
    Gateway::new("localhost", 4002)
}

fn paced_by(pacer: Pacer) -> ConnectionPacer {
    pacer.open();
    ConnectionPacer {
        pacer: Arc::new(pacer),
        limits: Limits::All,
        limit: LIMIT,
        observer: Observer::default(),
    }
}

/// The request is sent, and answered.
async fn send(process: &ConnectionPacer, request: &Request) -> Result<()> {
    process.request(request, None).await.map(Admission::answered)
}

/// Whether the request would be sent at once. If so it is.
async fn goes_at_once(process: &ConnectionPacer, request: &Request) -> bool {
    let sent = tokio::time::timeout(Duration::from_millis(1), send(process, request)).await;
    sent.is_ok_and(|sent| sent.is_ok())
}

fn next_in(process: &ConnectionPacer) -> Duration {
    process.pacer.status().next_in
}

fn bars(symbol: &str, bar_size: BarSize) -> Request {
    let params = HistoricalBarsParams::last_day(Contract::stock(symbol)).with_bar_size(bar_size);
    Request::HistoricalBars(params)
}

fn small_bars(symbol: &str) -> Request {
    bars(symbol, BarSize::Secs30)
}
