//! The commands that show data, as tables and as JSON lines, in both modes.

use std::collections::HashSet;

use ibkr_connect::ConnectionMode;
use ibkr_connect_sim::{SimOptions, Simulator};
use serde_json::Value;

use crate::support::host::{Finished, User};
use crate::support::real_backends::on_real_backends;

on_real_backends! { in_mode: accounts positions bars quote a_currency_pair ticks an_unknown_symbol delayed_data other_types a_cfd }

fn in_mode(mode: ConnectionMode, test: fn(&str)) {
    test(mode.as_str());
}

fn accounts(mode: &str) {
    let rows = rows(mode, &["accounts"]);
    // The one that doesn't change with prices.
    let cash = rows.iter().find(|row| row["tag"] == "TotalCashValue").unwrap();
    assert_eq!((&cash["account"], &cash["currency"]), (&"DU1234567".into(), &"USD".into()));
    let table = table(mode, &["accounts"]);
    assert_eq!(table.header, ["account", "tag", "value", "currency"]);
    assert_eq!(table.rows.len(), rows.len());
    assert!(
        table.rows.iter().any(|row| row[1] == "TotalCashValue" && cash["value"] == row[2]),
        "{:?}",
        table.rows
    );
}

fn positions(mode: &str) {
    let rows = rows(mode, &["positions"]);
    let table = table(mode, &["positions"]);
    assert_eq!(table.header[..2], ["account", "symbol"]);
    let symbols = |rows: &[Vec<String>]| rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    let expected: Vec<_> =
        rows.iter().map(|row| row["contract"]["symbol"].as_str().unwrap().to_owned()).collect();
    assert_eq!(symbols(&table.rows), expected);
    assert!(!expected.is_empty() && rows.iter().all(|row| row["average_cost"].is_number()), "{rows:?}");
}

fn bars(mode: &str) {
    let arguments = ["bars", "aapl", "--duration", "5 D", "--bar-size", "1 day"];
    let rows = rows(mode, &arguments);
    assert!((3..=6).contains(&rows.len()), "{rows:?}");
    let keys = ["time", "open", "high", "low", "close", "volume", "wap", "count"];
    for row in &rows {
        assert_eq!(row.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
        assert_eq!(row["time"].as_str().unwrap().len(), "2026-01-31".len(), "{row}");
    }
    let table = table(mode, &arguments);
    assert_eq!(table.header, keys[..6]);
    assert_eq!(table.rows.len(), rows.len());
}

fn quote(mode: &str) {
    let quote = run(mode, &["quote", "AAPL", "--json"], 0).data();
    assert_eq!(quote["symbol"], "AAPL");
    let value = |name: &str| quote["values"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {quote}"));
    assert!(0.0 < value("bid") && value("bid") < value("ask"), "{quote}");
    let names: Vec<_> = table(mode, &["quote", "AAPL"]).rows.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, quote["values"].as_object().unwrap().keys().cloned().collect::<Vec<_>>());
}

fn a_currency_pair(mode: &str) {
    let rows = rows(mode, &["bars", "EUR.USD", "--duration", "3600 S", "--bar-size", "5 mins"]);
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| (0.8..1.5).contains(&row["close"].as_f64().unwrap())), "{rows:?}");
}

fn ticks(mode: &str) {
    let events = events(mode, &["ticks", "AAPL", "--for", "500ms"]);
    let prices = events.iter().filter(|event| event["price"]["price"].is_number()).count();
    assert!(prices > 5, "{events:?}");
    let names: HashSet<_> = events.iter().filter_map(|event| event["price"]["tick_type"].as_str()).collect();
    assert!(names.contains("bid") && names.contains("ask"), "{names:?}");
    let text = run(mode, &["ticks", "AAPL", "--for", "300ms"], 0).stdout;
    assert!(text.lines().any(|line| line.starts_with("bid ")), "{text}");
}

