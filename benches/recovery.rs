//! How long a supervised session is gone when its worker is killed: from SIGKILL until the next request is answered, and
//! until a stream goes on. Beside it, in the same run, the floor: a bare start and connect of the backend.
//!
//! `cargo bench --bench recovery`; a number as argument is how many workers die. The bench is its own worker.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::resilience::{RestartLimit, StreamItem, SupervisedSession, SupervisorOptions};
use ibkr_connect::types::{Contract, MarketDataParams};
use ibkr_connect::{
    Config, ConnectionMode, Connector, Result, StreamRequest, SupervisedStream, Supervisor, Target, worker,
};
use ibkr_connect_sim::{SimOptions, Simulator};
use ibkr_connect_subprocess::{SubprocessConnector, WorkerSpec};
use pollster::block_on;
use rustix::process::{Pid, Signal, kill_process};

/// So many workers die.
const KILLS: usize = 100;

/// Between two kills, so that IBKR's limit on messages per second is not what is measured.
const PAUSE: Duration = Duration::from_millis(250);

#[allow(clippy::print_stdout, reason = "its result")]
fn main() {
    worker::run_if_worker();
    let kills = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(KILLS);
    let bench = Bench::new();
    let (mut floor, mut answered, mut resumed) = (Vec::new(), Vec::new(), Vec::new());
    let mut ticks = block_on(bench.ticks()).expect("subscribes");
    for _ in 0..kills {
        thread::sleep(PAUSE);
        floor.push(bench.bare_connect().expect("connects"));
        thread::sleep(PAUSE);
        let killed = bench.kill_worker();
        answered.push(block_on(bench.answered_since(killed)).expect("answers"));
        resumed.push(block_on(resumed_since(killed, &mut ticks)).expect("goes on"));
    }
    println!("{kills} kills of the worker (ms)             p50     p99");
    for (what, mut times) in [
        ("floor: bare start and connect", floor),
        ("until a request is answered", answered),
        ("until a stream has gone on", resumed),
    ] {
        times.sort_unstable();
        let ms = |quantile: usize| times[(times.len() - 1) * quantile / 100].as_secs_f64() * 1e3;
        println!("{what:<34}{:>8.1}{:>8.1}", ms(50), ms(99));
    }
}

struct Bench {
    supervisor: Supervisor,
    bare: SubprocessConnector,
    target: Target,
    _gateway: Simulator,
    _state: tempfile::TempDir,
}

/// The moment of a kill, and the session that it ended.
#[derive(Clone, Copy)]
struct Killed {
    at: Instant,
    generation: u64,
}

impl Bench {
    fn new() -> Self {
        let gateway = Simulator::start(SimOptions::default()).expect("a free port");
        let state = tempfile::tempdir().expect("a directory");
        let config = Config::default()
            .with_mode(ConnectionMode::Subprocess)
            .with_port(gateway.port())
            .with_state_dir(state.path().to_owned());
        let restarts = RestartLimit::default().with_count(u32::MAX);
        let options = SupervisorOptions::from(&config).with_restarts(restarts);
        Self {
            supervisor: ibkr_connect::supervise_with(&config, options).expect("this program is the worker"),
            bare: SubprocessConnector::new(WorkerSpec {
                program: this_program(),
                args: vec![worker::ARGUMENT.into()],
                env: Vec::new(),
            }),
            target: config.target(),
            _gateway: gateway,
            _state: state,
        }
    }

    async fn ticks(&self) -> Result<SupervisedStream> {
        self.supervisor.session().await?;
        let params = MarketDataParams::streaming(Contract::stock("AAPL"));
        self.supervisor.subscribe(StreamRequest::MarketData(params)).await
    }

    fn bare_connect(&self) -> Result<Duration> {
        let begun = Instant::now();
        let connection = block_on(self.bare.connect(&self.target))?;
        let took = begun.elapsed();
        block_on(connection.close())?;
        Ok(took)
    }

    fn kill_worker(&self) -> Killed {
        let session = self.supervisor.current().expect("there is a session");
        let pid = session.info().worker_pid.expect("in a worker");
        let killed = Killed { at: Instant::now(), generation: session.generation() };
        kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid"), Signal::KILL).expect("it lives");
        killed
    }

    async fn answered_since(&self, killed: Killed) -> Result<Duration> {
        self.session_after(killed.generation).await?.ping().await?;
        Ok(killed.at.elapsed())
    }

    async fn session_after(&self, generation: u64) -> Result<SupervisedSession> {
        let mut states = self.supervisor.states();
        loop {
            let session = self.supervisor.session().await?;
            if session.generation() > generation {
                return Ok(session);
            }
            // An error is the end of the supervisor, which the next session tells.
            let _ = states.changed().await;
        }
    }
}

/// After the gap comes an event.
async fn resumed_since(killed: Killed, ticks: &mut SupervisedStream) -> Result<Duration> {
    while !matches!(ticks.next().await.expect("goes on for ever")?, StreamItem::Gap { .. }) {}
    ticks.next().await.expect("goes on for ever")?;
    Ok(killed.at.elapsed())
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program has a path")
}
