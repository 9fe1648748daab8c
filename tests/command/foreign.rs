//! Files that ibkr-connect has not written: every command leaves them as they are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use ibkr_connect_sim::{SimOptions, Simulator};

use crate::support::host::{Finished, User};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";

/// Files of the user's that lie where ibkr-connect keeps its own.
struct Precious(Vec<(PathBuf, String)>);

impl Precious {
    fn planted(user: &User) -> Self {
        let (state, key) = (user.state_dir(), user.home().join("id_ed25519"));
        let workers = state.join("workers");
        fs::create_dir_all(&workers).unwrap();
        for path in [&state, &workers] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let files = [
            (key.clone(), KEY),
            (workers.join("settings.json"), "{\"theme\":\"dark\"}"),
            (workers.join("4711-98765.json"), "{\"pid\":4711,\"start_time\":98765}"),
            (state.join("notes.json"), "[]"),
            (state.join("client-7.lock"), "my own lock"),
        ];
        for (path, contents) in &files {
            fs::write(path, contents).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let links = [workers.join("4712-1.json"), workers.join("link.json")];
        for link in &links {
            symlink(&key, link).unwrap();
        }
        let files = files.into_iter().map(|(path, contents)| (path, contents.to_owned()));
        Self(files.chain(links.map(|link| (link, KEY.to_owned()))).collect())
    }

    #[track_caller]
    fn assert_untouched(&self, after: &[&str]) {
        for (path, contents) in &self.0 {
            let found = fs::read_to_string(path).ok();
            assert_eq!(found.as_ref(), Some(contents), "{} after {after:?}", path.display());
        }
    }
}

#[test]
fn foreign_files_survive_every_command() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let precious = Precious::planted(&user);
    let port = gateway.port().to_string();
    for arguments in [
        &["status"][..],
        &["zombies", "list"],
        &["zombies", "clean"],
        &["zombies", "clean", "--yes"],
        &["check"],
        &["positions"],
        &["positions", "--mode", "direct"],
        &["probe", "--attempts", "2"],
        &["breaker", "open"],
        &["breaker", "reset"],
        &["call", "server_time"],
    ] {
        let mut command = user.command(arguments.iter().copied());
        if arguments[0] != "status" {
            command.args(["--port", &port]);
        }
        let finished = Finished::of(command);
        assert!([0, 1].contains(&finished.code), "{arguments:?}: {finished:?}");
        precious.assert_untouched(arguments);
    }
}

#[test]
fn a_dry_run_and_a_look_write_nothing() {
    let user = User::new();
    Precious::planted(&user);
    let before = listing(user.home());
    for arguments in
        [&["status"][..], &["zombies", "list", "--port", "4002"], &["zombies", "clean", "--port", "4002"]]
    {
        Finished::of(user.command(arguments.iter().copied()));
        assert_eq!(listing(user.home()), before, "{arguments:?}");
    }
}

#[test]
fn a_lock_file_with_something_else_in_it_is_refused() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let user = User::new();
    let precious = Precious::planted(&user);
    let key = user.home().join("id_ed25519");
    let link = user.home().join("link.lock");
    symlink(&key, &link).unwrap();
    for (path, why) in [(&key, "is not a lock file of ibkr-connect"), (&link, "is a symbolic link")] {
        let arguments = ["positions", "--port", &gateway.port().to_string()];
        let mut command = user.command(arguments);
        command.env("IBKR_LOCK_FILE_PATH", path);
        let refused = Finished::of(command);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("IBKR_LOCK_FILE_PATH"),
            "{refused:?}"
        );
        precious.assert_untouched(&arguments);
    }
    assert_eq!(gateway.stats().accepted, 0);
    let own = user.home().join("own.lock");
    for _ in 0..2 {
        let mut command = user.command(["positions", "--port", &gateway.port().to_string()]);
        command.env("IBKR_LOCK_FILE_PATH", &own);
        assert_eq!(Finished::of(command).code, 0);
    }
    assert_eq!(fs::read_to_string(own).unwrap(), "");
}

/// Everything below a directory, with sizes and times of change.
fn listing(directory: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                directories.push(path.clone());
            }
            found.push((path, meta.len(), meta.modified().unwrap()));
        }
    }
    found.sort();
    found
}
