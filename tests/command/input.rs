//! Wrong input: exit code 2, a message that names the value and its place, advice, and nothing started.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::host::{Finished, User};

#[test]
fn a_wrong_flag_is_named_with_what_is_right() {
    for (flag, value, expected) in [
        ("--port", "0", "expected a port number from 1 to 65535"),
        ("--port", "abc", "expected a port number from 1 to 65535"),
        ("--port", "65536", "expected a port number from 1 to 65535"),
        ("--host", "", "it is empty"),
        ("--host", "localhost:4002", "without port or scheme"),
        ("--timeout", "-5", "expected a positive number of seconds"),
        ("--timeout", "0", "expected a positive number of seconds"),
        ("--timeout", "soon", "expected a positive number of seconds"),
        ("--client-id", "-1", "expected a client id from 0 to 2147483647"),
        ("--client-id", "seven", "expected a client id from 0 to 2147483647"),
        ("--mode", "thread", "expected one of: subprocess, direct"),
    ] {
        let said = refused(&User::new(), ["check", flag, value]);
        assert!(said.contains(&format!("{flag} on the command line is {value:?}")), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_wrong_variable_is_named_with_what_is_right() {
    for (variable, value, expected) in [
        ("IBKR_PORT", "0", "IBKR_PORT in the environment is \"0\""),
        ("IBKR_HOST", "", "IBKR_HOST in the environment is \"\": it is empty"),
        ("IBKR_TIMEOUT", "-1", "IBKR_TIMEOUT in the environment is \"-1\""),
        ("IBKR_CONNECTION_MODE", "threads", "expected one of: subprocess, direct"),
        ("IBKR_READONLY", "maybe", "expected true or false"),
        ("IBKR_PROT", "4002", "did you mean IBKR_PORT?"),
        ("IBKR_CONECTION_MODE", "direct", "did you mean IBKR_CONNECTION_MODE?"),
        ("ibkr_port", "4002", "did you mean IBKR_PORT?"),
    ] {
        let user = User::new();
        let mut command = user.command(["check"]);
        command.env(variable, value);
        let finished = Finished::of(command);
        assert!(refusal(&finished).contains(expected), "{finished:?}");
    }
}

#[test]
fn a_wrong_file_is_named_with_what_is_right() {
    for (file, text, expected) in [
        ("ibkr.toml", "port = 0", "port in ibkr.toml is \"0\""),
        ("ibkr.toml", "prot = 4002", "unknown key \"prot\" in ibkr.toml"),
        ("ibkr.toml", "prot = 4002", "did you mean port?"),
        ("ibkr.toml", "port = ", "ibkr.toml is not valid TOML"),
        (".env", "IBKR_PORT=abc", "IBKR_PORT in .env is \"abc\""),
        (".env", "IBKR_PROT=4002", "unknown variable IBKR_PROT in .env"),
        (".env", "IBKR_PORT 4002", ".env, line 1: can't read IBKR_PORT: it is not an assignment"),
        (
            ".env",
            "# ours\nIBKR_HOST=two words",
            ".env, line 2: can't read IBKR_HOST: several words need quotes",
        ),
    ] {
        let user = User::new();
        fs::write(user.home().join(file), text).unwrap();
        let said = refused(&user, ["check"]);
        assert!(said.contains(expected), "{said}");
    }
    let said = refused(&User::new(), ["check", "--config", "elsewhere.toml"]);
    assert!(said.contains("can't read elsewhere.toml"), "{said}");
}

#[test]
fn a_wrong_argument_is_named_with_what_is_right() {
    for (arguments, expected) in [
        (&["bars", "AAPL", "--duration", "fortnight"][..], "expected a number and S, D, W, M or Y"),
        (&["bars", "AAPL", "--bar-size", "7m"], "expected one of: 1 secs"),
        (&["ticks", "AAPL", "--for", "never"], "expected a positive number of seconds"),
        (&["sim", "--fault", "sielnt"], "there is no fault named \"sielnt\"; the faults are: silent"),
        (&["sim", "--fault", "drip=fast"], "should read drip=TIME, for example drip=1s"),
        (&["sim", "--port", "99999"], "expected 0 to 65535"),
        (&["probe", "--attempts", "0"], "expected a number from 1"),
        (&["soak", "--duration", "soon"], "expected a positive number of seconds"),
        (&["soak", "--seed", "1"], "--chaos"),
        (&["breaker", "open", "--for", "ever"], "expected a positive number of seconds"),
        (&["watch", "--for", "0"], "expected a positive number of seconds"),
        (&["quote"], "<SYMBOL>"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&[], "Usage: ibkr-connect"),
    ] {
        let finished = Finished::of(User::new().command(arguments.iter().copied()));
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{finished:?}");
        assert!(finished.stderr.contains(expected), "{finished:?}");
    }
}

#[test]
fn a_programs_complaint_is_json_too() {
    let finished = Finished::of(User::new().command(["positions", "--port", "0", "--json"]));
    assert_eq!(finished.code, 2);
    let error = &finished.json()["error"];
    assert_eq!(error["kind"], "config");
    assert!(error["message"].as_str().unwrap().contains("--port on the command line is \"0\""), "{error}");
}

/// Whatever is wrong with the arguments, a program that has asked for JSON gets it.
#[test]
fn usage_errors_are_json_too() {
    for (arguments, message, advice) in [
        (&["--json"][..], "requires a subcommand", "--help"),
        (&["--json", "frobnicate"], "unrecognized subcommand 'frobnicate'", "--help"),
        (&["--json", "chekc"], "unrecognized subcommand 'chekc'", "'check'"),
        (&["check", "--json", "--prot", "1"], "unexpected argument '--prot'", "'--port'"),
        (&["quote", "--json"], "were not provided: <SYMBOL>", "--help"),
        (
            &["bars", "AAPL", "--json", "--duration", "fortnight"],
            "expected a number and S, D, W, M or Y",
            "--help",
        ),
        (&["call", "posittions", "--json"], "'posittions'", "'positions'"),
        (&["soak", "--seed", "1", "--json"], "--chaos", "--help"),
        (&["sim", "--fault", "sielnt", "--json"], "there is no fault named \"sielnt\"", "--help"),
        (&["positions", "--port", "--json"], "--port on the command line is \"--json\"", "4002"),
        (&["zombies", "--json"], "requires a subcommand", "--help"),
    ] {
        let finished = Finished::of(User::new().command(arguments.iter().copied()));
        assert_eq!((finished.code, finished.stderr.as_str()), (2, ""), "{finished:?}");
        let line = finished.json();
        let error = &line["error"];
        assert_eq!(
            (&line["ok"], &error["kind"], &line["gateway"]),
            (&false.into(), &"config".into(), &Value::Null)
        );
        assert!(error["message"].as_str().unwrap().contains(message), "{line}");
        assert!(error["advice"].as_str().unwrap().contains(advice), "{line}");
    }
}

#[test]
fn other_programs_variables_are_left_alone() {
    let user = User::new();
    let mut command = user.command(["--version"]);
    command.envs([("IBKR_USERNAME", "trader"), ("IBKR_PASSWORD", "secret"), ("PORT", "abc")]);
    assert_eq!(Finished::of(command).code, 0);
}

#[test]
fn the_help_has_every_exit_code() {
    let help = Finished::of(User::new().command(["--help"]));
    assert_eq!(help.code, 0);
    let codes: Vec<_> = help.stdout.lines().skip_while(|line| *line != "Exit codes:").skip(1).collect();
    assert!(codes.len() >= 10 && codes[7].starts_with("  7  worker trouble"), "{codes:?}");
}

/// What the command says when it refuses.
fn refused<const N: usize>(user: &User, arguments: [&str; N]) -> String {
    refusal(&Finished::of(user.command(arguments))).to_owned()
}

fn refusal(finished: &Finished) -> &str {
    assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{finished:?}");
    assert!(finished.took < Duration::from_secs(2), "{finished:?}");
    assert!(finished.stderr.starts_with("error: ") && finished.stderr.contains("\n  try: "), "{finished:?}");
    &finished.stderr
}
