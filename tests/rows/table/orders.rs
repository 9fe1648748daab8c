//! Orders, executions, and the order updates of a client that places none.

use serde_json::{Value, json};

use super::{contract, with};
use crate::play::CLIENT;
use crate::row::Row;
use crate::support::fake_gateway::message::{ID, Message, message};
use crate::support::fake_gateway::wire::{Frame, frame};

pub(super) fn rows() -> Vec<Row> {
    vec![open_orders(), all_open_orders(), completed_orders(), executions(), next_order_id(), order_updates()]
}

fn open_orders() -> Row {
    Row::new("open_orders", json!({}))
        .asks(frame!(5 {}))
        .answered([
            open_order_frame(CLIENT),
            order_status_frame(CLIENT),
            open_order_frame(CLIENT + 1),
            frame!(53 {}),
        ])
        .gives(json!([open_order(CLIENT, order_status(CLIENT))]))
        .read_to_its_end()
        .never_refused()
}

fn all_open_orders() -> Row {
    Row::new("all_open_orders", json!({}))
        .asks(frame!(16 {}))
        .answered([open_order_frame(0), order_status_frame(0), frame!(53 {})])
        .gives(json!([open_order(0, order_status(0))]))
        .read_to_its_end()
        .never_refused()
}

fn completed_orders() -> Row {
    Row::new("completed_orders", json!({ "api_only": true }))
        .asks(frame!(99 { 1: true }))
        .answered([
            frame!(101 {
                1: contract_message(),
                2: { 3: 1_900_000_012_i64, 5: "BUY", 6: "5", 8: "MKT", 11: "DAY", 12: "DU7654321", 66: true, 115: "5" },
                3: { 1: "Filled", 29: "20260709 15:00:00 US/Eastern", 30: "Filled Size: 5" },
            }),
            frame!(102 {}),
        ])
        .gives(json!([{
            "contract": aapl(),
            "order": order(json!({
                "perm_id": 1_900_000_012_i64, "action": "BUY", "total_quantity": 5.0, "filled_quantity": 5.0, "order_type": "MKT",
                "tif": "DAY", "account": "DU7654321", "transmit": true,
            })),
            "order_state": order_state(json!({
                "status": "Filled", "completed_time": "2026-07-09T19:00:00Z", "completed_status": "Filled Size: 5",
            })),
        }]))
        .read_to_its_end()
        .never_refused()
}

fn executions() -> Row {
    Row::new("executions", json!({ "symbol": "AAPL", "side": "BUY", "time": "2026-07-09T13:30:00Z" }))
        .asks(frame!(7 { 1: ID, 2: { 3: "20260709-13:30:00", 4: "AAPL", 7: "BUY" } }))
        .answered([execution_frame(ID), commission_frame(), frame!(55 { 1: ID })])
        .gives(json!([{ "contract": aapl(), "execution": execution(), "commission_report": commission() }]))
}

fn next_order_id() -> Row {
    Row::new("next_order_id", json!({}))
        .asks(frame!(8 { 1: 0 }))
        .answered([frame!(9 { 1: 41 })])
        .gives(json!(41))
        .never_refused()
}

fn order_updates() -> Row {
    Row::new("order_updates", json!({}))
        .answered([
            open_order_frame(CLIENT),
            order_status_frame(CLIENT),
            execution_frame((-1).into()),
            commission_frame(),
            frame!(4 { 1: 11, 2: 1_787_000_000_123_i64, 3: 202, 4: "Order Canceled - reason:" }),
        ])
        .gives_events([
            json!({ "open_order": open_order(CLIENT, Value::Null) }),
            json!({ "order_status": order_status(CLIENT) }),
            json!({ "execution": { "contract": aapl(), "execution": execution() } }),
            json!({ "commission_report": commission() }),
            json!({ "notice": { "order_id": 11, "code": 202, "message": "Order Canceled - reason:" } }),
        ])
        .never_refused()
        .tells_the_present()
        .events_at_simulator(2)
}

fn contract_message() -> Message {
    message! { 1: 265_598, 2: "AAPL", 3: "STK", 8: "SMART", 10: "USD", 11: "AAPL", 12: "NMS" }
}

fn aapl() -> Value {
    contract(json!({
        "con_id": 265_598, "symbol": "AAPL", "sec_type": "STK", "exchange": "SMART", "currency": "USD", "local_symbol": "AAPL",
        "trading_class": "NMS",
    }))
}

