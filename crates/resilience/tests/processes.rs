//! What only several processes can show: locks and leases that end with their holder, and a breaker that survives kills.
//!
//! The other processes are this test binary again, running only [`helper_process`] in a role.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{Child, ChildSpec};
use ibkr_connect_core::{
    Config, ConnectionInfo, ConnectionMode, Connector, ErrorKind, MockConnection, MockConnector, Reply,
    Request, Target, block_on,
};
use ibkr_connect_resilience::parts::{Clock, HandshakeLock, KernelClock, Leases, Outcome};
use ibkr_connect_resilience::{
    BreakerSettings, BreakerStore, Gateway, Policy, PortCheck, RobustConnector, SLOTS,
};

const ROLE: &str = "RESILIENCE_TEST_ROLE";
const DIRECTORY: &str = "RESILIENCE_TEST_DIRECTORY";
/// No step of these tests takes longer on a healthy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything a test or a helper has of one state directory.
struct State {
    path: PathBuf,
}

impl State {
    fn gateway() -> Gateway {
        Gateway::new("127.0.0.1", 4002)
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(KernelClock::default())
    }

    fn lock(&self) -> HandshakeLock {
        HandshakeLock::of_gateway(&self.path, &Self::gateway(), "test", Self::clock())
    }

    fn leases(&self) -> Leases {
        Leases::new(&self.path, Self::gateway(), "test", Self::clock())
    }

    fn breaker(&self) -> BreakerStore {
        let settings = BreakerSettings::default()
            .with_failures(2)
            .with_recovery(Duration::from_millis(1))
            .with_max_recovery(Duration::from_millis(5));
        BreakerStore::new(&self.path, Self::gateway(), settings, Self::clock())
    }

    /// Sends so many requests, as a program does, to a Gateway that answers at once.
    fn send(&self, requests: u32) {
        let mut gateway = MockConnector::new();
        gateway.expect_mode().return_const(ConnectionMode::Mock);
        gateway.expect_connect().return_once(|target| {
            let mut connection = MockConnection::new();
            connection.expect_info().return_const(info(target));
            connection.expect_request().returning(|_, _| Ok(Reply::ManagedAccounts(Vec::new())));
            Ok(Box::new(connection))
        });
        let config = Config::default().with_state_dir(self.path.clone());
        let policy = Policy::from(&config).with_port_check(PortCheck::Off);
        let connector = RobustConnector::new(Arc::new(gateway) as Arc<dyn Connector>, policy);
        let connection = block_on(connector.connect(&config.target())).unwrap();
        for _ in 0..requests {
            block_on(connection.request(Request::ManagedAccounts, None)).unwrap();
        }
    }
}

fn info(target: &Target) -> ConnectionInfo {
    ibkr_connect_core::literal!(ConnectionInfo {
        client_id: target.client_id.unwrap(),
        accounts: Vec::new(),
        ..ConnectionInfo::mock()
    })
}

/// Another process in a role. It ends with this handle.
struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Helper {
    fn start(role: &str, directory: &Path) -> Self {
        let mut spec = ChildSpec::new(std::env::current_exe().unwrap());
        spec.args = ["--exact", "helper_process", "--nocapture"].map(OsString::from).to_vec();
        spec.env = vec![(ROLE.into(), role.into()), (DIRECTORY.into(), directory.into())];
        let (child, stdin, stdout) = Child::spawn(spec).unwrap();
        Self { child, stdin: Some(stdin), lines: BufReader::new(stdout).lines() }
    }

    /// What it says next; libtest prints lines of its own.
    fn says(&mut self) -> String {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("says: ").map(|(_, said)| said.to_owned()))
            .expect("the helper ended without a word")
    }

    /// SIGKILL, and gone.
    fn kill(&self) {
        self.child.kill();
        self.child.wait_timeout(PATIENCE).expect("a killed helper ends");
    }

    /// Lets it end by itself.
    fn finish(mut self) {
        drop(self.stdin.take());
        self.child.wait_timeout(PATIENCE).expect("the helper ends with its stdin");
    }
}

