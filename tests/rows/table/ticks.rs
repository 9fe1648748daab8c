//! Single ticks, past and present.

use serde_json::{Value, json};

use super::{aapl, aapl_message};
use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = historical();
    rows.extend(live());
    rows
}

fn historical() -> Vec<Row> {
    let params = |kind: &str| json!({ "contract": aapl(), "what_to_show": kind, "end": "2026-07-09T19:00:00Z", "number_of_ticks": 2, "use_rth": true });
    let asks = |kind: &str| frame!(96 { 1: ID, 2: aapl_message(), 4: "20260709 19:00:00 UTC", 5: 2, 6: kind, 7: true });
    vec![
        Row::new("historical_ticks", params("TRADES"))
            .asks(asks("TRADES"))
            .answered([frame!(98 { 1: ID, 2: trade_message(true), 2: trade_message(false), 3: true })])
            .gives(json!({ "trades": [trade(true), trade(false)] }))
            .cancelled_by(frame!(107 { 1: ID })),
        Row::new("historical_ticks", params("BID_ASK"))
            .case("bid and ask")
            .asks(asks("BID_ASK"))
            .answered([frame!(97 { 1: ID, 2: bid_ask_message(), 3: true })])
            .gives(json!({ "bid_ask": [bid_ask()] }))
            .cancelled_by(frame!(107 { 1: ID })),
        Row::new("historical_ticks", params("MIDPOINT"))
            .case("midpoints in two parts")
            .asks(asks("MIDPOINT"))
            .answered([
                frame!(96 { 1: ID, 2: { 1: 1_783_623_600, 2: 230.25, 3: "0" } }),
                frame!(96 { 1: ID, 2: { 1: 1_783_623_601, 2: 230.5, 3: "0" }, 3: true }),
            ])
            .gives(json!({
                "midpoint": [
                    { "time": "2026-07-09T19:00:00Z", "price": 230.25 },
                    { "time": "2026-07-09T19:00:01Z", "price": 230.5 },
                ],
            }))
            .cancelled_by(frame!(107 { 1: ID })),
    ]
}

fn live() -> Vec<Row> {
    let params = |kind: &str| json!({ "contract": aapl(), "tick_type": kind });
    let asks = |kind: &str| frame!(97 { 1: ID, 2: aapl_message(), 3: kind, 4: 0 });
    vec![
        Row::new("tick_by_tick", params("LAST"))
            .asks(asks("Last"))
            .answered([frame!(99 { 1: ID, 2: 1, 3: trade_message(true) })])
            .gives_events([json!({ "trade": trade(true) })])
            .cancelled_by(frame!(98 { 1: ID })),
        Row::new("tick_by_tick", params("ALL_LAST"))
            .case("all last")
            .asks(asks("AllLast"))
            .answered([frame!(99 { 1: ID, 2: 2, 3: trade_message(false) })])
            .gives_events([json!({ "trade": trade(false) })])
            .cancelled_by(frame!(98 { 1: ID })),
        Row::new("tick_by_tick", params("BID_ASK"))
            .case("bid and ask")
            .asks(asks("BidAsk"))
            .answered([frame!(99 { 1: ID, 2: 3, 4: bid_ask_message() })])
            .gives_events([json!({ "bid_ask": bid_ask() })])
            .cancelled_by(frame!(98 { 1: ID })),
        Row::new("tick_by_tick", params("MIDPOINT"))
            .case("midpoints")
            .asks(asks("MidPoint"))
            .answered([frame!(99 { 1: ID, 2: 4, 5: { 1: 1_783_623_600, 2: 230.25, 3: "0" } })])
            .gives_events([json!({ "midpoint": { "time": "2026-07-09T19:00:00Z", "price": 230.25 } })])
            .cancelled_by(frame!(98 { 1: ID })),
    ]
}

fn trade_message(regular: bool) -> Message {
    if regular {
        message! { 1: 1_783_623_600, 3: 230.25, 4: "100", 5: "NASDAQ" }
    } else {
        message! { 1: 1_783_623_600, 2: { 1: true, 2: true }, 3: 230.25, 4: "3", 5: "NASDAQ", 6: " I" }
    }
}

fn trade(regular: bool) -> Value {
    json!({
        "time": "2026-07-09T19:00:00Z", "price": 230.25, "size": if regular { 100.0 } else { 3.0 }, "exchange": "NASDAQ",
        "special_conditions": if regular { "" } else { " I" }, "past_limit": !regular, "unreported": !regular,
    })
}

fn bid_ask_message() -> Message {
    message! { 1: 1_783_623_600, 2: { 2: true }, 3: 230.24, 4: 230.26, 5: "300", 6: "200" }
}

fn bid_ask() -> Value {
    json!({
        "time": "2026-07-09T19:00:00Z", "bid_price": 230.24, "ask_price": 230.26, "bid_size": 300.0, "ask_size": 200.0,
        "bid_past_low": false, "ask_past_high": true,
    })
}