fn open_order_frame(client: i32) -> Frame {
    frame!(5 {
        1: 11,
        2: contract_message(),
        3: {
            1: client, 2: 11, 3: 1_900_000_011_i64, 5: "SELL", 6: "100", 8: "STP LMT", 9: 228.0, 10: 228.5, 11: "GTC", 12: "DU7654321",
            19: true, 27: "morning", 28: "stop of the morning", 30: 1, 31: 2, 66: true, 115: "40",
            100: { 1: 1, 2: true, 3: false, 4: 756_733, 5: "SMART", 10: 601.25, 11: 2 },
        },
        4: { 1: "Submitted", 2: 12_000.0, 5: -500.0, 8: 11_500.0, 11: 1.0, 14: "USD" },
    })
}

fn open_order(client: i32, order_status: Value) -> Value {
    json!({
        "contract": aapl(),
        "order": order(json!({
            "order_id": 11, "client_id": client, "perm_id": 1_900_000_011_i64, "action": "SELL", "total_quantity": 100.0, "filled_quantity": 40.0,
            "order_type": "STP LMT", "lmt_price": 228.0, "aux_price": 228.5, "tif": "GTC", "account": "DU7654321", "outside_rth": true,
            "oca_group": "morning", "oca_type": 1, "order_ref": "stop of the morning", "trigger_method": 2, "transmit": true,
            "conditions": [{
                "condition": {
                    "price": { "con_id": 756_733, "exchange": "SMART", "price": 601.25, "trigger_method": 2, "is_more": false },
                },
                "is_conjunction": true,
            }],
        })),
        "order_state": order_state(json!({
            "status": "Submitted", "init_margin_before": 12_000.0, "init_margin_change": -500.0, "init_margin_after": 11_500.0,
            "commission": 1.0, "commission_currency": "USD",
        })),
        "order_status": order_status,
    })
}

fn order_status_frame(client: i32) -> Frame {
    frame!(3 { 1: 11, 2: "Submitted", 3: "40", 4: "60", 5: 229.5, 6: 1_900_000_011_i64, 8: 229.5, 9: client, 10: "locate" })
}

fn order_status(client: i32) -> Value {
    json!({
        "order_id": 11, "client_id": client, "perm_id": 1_900_000_011_i64, "parent_id": 0, "status": "Submitted", "filled": 40.0,
        "remaining": 60.0, "avg_fill_price": 229.5, "last_fill_price": 229.5, "why_held": "locate", "mkt_cap_price": null,
    })
}

fn execution_frame(request: crate::support::fake_gateway::message::Value) -> Frame {
    frame!(11 {
        1: request,
        2: contract_message(),
        3: {
            1: 11, 2: "0000e0d5.6740f1c2.01.01", 3: "20260709 10:31:02 US/Eastern", 4: "DU7654321", 5: "ISLAND", 6: "BOT", 7: "40",
            8: 229.5, 9: 1_900_000_011_i64, 10: CLIENT, 12: "40", 13: 229.5, 18: 2,
        },
    })
}

fn execution() -> Value {
    json!({
        "exec_id": "0000e0d5.6740f1c2.01.01", "time": "2026-07-09T14:31:02Z", "account": "DU7654321", "exchange": "ISLAND",
        "side": "BOT", "shares": 40.0, "price": 229.5, "cum_qty": 40.0, "avg_price": 229.5, "order_id": 11, "client_id": CLIENT,
        "perm_id": 1_900_000_011_i64, "order_ref": "", "model_code": "", "is_liquidation": false, "last_liquidity": 2, "ev_rule": "",
        "ev_multiplier": null, "is_price_revision_pending": false, "submitter": "", "opt_exercise_or_lapse_type": null,
    })
}

fn commission_frame() -> Frame {
    frame!(59 { 1: "0000e0d5.6740f1c2.01.01", 2: 1.0, 3: "USD", 4: f64::MAX })
}

fn commission() -> Value {
    json!({
        "exec_id": "0000e0d5.6740f1c2.01.01", "commission": 1.0, "currency": "USD", "realized_pnl": null, "bond_yield": null,
        "yield_redemption_date": "",
    })
}

/// An order in an answer, of which `known` is known.
pub(super) fn order(known: Value) -> Value {
    let parts = [who_and_how_much(), how_and_when(), hedged_and_pegged(), scaled_and_adjusted()];
    let parts = parts.iter().filter_map(Value::as_object);
    with(parts.flatten().map(|(name, value)| (name.clone(), value.clone())).collect(), known)
}

fn who_and_how_much() -> Value {
    json!({
        "order_id": 0, "client_id": 0, "perm_id": 0, "parent_id": 0, "parent_perm_id": null, "action": "", "total_quantity": null,
        "filled_quantity": null, "cash_qty": null, "display_size": null, "min_qty": null, "order_type": "", "lmt_price": null,
        "aux_price": null, "trail_stop_price": null, "trailing_percent": null, "lmt_price_offset": null, "percent_offset": null,
        "discretionary_amt": null, "discretionary_up_to_limit_price": false, "trigger_method": null, "tif": "",
        "good_after_time": "", "good_till_date": "", "auto_cancel_date": "", "auto_cancel_parent": false,
        "active_start_time": "", "active_stop_time": "", "duration": null, "outside_rth": false, "include_overnight": false,
        "allow_pre_open": false, "ignore_open_auction": false, "hidden": false, "post_only": false, "all_or_none": false,
        "block_order": false, "sweep_to_fill": false, "not_held": false, "transmit": false,
    })
}

