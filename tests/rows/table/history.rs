//! Bars and what else there is of the past.

use serde_json::{Value, json};

use super::{aapl, aapl_message};
use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "historical_bars",
            json!({
                "contract": aapl(), "end": "2026-07-09T20:00:00Z", "duration": "3600 S", "bar_size": "30 mins",
                "what_to_show": "TRADES", "use_rth": true,
            }),
        )
        .asks(frame!(20 {
            1: ID, 2: aapl_message(), 3: "20260709 20:00:00 UTC", 4: "30 mins", 5: "3600 S", 6: true, 7: "TRADES", 8: 2,
        }))
        .answered([frame!(17 { 1: ID, 2: bar_message("1783623600"), 2: bare_bar_message("1783625400") }), end()])
        .gives(json!({
            "start": "2026-07-09T19:00:00Z", "end": "2026-07-09T20:00:00Z",
            "bars": [bar("2026-07-09T19:00:00Z"), bare_bar("2026-07-09T19:30:00Z")],
        }))
        .cancelled_by(frame!(25 { 1: ID })),
        Row::new("historical_bars", json!({ "contract": aapl(), "end": "2026-07-09T20:00:00Z", "duration": "2 D", "bar_size": "1 day" }))
            .case("of days")
            .asks(frame!(20 {
                1: ID, 2: aapl_message(), 3: "20260709 20:00:00 UTC", 4: "1 day", 5: "2 D", 7: "TRADES", 8: 2,
            }))
            .answered([frame!(17 { 1: ID, 2: bar_message("20260709") }), end()])
            .gives(json!({ "start": "2026-07-09T19:00:00Z", "end": "2026-07-09T20:00:00Z", "bars": [bar("2026-07-09")] }))
            .cancelled_by(frame!(25 { 1: ID })),
        Row::new("historical_schedule", json!({ "contract": aapl(), "end": "2026-07-09T20:00:00Z", "duration": "1 D" }))
            .asks(frame!(20 {
                1: ID, 2: aapl_message(), 3: "20260709 20:00:00 UTC", 4: "1 day", 5: "1 D", 6: true, 7: "SCHEDULE", 8: 2,
            }))
            .answered([frame!(106 {
                1: ID, 2: "20260709-09:30:00", 3: "20260709-16:00:00", 4: "US/Eastern",
                5: { 1: "20260709-09:30:00", 2: "20260709-16:00:00", 3: "20260709" },
            })])
            .gives(json!({
                "start": "2026-07-09T13:30:00Z", "end": "2026-07-09T20:00:00Z", "time_zone": "US/Eastern",
                "sessions": [{ "reference_date": "2026-07-09", "start": "2026-07-09T13:30:00Z", "end": "2026-07-09T20:00:00Z" }],
            }))
            .cancelled_by(frame!(25 { 1: ID })),
        Row::new("head_timestamp", json!({ "contract": aapl(), "what_to_show": "MIDPOINT", "use_rth": false }))
            .asks(frame!(87 { 1: ID, 2: aapl_message(), 4: "MIDPOINT", 5: 2 }))
            .answered([frame!(88 { 1: ID, 2: "345479400" })])
            .gives(json!("1980-12-12T14:30:00Z"))
            .cancelled_by(frame!(90 { 1: ID })),
        Row::new("histogram", json!({ "contract": aapl(), "period": "1 week", "use_rth": true }))
            .asks(frame!(88 { 1: ID, 2: aapl_message(), 3: true, 4: "1 week" }))
            .answered([frame!(89 { 1: ID, 2: { 1: 230.25, 2: "1200" }, 2: { 1: 230.5, 2: "0.5" } })])
            .gives(json!([{ "price": 230.25, "size": 1200.0 }, { "price": 230.5, "size": 0.5 }]))
            .cancelled_by(frame!(89 { 1: ID })),
        Row::new("real_time_bars", json!({ "contract": aapl(), "what_to_show": "TRADES", "use_rth": true }))
            .asks(frame!(50 { 1: ID, 2: aapl_message(), 3: 0, 4: "TRADES", 5: true }))
            .answered([frame!(50 {
                1: ID, 2: 1_783_623_600, 3: 230.25, 4: 230.75, 5: 230.0, 6: 230.5, 7: "1200", 8: "230.375", 9: 8,
            })])
            .gives_events([json!({ "bar": bar("2026-07-09T19:00:00Z") })])
            .cancelled_by(frame!(51 { 1: ID })),
        Row::new("historical_bar_updates", json!({ "contract": aapl(), "duration": "3600 S", "bar_size": "30 mins" }))
            .asks(frame!(20 {
                1: ID, 2: aapl_message(), 4: "30 mins", 5: "3600 S", 7: "TRADES", 8: 2, 9: true,
            }))
            .answered([
                frame!(17 { 1: ID, 2: bar_message("1783623600") }),
                end(),
                frame!(90 { 1: ID, 2: bar_message("1783625400") }),
            ])
            .gives_events([
                json!({ "history": { "bars": [bar("2026-07-09T19:00:00Z")] } }),
                json!({ "end": { "start": "2026-07-09T19:00:00Z", "end": "2026-07-09T20:00:00Z" } }),
                json!({ "update": bar("2026-07-09T19:30:00Z") }),
            ])
            .cancelled_by(frame!(25 { 1: ID })),
    ]
}

fn end() -> crate::support::fake_gateway::wire::Frame {
    frame!(108 { 1: ID, 2: "20260709 15:00:00 US/Eastern", 3: "20260709-20:00:00" })
}

fn bar_message(date: &str) -> Message {
    message! { 1: date, 2: 230.25, 3: 230.75, 4: 230.0, 5: 230.5, 6: "1200", 7: "230.375", 8: 8 }
}

fn bar(time: &str) -> Value {
    json!({
        "time": time, "open": 230.25, "high": 230.75, "low": 230.0, "close": 230.5, "volume": 1200.0, "wap": 230.375, "count": 8,
    })
}

/// A bar of midpoints has nothing traded.
fn bare_bar_message(date: &str) -> Message {
    message! { 1: date, 2: 230.25, 3: 230.75, 4: 230.0, 5: 230.5, 6: "-1", 7: "-1", 8: -1 }
}

fn bare_bar(time: &str) -> Value {
    json!({
        "time": time, "open": 230.25, "high": 230.75, "low": 230.0, "close": 230.5, "volume": null, "wap": null, "count": null,
    })
}
