//! Real half-closed sockets on loopback: found, told apart, cleaned, and the innocent left alone.
//!
//! The holders are copies of this test binary with a socket as their stdin.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{
    CleanupPolicy, CleanupReport, Destroy, ListenState, MissingRight, Proof, Reason, Register, Run, Scan,
    Zombie, ZombieClass, clean, half_closed, inspect, scan_with,
};

const ROLE: &str = "CLEANUP_TEST_ROLE";
const PATIENCE: Duration = Duration::from_secs(20);

/// One at a time: between fork and exec a child of one test would share the sockets of another.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Quick, for tests: what is proved by waiting is in src/judge.rs, with a made-up clock.
fn quick() -> Proof {
    let moment = Duration::from_millis(50);
    Proof { gap: moment, min_age: moment, min_age_unseen_peer: moment }
}

fn acting(named: &[&str]) -> CleanupPolicy {
    CleanupPolicy {
        run: Run::Act,
        named: named.iter().map(|&name| name.to_owned()).collect(),
        proof: quick(),
        grace: Duration::from_millis(300),
        ..CleanupPolicy::default()
    }
}

/// A process that holds sockets until the end of the test.
struct Holder(Child);

impl Holder {
    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Programs under names of our choosing.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn copy_of_me(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        path
    }

    /// Holds `stdin` and `stderr`, and does nothing.
    fn holder(&self, name: &str, stdin: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Holder {
        let mut command = command(&self.copy_of_me(name), "hold");
        Holder(command.stdin(stdin).stdout(Stdio::null()).stderr(stderr).spawn().unwrap())
    }
}

#[allow(clippy::disallowed_methods, reason = "holders must be strangers to this crate")]
fn command(program: &Path, role: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", "helper_process", "--nocapture"]).env(ROLE, role);
    command
}

/// Not a test: what the copies of this binary do.
#[test]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a child process of the tests")]
fn helper_process() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    match role.to_str().unwrap().split_once(' ') {
        Some(("clean", port)) => {
            let policy = CleanupPolicy { destroy: Destroy::BothSides, ..acting(&["named"]) };
            let report = clean(port.parse().unwrap(), &policy).unwrap();
            println!("report {}", serde_json::to_string(&report).unwrap());
        }
        _ => loop {
            std::thread::park();
        },
    }
}

/// A listener and the two ends of a connection to it.
struct Wire {
    port: u16,
    listener: TcpListener,
    client: TcpStream,
    gateway: TcpStream,
}

impl Wire {
    fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let gateway = listener.accept().unwrap().0;
        Self { port, listener, client, gateway }
    }

    /// The Gateway has closed; the client has not. Both the listener and the client are given back.
    fn client_held(self) -> (u16, TcpListener, OwnedFd) {
        drop(self.gateway);
        (self.port, self.listener, self.client.into())
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Scans until the holder has taken over its program's name (a fork starts under ours).
fn scan_until(port: u16, accept: impl Fn(&Scan) -> bool) -> Scan {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scan = scan_with(&[port], quick()).unwrap();
        if accept(&scan) {
            return scan;
        }
        assert!(Instant::now() < deadline, "never found: {scan:?}");
    }
}

fn the_zombie(port: u16) -> Zombie {
    scan_until(port, |scan| scan.zombies.len() == 1).zombies.remove(0)
}

fn reasons(report: &CleanupReport) -> Vec<&Reason> {
    report.skipped.iter().map(|skipped| &skipped.reason).collect()
}

