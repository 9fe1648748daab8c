//! What TWS gives none of, or gives oddly, is null, and costs nothing else.

use serde_json::{Value, json};

use super::{aapl, aapl_message, contract};
use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::{Frame, frame};

pub(super) fn rows() -> Vec<Row> {
    vec![
        prices_that_are_none(),
        prices_of_a_combination(),
        a_quote_of_nothing(),
        quotes_without_sides(),
        ticks_without_a_time(),
        book_without_prices(),
        a_bar_without_prices(),
        head_of_nothing(),
        headlines_without_a_time(),
        days_of_a_chain(),
        a_bill(),
        order_that_says_little(),
    ]
}

/// A price with the size that comes with it, if one does.
fn price_frame(kind: i32, price: f64, size: Option<&str>) -> Frame {
    match size {
        Some(size) => frame!(1 { 1: ID, 2: kind, 3: price, 4: size }),
        None => frame!(1 { 1: ID, 2: kind, 3: price }),
    }
}

fn prices_that_are_none() -> Row {
    let price = |kind: &str, price: Option<f64>, size: Option<f64>| json!({ "price": { "tick_type": kind, "price": price, "size": size } });
    Row::new("market_data", json!({ "contract": aapl() }))
        .case("without prices")
        .asks(frame!(1 { 1: ID, 2: aapl_message() }))
        .answered([
            price_frame(1, -1.0, Some("0")),
            price_frame(2, 0.0, Some("0")),
            price_frame(4, 0.0, Some("5")),
            price_frame(14, -1.0, None),
            price_frame(6, 0.0, None),
            price_frame(7, -1.0, None),
            price_frame(9, 0.0, None),
            price_frame(66, -1.0, Some("0")),
            price_frame(75, -1.0, None),
            price_frame(9, -37.63, None),
            price_frame(50, -1.0, None),
            frame!(2 { 1: ID, 2: 8, 3: "-1" }),
        ])
        .gives_events([
            price("bid", None, Some(0.0)),
            price("ask", None, Some(0.0)),
            price("last", Some(0.0), Some(5.0)),
            price("open", None, None),
            price("high", None, None),
            price("low", None, None),
            price("close", None, None),
            price("delayed_bid", None, Some(0.0)),
            price("delayed_close", None, None),
            price("close", Some(-37.63), None),
            price("bid_yield", Some(-1.0), None),
            json!({ "size": { "tick_type": "volume", "size": null } }),
        ])
        .cancelled_by(frame!(2 { 1: ID }))
}

fn prices_of_a_combination() -> Row {
    let leg = json!({ "con_id": 265_598, "ratio": 1, "action": "BUY", "exchange": "SMART" });
    let spread = json!({ "symbol": "AAPL", "sec_type": "BAG", "exchange": "SMART", "currency": "USD", "combo_legs": [leg] });
    let price =
        |kind: &str, price: f64| json!({ "price": { "tick_type": kind, "price": price, "size": null } });
    Row::new("market_data", json!({ "contract": spread }))
        .case("of a combination that costs nothing")
        .asks(frame!(1 {
            1: ID,
            2: { 2: "AAPL", 3: "BAG", 8: "SMART", 10: "USD", 20: { 1: 265_598, 2: 1, 3: "BUY", 4: "SMART" } },
        }))
        .answered([price_frame(4, -1.0, None), price_frame(9, 0.0, None), price_frame(72, -1.0, None)])
        .gives_events([price("last", -1.0), price("close", 0.0), price("delayed_high", -1.0)])
        .cancelled_by(frame!(2 { 1: ID }))
}

fn a_quote_of_nothing() -> Row {
    Row::new("quote_snapshot", json!({ "contract": aapl() }))
        .case("of nothing")
        .asks(frame!(1 { 1: ID, 2: aapl_message(), 4: true }))
        .answered([
            price_frame(1, -1.0, Some("0")),
            price_frame(2, -1.0, Some("0")),
            price_frame(4, 0.0, Some("0")),
            price_frame(14, -1.0, None),
            price_frame(6, -1.0, None),
            price_frame(7, -1.0, None),
            price_frame(9, 0.0, None),
            frame!(2 { 1: ID, 2: 8, 3: "-1" }),
            frame!(57 { 1: ID }),
        ])
        .gives(json!({
            "market_data_type": null, "bid": null, "bid_size": 0.0, "ask": null, "ask_size": 0.0, "last": null, "last_size": 0.0,
            "last_time": null, "open": null, "high": null, "low": null, "close": null, "volume": null, "halted": null,
            "min_tick": null, "bbo_exchange": null,
        }))
        .cancelled_by(frame!(2 { 1: ID }))
}