/// Not a test: what the helpers do.
#[test]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a child process of the tests")]
fn helper_process() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let state = State { path: std::env::var_os(DIRECTORY).unwrap().into() };
    let say = |word: &str| {
        println!("says: {word}");
        std::io::stdout().flush().unwrap();
    };
    let until_the_end = || assert!(std::io::stdin().lines().all(|line| line.is_ok()));
    match role.to_str().unwrap() {
        "hold the lock" => {
            let _guard = state.lock().try_acquire().unwrap().unwrap();
            say("locked");
            until_the_end();
        }
        "lease" => {
            let lease = state.leases().any(&mut rand::rng()).unwrap();
            say(&lease.client_id().to_string());
            until_the_end();
        }
        "run a trial" => {
            let trial = state.breaker().admit().unwrap();
            say(if trial.is_trial() { "trial" } else { "free" });
            until_the_end();
        }
        "storm" => {
            let breaker = state.breaker();
            say("storming");
            loop {
                if let Ok(permit) = breaker.admit() {
                    permit.settle(Outcome::Failure("rejected in version".to_owned()));
                }
            }
        }
        "send" => {
            say("sending");
            state.send(20);
            say("sent");
        }
        other => panic!("no such role: {other}"),
    }
}

fn state() -> (tempfile::TempDir, State) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("state");
    (temp, State { path })
}

#[test]
fn a_killed_holder_frees_the_handshake_lock() {
    let (_temp, state) = state();
    let mut helper = Helper::start("hold the lock", &state.path);
    assert_eq!(helper.says(), "locked");
    assert!(state.lock().try_acquire().unwrap().is_none());
    let holder = state.lock().holder().unwrap().unwrap();
    assert_eq!((holder.pid, holder.program.as_str()), (helper.child.pid(), "test"));
    helper.kill();
    assert!(state.lock().try_acquire().unwrap().is_some());
}

#[test]
fn twenty_processes_lease_twenty_ids() {
    let (_temp, state) = state();
    let mut helpers: Vec<_> = (0..20).map(|_| Helper::start("lease", &state.path)).collect();
    let ids: HashSet<String> = helpers.iter_mut().map(Helper::says).collect();
    assert_eq!(ids.len(), 20);
    let slots = state.leases().slots().unwrap();
    let pids: HashSet<u32> = slots.iter().filter_map(|slot| Some(slot.owner.as_ref()?.pid)).collect();
    assert_eq!(pids, helpers.iter().map(|helper| helper.child.pid()).collect());
    let more: Vec<_> = (20..SLOTS).map(|_| state.leases().any(&mut rand::rng()).unwrap()).collect();
    assert_eq!(state.leases().any(&mut rand::rng()).unwrap_err().kind(), ErrorKind::Rejected);
    helpers.pop().unwrap().kill();
    assert!(state.leases().any(&mut rand::rng()).is_ok(), "a killed client's slot is free");
    drop(more);
    helpers.into_iter().for_each(Helper::finish);
    assert_eq!(state.leases().slots().unwrap(), []);
}

#[test]
fn a_killed_trial_makes_room_at_once() {
    let (_temp, state) = state();
    let breaker = state.breaker();
    for _ in 0..2 {
        breaker.admit().unwrap().settle(Outcome::Failure("rejected in version".to_owned()));
    }
    wait_until(|| state.breaker().check().is_ok());
    let mut helper = Helper::start("run a trial", &state.path);
    assert_eq!(helper.says(), "trial");
    assert_eq!(state.breaker().admit().unwrap_err().kind(), ErrorKind::CircuitOpen);
    helper.kill();
    assert!(state.breaker().admit().unwrap().is_trial());
}

#[test]
fn the_breaker_survives_kills_at_any_moment() {
    let (_temp, state) = state();
    for round in 0..20_u64 {
        let mut helpers: Vec<_> = (0..2).map(|_| Helper::start("storm", &state.path)).collect();
        helpers.iter_mut().for_each(|helper| assert_eq!(helper.says(), "storming"));
        // Different moments of the writes; nothing depends on which.
        std::thread::sleep(Duration::from_micros(round * 700));
        helpers.iter().for_each(Helper::kill);
        let records = std::fs::read_dir(&state.path).unwrap().map(|entry| entry.unwrap().path());
        for record in records.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let bytes = std::fs::read(&record).unwrap();
            serde_json::from_slice::<serde_json::Value>(&bytes).expect("never half a file");
        }
        wait_until(|| state.breaker().check().is_ok());
    }
}

#[test]
fn processes_share_one_message_rate() {
    let (_temp, state) = state();
    let start = Instant::now();
    let mut helpers: Vec<_> = (0..4).map(|_| Helper::start("send", &state.path)).collect();
    for said in ["sending", "sent"] {
        helpers.iter_mut().for_each(|helper| assert_eq!(helper.says(), said));
    }
    // 80 messages: 4 at once, 76 at 45 per second.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(76_000 / 45 - 20), "{took:?}");
}

fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "still not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
