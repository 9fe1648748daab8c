//! Programs that start a worker and treat it badly, in whatever language they are.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::host::{Running, User};

/// What docs/protocol.md promises, and some air for a loaded machine.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Its exit code when it could not end in order.
const OVERDUE: i32 = 70;

/// A worker of the command, after its hello. Its stdout stays open and is not read any more.
fn worker(user: &User) -> (Running, BufReader<std::process::ChildStdout>) {
    let mut command = user.command(["worker"]);
    command.env("IBKR_WORKER_COOKIE", "c").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut worker = Running(command.spawn().unwrap());
    let mut stdout = BufReader::with_capacity(256, worker.0.stdout.take().unwrap());
    let mut hello = String::new();
    stdout.read_line(&mut hello).unwrap();
    assert!(hello.starts_with(r#"{"hello":"#), "{hello}");
    (worker, stdout)
}

#[test]
fn a_worker_whose_stdout_is_full_ends_with_its_stdin() {
    let user = User::new();
    let (mut worker, _unread) = worker(&user);
    let mut stdin = worker.0.stdin.take().unwrap();
    rustix::io::ioctl_fionbio(&stdin, true).unwrap();
    // Until its answers fill stdout, and then the commands stdin.
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut refused = 0;
    for id in 1_u64.. {
        match stdin.write_all(format!("{{\"id\":{id},\"command\":\"ping\"}}\n").as_bytes()) {
            Ok(()) => refused = 0,
            Err(_) => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // Nothing was read for half a second: the thread that reads is stuck.
        if refused == 50 {
            break;
        }
        assert!(Instant::now() < deadline, "it takes commands without end");
    }
    drop(stdin);
    let status = worker.wait(GONE_WITHIN);
    assert_eq!(status.code(), Some(OVERDUE), "{status}");
}

#[test]
fn a_worker_whose_stdout_is_closed_ends_with_its_stdin() {
    let user = User::new();
    let (mut worker, stdout) = worker(&user);
    drop(stdout);
    drop(worker.0.stdin.take());
    worker.wait(GONE_WITHIN);
}