fn how_and_when() -> Value {
    json!({
        "deactivate": false, "override_percentage_constraints": false, "what_if": false, "what_if_type": null, "account": "",
        "model_code": "", "customer_account": "", "professional_customer": false, "settling_firm": "", "clearing_account": "",
        "clearing_intent": "", "shareholder": "", "fa_group": "", "fa_method": "", "fa_percentage": "", "order_ref": "",
        "oca_group": "", "oca_type": null, "open_close": "", "origin": null, "short_sale_slot": null, "designated_location": "",
        "exempt_code": null, "rule_80a": "", "opt_out_smart_routing": false, "route_marketable_to_bbo": null,
        "seek_price_improvement": null, "use_price_mgmt_algo": null, "imbalance_only": false, "post_to_ats": null,
        "min_trade_qty": null, "min_compete_size": null, "compete_against_best_offset": null, "mid_offset_at_whole": null,
        "mid_offset_at_half": null, "randomize_size": false, "randomize_price": false, "algo_strategy": "", "algo_params": {},
        "algo_id": "",
    })
}

fn hedged_and_pegged() -> Value {
    json!({
        "smart_combo_routing_params": {}, "order_misc_options": {}, "hedge_type": "", "hedge_param": "", "hedge_max_size": null,
        "dont_use_auto_price_for_hedge": false, "volatility": null, "volatility_type": null, "continuous_update": false,
        "reference_price_type": null, "delta_neutral_order_type": "", "delta_neutral_aux_price": null,
        "delta_neutral_con_id": null, "delta_neutral_settling_firm": "", "delta_neutral_clearing_account": "",
        "delta_neutral_clearing_intent": "", "delta_neutral_open_close": "", "delta_neutral_short_sale": false,
        "delta_neutral_short_sale_slot": null, "delta_neutral_designated_location": "", "starting_price": null,
        "stock_ref_price": null, "delta": null, "stock_range_lower": null, "stock_range_upper": null,
        "reference_contract_id": null, "reference_exchange_id": "", "reference_change_amount": null,
        "pegged_change_amount": null, "is_pegged_change_amount_decrease": false, "ref_futures_con_id": null,
        "scale_init_level_size": null, "scale_subs_level_size": null, "scale_price_increment": null,
        "scale_price_adjust_value": null,
    })
}

fn scaled_and_adjusted() -> Value {
    json!({
        "scale_price_adjust_interval": null, "scale_profit_offset": null, "scale_auto_reset": false, "scale_init_position": null,
        "scale_init_fill_qty": null, "scale_random_percent": false, "scale_table": "", "adjusted_order_type": "",
        "trigger_price": null, "adjusted_stop_price": null, "adjusted_stop_limit_price": null, "adjusted_trailing_amount": null,
        "adjustable_trailing_unit": null, "conditions": [], "conditions_cancel_order": false, "conditions_ignore_rth": false,
        "conditions_include_overnight": false, "soft_dollar_tier": null, "mifid2_decision_maker": "", "mifid2_decision_algo": "",
        "mifid2_execution_trader": "", "mifid2_execution_algo": "", "ext_operator": "", "manual_order_time": "",
        "manual_order_indicator": null, "solicited": false, "is_oms_container": false, "advanced_error_override": "",
        "bond_accrued_interest": "", "submitter": "",
    })
}

/// An order's state in an answer, of which `known` is known.
pub(super) fn order_state(known: Value) -> Value {
    with(
        json!({
            "status": "", "init_margin_before": null, "maint_margin_before": null, "equity_with_loan_before": null,
            "init_margin_change": null, "maint_margin_change": null, "equity_with_loan_change": null, "init_margin_after": null,
            "maint_margin_after": null, "equity_with_loan_after": null,
            "init_margin_before_outside_rth": null, "maint_margin_before_outside_rth": null, "equity_with_loan_before_outside_rth": null,
            "init_margin_change_outside_rth": null, "maint_margin_change_outside_rth": null, "equity_with_loan_change_outside_rth": null,
            "init_margin_after_outside_rth": null, "maint_margin_after_outside_rth": null, "equity_with_loan_after_outside_rth": null,
            "margin_currency": "", "order_allocations": [], "commission": null,
            "min_commission": null, "max_commission": null, "commission_currency": "", "suggested_size": null, "warning_text": "",
            "reject_reason": "", "completed_time": null, "completed_status": "",
        }),
        known,
    )
}
