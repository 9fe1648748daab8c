//! Accounts and what they hold.

use serde_json::json;

use super::contract;
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("managed_accounts", json!({}))
            .asks(frame!(17 {}))
            .answered([frame!(15 { 1: "DU7654321,DU7654322," })])
            .gives(json!(["DU7654321", "DU7654322"]))
            .never_refused(),
        Row::new("family_codes", json!({}))
            .asks(frame!(80 {}))
            .answered([frame!(78 { 1: { 1: "DU7654321", 2: "F7654" }, 1: { 1: "*" } })])
            .gives(json!([
                { "account": "DU7654321", "family_code": "F7654" },
                { "account": "*", "family_code": null },
            ]))
            .never_refused(),
        Row::new("account_summary", json!({ "group": "All", "tags": ["NetLiquidation", "AccountType"] }))
            .asks(frame!(62 { 1: ID, 2: "All", 3: "NetLiquidation,AccountType" }))
            .answered([
                frame!(63 { 1: ID, 2: "DU7654321", 3: "$LEDGER-NetLiquidation", 4: "1000000.50", 5: "USD" }),
                frame!(63 { 1: ID, 2: "DU7654322", 3: "AccountType", 4: "INDIVIDUAL" }),
                frame!(64 { 1: ID }),
            ])
            .gives(json!([
                { "account": "DU7654321", "tag": "NetLiquidation", "value": "1000000.50", "currency": "USD" },
                { "account": "DU7654322", "tag": "AccountType", "value": "INDIVIDUAL", "currency": null },
            ]))
            .afterwards(frame!(63 { 1: ID }))
            .cancelled_by(frame!(63 { 1: ID })),
        Row::new("positions", json!({}))
            .asks(frame!(61 {}))
            .answered([
                frame!(61 {
                    1: "DU7654321",
                    2: { 1: 265_598, 2: "AAPL", 3: "STK", 8: "NASDAQ", 10: "USD", 11: "AAPL", 12: "NMS" },
                    3: "-100.5",
                    4: 228.125,
                }),
                frame!(61 {
                    1: "DU7654322",
                    2: { 1: 700_000_001, 2: "ES", 3: "FUT", 4: "20261218", 7: 50.0, 10: "USD", 11: "ESZ6", 12: "ES" },
                    3: "2",
                    4: 287_500.0,
                }),
                frame!(62 {}),
            ])
            .gives(json!([
                {
                    "account": "DU7654321",
                    "contract": contract(json!({
                        "con_id": 265_598, "symbol": "AAPL", "sec_type": "STK", "exchange": "NASDAQ", "currency": "USD",
                        "local_symbol": "AAPL", "trading_class": "NMS",
                    })),
                    "position": -100.5,
                    "average_cost": 228.125,
                },
                {
                    "account": "DU7654322",
                    "contract": contract(json!({
                        "con_id": 700_000_001, "symbol": "ES", "sec_type": "FUT", "last_trade_date_or_contract_month": "20261218",
                        "multiplier": "50", "currency": "USD", "local_symbol": "ESZ6", "trading_class": "ES",
                    })),
                    "position": 2.0,
                    "average_cost": 287_500.0,
                },
            ]))
            .afterwards(frame!(64 {}))
            .read_to_its_end()
            .never_refused(),
    ]
}
