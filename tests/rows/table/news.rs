//! News, the scanner and Wall Street Horizon.

use serde_json::json;

use super::{aapl, aapl_message, contract};
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = news();
    rows.extend(calendar());
    rows.extend(streams());
    rows
}

fn news() -> Vec<Row> {
    let past = json!({
        "con_id": 265_598, "provider_codes": ["BRFG", "DJNL"], "start": "2026-07-08T19:00:00Z", "end": "2026-07-09T19:00:00Z",
        "total_results": 1,
    });
    let past_asked = frame!(86 {
        1: ID, 2: 265_598, 3: "BRFG+DJNL", 4: "20260708 19:00:00 UTC", 5: "20260709 19:00:00 UTC", 6: 2,
    });
    let headline = |time: &str| frame!(86 { 1: ID, 2: time, 3: "BRFG", 4: "BRFG$1", 5: "Up" });
    let newest = json!({
        "time": "2026-07-09T18:59:02Z", "provider_code": "BRFG", "article_id": "BRFG$1", "headline": "Up", "extra_data": null,
    });
    vec![
        Row::new("news_providers", json!({}))
            .asks(frame!(85 {}))
            .answered([frame!(85 { 1: { 1: "BRFG", 2: "Briefing.com" }, 1: { 1: "DJNL", 2: "Dow Jones" } })])
            .gives(
                json!([{ "code": "BRFG", "name": "Briefing.com" }, { "code": "DJNL", "name": "Dow Jones" }]),
            )
            .never_refused(),
        Row::new("news_article", json!({ "provider_code": "BRFG", "article_id": "BRFG$1" }))
            .asks(frame!(84 { 1: ID, 2: "BRFG", 3: "BRFG$1" }))
            .answered([frame!(83 { 1: ID, 2: 1, 3: "JVBERi0xLjQK" })])
            .gives(json!({ "article_type": "BINARY", "article_text": "JVBERi0xLjQK" }))
            .at_simulator(json!({ "provider_code": "BRFUPDN", "article_id": "BRFUPDN$00040d7e01c59e02" })),
        Row::new("historical_news", past.clone())
            .asks(past_asked.clone())
            .answered([headline("2026-07-09 18:59:02.0"), frame!(87 { 1: ID })])
            .gives(json!({ "headlines": [newest], "has_more": false })),
        Row::new("historical_news", past)
            .case("more")
            .asks(past_asked)
            .answered([
                headline("2026-07-09 18:59:02.0"),
                headline("2026-07-09 18:59:01.0"),
                frame!(87 { 1: ID, 2: true }),
            ])
            .gives(json!({ "headlines": [newest], "has_more": true })),
    ]
}

fn calendar() -> Vec<Row> {
    vec![
        Row::new("scanner_parameters", json!({}))
            .asks(frame!(24 {}))
            .answered([frame!(19 { 1: "<ScanParameterResponse/>" })])
            .gives(json!("<ScanParameterResponse/>"))
            .never_refused(),
        Row::new("wsh_metadata", json!({}))
            .asks(frame!(100 { 1: ID }))
            .answered([frame!(104 { 1: ID, 2: "{\"validated\":true}" })])
            .gives(json!("{\"validated\":true}"))
            .cancelled_by(frame!(101 { 1: ID })),
        Row::new("wsh_events", json!({
            "con_id": 265_598, "start_date": "2026-07-01", "end_date": "2026-09-30", "total_limit": 9, "fill_portfolio": true,
        }))
        .asks(frame!(102 { 1: ID, 2: 265_598, 4: false, 5: true, 6: false, 7: "20260701", 8: "20260930", 9: 9 }))
        .answered([frame!(105 { 1: ID, 2: "[]" })])
        .gives(json!("[]"))
        .cancelled_by(frame!(103 { 1: ID })),
        Row::new("wsh_events", json!({ "filter": "{\"watchlist\":[\"265598\"],\"wshe_ed\":\"true\"}", "total_limit": 9 }))
            .case("filter")
            .asks(frame!(102 { 1: ID, 3: "{\"watchlist\":[\"265598\"],\"wshe_ed\":\"true\"}", 9: 9 }))
            .answered([frame!(105 { 1: ID, 2: "[]" })])
            .gives(json!("[]"))
            .afterwards(frame!(103 { 1: ID }))
            .cancelled_by(frame!(103 { 1: ID })),
    ]
}

