//! Flags that would do nothing are refused, whatever the command, and those that are not are obeyed.

use serde_json::Value;

use crate::support::host::{Finished, User};

const FLAGS: [(&str, &str); 6] = [
    ("--mode", "direct"),
    ("--host", "gw.invalid"),
    ("--port", "4001"),
    ("--client-id", "7"),
    ("--timeout", "1"),
    ("--config", "ibkr.toml"),
];

/// What each command takes of them, as a user would expect it. Those that connect take all.
const REFUSED: [(&[&str], &[&str]); 12] = [
    (&["demo"], &["--mode", "--host", "--port", "--client-id", "--timeout", "--config"]),
    (&["commands"], &["--mode", "--host", "--port", "--client-id", "--timeout", "--config"]),
    (&["init"], &["--mode", "--host", "--port", "--client-id", "--timeout", "--config"]),
    (&["completions", "bash"], &["--mode", "--host", "--port", "--client-id", "--timeout", "--config"]),
    (&["man"], &["--mode", "--host", "--port", "--client-id", "--timeout", "--config"]),
    (&["sim"], &["--mode", "--host", "--client-id", "--timeout", "--config"]),
    (&["soak", "--chaos"], &["--host", "--port", "--client-id", "--timeout"]),
    (&["status"], &["--mode", "--host", "--port", "--client-id", "--timeout"]),
    (&["breaker", "open"], &["--mode", "--client-id", "--timeout"]),
    (&["breaker", "reset"], &["--mode", "--client-id", "--timeout"]),
    (&["zombies", "list"], &["--mode", "--client-id", "--timeout"]),
    (&["zombies", "clean"], &["--mode", "--client-id", "--timeout"]),
];

const CONNECT: [&str; 9] =
    ["check", "accounts", "positions", "bars", "quote", "ticks", "call", "probe", "watch"];

#[test]
fn a_flag_that_would_do_nothing_is_refused_in_words_and_in_json() {
    for (command, refused) in REFUSED {
        let user = User::new();
        for (flag, value) in FLAGS.into_iter().filter(|(flag, _)| refused.contains(flag)) {
            let typed = || command.iter().copied().chain([flag, value]);
            let message = format!("{flag} on the command line would do nothing: ");
            let advice = format!("leave {flag} out; those that take it are accounts, bars, ");

            let finished = Finished::of(user.command(typed()));
            assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{finished:?}");
            assert!(finished.stderr.starts_with(&format!("error: {message}")), "{finished:?}");
            assert!(finished.stderr.contains(&format!("\n  try: {advice}")), "{finished:?}");

            let finished = Finished::of(user.command(typed().chain(["--json"])));
            assert_eq!((finished.code, finished.stderr.as_str()), (2, ""), "{finished:?}");
            let error = finished.json()["error"].take();
            let says = |field: &str, text: &str| error[field].as_str().unwrap().starts_with(text);
            assert_eq!(error["kind"], "config", "{error}");
            assert!(says("message", &message) && says("advice", &advice), "{error}");
        }
        assert!(!user.state_dir().exists() && !user.home().join(".env").exists(), "nothing was done");
    }
}

/// `settings` shows what the other commands have of the flags.
#[test]
fn a_flag_that_is_taken_arrives() {
    let user = User::new();
    std::fs::write(user.home().join("other.toml"), "max_retries = 7").unwrap();
    let flags = FLAGS
        .into_iter()
        .flat_map(|(flag, value)| [flag, if flag == "--config" { "other.toml" } else { value }]);
    let shown = Finished::of(user.command(["settings", "--json"].into_iter().chain(flags))).data();
    let of = |name: &str| {
        let settings = shown.as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    let values = ["connection_mode", "host", "port", "client_id", "timeout", "max_retries"].map(of);
    assert_eq!(
        values.map(|value| value.as_str().unwrap().to_owned()),
        ["direct", "gw.invalid", "4001", "7", "1", "7"]
    );
}

/// The address that a command says it is about is the one that was given.
#[test]
fn commands_that_take_an_address_are_about_it() {
    for command in
        [&["zombies", "list"][..], &["zombies", "clean"], &["breaker", "open"], &["breaker", "reset"]]
    {
        let user = User::new();
        let typed = command.iter().copied().chain(["--host", "192.0.2.1", "--port", "4001", "--json"]);
        let line = Finished::of(user.command(typed)).json();
        assert_eq!((&line["gateway"]["host"], &line["gateway"]["port"]), (&"192.0.2.1".into(), &4001.into()));
        let data = &line["data"];
        match command[0] {
            "breaker" => assert_eq!(data["gateway"], "192.0.2.1:4001", "{data}"),
            _ => assert!(data["limits"].to_string().contains("192.0.2.1 is another machine"), "{data}"),
        }
    }
}

#[test]
fn every_command_is_in_these_tests() {
    let help = Finished::of(User::new().command(["--help"])).stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help");
    let is_here = |name: &str| {
        CONNECT.contains(&name) || name == "settings" || REFUSED.iter().any(|(command, _)| command[0] == name)
    };
    let forgotten: Vec<_> = names.filter(|name| !is_here(name)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// Flags of single commands that would do nothing beside what else was given.
#[test]
fn limits_of_a_stream_are_refused_for_a_request_and_an_expiry_for_what_has_none() {
    for (arguments, said) in [
        (&["call", "server_time", "--count", "3"][..], "--count on the command line would do nothing"),
        (&["call", "positions", "--for", "1s"], "--for on the command line would do nothing"),
        (&["quote", "AAPL", "--expiry", "2026-12"], "this type needs no --expiry"),
        (&["ticks", "EUR.USD", "--currency", "USD"], "this type needs no --currency"),
    ] {
        let finished = Finished::of(User::new().command(arguments.iter().copied()));
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{finished:?}");
        assert!(finished.stderr.contains(said), "{finished:?}");
        let finished = Finished::of(User::new().command(arguments.iter().copied().chain(["--json"])));
        let error: Value = finished.json()["error"].take();
        assert_eq!((finished.code, &error["kind"]), (2, &"config".into()), "{error}");
    }
}
