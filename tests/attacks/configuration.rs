//! Files that somebody else has put where the command is started, or that lead it to somebody else's file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::host::{Finished, User};

/// Both files of a working directory, each with a program of the attacker's as worker.
const PLANTED: [(&str, &str, &str); 2] =
    [(".env", "IBKR_WORKER_PATH=", ""), ("ibkr.toml", "worker_path = \"", "\"")];

/// A user in whose working directory an attacker has a program ready.
struct Scene {
    user: User,
    program: PathBuf,
    ran: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let user = User::new();
        let (program, ran) = (user.home().join("evil"), user.home().join("it-ran"));
        let draft = format!("#!/bin/sh\ntouch {}\n", ran.display());
        fs::write(user.home().join("draft"), draft).unwrap();
        // Made by another process: a file that a child of another test has just inherited open can't be run.
        let install = user.program(Path::new("/usr/bin/install"), ["-m", "755", "draft", "evil"]);
        assert_eq!(Finished::of(install).code, 0);
        Self { user, program, ran }
    }

    fn plant(&self, (name, before, after): (&str, &str, &str)) -> PathBuf {
        let path = self.user.home().join(name);
        fs::write(&path, format!("{before}{}{after}\n", self.program.display())).unwrap();
        path
    }

    fn check(&self, arguments: &[&str]) -> Finished {
        let mut command = self.user.command(["check", "--port", "9", "--timeout", "2"]);
        command.args(arguments).env_remove("IBKR_WORKER_PATH");
        Finished::of(command)
    }

    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        let finished = self.check(&[]);
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{finished:?}");
        assert!(words.iter().all(|word| finished.stderr.contains(word)), "{words:?}: {finished:?}");
        assert!(finished.stderr.contains("\n  try: "), "{finished:?}");
        assert!(!self.ran.exists(), "the attacker's program has run");
    }
}

#[test]
fn a_file_of_somebody_else_is_not_obeyed() {
    for file in PLANTED {
        let scene = Scene::new();
        let path = scene.plant(file);
        // Only root can give files away. Without that right, crates/core has the test: whose files are obeyed is a function.
        if chown(&path, Some(65_534), Some(65_534)).is_ok() {
            scene.assert_refused(&[path.to_str().unwrap(), "uid 65534", "mode 0644", "--config"]);
        }
    }
}

#[test]
fn a_file_that_others_can_write_is_not_obeyed() {
    for file in PLANTED {
        let scene = Scene::new();
        let path = scene.plant(file);
        fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
        scene.assert_refused(&[path.to_str().unwrap(), "mode 0646", "chmod go-w"]);
    }
}

#[test]
fn a_file_of_the_working_directory_names_no_program() {
    for file in PLANTED {
        let scene = Scene::new();
        scene.plant(file);
        scene.assert_refused(&["is not obeyed", "set IBKR_WORKER_PATH in the environment", "--config"]);
    }
}

#[test]
fn a_named_file_and_the_users_own_may_name_a_program() {
    let scene = Scene::new();
    scene.plant(PLANTED[1]);
    let finished = scene.check(&["--config", "ibkr.toml"]);
    assert_eq!((finished.code, scene.ran.exists()), (7, true), "{finished:?}");

    let scene = Scene::new();
    let own = scene.user.home().join(".config/ibkr-connect");
    fs::create_dir_all(&own).unwrap();
    fs::rename(scene.plant(PLANTED[1]), own.join("ibkr.toml")).unwrap();
    let finished = scene.check(&[]);
    assert_eq!((finished.code, scene.ran.exists()), (7, true), "{finished:?}");
    fs::set_permissions(own.join("ibkr.toml"), Permissions::from_mode(0o666)).unwrap();
    fs::remove_file(&scene.ran).unwrap();
    scene.assert_refused(&["mode 0666"]);
}

#[test]
fn what_is_no_file_is_refused_at_once_wherever_it_lies() {
    let state = Path::new(".local/state/ibkr-connect");
    let places = [
        (PathBuf::from(".env"), &[][..]),
        ("ibkr.toml".into(), &[]),
        (".config/ibkr-connect/ibkr.toml".into(), &[]),
        ("named.toml".into(), &["--config", "named.toml"]),
        (state.join("maintenance.toml"), &[]),
    ];
    for (place, arguments) in places {
        for target in ["fifo", "/dev/zero", "huge"] {
            let user = User::new();
            mknodat(CWD, user.home().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
            fs::File::create(user.home().join("huge")).unwrap().set_len(1 << 40).unwrap();
            let path = user.home().join(&place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // The state directory comes with a file of that name.
            drop(fs::remove_file(&path));
            symlink(user.home().join(target), &path).unwrap();
            let mut command = user.command(["positions", "--mode", "direct", "--port", "9"]);
            command.args(arguments);
            let finished = Finished::of(command);
            assert_eq!(finished.code, 2, "{place:?} {target}: {finished:?}");
            assert!(finished.stderr.contains(place.file_name().unwrap().to_str().unwrap()), "{finished:?}");
            assert!(finished.took < Duration::from_secs(1), "{place:?} {target}: {finished:?}");
        }
    }
}
