//! Child processes, for real: how they end, what they inherit, and that none is left.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use ibkr_connect_cleanup::{Child, ChildSpec, ExitReport, SpawnError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, waitid};

/// No step of these tests takes longer on a healthy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const ROLE: &str = "CLEANUP_TEST_ROLE";

fn shell(script: &str) -> ChildSpec {
    let mut spec = ChildSpec::new("/bin/sh");
    spec.args = vec!["-c".into(), script.into()];
    spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    spec.grace = Duration::from_millis(200);
    spec
}

/// This test binary again, running only [`helper_process`].
fn myself(role: &str) -> ChildSpec {
    let mut spec = ChildSpec::new(std::env::current_exe().unwrap());
    spec.args = ["--exact", "helper_process", "--nocapture"].map(OsString::from).to_vec();
    spec.env = vec![(ROLE.into(), role.into())];
    spec
}

fn run(spec: ChildSpec) -> ExitReport {
    let (child, _stdin, _stdout) = Child::spawn(spec).unwrap();
    child.wait_timeout(PATIENCE).unwrap()
}

/// The next line of the child that starts with `label`; libtest prints lines of its own.
fn line_after(label: &str, stdout: ChildStdout) -> String {
    let lines = BufReader::new(stdout).lines().map(Result::unwrap);
    lines.filter_map(|line| line.split_once(label).map(|(_, rest)| rest.to_owned())).next().unwrap()
}

/// Waits for a process that is not our child to end.
fn ends(pid: u32) -> bool {
    let Some(pid) = Pid::from_raw(pid.try_into().unwrap()) else { return false };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let timeout = Timespec::try_from(PATIENCE).unwrap();
    poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Not a test: what the child processes of the tests below do.
#[test]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::exit,
    reason = "a child process of the tests"
)]
fn helper_process() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    match role.to_str().unwrap() {
        "panic" => std::thread::spawn(|| panic!("boom\nsecond line"))
            .join()
            .unwrap_or_else(|_| std::process::exit(101)),
        "out of memory" => {
            rustix::process::setrlimit(
                rustix::process::Resource::As,
                rustix::process::Rlimit { current: Some(1 << 30), maximum: Some(1 << 30) },
            )
            .unwrap();
            std::hint::black_box(vec![1_u8; 2 << 30]);
        }
        "host" => {
            // Does not read its stdin, so only the kernel can tell it that its parent is gone.
            let (child, stdin, stdout) = Child::spawn(shell("trap '' TERM; exec sleep 600")).unwrap();
            println!("worker {}", child.pid());
            std::mem::forget((child, stdin, stdout));
            loop {
                std::thread::park();
            }
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn codes_and_signals_are_told_apart() {
    assert_eq!(run(shell("exit 3")).to_string(), "exited with code 3");
    assert!(run(shell("exit 0")).success());
    let report = run(shell("ulimit -c 0; kill -SEGV $$"));
    assert_eq!((report.signal, report.code, report.killed_by_us), (Some(11), None, false));
    assert!(report.to_string().starts_with("killed by SIGSEGV (11)"), "{report}");
}

#[test]
fn stderr_is_drained_to_the_sink_and_kept_for_the_report() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let mut spec =
        shell("echo first >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2; printf last >&2");
    spec.on_stderr_line = Box::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    let report = run(spec);
    let lines = lines.lock().unwrap();
    assert_eq!((lines.len(), lines[0].as_str(), lines[2].as_str()), (3, "first", "last"));
    assert_eq!(lines[1].len(), 8 * 1024, "cut");
    assert_eq!(report.stderr_tail.len(), 64 * 1024);
    assert!(report.stderr_tail.ends_with("x\nlast"));
}

#[test]
fn a_panic_and_an_exhausted_memory_are_recognised() {
    let report = run(myself("panic"));
    assert_eq!(report.code, Some(101));
    let message = report.panic_message().unwrap();
    assert!(message.starts_with("boom\nsecond line (") && message.contains("child.rs:"), "{message}");
    assert!(!report.out_of_memory());
    let report = run(myself("out of memory"));
    assert!(report.out_of_memory() && report.signal == Some(6), "{report}: {}", report.stderr_tail);
}

#[test]
fn stdin_and_stdout_are_pipes_and_eof_ends_it() {
    let (child, mut stdin, mut stdout) = Child::spawn(shell("exec cat")).unwrap();
    stdin.write_all(b"ping\n").unwrap();
    let mut line = [0; 5];
    stdout.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"ping\n");
    drop(stdin);
    assert!(child.wait_timeout(PATIENCE).unwrap().success());
}

