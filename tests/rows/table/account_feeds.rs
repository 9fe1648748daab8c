//! Positions and account updates, whose messages name no request.

use serde_json::{Value, json};

use super::contract;
use crate::row::Row;
use crate::support::fake_gateway::message::{Message, message};
use crate::support::fake_gateway::wire::{Frame, frame};

pub(super) fn rows() -> Vec<Row> {
    vec![position_updates(), account_updates_snapshot(), account_updates()]
}

fn position_updates() -> Row {
    let row = |size: &'static str| frame!(61 { 1: "DU7654322", 2: es_message(), 3: size, 4: 287_500.0 });
    let position = |size: f64| {
        json!({
            "position": { "account": "DU7654322", "contract": es(), "position": size, "average_cost": 287_500.0 },
        })
    };
    Row::new("position_updates", json!({}))
        .asks(frame!(61 {}))
        .answered([row("-2.5"), frame!(62 {}), row("0")])
        .gives_events([position(-2.5), json!({ "end": {} }), position(0.0)])
        .cancelled_by(frame!(64 {}))
        .never_refused()
}

fn account_updates_snapshot() -> Row {
    let [cash, held, time, end] = answers();
    Row::new("account_updates_snapshot", json!({ "account": "DU7654322" }))
        .asks(frame!(6 { 1: true, 2: "DU7654322" }))
        .answered([cash, another(), held, time, end])
        .gives(json!({
            "values": [value("-51234.56", Some("BASE"))],
            "portfolio": [portfolio(-2.5)],
            "time": "15:04",
        }))
        .afterwards(frame!(6 { 1: false }))
        .read_to_its_end()
        .never_refused()
        .at_simulator(json!({ "account": "DU2" }))
}

fn account_updates() -> Row {
    let [cash, held, time, end] = answers();
    Row::new("account_updates", json!({ "account": "DU7654322" }))
        .asks(frame!(6 { 1: true, 2: "DU7654322" }))
        .answered([
            cash,
            another(),
            held,
            time,
            end,
            frame!(6 { 1: "CashBalance", 2: "0", 4: "DU7654322" }),
            frame!(7 { 1: es_message(), 2: "0", 3: 5_750.0, 5: 287_500.0, 8: "DU7654322" }),
        ])
        .gives_events([
            json!({ "value": value("-51234.56", Some("BASE")) }),
            json!({ "portfolio": portfolio(-2.5) }),
            json!({ "time": { "time": "15:04" } }),
            json!({ "end": {} }),
            json!({ "value": value("0", None) }),
            json!({ "portfolio": closed() }),
        ])
        .cancelled_by(frame!(6 { 1: false }))
        .never_refused()
        .at_simulator(json!({ "account": "DU1" }))
        .events_at_simulator(40)
}

fn answers() -> [Frame; 4] {
    [
        frame!(6 { 1: "$LEDGER-CashBalance", 2: "-51234.56", 3: "BASE", 4: "DU7654322" }),
        frame!(7 {
            1: es_message(), 2: "-2.5", 3: 5_750.25, 4: -718_781.25, 5: 287_500.0, 6: -31.25, 7: f64::MAX, 8: "DU7654322",
        }),
        frame!(8 { 1: "15:04" }),
        frame!(54 { 1: "DU7654322" }),
    ]
}

/// A row that came too late for whoever was asked about this account.
fn another() -> Frame {
    frame!(6 { 1: "CashBalance", 2: "99.99", 3: "BASE", 4: "DU7654321" })
}

fn value(value: &str, currency: Option<&str>) -> Value {
    json!({ "account": "DU7654322", "key": "CashBalance", "value": value, "currency": currency })
}

fn portfolio(size: f64) -> Value {
    json!({
        "account": "DU7654322", "contract": es(), "position": size, "market_price": 5_750.25, "market_value": -718_781.25,
        "average_cost": 287_500.0, "unrealized_pnl": -31.25, "realized_pnl": null,
    })
}

fn closed() -> Value {
    json!({
        "account": "DU7654322", "contract": es(), "position": 0.0, "market_price": 5_750.0, "market_value": null,
        "average_cost": 287_500.0, "unrealized_pnl": null, "realized_pnl": null,
    })
}

fn es_message() -> Message {
    message! { 1: 700_000_001, 2: "ES", 3: "FUT", 4: "20261218", 7: 50.0, 10: "USD", 11: "ESZ6", 12: "ES" }
}

fn es() -> Value {
    contract(json!({
        "con_id": 700_000_001, "symbol": "ES", "sec_type": "FUT", "last_trade_date_or_contract_month": "20261218",
        "multiplier": "50", "currency": "USD", "local_symbol": "ESZ6", "trading_class": "ES",
    }))
}
