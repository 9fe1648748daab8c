//! Contracts.

use serde_json::json;

use super::contract;
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("contract_details", json!({ "symbol": "ES", "sec_type": "FUT", "last_trade_date_or_contract_month": "202612", "exchange": "CME" }))
            .asks(frame!(9 { 1: ID, 2: { 2: "ES", 3: "FUT", 4: "202612", 8: "CME" } }))
            .answered([
                frame!(10 {
                    1: ID,
                    2: { 1: 700_000_001, 2: "ES", 3: "FUT", 4: "20261218", 7: 50.0, 8: "CME", 10: "USD", 11: "ESZ6", 12: "ES" },
                    3: {
                        1: "ES", 2: "0.25", 3: "LMT,MKT", 4: "CME,QBALGO", 5: 1, 6: 11_004_968, 7: "E-mini S&P 500", 8: "202612",
                        12: "US/Central", 13: "20261123:1700-20261124:1600;20261126:CLOSED", 14: "20261124:0830-20261124:1500",
                        19: "ES", 20: "IND", 21: "67,67", 24: "1", 25: "1", 26: "1",
                    },
                }),
                frame!(52 { 1: ID }),
            ])
            .gives(json!([{
                "contract": contract(json!({
                    "con_id": 700_000_001, "symbol": "ES", "sec_type": "FUT", "last_trade_date_or_contract_month": "20261218",
                    "multiplier": "50", "exchange": "CME", "currency": "USD", "local_symbol": "ESZ6", "trading_class": "ES",
                })),
                "market_name": "ES", "min_tick": 0.25, "price_magnifier": 1, "order_types": ["LMT", "MKT"],
                "valid_exchanges": ["CME", "QBALGO"], "under_con_id": 11_004_968, "under_symbol": "ES", "under_sec_type": "IND",
                "long_name": "E-mini S&P 500", "contract_month": "202612", "industry": "", "category": "", "subcategory": "",
                "time_zone_id": "US/Central",
                "trading_hours": ["20261123:1700-20261124:1600", "20261126:CLOSED"], "liquid_hours": ["20261124:0830-20261124:1500"],
                "market_rule_ids": ["67", "67"], "stock_type": "", "min_size": 1.0, "size_increment": 1.0, "suggested_size_increment": 1.0,
                "last_trade_time": "", "settlement_method": "", "ev_rule": "", "ev_multiplier": null, "agg_group": null,
                "min_algo_size": null, "last_price_precision": null, "last_size_precision": null, "ineligibility_reasons": [],
            }]))
            .cancelled_by(frame!(106 { 1: ID }))
            .at_simulator(json!({ "symbol": "AAPL", "sec_type": "STK" })),
    ]
}