#[test]
fn a_client_held_zombie_is_found_with_all_about_it() {
    let _alone = alone();
    let programs = Programs::new();
    let (port, _listener, client) = Wire::new().client_held();
    let holder = programs.holder("holder", client, Stdio::null());
    let zombie = the_zombie(port);
    assert_eq!(
        (zombie.socket.class, zombie.socket.unread),
        (ZombieClass::ClientHeld, 1),
        "the FIN is unread"
    );
    assert_eq!(zombie.owners.len(), 1);
    let owner = &zombie.owners[0];
    assert_eq!((owner.process.pid, owner.fd), (holder.pid(), 0));
    assert_eq!(
        owner.process.exe.as_deref(),
        Some(programs.0.path().canonicalize().unwrap().join("holder").as_path())
    );
    let json = serde_json::to_value(&zombie).unwrap();
    assert_eq!(json["class"], "client_held");
    assert_eq!((json["pid"].as_u64(), json["fd"].as_i64()), (Some(holder.pid().into()), Some(0)));
    assert_eq!(json["remote"], format!("127.0.0.1:{port}"));
    assert!(json["age_ms"].as_u64().unwrap() >= 50);
    assert_eq!(half_closed(&[port]).unwrap().len(), 1);
}

#[test]
fn the_default_proof_takes_five_seconds() {
    let _alone = alone();
    let (port, _listener, client) = Wire::new().client_held();
    let start = Instant::now();
    let scan = scan_with(&[port], Proof::default()).unwrap();
    assert_eq!((scan.zombies.len(), scan.candidates.len()), (0, 1), "just closing, for all we know");
    wait_for("the proof", || !scan_with(&[port], Proof::default()).unwrap().zombies.is_empty());
    assert!(start.elapsed() >= Duration::from_secs(5));
    drop(client);
    assert_eq!(scan_with(&[port], Proof::default()).unwrap(), Scan::default());
}

#[test]
fn a_legitimate_half_close_is_none() {
    let _alone = alone();
    let wire = Wire::new();
    // The Gateway has sent its last byte and still reads.
    wire.gateway.shutdown(Shutdown::Write).unwrap();
    wait_for("the FIN", || half_closed(&[wire.port]).unwrap().len() == 1);
    let scan = scan_with(&[wire.port], Proof { gap: Duration::from_millis(200), ..quick() }).unwrap();
    assert_eq!((scan.zombies.len(), scan.candidates.len()), (0, 1));
    let report = clean(wire.port, &acting(&[])).unwrap();
    assert!(report.found.is_empty() && report.closed.is_empty() && report.verified);
}

#[test]
fn an_allowed_zombie_is_closed_and_its_holder_lives_on() {
    let _alone = alone();
    let programs = Programs::new();
    // Dual stack, as Java's listeners are.
    let (port, _listener, client) = Wire::on("[::]:0").client_held();
    let mut holder = programs.holder("named", client, Stdio::null());
    the_zombie(port);
    let dry = clean(port, &CleanupPolicy { run: Run::Dry, ..acting(&["named"]) }).unwrap();
    assert_eq!((reasons(&dry), dry.remaining.len()), (vec![&Reason::DryRun], 1));
    let report = clean(port, &acting(&["named"])).unwrap();
    if report.missing_rights == [MissingRight::Ptrace] {
        // Yama or a container's seccomp profile: the process had to go.
        assert_eq!(report.killed.len(), 1);
    } else {
        assert_eq!((report.closed.len(), report.killed.len()), (1, 0), "{report:?}");
        assert!(holder.is_alive());
    }
    assert!(report.verified && report.remaining.is_empty() && report.skipped.is_empty());
    assert_eq!(half_closed(&[port]).unwrap(), []);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (json["found"].as_u64(), json["remaining"].as_u64(), json["verified"].as_bool()),
        (Some(1), Some(0), Some(true))
    );
}

#[test]
fn a_name_that_merely_contains_a_listed_one_is_left_alone() {
    let _alone = alone();
    let programs = Programs::new();
    let (port, _listener, client) = Wire::new().client_held();
    let mut holder = programs.holder("named-bot", client, Stdio::null());
    scan_until(port, |scan| {
        scan.zombies.iter().any(|zombie| zombie.owners[0].process.command == "named-bot")
    });
    let report = clean(port, &acting(&["named", "bot", "amed-bot"])).unwrap();
    assert_eq!(reasons(&report), [&Reason::NotListed]);
    assert_eq!((report.remaining.len(), report.verified), (1, true));
    assert!(holder.is_alive());
}

