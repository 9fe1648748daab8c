//! What the option model computes.

use serde_json::{Value, json};

use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![option_price(), implied_volatility()]
}

fn option_price() -> Row {
    Row::new("calculate_option_price", json!({ "contract": call(), "volatility": 0.25, "under_price": 231.5 }))
        .asks(frame!(55 { 1: ID, 2: call_message(), 3: 0.25, 4: 231.5 }))
        .answered([frame!(21 { 1: ID, 2: 53, 3: 1, 4: 0.25, 5: 0.5, 6: 12.5, 7: 0.25, 8: 0.02, 9: 0.3, 10: -0.05, 11: 231.5 })])
        .gives(json!({
            "tick_type": "cust_option_computation", "implied_volatility": 0.25, "tick_attrib": 1, "delta": 0.5, "option_price": 12.5,
            "present_value_dividend": 0.25, "gamma": 0.02, "vega": 0.3, "theta": -0.05, "underlying_price": 231.5,
        }))
        .cancelled_by(frame!(57 { 1: ID }))
}

/// TWS says -1 and -2 for what it did not compute.
fn implied_volatility() -> Row {
    Row::new("calculate_implied_volatility", json!({ "contract": call(), "option_price": 12.5, "under_price": 231.5 }))
        .asks(frame!(54 { 1: ID, 2: call_message(), 3: 12.5, 4: 231.5 }))
        .answered([frame!(21 { 1: ID, 2: 53, 3: 1, 4: 0.25, 5: -2.0, 6: 12.5, 7: -1.0, 8: -2.0, 9: -2.0, 10: -2.0, 11: 231.5 })])
        .gives(json!({
            "tick_type": "cust_option_computation", "implied_volatility": 0.25, "tick_attrib": 1, "delta": null, "option_price": 12.5,
            "present_value_dividend": null, "gamma": null, "vega": null, "theta": null, "underlying_price": 231.5,
        }))
        .cancelled_by(frame!(56 { 1: ID }))
}

/// An option as a parameter.
fn call() -> Value {
    json!({
        "symbol": "AAPL", "sec_type": "OPT", "last_trade_date_or_contract_month": "20271217", "strike": 230.0, "right": "C",
        "multiplier": "100", "exchange": "SMART", "currency": "USD",
    })
}

/// The same on the wire.
fn call_message() -> Message {
    message! { 2: "AAPL", 3: "OPT", 4: "20271217", 5: 230.0, 6: "C", 7: 100.0, 8: "SMART", 10: "USD" }
}