#[test]
fn nothing_is_inherited_but_the_given_environment_and_three_descriptors() {
    let leak = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let mut spec = shell("env; ls /proc/self/fd | tr '\\n' ' '; exit 0");
    spec.env.push(("ONLY".into(), "this".into()));
    let (child, _stdin, mut stdout) = Child::spawn(spec).unwrap();
    let mut output = String::new();
    stdout.read_to_string(&mut output).unwrap();
    assert!(child.wait_timeout(PATIENCE).unwrap().success());
    let names: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // PWD, OLDPWD, SHLVL and _ are the shell's own.
    let foreign = names.iter().filter(|name| !["PATH", "ONLY", "PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(foreign.count(), 0, "{output}");
    // 3 is the directory that ls has opened.
    assert!(output.trim_end().ends_with("0 1 2 3"), "{output}");
}

#[test]
fn terminate_asks_first_and_then_kills() {
    let ready = |script: &str| {
        let (child, stdin, stdout) = Child::spawn(shell(script)).unwrap();
        line_after("ready", stdout);
        (child, stdin)
    };
    let (child, _stdin) = ready("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    child.terminate();
    child.terminate();
    let report = child.wait_timeout(PATIENCE).unwrap();
    assert_eq!((report.code, report.killed_by_us), (Some(7), false));

    let (child, _stdin) = ready("trap '' TERM; echo ready; while :; do sleep 600; done");
    let start = Instant::now();
    child.terminate();
    let report = child.wait_timeout(PATIENCE).unwrap();
    assert_eq!((report.signal, report.killed_by_us), (Some(9), true));
    assert!(start.elapsed() >= Duration::from_millis(200), "not before the grace is over");
    child.terminate();
    child.kill();
}

#[test]
fn a_stopped_child_is_killed_too() {
    let (child, _stdin, _stdout) = Child::spawn(shell("exec sleep 600")).unwrap();
    let pid = Pid::from_raw(child.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
    child.terminate();
    assert_eq!(child.wait_timeout(PATIENCE).unwrap().signal, Some(9));
}

#[test]
fn its_own_children_go_with_it() {
    let (child, _stdin, stdout) = Child::spawn(shell("sleep 600 & echo grandchild $!; wait")).unwrap();
    let grandchild: u32 = line_after("grandchild ", stdout).parse().unwrap();
    child.kill();
    child.wait_timeout(PATIENCE).unwrap();
    assert!(ends(grandchild));

    let (child, _stdin, stdout) = Child::spawn(shell("sleep 600 & echo grandchild $!; exit 0")).unwrap();
    let grandchild: u32 = line_after("grandchild ", stdout).parse().unwrap();
    assert!(child.wait_timeout(PATIENCE).unwrap().success());
    assert!(ends(grandchild), "also when it ended by itself");
}

#[test]
fn a_stranger_that_keeps_stderr_open_does_not_hold_up_the_report() {
    let script = "setsid sh -c 'echo stranger $$; exec sleep 600' & read x; exit 5";
    let (child, stdin, stdout) = Child::spawn(shell(script)).unwrap();
    let stranger: u32 = line_after("stranger ", stdout).parse().unwrap();
    drop(stdin);
    assert_eq!(child.wait_timeout(PATIENCE).unwrap().code, Some(5));
    assert!(exists(stranger), "it has left the group");
    kill_process(Pid::from_raw(stranger.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn drop_leaves_no_process_and_no_zombie() {
    let (child, _stdin, _stdout) = Child::spawn(shell("trap '' TERM; while :; do sleep 600; done")).unwrap();
    let pid = child.pid();
    assert!(exists(pid));
    drop(child);
    assert!(!exists(pid), "killed and reaped when drop returns");
}

#[test]
fn observers_are_told_once_also_late_ones() {
    let (child, stdin, _stdout) = Child::spawn(shell("read x; exit 4")).unwrap();
    let (sender, receiver) = mpsc::channel();
    let late = sender.clone();
    child.on_exit(move |report| sender.send(report.code).unwrap());
    drop(stdin);
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Some(4)));
    child.wait_timeout(PATIENCE).unwrap();
    child.on_exit(move |report| late.send(report.code).unwrap());
    assert_eq!(receiver.try_recv(), Ok(Some(4)));
    assert!(receiver.recv().is_err(), "nobody is told twice");
}

#[test]
fn it_outlives_the_thread_that_spawned_it() {
    let spawned = std::thread::spawn(|| Child::spawn(shell("read x; exit 6")).unwrap()).join().unwrap();
    let (child, stdin, _stdout) = spawned;
    assert_eq!(child.wait_timeout(Duration::from_millis(300)), None, "PDEATHSIG must not fire");
    drop(stdin);
    assert_eq!(child.wait_timeout(PATIENCE).unwrap().code, Some(6));
}

#[cfg(target_os = "linux")]
#[test]
fn it_dies_with_its_host_even_by_sigkill() {
    let (host, _stdin, stdout) = Child::spawn(myself("host")).unwrap();
    let worker: u32 = line_after("worker ", stdout).parse().unwrap();
    assert!(exists(worker));
    // Only the host: the worker leads a group of its own.
    kill_process(Pid::from_raw(host.pid().try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    assert!(ends(worker));
}

#[test]
fn what_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let (draft, path) = (dir.path().join("draft"), dir.path().join(name));
        std::fs::write(&draft, content).unwrap();
        // Made by another process: a file that a child of another test has just inherited open can't be run.
        let install = format!("install -m {mode:o} {} {}", draft.display(), path.display());
        let (child, _stdin, _stdout) = Child::spawn(shell(&install)).unwrap();
        assert!(child.wait_timeout(PATIENCE).unwrap().success());
        path
    };
    let error = |path: &Path| Child::spawn(ChildSpec::new(path)).unwrap_err();
    let missing = dir.path().join("missing");
    assert!(matches!(error(&missing), SpawnError::NotFound { .. }));
    assert!(error(&missing).to_string().contains(missing.to_str().unwrap()));
    assert!(matches!(error(dir.path()), SpawnError::IsDirectory { .. }));
    assert!(matches!(error(&file("plain", "text", 0o644)), SpawnError::NotExecutable { .. }));
    assert!(matches!(error(&file("data", "\u{1}\u{2}", 0o755)), SpawnError::WrongFormat { .. }));
    let SpawnError::BadInterpreter { interpreter, .. } = error(&file("script", "#!/no/such/sh -e\n", 0o755))
    else {
        panic!("not recognised")
    };
    assert_eq!(interpreter, "/no/such/sh");
}
