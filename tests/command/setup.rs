//! What makes the command at home on a machine: `init`, `completions`, `man`.

use std::fs;
use std::path::Path;

use crate::support::host::{Finished, User};

#[test]
fn init_writes_settings_that_are_obeyed_once_their_mark_is_gone() {
    let user = User::new();
    let written = Finished::of(user.command(["init"]));
    assert_eq!((written.code, written.stderr.as_str()), (0, ""));
    let path = user.home().join(".env");
    let settings = fs::read_to_string(&path).unwrap();
    fs::write(&path, settings.replace("#IBKR_PORT=4002", "IBKR_PORT=7497")).unwrap();
    let line = Finished::of(user.command(["settings", "--json"])).json();
    assert_eq!(line["gateway"]["port"], 7497, "{line}");

    let again = Finished::of(user.command(["init", "--json"]));
    let line = again.json();
    assert_eq!((again.code, &line["error"]["kind"]), (2, &"config".into()), "{line}");
    assert!(fs::read_to_string(&path).unwrap().contains("\nIBKR_PORT=7497"), "it is left as it was");
    let other = Finished::of(user.command(["init", "other.env", "--json"])).json();
    assert_eq!(other["data"]["path"], "other.env");
}

#[test]
fn bash_knows_the_commands_and_their_flags() {
    let user = User::new();
    let script = Finished::of(user.command(["completions", "bash"])).stdout;
    fs::write(user.home().join("completions"), &script).unwrap();
    let ask = "source ./completions; function=$(complete -p ibkr-connect); function=${function#*-F }; \
               COMP_WORDS=(ibkr-connect bars --bar); COMP_CWORD=2; ${function%% *} ibkr-connect --bar bars; \
               echo \"${COMPREPLY[*]}\"";
    let answer = Finished::of(user.program(Path::new("/bin/bash"), ["-c", ask]));
    assert_eq!((answer.stdout.trim(), answer.stderr.as_str()), ("--bar-size", ""));
    let line = Finished::of(user.command(["completions", "zsh", "--json"])).json();
    assert!(line["data"]["text"].as_str().unwrap().starts_with("#compdef ibkr-connect"), "{line}");
    assert_eq!(Finished::of(user.command(["completions", "cmd.exe"])).code, 2);
}

#[test]
fn there_is_a_page_for_each_command() {
    let user = User::new();
    let page = Finished::of(user.command(["man"])).stdout;
    assert!(page.contains(".TH ibkr-connect 1") && page.contains("ibkr\\-connect\\-check(1)"), "{page}");
    fs::create_dir(user.home().join("pages")).unwrap();
    assert_eq!(Finished::of(user.command(["man", "--dir", "pages"])).code, 0);
    for name in ["ibkr-connect.1", "ibkr-connect-check.1", "ibkr-connect-zombies-list.1"] {
        assert!(user.home().join("pages").join(name).exists(), "{name}");
    }
    let nowhere = Finished::of(user.command(["man", "--dir", "nowhere", "--json"]));
    let line = nowhere.json();
    assert_eq!((nowhere.code, &line["error"]["kind"]), (2, &"config".into()), "{line}");
}
