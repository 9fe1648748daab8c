//! Programs that use the library, as their users start them, with whatever features this build has: what connects, what is
//! refused, and how many copies of the program run for it. `.ci/run` runs it with each set of features.
//!
//! This test binary is that program: run as `programs host ROLE` it connects and writes down what came of it.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::thread;

use ibkr_connect::{Config, ErrorKind, worker};
use libtest_mimic::{Arguments, Trial};

/// Each process adds a line to it; a test makes it.
const COPIES: &str = "copies";

/// What the host has to say. Its stdout may be closed.
const SAID: &str = "said";

/// Where a program that starts itself again and again is stopped.
const TOO_MANY: usize = 6;

fn main() -> ExitCode {
    if count_copy() > TOO_MANY {
        return ExitCode::from(99);
    }
    worker::run_if_worker();
    let arguments: Vec<String> = env::args().collect();
    if let [_, host, role, port] = arguments.as_slice()
        && host == "host"
    {
        be_a_host(role, port);
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

/// How many processes have started so far. The place is in `TMPDIR`, which workers inherit.
fn count_copy() -> usize {
    let path = env::temp_dir().join(COPIES);
    let Ok(mut file) = OpenOptions::new().append(true).open(&path) else { return 0 };
    writeln!(file, "{}", process::id()).unwrap();
    fs::read_to_string(&path).unwrap().lines().count()
}

/// Connects to the Gateway at `port`, in the mode that `role` begins with.
fn be_a_host(role: &str, port: &str) {
    let mode = role.split(' ').next().unwrap();
    if role.ends_with("without stdio") {
        close_stdio();
    }
    let this = env::current_exe().unwrap();
    let state = env::temp_dir().join("state");
    let mut variables = vec![
        ("IBKR_CONNECTION_MODE", mode.to_owned()),
        ("IBKR_PORT", port.to_owned()),
        ("IBKR_MAX_RETRIES", "0".to_owned()),
        ("IBKR_ZOMBIE_CLEANUP", "off".to_owned()),
        ("IBKR_STATE_DIR", state.display().to_string()),
    ];
    if role.ends_with("through itself") {
        variables.push(("IBKR_WORKER_PATH", this.display().to_string()));
    }
    let config = Config::from_vars(variables).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(ibkr_connect::connect(&config)).unwrap_err();
    // Only a program that has connected has filled them.
    let descriptors = if error.kind() == ErrorKind::Rejected { standard_descriptors() } else { Vec::new() };
    let said = format!("{}\n{error:?}\n{descriptors:?}", error.kind());
    fs::write(env::temp_dir().join(SAID), said).unwrap();
}

/// What a daemon does, and some that embed a library.
#[allow(unsafe_code, reason = "closing descriptors that others believe they own has no safe form")]
fn close_stdio() {
    use std::os::fd::{FromRawFd, OwnedFd};
    for number in 0..=2 {
        // SAFETY: nothing in this process reads or prints from here on.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

/// What stdin, stdout and stderr are, where the system shows it.
fn standard_descriptors() -> Vec<String> {
    let target = |number| fs::read_link(format!("/proc/self/fd/{number}"));
    (0..=2).filter_map(|number| Some(target(number).ok()?.display().to_string())).collect()
}

/// A Gateway that closes at once. It is in another process than the host: a thread that waits in `accept` has the number of its
/// socket already, and that may be one that the host has just closed.
fn gateway_that_closes() -> u16 {
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gateway.local_addr().unwrap().port();
    thread::spawn(move || drop(gateway.accept()));
    port
}

/// A host that has ended.
struct Ended {
    kind: String,
    said: String,
    copies: usize,
}

fn host(role: &str, variables: &[(&str, &str)]) -> Ended {
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str| scratch.path().join(name);
    fs::write(file(COPIES), "").unwrap();
    let status = command(&env::current_exe().unwrap(), scratch.path())
        .args(["host", role, &gateway_that_closes().to_string()])
        .envs(variables.iter().copied())
        .status()
        .unwrap();
    assert!(status.success(), "{role}: {status}");
    let said = fs::read_to_string(file(SAID)).unwrap();
    let copies = fs::read_to_string(file(COPIES)).unwrap().lines().count();
    Ended { kind: said.lines().next().unwrap().to_owned(), said, copies }
}

#[allow(clippy::disallowed_methods, reason = "a test starts and ends the program itself, as a shell does")]
fn command(program: &Path, scratch: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("TMPDIR", scratch).env("PATH", "/does/not/exist").stdin(Stdio::null());
    command
}

#[track_caller]
fn assert_ended(role: &str, variables: &[(&str, &str)], kind: &str, copies: usize, words: &str) {
    let ended = host(role, variables);
    assert_eq!((ended.kind.as_str(), ended.copies), (kind, copies), "{role}: {}", ended.said);
    assert!(ended.said.contains(words), "{role}: {}", ended.said);
}

/// The tests that make sense with the features of this build.
fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let (direct, subprocess) = (cfg!(feature = "direct"), cfg!(feature = "subprocess"));
    let mut trials = vec![match direct {
        true => trial("direct_connects", direct_connects),
        false => trial("direct_says_how_to_get_it", direct_says_how_to_get_it),
    }];
    trials.push(match (subprocess, direct) {
        (true, true) => trial("the_program_is_its_own_worker", the_program_is_its_own_worker),
        (true, false) => trial("without_direct_it_is_no_worker", without_direct_it_is_no_worker),
        (false, _) => trial("subprocess_says_how_to_get_it", subprocess_says_how_to_get_it),
    });
    if subprocess {
        trials.push(trial(
            "what_was_started_as_a_worker_starts_none",
            what_was_started_as_a_worker_starts_none,
        ));
    }
    if direct {
        trials.push(trial("no_socket_takes_the_place_of_stderr", no_socket_takes_the_place_of_stderr));
    }
    #[cfg(feature = "mock")]
    trials.push(trial("a_mock_stands_in", a_mock_stands_in));
    trials
}

fn direct_connects() {
    assert_ended("direct", &[], "rejected", 1, "in version");
}

fn direct_says_how_to_get_it() {
    assert_ended("direct", &[], "unsupported", 1, "cargo feature \"direct\"");
}

fn subprocess_says_how_to_get_it() {
    assert_ended("subprocess", &[], "unsupported", 1, "cargo feature \"subprocess\"");
}

fn the_program_is_its_own_worker() {
    assert_ended("subprocess", &[], "rejected", 2, "in version");
    assert_ended("subprocess through itself", &[], "rejected", 2, "in version");
}

/// Without the feature `direct` it used to start itself, whose `main` started itself, and so on.
fn without_direct_it_is_no_worker() {
    assert_ended("subprocess", &[], "worker_spawn", 1, "without the cargo feature \"direct\"");
    let words = "exited with code 69; its last words: ERROR ibkr_connect: this program can't be a worker";
    assert_ended("subprocess through itself", &[], "worker_incompatible", 2, words);
}

/// As when a script around the program forgets its arguments: `main` runs as that of a host.
fn what_was_started_as_a_worker_starts_none() {
    let cookie = [("IBKR_WORKER_COOKIE", "a-cookie-of-somebody")];
    for role in ["subprocess", "subprocess through itself"] {
        let ended = host(role, &cookie);
        assert_eq!((ended.kind.as_str(), ended.copies), ("worker_incompatible", 1), "{}", ended.said);
        assert!(ended.said.contains("IBKR_WORKER_COOKIE is set"), "{}", ended.said);
        assert!(!ended.said.contains(cookie[0].1), "the cookie is a secret: {}", ended.said);
    }
}

fn no_socket_takes_the_place_of_stderr() {
    let modes = if cfg!(feature = "subprocess") { &["direct", "subprocess"][..] } else { &["direct"] };
    for mode in modes {
        let ended = host(&format!("{mode} without stdio"), &[]);
        assert_eq!(ended.kind, "rejected", "{}", ended.said);
        let null = PathBuf::from("/dev/null");
        let expected =
            if cfg!(target_os = "linux") { vec![null.display().to_string(); 3] } else { Vec::new() };
        assert!(ended.said.ends_with(&format!("{expected:?}")), "{}", ended.said);
    }
}

#[cfg(feature = "mock")]
fn a_mock_stands_in() {
    use ibkr_connect::{ConnectionMode, Error, MockConnector, Target};

    let mut connector = MockConnector::new();
    connector.expect_mode().return_const(ConnectionMode::Mock);
    connector.expect_connect().returning(|_| Err(Error::new(ErrorKind::NotListening, "as the test says")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(ibkr_connect::session_over(&connector, &Target::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotListening);
}
