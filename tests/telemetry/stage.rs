//! A program's surroundings, and what it has told and counted.

use std::sync::Arc;
use std::time::Duration;

use ibkr_connect::config::ZombieCleanup;
use ibkr_connect::resilience::parts::KernelClock;
use ibkr_connect::resilience::{
    Backoff, BreakerSettings, BreakerStore, Gateway, Policy, RobustConnector, SupervisorOptions,
};
use ibkr_connect::telemetry::METRICS;
use ibkr_connect::{Config, ConnectionMode, Connector, Session, Supervisor, Target, session_over};
use tempfile::TempDir;

use crate::recorder::{self, Told, counted, told};
use crate::support::backend::{PrivateWorker, target};
use crate::support::host::{Running, User};
use crate::support::state::state_dir;

pub(crate) const TICK: Duration = Duration::from_millis(10);

/// A program's surroundings.
pub(crate) struct Stage {
    pub(crate) mode: ConnectionMode,
    pub(crate) target: Target,
    gateway: Gateway,
    /// How metrics name the Gateway.
    pub(crate) address: String,
    worker: PrivateWorker,
    state: TempDir,
}

impl Stage {
    pub(crate) fn new(mode: ConnectionMode, port: u16) -> Self {
        recorder::start();
        let target = target(port);
        let gateway = Gateway::from(&target);
        let address = gateway.to_string();
        Self { mode, target, gateway, address, worker: PrivateWorker::new(), state: state_dir() }
    }

    fn config(&self, zombie_cleanup: ZombieCleanup) -> Config {
        Config::default()
            .with_mode(self.mode)
            .with_zombie_cleanup(zombie_cleanup)
            .with_worker_path(Some(self.worker.path().to_owned()))
            .with_state_dir(self.state.path().to_owned())
    }

    /// Connects as a program's would, and tries again at once.
    pub(crate) fn connector(&self, zombie_cleanup: ZombieCleanup) -> Arc<dyn Connector> {
        let config = self.config(zombie_cleanup);
        let backoff = Backoff::default().with_base(TICK).with_cap(TICK);
        let policy = Policy::from(&config).with_backoff(backoff).with_max_retries(1);
        Arc::new(RobustConnector::new(ibkr_connect::connector(&config).unwrap(), policy))
    }

    pub(crate) async fn connect(&self) -> ibkr_connect::Result<Session> {
        session_over(&*self.connector(ZombieCleanup::Report), &self.target).await
    }

    pub(crate) fn supervise(&self, target: Target, options: SupervisorOptions) -> Supervisor {
        let options = options.with_schedule(vec![2 * TICK]).with_listener_poll(TICK).with_wedged_after(100);
        Supervisor::start(self.connector(ZombieCleanup::Report), target, options).unwrap()
    }

    pub(crate) fn breaker(&self) -> BreakerStore {
        let clock = Arc::new(KernelClock::default());
        BreakerStore::new(self.state.path(), self.gateway.clone(), BreakerSettings::default(), clock)
    }

    /// Each metric of the table was recorded, under this stage's mode and Gateway where it has such labels.
    pub(crate) fn assert_all_counted(&self) {
        let own = [("mode", self.mode.as_str()), ("gateway", self.address.as_str())];
        for metric in METRICS {
            let labels: Vec<_> = own.into_iter().filter(|(name, _)| metric.labels.contains(name)).collect();
            let needs_worker = metric.name == "ibkr_connect_worker_restarts_total";
            let is_possible = !needs_worker || self.mode == ConnectionMode::Subprocess;
            assert_eq!(!counted(metric.name, &labels).is_empty(), is_possible, "{}", metric.name);
        }
    }

    /// A counter or gauge under these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        counted(name, labels).iter().map(|series| series.value).sum()
    }

    /// How many durations of this stage's mode were measured.
    pub(crate) fn samples(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        let labels: Vec<_> =
            [("mode", self.mode.as_str())].into_iter().chain(labels.iter().copied()).collect();
        let series = counted(name, &labels);
        assert!(series.iter().flat_map(|series| &series.samples).all(|sample| (0.0..60.0).contains(sample)));
        series.iter().map(|series| series.samples.len()).sum()
    }
}

/// A simulator as a program, and where it listens.
pub(crate) fn gateway_program() -> (Running, u16) {
    let (gateway, line) = Running::until_first_line(User::new().command(["sim", "--port", "0"]));
    (gateway, line.trim_end().rsplit_once(':').unwrap().1.parse().unwrap())
}

/// There is such an event.
pub(crate) fn assert_told(name: &str, values: &[(&str, &str)]) {
    let events: Vec<_> = told().into_iter().filter(|told| told.name == name).collect();
    let is_it = |told: &Told| {
        values.iter().all(|(name, value)| told.values.get(name).is_some_and(|found| found == value))
    };
    assert!(events.iter().any(is_it), "{name} {values:?} is not in {events:?}");
}
