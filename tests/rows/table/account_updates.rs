//! Accounts and positions that keep changing, and profit and loss.

use serde_json::{Value, json};

use super::contract;
use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::frame;

/// IBKR's way to say that there is no such number.
const UNSET: f64 = f64::MAX;

pub(super) fn rows() -> Vec<Row> {
    vec![account_summary_updates(), account_updates_multi(), positions_multi(), pnl(), pnl_single()]
}

fn account_summary_updates() -> Row {
    let row = |value: &'static str| frame!(63 { 1: ID, 2: "DU7654321", 3: "$LEDGER-NetLiquidation", 4: value, 5: "USD" });
    let value = |value: &str| json!({ "value": { "account": "DU7654321", "tag": "NetLiquidation", "value": value, "currency": "USD" } });
    Row::new("account_summary_updates", json!({ "group": "All", "tags": ["NetLiquidation", "AccountType"] }))
        .asks(frame!(62 { 1: ID, 2: "All", 3: "NetLiquidation,AccountType" }))
        .answered([
            row("1000000.50"),
            frame!(63 { 1: ID, 2: "DU7654321", 3: "AccountType", 4: "INDIVIDUAL" }),
            frame!(64 { 1: ID }),
            row("1000001.75"),
        ])
        .gives_events([
            value("1000000.50"),
            json!({ "value": { "account": "DU7654321", "tag": "AccountType", "value": "INDIVIDUAL", "currency": null } }),
            json!({ "end": {} }),
            value("1000001.75"),
        ])
        .cancelled_by(frame!(63 { 1: ID }))
}

fn account_updates_multi() -> Row {
    let value = |key: &str, value: &str, currency: Option<&str>, model: Option<&str>| {
        json!({
            "value": { "account": "DU7654321", "model_code": model, "key": key, "value": value, "currency": currency },
        })
    };
    Row::new("account_updates_multi", json!({ "account": "DU7654321", "model_code": "Growth" }))
        .asks(frame!(76 { 1: ID, 2: "DU7654321", 3: "Growth", 4: true }))
        .answered([
            frame!(73 { 1: ID, 2: "DU7654321", 3: "Growth", 4: "$LEDGER-CashBalance", 5: "-51234.56", 6: "BASE" }),
            frame!(73 { 1: ID, 2: "DU7654321", 4: "Currency", 5: "BASE" }),
            frame!(74 { 1: ID }),
            frame!(73 { 1: ID, 2: "DU7654321", 3: "Growth", 4: "CashBalance", 5: "0", 6: "BASE" }),
        ])
        .gives_events([
            value("CashBalance", "-51234.56", Some("BASE"), Some("Growth")),
            value("Currency", "BASE", None, None),
            json!({ "end": {} }),
            value("CashBalance", "0", Some("BASE"), Some("Growth")),
        ])
        .cancelled_by(frame!(77 { 1: ID }))
        .at_simulator(json!({ "account": "DU2" }))
}

fn positions_multi() -> Row {
    let row = |size: &'static str| frame!(71 { 1: ID, 2: "DU7654321", 3: ibm_message(), 4: size, 5: 228.125, 6: "Growth" });
    let position = |size: f64| {
        json!({
            "position": {
                "account": "DU7654321", "model_code": "Growth", "contract": ibm(), "position": size, "average_cost": 228.125,
            },
        })
    };
    Row::new("positions_multi", json!({ "account": "DU7654321", "model_code": "Growth" }))
        .asks(frame!(74 { 1: ID, 2: "DU7654321", 3: "Growth" }))
        .answered([row("-100.5"), frame!(72 { 1: ID }), row("0")])
        .gives_events([position(-100.5), json!({ "end": {} }), position(0.0)])
        .cancelled_by(frame!(75 { 1: ID }))
        .at_simulator(json!({}))
}

fn pnl() -> Row {
    let profit = |daily: Value, unrealized: Value, realized: Value| json!({ "pnl": { "daily_pnl": daily, "unrealized_pnl": unrealized, "realized_pnl": realized } });
    Row::new("pnl", json!({ "account": "DU7654321", "model_code": "Growth" }))
        .asks(frame!(92 { 1: ID, 2: "DU7654321", 3: "Growth" }))
        .answered([
            frame!(94 { 1: ID, 2: -120.5, 3: 3_012.25, 4: 0.0 }),
            frame!(94 { 1: ID, 2: UNSET, 3: UNSET, 4: UNSET }),
        ])
        .gives_events([
            profit(json!(-120.5), json!(3_012.25), json!(0.0)),
            profit(Value::Null, Value::Null, Value::Null),
        ])
        .cancelled_by(frame!(93 { 1: ID }))
        .at_simulator(json!({ "account": "DU1" }))
}

fn pnl_single() -> Row {
    let none = json!({ "position": 0.0, "daily_pnl": null, "unrealized_pnl": null, "realized_pnl": null, "value": null });
    Row::new("pnl_single", json!({ "account": "DU7654321", "con_id": 8_314 }))
        .asks(frame!(94 { 1: ID, 2: "DU7654321", 4: 8_314 }))
        .answered([
            frame!(95 { 1: ID, 2: "-100.5", 3: -120.5, 4: 3_012.25, 5: 0.0, 6: -23_124.75 }),
            frame!(95 { 1: ID, 2: "0", 3: UNSET, 4: UNSET, 5: UNSET, 6: UNSET }),
        ])
        .gives_events([
            json!({
                "pnl": {
                    "position": -100.5, "daily_pnl": -120.5, "unrealized_pnl": 3_012.25, "realized_pnl": 0.0, "value": -23_124.75,
                },
            }),
            json!({ "pnl": none }),
        ])
        .cancelled_by(frame!(95 { 1: ID }))
        .at_simulator(json!({ "account": "DU1", "con_id": 8_314 }))
}

fn ibm_message() -> Message {
    message! { 1: 8_314, 2: "IBM", 3: "STK", 8: "NYSE", 10: "USD", 11: "IBM", 12: "IBM" }
}

fn ibm() -> Value {
    contract(json!({
        "con_id": 8_314, "symbol": "IBM", "sec_type": "STK", "exchange": "NYSE", "currency": "USD", "local_symbol": "IBM",
        "trading_class": "IBM",
    }))
}
