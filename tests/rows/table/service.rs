//! The Gateway itself.

use serde_json::json;

use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("proof_of_life", json!({}))
            .asks(frame!(17 {}))
            .answered([frame!(15 { 1: "DU7654321,DU7654322," })])
            .gives(json!("managed_accounts"))
            .never_refused(),
        Row::new("server_time", json!({}))
            .asks(frame!(49 {}))
            .answered([frame!(49 { 1: 1_787_000_000 })])
            .gives(json!("2026-08-17T20:53:20Z"))
            .never_refused()
            .asked_seldom()
            .tells_the_time(),
        Row::new("server_time_millis", json!({}))
            .asks(frame!(105 {}))
            .answered([frame!(109 { 1: 1_787_000_000_123_i64 })])
            .gives(json!("2026-08-17T20:53:20.123Z"))
            .never_refused()
            .asked_seldom()
            .tells_the_time(),
        Row::new("user_info", json!({}))
            .asks(frame!(104 { 1: ID }))
            .answered([frame!(107 { 1: ID, 2: "BROKER" })])
            .gives(json!({ "white_branding_id": "BROKER" })),
        Row::new("notices", json!({}))
            .answered([frame!(4 { 1: -1, 2: 1_787_000_000_250_i64, 3: 1102, 4: "Connectivity has been restored" })])
            .gives_events([
                json!({ "code": 2104, "message": "Market data farm connection is OK:usfarm", "time": "2026-08-17T20:53:20.123Z" }),
                json!({ "code": 2104, "message": "Market data farm connection is OK:usfarm", "time": "2026-08-17T20:53:20.123Z" }),
                json!({ "code": 1102, "message": "Connectivity has been restored", "time": "2026-08-17T20:53:20.25Z" }),
            ])
            .events_at_simulator(3)
            .never_refused()
            .tells_the_time(),
    ]
}
