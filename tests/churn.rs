//! Connect and fail, over and over: timeouts, cancels and kills at random moments of the handshake, faults at random,
//! against a Gateway that never closes its end. Afterwards no socket is half closed, on either side, and no process is
//! left.
//!
//! `cargo test` runs some dozens of cycles per mode. The full campaign takes a few minutes:
//!
//! ```text
//! IBKR_CHURN_CYCLES=1000 cargo test --test churn
//! ```
//!
//! A failure names the seed of its random choices; `IBKR_CHURN_SEED` makes them again.

mod support;

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use ibkr_connect::{Config, ConnectionMode};
use ibkr_connect_sim::{Fault, Hold, SimOptions, Simulator};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::backend::{Backend, target};
use crate::support::host::{Running, User};
use crate::support::real_backends::on_real_backends;
use crate::support::{PATIENCE, run, setting, traces};

/// The cycles of a mode, unless `IBKR_CHURN_CYCLES` says otherwise.
const CYCLES: u32 = 40;

/// So many cycles share a Gateway: it keeps a descriptor for each.
const CYCLES_PER_GATEWAY: u32 = 100;

/// Longer than an undisturbed handshake takes, a worker's start included: every phase of it gets its share.
const MOMENTS_MS: u64 = 150;

on_real_backends! {
    fn leaves_nothing(mode) {
        Campaign::new(mode).run();
    }
}

/// How a cycle ends, unless the fault is faster.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The attempt reaches its deadline.
    Timeout,
    /// The caller drops the future.
    Cancel,
    /// The worker gets SIGKILL.
    KillWorker,
    /// The program that connects gets SIGKILL.
    KillHost,
}

/// One connect that can't succeed.
#[derive(Debug)]
struct Cycle {
    fault: Fault,
    end: End,
    moment: Duration,
}

/// The cycles of one mode.
struct Campaign {
    mode: ConnectionMode,
    backend: Backend,
    user: User,
    seed: u64,
    dice: StdRng,
    reached: Reached,
}

impl Campaign {
    fn new(mode: ConnectionMode) -> Self {
        let seed = setting("IBKR_CHURN_SEED").unwrap_or_else(rand::random);
        let user = User::new();
        // Every failure is wanted: none of them may stop the next attempt.
        let config = Config::default()
            .with_mode(mode)
            .with_max_retries(0)
            .with_circuit_failures(u32::MAX)
            .with_state_dir(user.home().to_owned());
        let dice = StdRng::seed_from_u64(seed);
        Self { mode, backend: Backend::configured(config), user, seed, dice, reached: Reached::default() }
    }

    fn run(mut self) {
        let cycles = setting("IBKR_CHURN_CYCLES").map_or(CYCLES, |cycles| cycles.try_into().unwrap());
        for first in (0..cycles).step_by(CYCLES_PER_GATEWAY as usize) {
            let gateway =
                Simulator::start(SimOptions { hold: Hold::Always, ..SimOptions::default() }).unwrap();
            for number in first..cycles.min(first + CYCLES_PER_GATEWAY) {
                self.cycle(number, &gateway);
            }
            self.assert_left_nothing(&gateway);
            self.reached.add(&gateway);
        }
        self.reached.assert_worth_the_name(self.mode, cycles);
    }

    fn cycle(&mut self, number: u32, gateway: &Simulator) {
        let cycle = Cycle::random(self.mode, number, &mut self.dice);
        // The last word of every cycle that gets so far: no handshake is ever verified.
        gateway.set_faults(vec![cycle.fault.clone(), Fault::MuteAfterHandshake]);
        match cycle.end {
            End::KillHost => self.kill_host(gateway.port(), cycle.moment),
            _ => self.reached.kills += run(self.connect(gateway.port(), &cycle)),
        }
        let zombies = gateway.stats().zombies_held_max;
        assert_eq!(zombies, 0, "{} cycle {number}, seed {}: {cycle:?}", self.mode, self.seed);
    }