fn quotes_without_sides() -> Row {
    Row::new("tick_by_tick", json!({ "contract": aapl(), "tick_type": "BID_ASK" }))
        .case("without sides")
        .asks(frame!(97 { 1: ID, 2: aapl_message(), 3: "BidAsk", 4: 0 }))
        .answered([frame!(99 { 1: ID, 2: 3, 4: { 1: 1_783_623_600, 3: -1.0, 4: 0.0, 5: "0", 6: "-1" } })])
        .gives_events([json!({ "bid_ask": {
            "time": "2026-07-09T19:00:00Z", "bid_price": null, "ask_price": null, "bid_size": 0.0, "ask_size": null,
            "bid_past_low": false, "ask_past_high": false,
        } })])
        .cancelled_by(frame!(98 { 1: ID }))
}

fn ticks_without_a_time() -> Row {
    let params = json!({ "contract": aapl(), "what_to_show": "TRADES", "end": "2026-07-09T19:00:00Z", "number_of_ticks": 2, "use_rth": true });
    Row::new("historical_ticks", params)
        .case("without a time")
        .asks(frame!(96 { 1: ID, 2: aapl_message(), 4: "20260709 19:00:00 UTC", 5: 2, 6: "TRADES", 7: true }))
        .answered([frame!(98 { 1: ID, 2: { 3: -1.0, 4: "-1" }, 2: { 1: 0, 3: 230.25, 4: "100" }, 3: true })])
        .gives(json!({ "trades": [nameless_trade(None, None), nameless_trade(Some(230.25), Some(100.0))] }))
        .cancelled_by(frame!(107 { 1: ID }))
}

fn nameless_trade(price: Option<f64>, size: Option<f64>) -> Value {
    json!({
        "time": null, "price": price, "size": size, "exchange": "", "special_conditions": "", "past_limit": false, "unreported": false,
    })
}

fn book_without_prices() -> Row {
    let row = |side: &str, price: Option<f64>, size: Option<f64>| {
        json!({ "row": {
            "side": side, "position": 0, "operation": "insert", "price": price, "size": size, "market_maker": null,
            "is_smart_depth": false,
        } })
    };
    Row::new("market_depth", json!({ "contract": aapl(), "number_of_rows": 5 }))
        .case("without prices")
        .asks(frame!(10 { 1: ID, 2: aapl_message(), 3: 5 }))
        .answered([
            frame!(12 { 1: ID, 2: { 3: 1, 4: -1.0, 5: "0" } }),
            frame!(12 { 1: ID, 2: { 3: 0, 4: -37.63, 5: "-1" } }),
        ])
        .gives_events([row("bid", None, Some(0.0)), row("ask", Some(-37.63), None)])
        .at_simulator(json!({ "contract": aapl(), "number_of_rows": 5, "is_smart_depth": true }))
        .cancelled_by(frame!(11 { 1: ID }))
}

fn a_bar_without_prices() -> Row {
    Row::new("real_time_bars", json!({ "contract": aapl(), "what_to_show": "BID", "use_rth": true }))
        .case("without prices")
        .asks(frame!(50 { 1: ID, 2: aapl_message(), 3: 0, 4: "BID", 5: true }))
        .answered([frame!(50 { 1: ID, 3: -1.0, 4: 230.5, 5: -1.0, 6: -1.0, 7: "-1", 8: "-1", 9: 2_147_483_647 })])
        .gives_events([json!({ "bar": {
            "time": null, "open": null, "high": 230.5, "low": null, "close": null, "volume": null, "wap": null, "count": null,
        } })])
        .cancelled_by(frame!(51 { 1: ID }))
}

fn head_of_nothing() -> Row {
    Row::new("head_timestamp", json!({ "contract": aapl(), "what_to_show": "MIDPOINT", "use_rth": false }))
        .case("of nothing")
        .asks(frame!(87 { 1: ID, 2: aapl_message(), 4: "MIDPOINT", 5: 2 }))
        .answered([frame!(88 { 1: ID, 2: "0" })])
        .gives(Value::Null)
        .cancelled_by(frame!(90 { 1: ID }))
}

fn headlines_without_a_time() -> Row {
    let headline = |time: Option<&str>, id: &str| json!({ "time": time, "provider_code": "BRFG", "article_id": id, "headline": "Apple", "extra_data": null });
    let asked = frame!(86 { 1: ID, 2: 265_598, 3: "BRFG", 4: "20260708 19:00:00 UTC", 5: "20260709 19:00:00 UTC", 6: 8 });
    Row::new("historical_news", json!({
        "con_id": 265_598, "provider_codes": ["BRFG"], "start": "2026-07-08T19:00:00Z", "end": "2026-07-09T19:00:00Z", "total_results": 7,
    }))
    .case("without a time")
    .asks(asked)
    .answered([
        frame!(86 { 1: ID, 2: "2026-07-09 18:59:02.0", 3: "BRFG", 4: "BRFG$1", 5: "Apple" }),
        frame!(86 { 1: ID, 2: "some time ago", 3: "BRFG", 4: "BRFG$2", 5: "Apple" }),
        frame!(87 { 1: ID }),
    ])
    .gives(json!({
        "headlines": [headline(Some("2026-07-09T18:59:02Z"), "BRFG$1"), headline(None, "BRFG$2")], "has_more": false,
    }))
}

