//! Worker paths that are no worker: exit code 7, the program's name and what it did, and nothing left running.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ibkr_connect_sim::{SimOptions, Simulator};

use crate::support::host::{Finished, User};
use crate::support::traces;

/// The start of a hello, up to the cookie.
const HELLO: &str = r#"echo "{\"hello\":{\"protocol\":2,\"version\":\"0.0.1\",\"pid\":$$,\"cookie\":\"#;

/// A test per program: how the worker path comes to be, and the kind and words of the error.
macro_rules! no_workers {
    ($( $name:ident: $program:expr => $kind:literal, $words:literal; )+) => {
        $( #[test] fn $name() { check($program, $kind, $words); } )+
    };
}

no_workers! {
    a_missing_file: There("no-such-program") => "worker_spawn", "no such file";
    a_directory: There("/bin") => "worker_spawn", "is a directory";
    a_file_that_is_no_program: Text("some text") => "worker_spawn", "not executable";
    bin_true: There("/bin/true") => "worker_incompatible", "ended before its hello: exited with code 0";
    bin_cat: There("/bin/cat") => "worker_incompatible", "ended before its hello: exited with code 1";
    bin_sleep: There("/bin/sleep") => "worker_incompatible", "its last words";
    a_script_that_prints_garbage: script("echo hello, world; exec ./doze 60") => "worker_incompatible", "its first line is not a hello: hello, world";
    a_script_that_prints_no_newline: script("exec cat /dev/zero") => "worker_incompatible", "is not a worker";
    a_script_that_is_silent: script("exec ./doze 60") => "worker_incompatible", "said no hello within";
    a_script_that_is_deaf_and_silent: script("trap '' TERM; ./doze 60; ./doze 60") => "worker_incompatible", "said no hello within";
    a_worker_of_another_protocol: script(&hello("$IBKR_WORKER_COOKIE").replace(":2,", ":99,")) => "worker_incompatible", "it speaks protocol 99";
    a_worker_of_somebody_else: script(&hello("wrong")) => "worker_incompatible", "its hello has the wrong cookie";
    a_worker_that_dies: script(&format!("{}; read line; echo out of luck >&2; exit 3", hello("$IBKR_WORKER_COOKIE"))) => "worker_crashed", "out of luck";
    a_worker_that_babbles: script(&format!("{}; read line; echo babble; exec ./doze 60", hello("$IBKR_WORKER_COOKIE"))) => "worker_crashed", "protocol violation";
}

#[test]
fn the_command_is_its_own_worker() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let mut command = user.command(["check", "--json", "--port", &port]);
    command.env_remove("IBKR_WORKER_PATH");
    let finished = Finished::of(command);
    assert_eq!((finished.code, &finished.data()["mode"]), (0, &"subprocess".into()), "{finished:?}");
}

#[test]
fn direct_mode_needs_no_worker() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let mut command = user.command(["check", "--mode", "direct", "--port", &port]);
    command.env("IBKR_WORKER_PATH", "no-such-program");
    assert_eq!(Finished::of(command).code, 0);
}

#[test]
fn the_fallback_is_for_workers_that_cannot_start() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let mut command = user.command(["check", "--json", "--port", &port]);
    command.envs([("IBKR_WORKER_PATH", "no-such-program"), ("IBKR_CONNECTION_FALLBACK", "direct")]);
    let finished = Finished::of(command);
    assert_eq!((finished.code, &finished.data()["mode"]), (0, &"direct".into()));
}

#[test]
fn a_worker_without_a_parent_says_so() {
    let finished = Finished::of(User::new().command(["worker"]));
    assert_eq!(finished.code, 7);
    assert!(finished.stderr.contains("docs/protocol.md"), "{finished:?}");
}

enum Program {
    /// Nothing to prepare.
    There(&'static str),
    /// A file that is not executable.
    Text(&'static str),
    /// A shell script; `./doze` is `sleep` under a name of its own.
    Script(String),
}

use Program::*;

fn script(body: &str) -> Program {
    Script(format!("#!/bin/sh\n{body}\n"))
}

fn hello(cookie: &str) -> String {
    format!(r#"{HELLO}"{cookie}\"}}}}""#)
}

fn check(program: Program, kind: &str, words: &str) {
    let user = User::new();
    let doze = user.home().join("doze");
    symlink("/bin/sleep", &doze).unwrap();
    let path = place(&program, &user);
    let mut command = user.command(["check", "--json", "--port", "9", "--timeout", "2"]);
    command.env("IBKR_WORKER_PATH", &path);
    let finished = Finished::of(command);
    assert_eq!(finished.code, 7, "{finished:?}");
    assert!(finished.took < Duration::from_secs(6), "{finished:?}");
    let error = &finished.json()["error"];
    assert_eq!((&error["kind"], &error["phase"]), (&kind.into(), &"spawn".into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    assert!(error["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{error}");
    if matches!(program, Script(_)) {
        traces::assert_no_process(&path);
        traces::assert_no_process("./doze".as_ref());
    }
}

fn place(program: &Program, user: &User) -> PathBuf {
    let path = user.home().join("program");
    match program {
        There(path) => return PathBuf::from(path),
        Text(text) => fs::write(&path, text).unwrap(),
        Script(text) => {
            // Made by another process: a file that a child of another test has just inherited open can't be run.
            fs::write(user.home().join("draft"), text).unwrap();
            let install = user.program(Path::new("/usr/bin/install"), ["-m", "755", "draft", "program"]);
            assert_eq!(Finished::of(install).code, 0);
        }
    }
    path
}
