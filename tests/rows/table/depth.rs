//! Order books.

use serde_json::json;

use super::{aapl, aapl_message};
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("depth_exchanges", json!({}))
            .asks(frame!(82 {}))
            .answered([frame!(80 {
                1: { 1: "ISLAND", 2: "STK", 3: "NASDAQ", 4: "Deep2", 5: 1 },
                1: { 1: "CME", 2: "FUT", 4: "Deep", 5: 2_147_483_647 },
            })])
            .gives(json!([
                { "exchange": "ISLAND", "sec_type": "STK", "listing_exchange": "NASDAQ", "service_data_type": "Deep2", "agg_group": "1" },
                { "exchange": "CME", "sec_type": "FUT", "listing_exchange": "", "service_data_type": "Deep", "agg_group": null },
            ]))
            .never_refused(),
        Row::new("market_depth", json!({ "contract": aapl(), "number_of_rows": 5, "is_smart_depth": true }))
            .asks(frame!(10 { 1: ID, 2: aapl_message(), 3: 5, 4: true }))
            .answered([
                frame!(13 { 1: ID, 2: { 3: 1, 4: 230.24, 5: "300", 6: "NASDAQ", 7: true } }),
                frame!(13 { 1: ID, 2: { 1: 1, 2: 1, 4: 230.26, 5: "200", 6: "ARCA", 7: true } }),
                frame!(13 { 1: ID, 2: { 1: 4, 2: 2, 3: 1, 6: "NASDAQ", 7: true } }),
                frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 2152, 4: "Exchanges - Depth: ISLAND; Top: IEX; " }),
                frame!(4 { 1: ID, 2: 1_787_000_000_123_i64, 3: 317, 4: "Market depth data has been RESET." }),
            ])
            .gives_events([
                json!({
                    "row": {
                        "side": "bid", "position": 0, "operation": "insert", "price": 230.24, "size": 300.0, "market_maker": "NASDAQ",
                        "is_smart_depth": true,
                    },
                }),
                json!({
                    "row": {
                        "side": "ask", "position": 1, "operation": "update", "price": 230.26, "size": 200.0, "market_maker": "ARCA",
                        "is_smart_depth": true,
                    },
                }),
                json!({
                    "row": {
                        "side": "bid", "position": 4, "operation": "delete", "price": null, "size": null, "market_maker": "NASDAQ",
                        "is_smart_depth": true,
                    },
                }),
                json!({ "notice": { "code": 2152, "message": "Exchanges - Depth: ISLAND; Top: IEX; " } }),
                json!({ "reset": {} }),
            ])
            .cancelled_by(frame!(11 { 1: ID, 2: true })),
    ]
}
