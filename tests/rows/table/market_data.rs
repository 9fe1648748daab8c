//! Quotes.

use serde_json::json;

use super::{aapl, aapl_message};
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![streamed(), delayed(), snapshot(), quote(), smart_components()]
}

fn streamed() -> Row {
    Row::new("market_data", json!({ "contract": aapl(), "generic_ticks": ["233", "236"] }))
        .asks(frame!(1 { 1: ID, 2: aapl_message(), 3: "233,236" }))
        .answered([
            frame!(58 { 1: ID, 2: 1 }),
            frame!(81 { 1: ID, 2: "0.01", 3: "9c0001", 4: 3 }),
            frame!(1 { 1: ID, 2: 1, 3: 230.25, 4: "300", 5: 1 }),
            frame!(1 { 1: ID, 2: 2, 3: -1.0, 4: "0" }),
            frame!(2 { 1: ID, 2: 8, 3: "4200000" }),
            frame!(46 { 1: ID, 2: 45, 3: "1783623600" }),
            frame!(45 { 1: ID, 2: 49, 3: 0.0 }),
            frame!(21 { 1: ID, 2: 13, 3: 1, 4: 0.25, 5: 0.5, 6: 12.5, 7: 0.25, 8: 0.02, 9: 0.3, 10: -0.05, 11: 230.25 }),
        ])
        .gives_events([
            json!({ "market_data_type": { "market_data_type": 1 } }),
            json!({ "request_parameters": { "min_tick": 0.01, "bbo_exchange": "9c0001", "snapshot_permissions": 3, "last_price_precision": null, "last_size_precision": null } }),
            json!({ "price": {
                "tick_type": "bid", "price": 230.25, "size": 300.0,
                "attributes": { "can_auto_execute": true, "past_limit": false, "pre_open": false },
            } }),
            json!({ "price": { "tick_type": "ask", "price": null, "size": 0.0 } }),
            json!({ "size": { "tick_type": "volume", "size": 4_200_000.0 } }),
            json!({ "text": { "tick_type": "last_timestamp", "value": "1783623600" } }),
            json!({ "generic": { "tick_type": "halted", "value": 0.0 } }),
            json!({
                "option_computation": {
                    "tick_type": "model_option", "implied_volatility": 0.25, "tick_attrib": 1, "delta": 0.5, "option_price": 12.5,
                    "present_value_dividend": 0.25, "gamma": 0.02, "vega": 0.3, "theta": -0.05, "underlying_price": 230.25,
                },
            }),
        ])
        .cancelled_by(frame!(2 { 1: ID }))
}

fn delayed() -> Row {
    Row::new("market_data", json!({ "contract": aapl(), "market_data_type": 3 }))
        .case("delayed")
        .asks(frame!(59 { 1: 3 }))
        .asks(frame!(1 { 1: ID, 2: aapl_message() }))
        .answered([
            frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 10167, 4: "Displaying delayed market data." }),
            frame!(58 { 1: ID, 2: 3 }),
            frame!(1 { 1: ID, 2: 66, 3: 230.25, 4: "300" }),
        ])
        .gives_events([
            json!({ "notice": { "code": 10167, "message": "Displaying delayed market data." } }),
            json!({ "market_data_type": { "market_data_type": 3 } }),
            json!({ "price": { "tick_type": "delayed_bid", "price": 230.25, "size": 300.0 } }),
        ])
        .cancelled_by(frame!(2 { 1: ID }))
        // The kind of data is chosen once.
        .never_refused()
}

fn snapshot() -> Row {
    Row::new("market_data", json!({ "contract": aapl(), "snapshot": true }))
        .case("snapshot")
        .asks(frame!(1 { 1: ID, 2: aapl_message(), 4: true }))
        .answered([frame!(1 { 1: ID, 2: 4, 3: 230.25, 4: "100" }), frame!(57 { 1: ID })])
        .gives_events([
            json!({ "price": { "tick_type": "last", "price": 230.25, "size": 100.0 } }),
            json!({ "snapshot_end": {} }),
        ])
        .ends()
        .cancelled_by(frame!(2 { 1: ID }))
}

fn quote() -> Row {
    Row::new("quote_snapshot", json!({ "contract": aapl() }))
        .asks(frame!(1 { 1: ID, 2: aapl_message(), 4: true }))
        .answered([
            frame!(58 { 1: ID, 2: 1 }),
            frame!(81 { 1: ID, 2: "0.01", 3: "9c0001", 4: 3 }),
            frame!(1 { 1: ID, 2: 1, 3: 230.24, 4: "300" }),
            frame!(1 { 1: ID, 2: 2, 3: 230.26, 4: "200" }),
            frame!(1 { 1: ID, 2: 4, 3: 230.25, 4: "100" }),
            frame!(46 { 1: ID, 2: 45, 3: "1783623600" }),
            frame!(1 { 1: ID, 2: 6, 3: 231.0 }),
            frame!(1 { 1: ID, 2: 7, 3: 229.0 }),
            frame!(1 { 1: ID, 2: 9, 3: 228.5 }),
            frame!(1 { 1: ID, 2: 14, 3: 229.5 }),
            frame!(2 { 1: ID, 2: 8, 3: "4200000" }),
            frame!(45 { 1: ID, 2: 49, 3: 1.0 }),
            frame!(57 { 1: ID }),
        ])
        .gives(json!({
            "market_data_type": 1, "bid": 230.24, "bid_size": 300.0, "ask": 230.26, "ask_size": 200.0, "last": 230.25,
            "last_size": 100.0, "last_time": "2026-07-09T19:00:00Z", "open": 229.5, "high": 231.0, "low": 229.0, "close": 228.5,
            "volume": 4_200_000.0, "halted": true, "min_tick": 0.01, "bbo_exchange": "9c0001",
        }))
        .cancelled_by(frame!(2 { 1: ID }))
}

fn smart_components() -> Row {
    Row::new("smart_components", json!({ "bbo_exchange": "9c0001" }))
        .asks(frame!(83 { 1: ID, 2: "9c0001" }))
        .answered([frame!(82 { 1: ID, 2: { 1: 2, 2: "ARCA", 3: "P" }, 2: { 2: "AMEX", 3: "A" } })])
        .gives(json!([
            { "bit_number": 2, "exchange": "ARCA", "exchange_letter": "P" },
            { "bit_number": 0, "exchange": "AMEX", "exchange_letter": "A" },
        ]))
}
