//! `call` and `commands`: any row of the table, and what they say about wrong input.

use ibkr_connect::ConnectionMode;
use ibkr_connect::operations::OPERATIONS;
use ibkr_connect_sim::{SimOptions, Simulator};
use serde_json::Value;

use crate::support::host::{Finished, User};
use crate::support::real_backends::REAL_BACKENDS;

fn run(mode: &str, arguments: &[&str]) -> Finished {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let port = gateway.port().to_string();
    let user = User::new();
    let connection = ["--mode", mode, "--port", &port];
    Finished::of(user.command(connection.into_iter().chain(arguments.iter().copied())))
}

#[test]
fn a_request_is_answered_in_json() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let called = run(
            mode,
            &["--json", "call", "contract_details", "--params", r#"{"symbol":"AAPL","sec_type":"STK"}"#],
        );
        assert_eq!(called.code, 0, "{called:?}");
        assert_eq!(called.data()[0]["contract"]["symbol"], "AAPL");
        let called = run(mode, &["call", "managed_accounts"]);
        assert_eq!(called.stdout, "[\n  \"DU1234567\"\n]\n");
    }
}

#[test]
fn a_stream_is_shown_as_long_as_wanted() {
    for mode in REAL_BACKENDS.map(ConnectionMode::as_str) {
        let called = run(mode, &["call", "notices", "--count", "3"]);
        let codes: Vec<_> =
            called.json_lines().iter().map(|notice| notice["code"].as_i64().unwrap()).collect();
        assert_eq!((called.code, codes), (0, vec![2104, 2106, 2158]));
        let called = run(mode, &["call", "notices", "--for", "100ms"]);
        assert_eq!((called.code, called.json_lines().len()), (0, 3));
    }
}

#[test]
fn wrong_input_is_named_before_anything_is_connected() {
    let user = User::new();
    let unknown = Finished::of(user.command(["call", "posittions"]));
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("'posittions'") && unknown.stderr.contains("'positions'"),
        "{}",
        unknown.stderr
    );

    let wrong = Finished::of(user.command(["call", "market_data", "--params", r#"{"contact":{}}"#]));
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("--params: market_data: unknown field `contact`"), "{}", wrong.stderr);

    let missing = Finished::of(user.command(["call", "positions", "--params", "{"]));
    assert_eq!(missing.code, 2, "{missing:?}");
}

#[test]
fn parameters_come_from_a_file_or_from_stdin_too() {
    let gateway = Simulator::start(SimOptions::default()).unwrap();
    let port = gateway.port().to_string();
    let user = User::new();
    let file = user.home().join("params.json");
    std::fs::write(&file, "{\n  \"symbol\": \"AAPL\",\n  \"sec_type\": \"STK\"\n}\n").unwrap();
    for params in ["@params.json", "-"] {
        let arguments = ["call", "contract_details", "--json", "--params", params, "--port", &port];
        let mut command = user.command(arguments);
        command.stdin(std::fs::File::open(&file).unwrap());
        let called = Finished::of(command);
        assert_eq!(called.code, 0, "{params}: {called:?}");
        assert_eq!(called.data()[0]["contract"]["symbol"], "AAPL", "{params}");
    }
    std::fs::write(&file, "{\n\"symbl\": 1}").unwrap();
    for (params, expected) in [("@nowhere.json", "can't read nowhere.json"), ("@params.json", "line 2")] {
        let refused = Finished::of(user.command(["call", "contract_details", "--params", params]));
        assert!(refused.code == 2 && refused.stderr.contains(expected), "{refused:?}");
    }
}

#[test]
fn one_operation_has_a_schema_of_its_own() {
    let printed = Finished::of(User::new().command(["commands", "historical_bars", "--schema"]));
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((&schema["title"], &schema["stream"]), (&"historical_bars".into(), &false.into()));
    let definitions = schema["$defs"].as_object().unwrap();
    assert!(
        definitions.contains_key("BarSize") && !definitions.contains_key("NewsArticle"),
        "{definitions:?}"
    );
    let text = schema.to_string();
    let names = text.split("\"#/$defs/").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]);
    assert!(names.into_iter().all(|name| definitions.contains_key(name)), "every type is there");
}

#[test]
fn every_operation_is_listed() {
    let user = User::new();
    let listed = Finished::of(user.command(["--json", "commands"])).data();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), OPERATIONS.len());
    assert!(listed.iter().any(|row| row["command"] == "market_data" && row["stream"] == true));
    let schema: Value =
        serde_json::from_str(&Finished::of(user.command(["commands", "--schema"])).stdout).unwrap();
    assert!(schema["operations"]["market_data"]["event"]["$ref"].is_string(), "{schema}");
    let table = Finished::of(user.command(["commands"])).stdout;
    assert!(OPERATIONS.iter().all(|operation| table.contains(operation.command)), "{table}");
}

#[test]
fn an_operation_is_described_with_all_that_it_takes() {
    let user = User::new();
    let described = Finished::of(user.command(["commands", "historical_ticks"]));
    for said in ["number_of_ticks", "1000", "one of TRADES, BID_ASK, MIDPOINT", "Contract", "con_id"] {
        assert!(described.stdout.contains(said), "{said}: {}", described.stdout);
    }
    let described = Finished::of(user.command(["--json", "commands", "historical_ticks"])).data();
    assert_eq!(described["command"], "historical_ticks");
    let kind = described["parameters"].as_array().unwrap().iter().find(|one| one["name"] == "what_to_show");
    assert_eq!(kind.unwrap()["default"], "TRADES", "{described}");
    assert_eq!(Finished::of(user.command(["commands", "historical_tick"])).code, 2);
}
