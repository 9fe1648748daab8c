//! kill -9, over and over: the worker, the Gateway and the program itself die at random moments, also while another one is
//! still being replaced. Every time the session comes back; its stream repeats nothing and admits every gap; and nothing
//! is left of the dead, be it a lock, a lease, a process or a socket.
//!
//! `cargo test` runs two dozen rounds per mode. The full campaign takes some minutes:
//!
//! ```text
//! IBKR_KILL_ROUNDS=500 cargo test --release --test kills -- --nocapture
//! ```
//!
//! A failure names the seed of its random choices; `IBKR_KILL_SEED` makes them again.

#[path = "../support/mod.rs"]
mod support;

mod host;
mod tape;

use std::io::Read;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ibkr_connect::ConnectionMode;
use jiff::Timestamp;
use libtest_mimic::{Arguments, Trial};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rustix::process::{Pid, Signal, kill_process};

use crate::host::{Host, HostSetup};
use crate::support::backend::NobodyListens;
use crate::support::host::{Running, User};
use crate::support::json;
use crate::support::real_backends::REAL_BACKENDS;
use crate::support::shared::SharedState;
use crate::support::traces::{self, Identity};
use crate::support::{PATIENCE, Seed, setting};

/// The rounds of a mode, unless `IBKR_KILL_ROUNDS` says otherwise.
const ROUNDS: u64 = 24;

/// Longer than a worker takes to be replaced: a second death comes at every moment of a recovery.
const MOMENTS_US: u64 = 80_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(setup) = HostSetup::of_arguments(&arguments) {
        return host::live(&setup);
    }
    let trial = |mode: ConnectionMode| {
        Trial::test(mode.as_str(), move || {
            Campaign::start(mode).run();
            Ok(())
        })
    };
    let tape = Trial::test("the_tape_notices", || {
        tape::notices_what_must_not_be();
        Ok(())
    });
    let trials = std::iter::once(tape).chain(REAL_BACKENDS.map(trial));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Worker,
    Gateway,
    Host,
}

/// All rounds of one mode: one Gateway, one program, both replaced when they die.
struct Campaign {
    mode: ConnectionMode,
    dice: StdRng,
    user: User,
    port: NobodyListens,
    state: SharedState,
    gateway: Running,
    host: Host,
    score: Score,
    _seed: Seed,
}

/// What a campaign was worth.
#[derive(Debug, Default)]
struct Score {
    workers: usize,
    gateways: usize,
    hosts: usize,
    gaps: u64,
    events: u64,
    slowest: Duration,
}

impl Campaign {
    fn start(mode: ConnectionMode) -> Self {
        let seed = Seed::of("IBKR_KILL_SEED");
        let (user, port) = (User::new(), NobodyListens::new());
        let state = SharedState::new(&user.home().join("state"), port.port());
        let gateway = start_gateway(&user, &port);
        let host = start_host(&user, mode, &port);
        let dice = seed.dice();
        let mut campaign =
            Self { mode, dice, user, port, state, gateway, host, score: Score::default(), _seed: seed };
        campaign.host.until_well(Timestamp::UNIX_EPOCH);
        campaign
    }

    fn run(mut self) {
        let rounds = setting("IBKR_KILL_ROUNDS").unwrap_or(ROUNDS);
        for number in 0..rounds {
            let first = self.victims()[number as usize % self.victims().len()];
            self.round(first);
        }
        self.end();
        self.score.assert_worth_the_name(self.mode, rounds);
    }

    /// One dies, and every third time another while the first comes back; in the end nothing is left of the dead.
    fn round(&mut self, first: Victim) {
        self.kill_at_a_random_moment(first);
        if self.dice.random_ratio(1, 3) {
            self.replace_the_dead();
            let second = *self.victims().choose(&mut self.dice).unwrap();
            self.kill_at_a_random_moment(second);
        }
        let begun = Instant::now();
        let killed = Timestamp::now();
        self.replace_the_dead();
        self.host.until_well(killed);
        self.score.slowest = self.score.slowest.max(begun.elapsed());
        self.assert_all_is_well();
    }