    /// Connects in this process; tells how many workers were killed at it.
    async fn connect(&self, port: u16, cycle: &Cycle) -> usize {
        let timeout = if matches!(cycle.end, End::Timeout) { cycle.moment } else { PATIENCE / 2 };
        let target = target(port).with_timeout(timeout);
        let attempt = self.backend.connect(&target);
        let killer = async {
            if !matches!(cycle.end, End::KillWorker) {
                return 0;
            }
            tokio::time::sleep(cycle.moment).await;
            self.kill_workers()
        };
        let patience = match cycle.end {
            End::Cancel => cycle.moment,
            // Where the answer to a fault was faster than the kill, or there was no worker yet.
            End::KillWorker => 2 * cycle.moment,
            End::Timeout | End::KillHost => PATIENCE,
        };
        let (outcome, kills) = tokio::join!(tokio::time::timeout(patience, attempt), killer);
        if let Ok(outcome) = outcome {
            outcome.expect_err("nobody can connect");
        }
        kills
    }

    fn kill_workers(&self) -> usize {
        let pids = traces::processes(self.backend.worker().path());
        // An error means that it has ended by itself.
        let kill = |pid: &u32| kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).is_ok();
        pids.iter().filter(|pid| kill(pid)).count()
    }

    fn kill_host(&mut self, port: u16, moment: Duration) {
        let port = port.to_string();
        let mut command = self.user.command(["check", "--mode", self.mode.as_str(), "--port", &port]);
        command.env("IBKR_CIRCUIT_FAILURES", "1000000").env("IBKR_MAX_RETRIES", "0");
        let mut host = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        thread::sleep(moment);
        self.reached.kills += usize::from(host.0.try_wait().unwrap().is_none());
        host.kill();
    }

    fn assert_left_nothing(&self, gateway: &Simulator) {
        let gone = gateway.wait_until(PATIENCE / 2, |stats| stats.active == 0);
        let stats = gateway.stats();
        let clean = gone && stats.zombies_held_max == 0 && stats.eofs_seen == 0;
        assert!(clean, "{} seed {}: {stats:?}", self.mode, self.seed);
        self.backend.assert_left_nothing(gateway.port());
        self.user.worker().assert_none_runs();
    }
}

impl Cycle {
    /// The ends take turns; everything else is up to the dice.
    fn random(mode: ConnectionMode, number: u32, dice: &mut StdRng) -> Self {
        let ends: &[End] = match mode {
            ConnectionMode::Subprocess => &[End::Timeout, End::Cancel, End::KillWorker, End::KillHost],
            _ => &[End::Timeout, End::Cancel, End::KillHost],
        };
        let fault = Fault::examples().choose(dice).unwrap().clone();
        let pause = Duration::from_millis(dice.random_range(1..20));
        Self {
            fault: hurried(fault, pause),
            end: ends[number as usize % ends.len()],
            moment: Duration::from_micros(dice.random_range(1_000..MOMENTS_MS * 1_000)),
        }
    }
}

/// A fault that only slows a handshake down still lets it come to its end.
fn hurried(fault: Fault, pause: Duration) -> Fault {
    match fault {
        Fault::DelayPerFrame(_) => Fault::DelayPerFrame(pause),
        Fault::DelayHandshake(_) => Fault::DelayHandshake(pause),
        Fault::PauseMidFrame(_) => Fault::PauseMidFrame(pause),
        Fault::Drip(_) => Fault::Drip(pause / 20),
        other => other,
    }
}

/// How far the cycles came.
#[derive(Debug, Default)]
struct Reached {
    accepted: usize,
    started: usize,
    reset: usize,
    kills: usize,
}

impl Reached {
    fn add(&mut self, gateway: &Simulator) {
        let stats = gateway.stats();
        self.accepted += stats.accepted;
        self.started += stats.requested("startApi");
        self.reset += stats.resets_seen;
    }

    /// A campaign in which nobody came to the Gateway, or nobody died, would find nothing either.
    #[allow(clippy::print_stdout, reason = "what a campaign was worth")]
    fn assert_worth_the_name(&self, mode: ConnectionMode, cycles: u32) {
        println!("{mode}: of {cycles} cycles {self:?}");
        let some = (cycles as usize).div_ceil(40);
        let least = [self.accepted / 4, self.started, self.reset, self.kills].into_iter().min();
        assert!(least >= Some(some), "{mode}: of {cycles} cycles {self:?}");
    }
}