/// Who has no live data of a symbol is told of the delayed ones, and gets them.
fn delayed_data(mode: &str) {
    let unentitled = || SimOptions { unentitled: vec!["AAPL".to_owned()], ..SimOptions::default() };
    let refused = run_on(unentitled(), mode, &["quote", "AAPL", "--json"], 1).json();
    assert!(refused["error"]["advice"].as_str().unwrap().contains("--delayed"), "{refused}");
    let quote = run_on(unentitled(), mode, &["quote", "AAPL", "--delayed", "--json"], 0).data();
    assert!(quote["values"]["delayed_bid"].is_number(), "{quote}");
    let ticks = ["ticks", "AAPL", "--delayed", "--for", "500ms", "--json"];
    let ticks = run_on(unentitled(), mode, &ticks, 0).data_lines();
    assert!(ticks.iter().any(|event| event["price"]["tick_type"] == "delayed_bid"), "{ticks:?}");
}

/// Its quotes are its underlying's, and the user is told so.
fn a_cfd(mode: &str) {
    let arguments = ["quote", "AAPL", "--type", "CFD"];
    let quote = run(mode, &[&arguments[..], &["--json"]].concat(), 0).data();
    assert!(quote["values"]["bid"].as_f64().unwrap() > 0.0, "{quote}");
    let notice = &quote["notices"][0];
    assert_eq!(notice["code"], 91, "{quote}");
    assert!(notice["message"].as_str().unwrap().contains("contract 265598 at SMART"), "{quote}");
    let shown = run(mode, &arguments, 0).stdout;
    assert!(
        shown.lines().any(|line| line.starts_with("notice 91: TWS has no market data of this")),
        "{shown}"
    );
    let ticks = events(mode, &["ticks", "AAPL", "--type", "CFD", "--for", "500ms"]);
    assert_eq!(ticks[0]["notice"]["code"], 91);
    assert!(ticks.iter().any(|event| event["price"]["price"].is_number()), "{ticks:?}");
}

fn other_types(mode: &str) {
    for (arguments, close) in [
        (&["bars", "SPX", "--type", "ind", "--exchange", "CBOE"][..], 1_000.0..20_000.0),
        (&["bars", "EUR.USD", "--type", "CASH"], 0.8..1.5),
    ] {
        let rows = rows(mode, arguments);
        assert!(rows.iter().all(|row| close.contains(&row["close"].as_f64().unwrap())), "{rows:?}");
    }
    let refused = run(mode, &["bars", "SPX", "--type", "IND"], 2);
    assert!(refused.stderr.contains("this type needs --exchange, e.g. CBOE for SPX"), "{refused:?}");
}

fn an_unknown_symbol(mode: &str) {
    for command in ["bars", "quote", "ticks"] {
        let finished = run(mode, &[command, "NOSUCH"], 1);
        assert!(finished.stderr.contains("No security definition has been found"), "{finished:?}");
        assert!(finished.stderr.contains("TWS code 200"), "{finished:?}");
        assert!(finished.stderr.contains("  try: check symbol"), "{finished:?}");
    }
}

/// The events that a stream shows.
fn events(mode: &str, arguments: &[&str]) -> Vec<Value> {
    run(mode, &[arguments, &["--json"]].concat(), 0).data_lines()
}

/// The rows of an answer.
fn rows(mode: &str, arguments: &[&str]) -> Vec<Value> {
    let mut answer = run(mode, &[arguments, &["--json"]].concat(), 0).data();
    answer.as_array_mut().unwrap().drain(..).collect()
}

/// A table as it was printed.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn table(mode: &str, arguments: &[&str]) -> Table {
    let cells = |line: &str| line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let text = run(mode, arguments, 0).stdout;
    let mut rows = text.lines().filter(|line| line.starts_with('│')).map(|line| {
        let cells = cells(line);
        cells[1..cells.len() - 1].to_vec()
    });
    Table { header: rows.next().unwrap(), rows: rows.collect() }
}

/// Runs the command against a Gateway of its own.
fn run(mode: &str, arguments: &[&str], exit: i32) -> Finished {
    run_on(SimOptions::default(), mode, arguments, exit)
}

fn run_on(options: SimOptions, mode: &str, arguments: &[&str], exit: i32) -> Finished {
    let gateway = Simulator::start(options).unwrap();
    let user = User::new();
    let port = gateway.port().to_string();
    let connection = ["--mode", mode, "--port", &port];
    let finished = Finished::of(user.command(arguments.iter().chain(&connection).copied()));
    assert_eq!(finished.code, exit, "{finished:?}");
    user.worker().assert_none_runs();
    assert_eq!(gateway.stats().zombies_held_max, 0);
    finished
}
