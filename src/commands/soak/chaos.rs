//! A Gateway that fails in every way, one after the other, a day's worth in minutes.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ibkr_connect::config::Region;
use ibkr_connect::resilience::{RestartLimit, SupervisorOptions};
use ibkr_connect::{Config, Supervisor};
use ibkr_connect_sim::{Fault, SimOptions, Simulator};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// The next blow comes after so many milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 500..5_000;
/// How long a session may take to come back once the faults are over.
const RECOVERY: Duration = Duration::from_secs(30);

/// The simulator, and a thread that ill-treats it.
pub(super) struct Chaos {
    config: Config,
    seed: u64,
    simulator: Arc<Simulator>,
    thread: Mutex<Option<Thread>>,
    /// The state shared by processes is not for the Gateways of reality.
    _state_dir: TempDir,
}

struct Thread {
    stop: mpsc::Sender<()>,
    handle: JoinHandle<usize>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Survived {
    seed: u64,
    /// How many times something was done to the Gateway.
    blows: usize,
    /// Whether the session answered a ping when it was over.
    pub(super) recovered: bool,
}

impl Chaos {
    /// Starts the simulator. What happens to it follows from `seed`, or from a random one.
    pub(super) fn start(config: &Config, seed: Option<u64>) -> anyhow::Result<Self> {
        let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        // Now, for the case that this run does not come to its end.
        writeln!(io::stderr(), "chaos: --seed {seed}")?;
        let simulator = Arc::new(Simulator::start(SimOptions { seed, ..SimOptions::default() })?);
        let state_dir = tempfile::tempdir()?;
        let config = config_for(simulator.port(), state_dir.path(), config);
        let (stop, stopped) = mpsc::channel();
        let victim = Arc::clone(&simulator);
        let handle = thread::Builder::new()
            .name("chaos".to_owned())
            .spawn(move || rage(&victim, &stopped, ChaCha8Rng::seed_from_u64(seed)))?;
        let thread = Mutex::new(Some(Thread { stop, handle }));
        Ok(Self { config, seed, simulator, thread, _state_dir: state_dir })
    }

    /// The configuration of a connect to it.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The rules of a supervisor of it: those of a day, in fast motion.
    pub(super) fn options(&self) -> SupervisorOptions {
        SupervisorOptions::from(&self.config)
            .with_schedule([1, 2, 5].map(Duration::from_secs).to_vec())
            .with_restarts(RestartLimit::default().with_window(Duration::from_secs(5)))
    }

    /// Ends it, and sees whether the session comes back.
    pub(super) async fn calm(&self, supervisor: &Supervisor) -> Survived {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let blows = thread.map_or(0, |thread| {
            drop(thread.stop);
            thread.handle.join().unwrap_or_default()
        });
        self.simulator.set_faults(Vec::new());
        let recovered = timeout(RECOVERY, answer(supervisor)).await.is_ok();
        Survived { seed: self.seed, blows, recovered }
    }
}

/// Waits until a ping is answered.
async fn answer(supervisor: &Supervisor) {
    loop {
        match supervisor.session_within(RECOVERY).await {
            Ok(session) if session.ping().await.is_ok() => return,
            // A session that was made under a fault ends of it.
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
}

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, blows, recovered } = self;
        let end = if *recovered { "the session came back" } else { "the session did NOT come back" };
        write!(f, "chaos: {blows} blows; {end} afterwards; --seed {seed} brings the same ones again")
    }
}

/// Only what chooses the backend is the user's: nothing that happens here may reach a Gateway of theirs. The waits are
/// those of a day in proportion to minutes.
fn config_for(port: u16, state_dir: &Path, user: &Config) -> Config {
    Config::default()
        .with_mode(user.mode)
        .with_fallback(user.fallback)
        .with_worker_path(user.worker_path.clone())
        .with_port(port)
        .with_state_dir(state_dir.to_owned())
        .with_timeout(Duration::from_secs(3))
        .with_request_timeout(Duration::from_secs(5))
        .with_ping_interval(Duration::from_secs(1))
        .with_circuit_recovery(Duration::from_secs(2))
        .with_region(Some(Region::None))
}

/// Until it is stopped; says how many times it struck.
fn rage(simulator: &Simulator, stopped: &mpsc::Receiver<()>, mut rng: ChaCha8Rng) -> usize {
    let mut blows = 0;
    loop {
        let pause = Duration::from_millis(rng.random_range(PAUSE_MS));
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return blows;
        }
        strike(simulator, &mut rng);
        blows += 1;
    }
}

fn strike(simulator: &Simulator, rng: &mut ChaCha8Rng) {
    // Most Gateways that a session comes back to are healthy, or the breaker would be open nearly all the time.
    let faults = if rng.random_bool(0.75) { Vec::new() } else { fault(rng).into_iter().collect() };
    tracing::info!(?faults, "chaos");
    simulator.set_faults(faults);
    match rng.random_range(0..4) {
        0 => simulator.disconnect_all(),
        1 => simulator.reset_all(),
        2 => {
            simulator.broadcast_notice(1100, "Connectivity between IB and Trader Workstation has been lost.");
            simulator.broadcast_notice(
                1101,
                "Connectivity between IB and Trader Workstation has been restored - data lost.",
            );
        }
        _ => {
            simulator.broadcast_notice(2103, "Market data farm connection is broken:usfarm");
            simulator.broadcast_notice(2104, "Market data farm connection is OK:usfarm");
        }
    }
}

/// What the next connections meet.
fn fault(rng: &mut ChaCha8Rng) -> Option<Fault> {
    let brief = Duration::from_millis(rng.random_range(100..2_000));
    let faults = [
        Fault::Silent,
        Fault::CloseBeforeVersion,
        Fault::ResetBeforeVersion,
        Fault::CloseAfterVersion,
        Fault::CloseAfterStartApi,
        Fault::ResetAfterStartApi,
        Fault::DelayHandshake(brief / 4),
        Fault::MuteAfterVersion,
        Fault::MuteAfterHandshake,
        Fault::DropAfter(brief),
        Fault::ResetAfter(brief),
        Fault::NoManagedAccounts,
        Fault::Flood(150),
        Fault::Reorder,
    ];
    faults.choose(rng).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_brings_the_same_faults() {
        let faults = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..20).map(|_| fault(&mut rng).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }
}