#[test]
fn a_registered_worker_passes_without_a_name() {
    let _alone = alone();
    let programs = Programs::new();
    let (port, _listener, client) = Wire::new().client_held();
    let holder = programs.holder("worker", client, Stdio::null());
    the_zombie(port);
    let state = tempfile::tempdir().unwrap();
    let register = Register::open(state.path()).unwrap();
    let _registration = register.add(holder.pid(), port).unwrap();
    let report = clean(port, &CleanupPolicy { workers: register.live().unwrap(), ..acting(&[]) }).unwrap();
    assert!(report.verified && report.remaining.is_empty(), "{report:?}");
}

#[test]
fn one_owner_of_a_shared_socket_that_may_not_be_touched_spares_it() {
    let _alone = alone();
    let programs = Programs::new();
    let (port, _listener, client) = Wire::new().client_held();
    let copy = client.try_clone().unwrap();
    let mut named = programs.holder("named", client, Stdio::null());
    let mut other = programs.holder("other", copy, Stdio::null());
    let both = |scan: &Scan| {
        let commands = |zombie: &Zombie| {
            zombie.owners.iter().map(|owner| owner.process.command.clone()).collect::<Vec<_>>()
        };
        scan.zombies
            .iter()
            .any(|zombie| commands(zombie).len() == 2 && !commands(zombie).contains(&"zombies".to_owned()))
    };
    scan_until(port, both);
    assert_eq!(reasons(&clean(port, &acting(&["named"])).unwrap()), [&Reason::NotListed]);
    assert!(named.is_alive() && other.is_alive());
}

#[test]
fn our_own_zombie_is_closed_and_we_live() {
    let _alone = alone();
    let (port, listener, client) = Wire::new().client_held();
    // The listener is elsewhere, as it would be.
    let programs = Programs::new();
    let _gateway = programs.holder("gateway", OwnedFd::from(listener), Stdio::null());
    the_zombie(port);
    let report = clean(port, &acting(&[])).unwrap();
    assert_eq!((report.closed.len(), report.verified), (1, true), "{report:?}");
    let mut end = [0];
    assert_eq!(TcpStream::from(client).read(&mut end).unwrap(), 0, "our descriptor is still ours");
}

#[test]
fn what_the_gateway_holds_is_reported_and_destroyed_only_by_opt_in() {
    let _alone = alone();
    let programs = Programs::new();
    let Wire { port, listener, client, gateway } = Wire::new();
    let mut holder = programs.holder("gateway", OwnedFd::from(gateway), OwnedFd::from(listener));
    drop(client);
    let zombie = the_zombie(port);
    assert_eq!((zombie.socket.class, zombie.owners[0].process.pid), (ZombieClass::GatewayHeld, holder.pid()));
    for destroy in [Destroy::Never, Destroy::ClientSide] {
        let report = clean(port, &CleanupPolicy { destroy, ..acting(&["gateway"]) }).unwrap();
        assert_eq!((reasons(&report), report.remaining.len()), (vec![&Reason::GatewayHeld], 1));
    }
    let report = clean(port, &CleanupPolicy { destroy: Destroy::BothSides, ..acting(&["gateway"]) }).unwrap();
    match report.missing_rights.as_slice() {
        [] => assert_eq!((report.destroyed.len(), report.remaining.len(), report.verified), (1, 0, true)),
        rights => {
            assert!(matches!(rights, [MissingRight::NetAdmin | MissingRight::KernelDestroy]));
            assert_eq!(report.remaining.len(), 1);
        }
    }
    assert!(holder.is_alive(), "whoever listens is never signalled");
}

