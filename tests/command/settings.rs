//! `settings`: every value with its source.

use std::fs;

use serde_json::{Value, json};

use crate::support::host::{Finished, User};

fn settings(user: &User) -> std::process::Command {
    let mut command = user.command(["settings", "--json", "--client-id", "7"]);
    command.env("IBKR_TIMEOUT", "20").env_remove("IBKR_WORKER_PATH");
    command
}

#[test]
fn every_setting_says_who_has_set_it() {
    let user = User::new();
    fs::write(user.home().join("ibkr.toml"), "port = 4001\nhost = \"gw.example\"\n").unwrap();
    fs::write(user.home().join(".env"), "IBKR_HOST=gw2.example\n").unwrap();
    let shown = Finished::of(settings(&user));
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let line = shown.json();
    assert_eq!(line["gateway"], json!({ "host": "gw2.example", "port": 4001, "mode": "subprocess" }));
    let rows = line["data"].as_array().unwrap();
    assert_eq!(rows.len(), ibkr_connect::config::KEYS.len());
    let home = fs::canonicalize(user.home()).unwrap();
    for (name, value, source, file) in [
        ("port", json!("4001"), "file", Some("ibkr.toml")),
        ("host", json!("gw2.example"), "dotenv", Some(".env")),
        ("timeout", json!("20"), "environment", None),
        ("client_id", json!("7"), "flag", None),
        ("readonly", json!("true"), "default", None),
        ("region", Value::Null, "default", None),
        ("worker_path", Value::Null, "default", None),
        ("state_dir", json!(user.state_dir()), "default", None),
    ] {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!((&row["value"], &row["source"]), (&value, &source.into()), "{row}");
        let expected = file.map(|file| home.join(file));
        assert_eq!(row["file"], json!(expected), "{row}");
    }
    let mut table = user.command(["settings", "--client-id", "7"]);
    table.env_remove("IBKR_WORKER_PATH");
    let table = Finished::of(table).stdout;
    for text in ["IBKR_PORT", "4001", "ibkr.toml", ".env", "--client-id", "default"] {
        assert!(table.contains(text), "{text:?} is missing:\n{table}");
    }
}

#[test]
fn a_misspelt_setting_is_told_what_it_is_called() {
    for (file, text, expected) in [
        ("ibkr.toml", "ibkr_client_id = 1", "did you mean client_id?"),
        ("ibkr.toml", "mode = \"direct\"", "did you mean connection_mode?"),
        ("ibkr.toml", "IBKR_PORT = 1", "did you mean port?"),
        (".env", "IBKR_MODE=direct", "did you mean IBKR_CONNECTION_MODE?"),
    ] {
        let user = User::new();
        fs::write(user.home().join(file), text).unwrap();
        let refused = Finished::of(settings(&user));
        assert_eq!(refused.code, 2);
        let advice = refused.json()["error"]["advice"].take();
        assert!(advice.as_str().unwrap().starts_with(expected), "{text}: {advice}");
    }
    let user = User::new();
    let mut command = user.command(["settings"]);
    command.env("IBKR_MODE", "direct");
    assert!(Finished::of(command).stderr.contains("did you mean IBKR_CONNECTION_MODE?"));
}