fn streams() -> Vec<Row> {
    let headline = frame!(84 {
        1: ID, 2: 1_783_623_542_000_i64, 3: "BRFG", 4: "BRFG$1", 5: "{A:265598:L:en}Up", 6: "K:1.0",
    });
    let told = json!({ "headline": {
        "time": "2026-07-09T18:59:02Z", "provider_code": "BRFG", "article_id": "BRFG$1", "headline": "{A:265598:L:en}Up",
        "extra_data": "K:1.0",
    } });
    vec![
        Row::new("contract_news", json!({ "contract": aapl(), "provider_codes": ["BRFG", "DJNL"] }))
            .asks(frame!(1 { 1: ID, 2: aapl_message(), 3: "mdoff,292:BRFG,292:DJNL" }))
            .answered([headline.clone()])
            .gives_events([told.clone()])
            .cancelled_by(frame!(2 { 1: ID })),
        Row::new("broad_tape_news", json!({ "provider_code": "BRFG" }))
            .asks(frame!(1 { 1: ID, 2: { 2: "BRFG:BRFG_ALL", 3: "NEWS", 8: "BRFG", 10: "USD" }, 3: "mdoff,292" }))
            .answered([headline])
            .gives_events([told])
            .cancelled_by(frame!(2 { 1: ID })),
        Row::new("scanner", json!({
            "number_of_rows": 2, "instrument": "STK", "location_code": "STK.US.MAJOR", "scan_code": "TOP_PERC_GAIN", "above_price": 5.5,
            "filter_options": { "changePercAbove": "1" },
        }))
        .asks(frame!(22 { 1: ID, 2: {
            1: 2, 2: "STK", 3: "STK.US.MAJOR", 4: "TOP_PERC_GAIN", 5: 5.5, 22: { 1: "changePercAbove", 2: "1" },
        } }))
        .answered([frame!(20 {
            1: ID,
            2: { 1: 1, 2: { 1: 8_314, 2: "IBM", 3: "STK", 8: "SMART", 10: "USD" }, 3: "IBM" },
            2: { 1: 0, 2: { 1: 265_598, 2: "AAPL", 3: "STK", 8: "SMART", 10: "USD" }, 3: "NMS" },
        })])
        .gives_events([json!({ "rows": [
            {
                "rank": 0, "market_name": "NMS", "distance": null, "benchmark": null, "projection": null, "legs": null,
                "contract": contract(json!({
                    "con_id": 265_598, "symbol": "AAPL", "sec_type": "STK", "exchange": "SMART", "currency": "USD",
                })),
            },
            {
                "rank": 1, "market_name": "IBM", "distance": null, "benchmark": null, "projection": null, "legs": null,
                "contract": contract(json!({
                    "con_id": 8_314, "symbol": "IBM", "sec_type": "STK", "exchange": "SMART", "currency": "USD",
                })),
            },
        ] })])
        .events_at_simulator(2)
        .cancelled_by(frame!(23 { 1: ID })),
        Row::new("news_bulletins", json!({}))
            .asks(frame!(12 { 1: true }))
            .answered([
                frame!(14 { 1: 7, 2: 2, 3: "ISLAND is not available", 4: "ISLAND" }),
                frame!(14 { 1: 8, 2: 1, 3: "All is well" }),
            ])
            .gives_events([
                json!({ "message_id": 7, "message_type": 2, "message": "ISLAND is not available", "exchange": "ISLAND" }),
                json!({ "message_id": 8, "message_type": 1, "message": "All is well", "exchange": "" }),
            ])
            .cancelled_by(frame!(13 {}))
            .never_refused(),
    ]
}