#[test]
fn what_nobody_accepted_is_seen_and_left_to_the_gateway() {
    let _alone = alone();
    let programs = Programs::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut holder = programs.holder("gateway", OwnedFd::from(listener), Stdio::null());
    drop((0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect::<Vec<_>>());
    let scan = scan_until(port, |scan| scan.zombies.len() == 3);
    assert!(scan.zombies.iter().all(|zombie| zombie.socket.class == ZombieClass::GatewayUnaccepted));
    assert!(scan.zombies.iter().all(|zombie| zombie.owners.is_empty() && zombie.socket.inode == 0));
    let ListenState::Wedged(wedged) = inspect(port).unwrap() else {
        panic!("an accept loop that takes nobody")
    };
    assert_eq!((wedged.queue, wedged.owner.unwrap().pid), (3, holder.pid()));
    let report = clean(port, &CleanupPolicy { destroy: Destroy::BothSides, ..acting(&["gateway"]) }).unwrap();
    assert_eq!(reasons(&report), [&Reason::GatewayUnaccepted; 3]);
    assert_eq!(report.remaining.len(), 3);
    assert!(holder.is_alive());
}

#[test]
fn an_unprivileged_user_gets_a_clear_answer_and_harms_nobody() {
    let _alone = alone();
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root can become another user; the other tests run unprivileged here anyway");
    }
    let programs = Programs::new();
    fs::set_permissions(programs.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (port, _listener, client) = Wire::new().client_held();
    let mut holder = programs.holder("named", client, Stdio::null());
    the_zombie(port);
    let mut cleaner = command(&programs.copy_of_me("cleaner"), &format!("clean {port}"));
    std::os::unix::process::CommandExt::uid(&mut cleaner, 65534);
    let output = cleaner.current_dir("/").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let json =
        text.split_once("report ").map_or_else(|| panic!("{text}"), |(_, json)| json.lines().next().unwrap());
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!((report["found"].as_u64(), report["remaining"].as_u64()), (Some(1), Some(1)), "{report}");
    assert!(report["skipped"][0]["reason"].as_str().unwrap().starts_with("unattributed, uid 0"), "{report}");
    assert!(report["limits"][0].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{report}");
    assert!(holder.is_alive());
}

#[test]
fn a_python_holder_is_touched_only_when_named() {
    let _alone = alone();
    let (port, _listener, client) = Wire::new().client_held();
    let Some(mut holder) = stranger("python3", &["-c", "import time; time.sleep(600)"], client) else {
        return;
    };
    scan_until(port, |scan| {
        scan.zombies.iter().any(|zombie| zombie.owners[0].process.command.starts_with("python"))
    });
    assert_eq!(reasons(&clean(port, &acting(&["python", "ython3"])).unwrap()), [&Reason::NotListed]);
    assert!(holder.is_alive());
    let report = clean(port, &acting(&["python3"])).unwrap();
    assert!(report.verified && report.remaining.is_empty(), "{report:?}");
}

#[test]
fn java_is_never_touched_even_when_named() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("Hold.java");
    fs::write(
        &source,
        "class Hold { public static void main(String[] a) throws Exception { Thread.sleep(600_000); } }",
    )
    .unwrap();
    let (port, _listener, client) = Wire::new().client_held();
    let Some(mut holder) = stranger("java", &[source.to_str().unwrap()], client) else { return };
    scan_until(port, |scan| scan.zombies.iter().any(|zombie| zombie.owners[0].process.command == "java"));
    let report = clean(port, &CleanupPolicy { destroy: Destroy::BothSides, ..acting(&["java"]) }).unwrap();
    assert_eq!((reasons(&report), report.remaining.len()), (vec![&Reason::Gateway], 1));
    assert!(holder.is_alive());
}

/// A program that is not ours, if this machine has it.
fn stranger(program: &str, args: &[&str], socket: OwnedFd) -> Option<Holder> {
    #[allow(clippy::disallowed_methods, reason = "holders must be strangers to this crate")]
    let mut command = Command::new(program);
    command.args(args).stdin(socket).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => Some(Holder(child)),
        Err(error) => {
            not_tested(&format!("{program}: {error}"));
            None
        }
    }
}

#[allow(clippy::print_stderr, reason = "a test that can't run says so")]
fn not_tested(why: &str) {
    eprintln!("NOT TESTED: {why}");
}
