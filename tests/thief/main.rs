//! The port on which direct waits for ibapi is open for everybody on this machine. A thief watches the socket table, is there first
//! when it can, and says ibapi's part: whoever is let in reads the accounts and may send what he likes.
//!
//! The thief is another program of the same user, and the user nobody, on an idle machine and on a busy one. What needs root to become
//! nobody is listed as ignored where the right is missing; on CI (the variable `CI` is set) it fails.

#[path = "../support/mod.rs"]
mod support;

mod table;
mod thief;

use std::fs;
use std::hint::spin_loop;
use std::io::Read;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ibkr_connect::ConnectionMode;
use ibkr_connect_sim::{SimOptions, Simulator};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::backend::COMMAND;
use crate::support::host::{Finished, Running, User};
use crate::support::json;
use crate::support::real_backends::REAL_BACKENDS;
use crate::thief::Haul;

/// How many connects are to be stolen.
const CONNECTS: usize = 120;

/// How often they are made, until the thief has been fast enough to prove anything.
const ROUNDS: usize = 5;

const NOBODY: u32 = 65_534;

/// Users of nobody else on this machine, one for each test: the thief knows its prey by its user.
const VICTIMS: u32 = 61_184;

/// Who steals, on what machine.
#[derive(Debug, Clone, Copy)]
struct Attack {
    mode: ConnectionMode,
    thief: Thief,
    machine: Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thief {
    /// Another program of the same user.
    SameUser,
    Nobody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    Idle,
    /// Twice as many threads as there are processors have work without end.
    Busy,
}

fn main() -> ExitCode {
    if let Some(prey) = thief::prey() {
        thief::steal(prey);
        return ExitCode::SUCCESS;
    }
    let is_root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for mode in REAL_BACKENDS {
        for (thief, machine) in
            [(Thief::SameUser, Machine::Idle), (Thief::Nobody, Machine::Idle), (Thief::Nobody, Machine::Busy)]
        {
            let attack = Attack { mode, thief, machine };
            let name = format!("{mode}::{thief:?}_on_{machine:?}_machine").to_lowercase();
            let number = trials.len() as u32;
            let is_missing = thief == Thief::Nobody && !is_root;
            let trial = Trial::test(name, move || match is_missing {
                true => Err(Failed::from("only root can become nobody: run the tests as root")),
                false => no_connect_is_stolen(attack, VICTIMS + number),
            });
            let kind = if is_missing { "needs root" } else { "" };
            trials.push(trial.with_kind(kind).with_ignored_flag(is_missing && !on_ci()));
        }
    }
    // They would be each other's load.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a test may be left out is not configuration of the product"
)]
fn on_ci() -> bool {
    std::env::var_os("CI").is_some()
}

#[allow(clippy::print_stdout, reason = "what a campaign was worth")]
fn no_connect_is_stolen(attack: Attack, victim: u32) -> Result<(), Failed> {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let stage = Stage::new(attack.thief, victim);
    let mut tried = 0;
    for _ in 0..ROUNDS {
        let (report, haul) = with_load(attack.machine, || stage.steal(attack.mode, gateway.port()));
        println!("{attack:?}: {haul:?} of {CONNECTS}, {}", report["connect_ms"]);
        if report["successes"] != CONNECTS || haul.stolen > 0 {
            return Err(format!("{attack:?}: {haul:?}, {report}").into());
        }
        tried += haul.tried;
        if tried > 0 {
            break;
        }
    }
    if tried == 0 {
        return Err("the thief is too slow to prove anything".into());
    }
    // Nobody but the connects has said anything to the Gateway.
    assert_eq!(gateway.stats().orders, 0);
    Ok(())
}

/// Runs `work` while the machine is as it should be.
fn with_load<T>(machine: Machine, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let threads = match machine {
        Machine::Idle => 0,
        Machine::Busy => 2 * thread::available_parallelism().map_or(2, usize::from),
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// Both programs, where those can start them who are to run them.
struct Stage {
    user: User,
    thief: Thief,
    victim: u32,
    programs: TempDir,
}

impl Stage {
    fn new(thief: Thief, victim: u32) -> Self {
        let (user, programs) = (User::new(), tempfile::tempdir().unwrap());
        if thief == Thief::Nobody {
            fs::set_permissions(programs.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            chown(user.home(), Some(victim), Some(victim)).unwrap();
        }
        let stage = Self { user, thief, victim, programs };
        stage.install(Path::new(COMMAND), "ibkr-connect");
        stage.install(&std::env::current_exe().unwrap(), "thief");
        stage
    }

    /// Made by another process: a file that a child of another test has just inherited open can't be run.
    fn install(&self, program: &Path, name: &str) {
        let target = self.program(name);
        let paths = [program, &target].map(|path| path.to_str().unwrap());
        let install = self.user.program(Path::new("/usr/bin/install"), ["-m", "755", paths[0], paths[1]]);
        assert_eq!(Finished::of(install).code, 0);
    }

    fn program(&self, name: &str) -> PathBuf {
        self.programs.path().join(name)
    }

    /// What became of the connects, and what the thief got of them.
    fn steal(&self, mode: ConnectionMode, port: u16) -> (Value, Haul) {
        let (port, connects) = (port.to_string(), CONNECTS.to_string());
        let command = self.program("ibkr-connect");
        let probe = ["--port", &port, "--mode", mode.as_str(), "--json", "probe", "--attempts", &connects];
        let mut prey = self.user.program(&command, probe);
        prey.env("IBKR_WORKER_PATH", &command);
        self.become_user(&mut prey, self.victim);
        let mut prey = Running(prey.stdout(Stdio::piped()).spawn().unwrap());
        let mut thief = self.user.program(&self.program("thief"), []);
        thief.current_dir("/").env(thief::PREY, prey.0.id().to_string());
        if self.thief == Thief::Nobody {
            thief.env(thief::VICTIM, self.victim.to_string());
        }
        self.become_user(&mut thief, NOBODY);
        let thief = Finished::within(thief, Duration::from_secs(240));
        prey.wait(Duration::from_secs(10));
        let mut report = String::new();
        prey.0.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        let haul = thief.stdout.lines().find_map(|line| serde_json::from_str(line).ok());
        (json::line(&report)["data"].take(), haul.unwrap_or_else(|| panic!("{thief:?}")))
    }

    fn become_user(&self, command: &mut Command, user: u32) {
        if self.thief == Thief::Nobody {
            command.uid(user).gid(user);
        }
    }
}