    fn victims(&self) -> &'static [Victim] {
        match self.mode {
            ConnectionMode::Subprocess => &[Victim::Worker, Victim::Gateway, Victim::Host],
            _ => &[Victim::Gateway, Victim::Host],
        }
    }

    fn kill_at_a_random_moment(&mut self, victim: Victim) {
        thread::sleep(Duration::from_micros(self.dice.random_range(0..MOMENTS_US)));
        match victim {
            Victim::Gateway => self.score.gateways += usize::from(kill(&mut self.gateway)),
            Victim::Host => self.score.hosts += usize::from(kill(self.host.process())),
            Victim::Worker => {
                for pid in traces::processes(self.user.worker().path()) {
                    let worker = Identity::of(pid);
                    // An error means that it has ended by itself.
                    let killed = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
                    self.score.workers += usize::from(killed.is_ok());
                    worker.inspect(|worker| worker.assert_ends());
                }
            }
        }
    }

    fn replace_the_dead(&mut self) {
        if self.gateway.0.try_wait().unwrap().is_some() {
            self.gateway = start_gateway(&self.user, &self.port);
        }
        if self.host.process().0.try_wait().unwrap().is_some() {
            self.score.add(&mut self.host);
            self.host = start_host(&self.user, self.mode, &self.port);
        }
    }

    fn assert_all_is_well(&self) {
        traces::assert_no_half_closed(self.port.port());
        self.state.assert_lock_is_free();
        self.state.breaker();
        self.state.assert_leases(1);
        let workers = usize::from(self.mode == ConnectionMode::Subprocess);
        traces::assert_soon("workers", workers, || traces::processes(self.user.worker().path()));
    }

    /// The last kill, and what the last Gateway saw.
    fn end(&mut self) {
        kill(self.host.process());
        self.score.add(&mut self.host);
        self.user.worker().assert_none_runs();
        self.state.assert_leases(0);
        self.state.assert_lock_is_free();
        traces::assert_no_half_closed(self.port.port());
        // A reset leaves nothing to see but the socket that the Gateway has not looked at yet.
        let unused = start_gateway(&self.user, &NobodyListens::new());
        let without_clients = traces::sockets(unused.0.id()).len();
        traces::assert_soon("sockets", without_clients, || traces::sockets(self.gateway.0.id()));
        kill_process(Pid::from_child(&self.gateway.0), Signal::TERM).unwrap();
        assert!(self.gateway.wait(PATIENCE).success());
        let mut stats = String::new();
        self.gateway.0.stdout.take().unwrap().read_to_string(&mut stats).unwrap();
        let stats = json::line(&stats)["data"]["stats"].take();
        assert_eq!((&stats["active"], &stats["zombies_held_max"]), (&0.into(), &0.into()), "{stats}");
    }
}

impl Score {
    fn add(&mut self, host: &mut Host) {
        if let Some(last) = host.last_words() {
            self.gaps += last.gaps;
            self.events += last.events;
        }
    }

    /// A campaign in which somebody never died, or nobody had anything to lose, would find nothing either.
    #[allow(clippy::print_stdout, reason = "what a campaign was worth")]
    fn assert_worth_the_name(&self, mode: ConnectionMode, rounds: u64) {
        println!("{mode}: in {rounds} rounds {self:?}");
        let deaths = match mode {
            ConnectionMode::Subprocess => self.workers.min(self.gateways).min(self.hosts),
            _ => self.gateways.min(self.hosts),
        };
        let least = (rounds / 6) as usize;
        assert!(deaths >= least && self.gaps >= rounds / 12 && self.events >= rounds, "{self:?}");
    }
}

/// Tells whether it was still alive.
fn kill(process: &mut Running) -> bool {
    let was_alive = process.0.try_wait().unwrap().is_none();
    process.kill();
    was_alive
}

fn start_gateway(user: &User, port: &NobodyListens) -> Running {
    let port = port.port().to_string();
    // The id of a program that was just killed is still taken when it comes back.
    let linger = ["--client-id-linger", "200ms"];
    let replay = ["--replay", "2026-11-23T15:00:00Z"];
    let arguments =
        ["sim", "--json", "--port", &port, "--tick-interval", "5ms"].into_iter().chain(linger).chain(replay);
    let (gateway, line) = Running::until_first_line(user.command(arguments));
    assert!(json::line(&line)["data"]["listening"].is_string(), "{line:?}");
    gateway
}

fn start_host(user: &User, mode: ConnectionMode, port: &NobodyListens) -> Host {
    let setup = HostSetup {
        mode,
        port: port.port(),
        state_dir: user.home().join("state"),
        worker: user.worker().path().to_owned(),
    };
    Host::start(user, &setup)
}
