//! What there is to trade: symbols, price steps, option chains, and combinations.

use serde_json::{Value, json};

use super::contract;
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![matching_symbols(), market_rule(), option_chain(), options_on_a_future(), bond(), combination()]
}

fn matching_symbols() -> Row {
    Row::new("matching_symbols", json!({ "pattern": "IBM" }))
        .asks(frame!(81 { 1: ID, 2: "IBM" }))
        .answered([frame!(79 {
            1: ID,
            2: { 1: { 1: 8314, 2: "IBM", 3: "STK", 9: "NYSE", 10: "USD", 15: "INTL BUSINESS MACHINES CORP" }, 2: "CFD", 2: "OPT" },
            2: { 1: { 1: 272_090, 2: "IBM", 3: "STK", 9: "MEXI", 10: "MXN" } },
        })])
        .gives(json!([
            {
                "contract": described(json!({
                    "con_id": 8314, "symbol": "IBM", "sec_type": "STK", "primary_exchange": "NYSE", "currency": "USD",
                }), "INTL BUSINESS MACHINES CORP"),
                "derivative_sec_types": ["CFD", "OPT"],
            },
            {
                "contract": contract(json!({
                    "con_id": 272_090, "symbol": "IBM", "sec_type": "STK", "primary_exchange": "MEXI", "currency": "MXN",
                })),
                "derivative_sec_types": [],
            },
        ]))
}

fn market_rule() -> Row {
    Row::new("market_rule", json!({ "market_rule_id": 110 }))
        .asks(frame!(91 { 1: 110 }))
        .answered([frame!(93 { 1: 110, 2: { 1: 0.0, 2: 0.01 }, 2: { 1: 3.0, 2: 0.05 } })])
        .gives(json!({
            "market_rule_id": 110,
            "price_increments": [{ "low_edge": 0.0, "increment": 0.01 }, { "low_edge": 3.0, "increment": 0.05 }],
        }))
        .never_refused()
}

fn option_chain() -> Row {
    Row::new("option_chain", json!({ "underlying_symbol": "SPX", "underlying_sec_type": "IND", "underlying_con_id": 416_904 }))
        .asks(frame!(78 { 1: ID, 2: "SPX", 4: "IND", 5: 416_904 }))
        .answered([
            frame!(75 { 1: ID, 2: "SMART", 3: 416_904, 4: "SPX", 5: "100", 6: "20261218", 6: "20270115", 7: [5900.0, 6000.0] }),
            frame!(75 { 1: ID, 2: "CBOE", 3: 416_904, 4: "SPXW", 5: "100", 6: "20261130", 7: [6000.0] }),
            frame!(76 { 1: ID }),
        ])
        .gives(json!([
            {
                "exchange": "SMART", "underlying_con_id": 416_904, "trading_class": "SPX", "multiplier": "100",
                "expirations": ["2026-12-18", "2027-01-15"], "strikes": [5900.0, 6000.0],
            },
            {
                "exchange": "CBOE", "underlying_con_id": 416_904, "trading_class": "SPXW", "multiplier": "100",
                "expirations": ["2026-11-30"], "strikes": [6000.0],
            },
        ]))
}

fn options_on_a_future() -> Row {
    let params = json!({
        "underlying_symbol": "ES", "fut_fop_exchange": "CME", "underlying_sec_type": "FUT", "underlying_con_id": 700_000_001,
    });
    Row::new("option_chain", params)
        .case("of a future")
        .asks(frame!(78 { 1: ID, 2: "ES", 3: "CME", 4: "FUT", 5: 700_000_001 }))
        .answered([frame!(75 { 1: ID, 2: "CME", 3: 700_000_001, 4: "ES", 5: "50", 6: "20261218", 7: [6000.0] }), frame!(76 { 1: ID })])
        .gives(json!([{
            "exchange": "CME", "underlying_con_id": 700_000_001, "trading_class": "ES", "multiplier": "50",
            "expirations": ["2026-12-18"], "strikes": [6000.0],
        }]))
        .at_simulator(json!({ "underlying_symbol": "AAPL", "underlying_sec_type": "STK", "underlying_con_id": 265_598 }))
}