fn days_of_a_chain() -> Row {
    Row::new("option_chain", json!({ "underlying_symbol": "SPX", "underlying_sec_type": "IND", "underlying_con_id": 416_904 }))
        .case("with an expiration that is no day")
        .asks(frame!(78 { 1: ID, 2: "SPX", 4: "IND", 5: 416_904 }))
        .answered([
            frame!(75 {
                1: ID, 2: "SMART", 3: 416_904, 4: "SPX", 5: "100", 6: "20261218", 6: "202701", 6: "", 6: "20270115 08:30:00 US/Central",
                7: [5900.0, f64::MAX],
            }),
            frame!(76 { 1: ID }),
        ])
        .gives(json!([{
            "exchange": "SMART", "underlying_con_id": 416_904, "trading_class": "SPX", "multiplier": "100",
            "expirations": ["2026-12-18", "2027-01-15"], "other_expirations": ["202701"], "strikes": [5900.0],
        }]))
}

/// It has a bond's fields, a time behind its day, and lists that end with a comma. It is asked for by a day with hyphens.
fn a_bill() -> Row {
    let mut described = contract(json!({
        "con_id": 770_000_001, "symbol": "US-T", "sec_type": "BILL", "last_trade_date_or_contract_month": "20261217",
        "exchange": "SMART", "currency": "USD",
    }));
    described["last_trade_time"] = "10:00:00".into();
    described["last_trade_time_zone"] = "US/Eastern".into();
    Row::new("contract_details", json!({
        "symbol": "US-T", "sec_type": "BILL", "exchange": "SMART", "last_trade_date_or_contract_month": "2026-12-17",
    }))
    .case("of a bill")
    .asks(frame!(9 { 1: ID, 2: { 2: "US-T", 3: "BILL", 4: "20261217", 8: "SMART" } }))
    .answered([
        frame!(10 { 1: ID, 2: bill_message(), 3: { 2: "0.001", 3: "LMT,MKT,", 4: "SMART,,", 13: ";", 21: "557,", 44: "912797AB1" } }),
        frame!(52 { 1: ID }),
    ])
    .gives(json!([{
        "contract": described,
        "market_name": "", "min_tick": 0.001, "price_magnifier": 1, "order_types": ["LMT", "MKT"], "valid_exchanges": ["SMART"],
        "under_con_id": 0, "under_symbol": "", "under_sec_type": "", "long_name": "", "contract_month": "", "industry": "",
        "category": "", "subcategory": "", "time_zone_id": "", "trading_hours": [], "liquid_hours": [], "market_rule_ids": ["557"],
        "stock_type": "", "min_size": null, "size_increment": null, "suggested_size_increment": null,
        "last_trade_time": "10:00:00", "settlement_method": "", "ev_rule": "", "ev_multiplier": null, "agg_group": null,
        "min_algo_size": null, "last_price_precision": null, "last_size_precision": null, "ineligibility_reasons": [],
        "bond": {
            "cusip": "912797AB1", "bond_type": "", "coupon": null, "coupon_type": "", "maturity": "20261217", "issue_date": "",
            "ratings": "", "desc_append": "", "callable": false, "putable": false, "convertible": false, "next_option_date": "",
            "next_option_type": "", "next_option_partial": false, "notes": "",
        },
    }]))
    .cancelled_by(frame!(106 { 1: ID }))
    .at_simulator(json!({ "symbol": "AAPL", "sec_type": "STK" }))
}

fn bill_message() -> Message {
    message! { 1: 770_000_001, 2: "US-T", 3: "BILL", 4: "20261217 10:00:00 US/Eastern", 8: "SMART", 10: "USD" }
}

/// Where TWS writes its "unset" instead of leaving a field out.
fn order_that_says_little() -> Row {
    let largest = i64::from(i32::MAX);
    Row::new("completed_orders", json!({ "api_only": true }))
        .case("that says little")
        .asks(frame!(99 { 1: true }))
        .answered([
            frame!(101 {
                1: { 1: 265_598, 2: "AAPL", 3: "STK" },
                2: {
                    3: 1_900_000_012_i64, 4: largest, 5: "BUY", 7: largest, 8: "LMT", 9: f64::MAX, 24: largest, 31: largest,
                    37: f64::MAX, 48: largest, 115: "2147483647", 121: i64::MAX, 128: largest, 129: f64::MAX, 143: largest,
                    144: largest,
                },
                3: { 1: "Cancelled", 11: f64::MAX, 16: f64::MAX, 25: "2147483647" },
            }),
            frame!(102 {}),
        ])
        .gives(json!([{
            "contract": contract(json!({ "con_id": 265_598, "symbol": "AAPL", "sec_type": "STK" })),
            "order": super::orders::order(json!({
                "perm_id": 1_900_000_012_i64, "action": "BUY", "order_type": "LMT", "transmit": true,
            })),
            "order_state": super::orders::order_state(json!({ "status": "Cancelled" })),
        }]))
        .read_to_its_end()
        .never_refused()
}
