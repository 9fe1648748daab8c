//! A Gateway whose every word controls a terminal, or begins a line of its own: nothing of that reaches stdout or stderr, of any
//! command, in both modes, as text and as JSON.

use std::thread;

use ibkr_connect::ConnectionMode;

use crate::support::fake_gateway::{Behaviour, FakeGateway};
use crate::support::host::{Finished, User};
use crate::support::real_backends::{REAL_BACKENDS, on_real_backends};

/// Escape sequences for the screen, the title and the colour, also of eight bits; ends of lines of every kind with what looks like a
/// line of a log behind them; NUL and DEL; letters that turn the direction of what follows.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nERROR forged\n2026-11-28T00:00:00Z ERROR forged: pay\u{0}\u{8}\u{9b}31m\u{85}\
                    ERROR forged\u{2028}ERROR forged\u{2029}\u{202e}evil\u{2066}\u{7f}\u{c}";

/// What is shown of it, at least: in our spelling, or in Rust's, as ibapi has it.
const SHOWN: [&str; 2] = [r"\u001b[2J", r"\u{1b}[2J"];

/// The commands that show words of the Gateway's, and whether each ends well.
const COMMANDS: &[(&[&str], bool)] = &[
    (&["check"], true),
    (&["accounts"], false),
    (&["positions"], true),
    (&["bars", "AAPL"], false),
    (&["quote", "AAPL"], false),
    (&["ticks", "AAPL", "--for", "300ms"], false),
    (&["call", "managed_accounts"], true),
    (&["call", "news_providers"], true),
    (&["call", "contract_details", "--params", r#"{"symbol":"AAPL","sec_type":"STK"}"#], true),
    (&["call", "notices", "--count", "1"], true),
    (&["call", "news_bulletins", "--count", "1"], true),
    (&["call", "connectivity", "--count", "1"], true),
    (&["call", "family_codes"], false),
    (&["probe", "--attempts", "1"], true),
    (&["watch", "--for", "500ms"], true),
];

on_real_backends! {
    fn words_of_the_gateway_control_no_terminal(mode) {
        every_command_shows_plain_words(mode.as_str());
    }
}

fn every_command_shows_plain_words(mode: &str) {
    let gateway = FakeGateway::start(Behaviour::SaysEverywhere(EVIL));
    let mut shown = 0;
    for (command, ends_well) in COMMANDS {
        for form in [&[][..], &["--json"]] {
            let finished = run(mode, gateway.port(), "error", &[form, command].concat());
            assert_plain(command, &finished);
            assert_eq!(finished.code == 0, *ends_well, "{mode} {command:?}: {finished:?}");
            shown += usize::from(shows_it(&finished));
        }
    }
    // Or nothing would be proved.
    assert!(shown >= COMMANDS.len(), "{mode}: only {shown} have shown a word of the Gateway's");
}

/// Words before the accounts, with which a handshake fails.
#[test]
fn words_of_a_gateway_that_refuses_control_no_terminal() {
    thread::scope(|scope| {
        for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
            for behaviour in [
                Behaviour::SaysOnly(10_141, EVIL),
                Behaviour::SaysOnly(1_100, EVIL),
                Behaviour::SendsAsVersion(EVIL),
            ] {
                scope.spawn(move || {
                    let gateway = FakeGateway::start(behaviour);
                    for form in [&["check"][..], &["--json", "check"], &["watch", "--for", "2500ms"]] {
                        let finished = run(mode, gateway.port(), "debug", form);
                        assert_plain(form, &finished);
                        assert!(shows_it(&finished), "{mode} {behaviour:?} {form:?}: {finished:?}");
                    }
                });
            }
        }
    });
}

/// The log at its most talkative, ibapi's too.
#[test]
fn words_of_the_gateway_begin_no_line_of_the_log() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let gateway = FakeGateway::start(Behaviour::SaysEverywhere(EVIL));
        for command in [&["positions"][..], &["quote", "AAPL"], &["watch", "--for", "500ms"]] {
            let finished = run(mode, gateway.port(), "trace", command);
            assert_plain(command, &finished);
            assert!(has_it(&finished.stderr), "{mode} {command:?}: {finished:?}");
        }
    }
}

/// In detail ibapi logs its requests as numbers of bytes. Whoever asks for all of it, also by name, gets no account out of it.
#[test]
fn no_log_shows_an_account_not_even_in_decimal_bytes() {
    const ACCOUNT: &str = "DU7654321";
    let in_bytes = ACCOUNT.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let params = format!(r#"{{"account":"{ACCOUNT}"}}"#);
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        for level in ["trace", "ibapi=trace", "info,ibapi::connection=trace", "ibapi[{}]=trace"] {
            let gateway = FakeGateway::start(Behaviour::SaysEverywhere("fine"));
            let command = ["call", "pnl", "--params", &params, "--for", "200ms"];
            let finished = run(mode, gateway.port(), level, &command);
            assert!(!finished.stderr.contains(&in_bytes), "{mode} {level}: {finished:?}");
            assert!(!finished.stderr.contains(ACCOUNT), "{mode} {level}: {finished:?}");
            if level == "trace" {
                assert!(finished.stderr.contains("DU***21"), "it is there, but masked: {finished:?}");
            }
        }
    }
}

fn run(mode: &str, port: u16, log: &str, command: &[&str]) -> Finished {
    let user = User::new();
    let port = port.to_string();
    let connection = ["--mode", mode, "--port", &port, "--timeout", "1s"];
    let mut program = user.command(connection.into_iter().chain(command.iter().copied()));
    program.envs([("RUST_LOG", log), ("IBKR_REQUEST_TIMEOUT", "2"), ("IBKR_MAX_RETRIES", "0")]);
    Finished::of(program)
}

/// Letters and new lines, and each line is one of ours.
#[track_caller]
fn assert_plain(command: &[&str], finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        let bad = |letter: char| {
            letter != '\n'
                && (letter.is_control()
                    || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'))
        };
        if let Some(letter) = text.chars().find(|letter| bad(*letter)) {
            panic!("{command:?} shows {letter:?}: {finished:?}");
        }
        let forged =
            |line: &&str| line.starts_with("ERROR forged") || line.starts_with("2026-11-28T00:00:00Z");
        assert!(text.lines().find(forged).is_none(), "{command:?}: {finished:?}");
    }
}

fn shows_it(finished: &Finished) -> bool {
    has_it(&finished.stdout) || has_it(&finished.stderr)
}

fn has_it(text: &str) -> bool {
    SHOWN.into_iter().any(|shown| text.contains(shown))
}