/// Its details are a message of their own.
fn bond() -> Row {
    let wanted = json!({
        "symbol": "912810RN0", "sec_type": "BOND", "exchange": "SMART", "currency": "USD", "sec_id_type": "CUSIP", "sec_id": "912810RN0",
    });
    Row::new("contract_details", wanted)
        .case("of a bond")
        .asks(frame!(9 { 1: ID, 2: { 2: "912810RN0", 3: "BOND", 8: "SMART", 10: "USD", 13: "CUSIP", 14: "912810RN0" } }))
        .answered([
            frame!(18 {
                1: ID,
                2: { 1: 199_312_345, 2: "US-T", 3: "BOND", 4: "20450815", 8: "SMART", 10: "USD", 16: "e1400715" },
                3: {
                    1: "US-T", 2: "0.015625", 4: "SMART", 5: 1, 17: { 1: "ISIN", 2: "US912810RN00" }, 21: "557",
                    44: "912810RN0", 45: "20150815", 46: "AAA", 47: "GOVT", 48: 2.875, 49: "FIXED", 53: "T 2 7/8 08/15/45",
                },
            }),
            frame!(52 { 1: ID }),
        ])
        .gives(json!([{
            "contract": issued(json!({
                "con_id": 199_312_345, "symbol": "US-T", "sec_type": "BOND", "last_trade_date_or_contract_month": "20450815",
                "exchange": "SMART", "currency": "USD",
            }), "e1400715"),
            "market_name": "US-T", "min_tick": 0.015625, "price_magnifier": 1, "order_types": [], "valid_exchanges": ["SMART"],
            "under_con_id": 0, "under_symbol": "", "under_sec_type": "", "long_name": "", "contract_month": "", "industry": "",
            "category": "", "subcategory": "", "time_zone_id": "", "trading_hours": [], "liquid_hours": [], "market_rule_ids": ["557"],
            "stock_type": "", "min_size": null, "size_increment": null, "suggested_size_increment": null,
            "last_trade_time": "", "settlement_method": "", "ev_rule": "", "ev_multiplier": null, "agg_group": null, "min_algo_size": null,
            "last_price_precision": null, "last_size_precision": null, "ineligibility_reasons": [],
            "sec_id_list": { "ISIN": "US912810RN00" },
            "bond": {
                "cusip": "912810RN0", "bond_type": "GOVT", "coupon": 2.875, "coupon_type": "FIXED", "maturity": "20450815",
                "issue_date": "20150815", "ratings": "AAA", "desc_append": "T 2 7/8 08/15/45", "callable": false, "putable": false,
                "convertible": false, "next_option_date": "", "next_option_type": "", "next_option_partial": false, "notes": "",
            },
        }]))
        .cancelled_by(frame!(106 { 1: ID }))
}

/// The legs go with the contract wherever it goes.
fn combination() -> Row {
    let spread = json!({
        "symbol": "AAPL", "sec_type": "BAG", "exchange": "SMART", "currency": "USD",
        "combo_legs": [
            { "con_id": 265_598, "ratio": 1, "action": "BUY", "exchange": "SMART" },
            { "con_id": 272_093, "ratio": 2, "action": "SELL", "exchange": "SMART", "open_close": 1 },
        ],
    });
    Row::new("market_data", json!({ "contract": spread }))
        .case("of a combination")
        .asks(frame!(1 {
            1: ID,
            2: {
                2: "AAPL", 3: "BAG", 8: "SMART", 10: "USD",
                20: { 1: 265_598, 2: 1, 3: "BUY", 4: "SMART" }, 20: { 1: 272_093, 2: 2, 3: "SELL", 4: "SMART", 5: 1 },
            },
        }))
        .answered([frame!(1 { 1: ID, 2: 1, 3: -1.0, 4: "3" })])
        .gives_events([json!({ "price": { "tick_type": "bid", "price": -1.0, "size": 3.0 } })])
        .cancelled_by(frame!(2 { 1: ID }))
}

/// A contract in an answer, with the description that only some have.
fn described(known: Value, description: &str) -> Value {
    let mut contract = contract(known);
    contract["description"] = description.into();
    contract
}

/// A contract in an answer, with the issuer that only some have.
fn issued(known: Value, issuer: &str) -> Value {
    let mut contract = contract(known);
    contract["issuer_id"] = issuer.into();
    contract
}
