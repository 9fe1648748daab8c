//! The workers that the process tests talk to: one that works, and the ways to be none.

use std::env;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::thread;

use ibkr_connect_protocol::frames::PROTOCOL;
use ibkr_connect_subprocess::worker::{COOKIE_VARIABLE, serve_stdio};
use serde_json::{Value, json};

use crate::support::Scripted;

/// Plays `role` until it is over.
#[allow(clippy::print_stderr, reason = "workers log to stderr")]
pub(crate) fn play(role: &str) -> ExitCode {
    match role {
        "serve" => {
            if let Err(error) = serve_stdio(&Scripted::default(), cookie().as_deref()) {
                eprintln!("ERROR {error}");
                return ExitCode::FAILURE;
            }
        }
        "wrong-cookie" => hello(PROTOCOL, "guessed"),
        "other-version" => say(&json!({"hello": {"protocol": 99, "version": "9.9.9"}})),
        "garbage" => say_raw("Usage: frobnicate [OPTIONS]\n"),
        "torn" => {
            say_raw("Usa");
            return ExitCode::SUCCESS;
        }
        "exit" => {
            eprintln!("frobnicate: no such option: worker");
            return ExitCode::from(4);
        }
        "exit-0" => return ExitCode::SUCCESS,
        "panic" => panic!("at once"),
        "abort" => process::abort(),
        "silent" => {}
        _ => return play_by_hand(role),
    }
    if role != "serve" {
        wait_for_ever();
    }
    ExitCode::SUCCESS
}

/// Roles that connect first.
fn play_by_hand(role: &str) -> ExitCode {
    hello(PROTOCOL, &cookie().unwrap());
    let mut cancelled = Vec::new();
    for line in io::stdin().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let id = &line["id"];
        match (role, line["command"].as_str().unwrap()) {
            (_, "connect") => {
                say(&json!({"id": id, "status": "success", "data": {
                    "connected": true, "accounts": ["DU1"], "server_version": 226, "client_id": 7, "readonly": true,
                    "phases": [{"phase": "tcp", "ms": 0.5}, {"phase": "dusk", "ms": 1.0}], "connect_ms": 1.0,
                }}));
                if role == "deaf" {
                    wait_for_ever();
                }
            }
            ("garbage-later", "server_time") => say_raw("stray text\n"),
            ("unknown-id", "server_time") => say(&json!({"id": 4711, "status": "success", "data": 1})),
            ("echo-cancel", "cancel") => cancelled.push(line["params"]["target"].to_string()),
            ("echo-cancel", "market_data") => say(&json!({"id": id, "status": "success", "data": {}})),
            ("echo-cancel", "managed_accounts") => {
                say(&json!({"id": id, "status": "success", "data": cancelled}));
            }
            ("closes-unasked", "contract_details") => {
                say(&json!({"id": 0, "status": "closed", "data": "requested"}));
                say(&json!({"id": id, "status": "error", "error": {
                    "kind": "closed", "message": "the worker says that it is closed", "retryable": false,
                }}));
            }
            ("newer", "contract_details") => {
                say(&json!({"id": 0, "status": "closed", "data": {"evicted": "by another login"}}));
                say(&json!({"id": id, "status": "error", "error": {
                    "kind": "in_doubt", "phase": "dusk", "message": "who knows", "retryable": false,
                }}));
            }
            ("dies-between-parts", "contract_details") => {
                say(&json!({"id": id, "status": "part", "text": "["}));
                return ExitCode::from(6);
            }
            ("ends-and-exits", "contract_details") => {
                say(&json!({"id": id, "status": "end"}));
                return ExitCode::from(5);
            }
            (_, "shutdown") => break,
            _ => {}
        }
    }
    ExitCode::SUCCESS
}

#[allow(clippy::disallowed_methods, reason = "the worker's entry hands it over; here that is the test")]
fn cookie() -> Option<String> {
    env::var(COOKIE_VARIABLE).ok()
}

fn hello(protocol: u32, cookie: &str) {
    say(
        &json!({"hello": {"protocol": protocol, "version": "0.0.0", "pid": process::id(), "cookie": cookie}}),
    );
}

fn say(line: &Value) {
    say_raw(&format!("{line}\n"));
}

fn say_raw(text: &str) {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).unwrap();
    stdout.flush().unwrap();
}

fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}
