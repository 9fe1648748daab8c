//! The Gateway's settings, an advisor's, and TWS's windows.

use serde_json::json;

use super::with;
use crate::row::Row;
use crate::support::fake_gateway::message::ID;
use crate::support::fake_gateway::wire::frame;

pub(super) fn rows() -> Vec<Row> {
    vec![
        soft_dollar_tiers(),
        advisor_config(),
        display_groups(),
        gateway_config(),
        display_group_events(),
        connectivity(),
    ]
}

fn soft_dollar_tiers() -> Row {
    Row::new("soft_dollar_tiers", json!({}))
        .asks(frame!(79 { 1: ID }))
        .answered([frame!(77 { 1: ID, 2: { 1: "MaxRebate", 2: "1", 3: "Maximize rebate" } })])
        .gives(json!([{ "name": "MaxRebate", "value": "1", "display_name": "Maximize rebate" }]))
}

fn advisor_config() -> Row {
    Row::new("advisor_config", json!({ "data_type": "ALIASES" }))
        .asks(frame!(18 { 1: 3 }))
        .answered([frame!(16 { 1: 3, 2: "<?xml version=\"1.0\"?><ListOfAccountAliases/>" })])
        .gives(json!("<?xml version=\"1.0\"?><ListOfAccountAliases/>"))
        .never_refused()
}

fn display_groups() -> Row {
    Row::new("display_groups", json!({}))
        .asks(frame!(67 { 1: ID }))
        .answered([frame!(67 { 1: ID, 2: "4|1|2" })])
        .gives(json!([4, 1, 2]))
}

fn gateway_config() -> Row {
    Row::new("gateway_config", json!({}))
        .asks(frame!(108 { 1: ID }))
        .answered([frame!(110 {
            1: ID,
            2: { 1: "11:45", 2: "PM", 3: "restart" },
            3: { 1: 131, 2: "Price cap", 3: "Cap the price?", 4: "Yes", 5: true },
            4: { 1: { 1: false }, 2: { 1: true, 8: 4002, 36: "192.168.1.7" } },
            5: { 1: { 1: true, 4: "SMART" } },
        })])
        .gives(json!({
            "lock_and_exit": { "auto_logoff_time": "11:45", "auto_logoff_period": "PM", "auto_logoff_type": "restart" },
            "messages": [{ "id": 131, "title": "Price cap", "message": "Cap the price?", "default_action": "Yes", "enabled": true }],
            "precautions": with(
                json!({
                    "bypass_order_precautions": null, "bypass_bond_warning": null, "bypass_negative_yield_confirmation": null,
                    "bypass_called_bond_warning": null, "bypass_same_action_pair_trade_warning": null,
                    "bypass_flagged_accounts_warning": null, "bypass_price_based_volatility_warning": null,
                    "bypass_redirect_order_warning": null, "bypass_no_overfill_protection": null,
                    "bypass_route_marketable_to_bbo": null,
                }),
                json!({ "bypass_order_precautions": false }),
            ),
            "api_settings": with(
                json!({
                    "read_only_api": null, "total_quantity_for_mutual_funds": null, "download_open_orders_on_connection": null,
                    "include_virtual_fx_positions": null, "prepare_daily_pnl": null,
                    "send_status_updates_for_volatility_orders": null, "encode_api_messages": null, "socket_port": null,
                    "use_negative_auto_range": null, "create_api_message_log_file": null, "include_market_data_in_log_file": null,
                    "expose_trading_schedule_to_api": null, "split_insured_deposit_from_cash_balance": null,
                    "send_zero_positions_for_today_only": null, "let_api_account_requests_switch_subscription": null,
                    "use_account_groups_with_allocation_methods": null, "logging_level": null, "master_client_id": null,
                    "bulk_data_timeout": null, "component_exch_separator": null, "show_forex_data_in_1_10_pips": null,
                    "allow_forex_trading_in_1_10_pips": null, "round_account_values_to_nearest_whole_number": null,
                    "send_market_data_in_lots_for_us_stocks": null, "show_advanced_order_reject_in_ui": null,
                    "reject_messages_above_max_rate": null, "maintain_connection_on_incorrect_fields": null,
                    "compatibility_mode_nasdaq_stocks": null, "send_instrument_timezone": null,
                    "send_forex_data_in_compatibility_mode": null, "maintain_and_resubmit_orders_on_reconnect": null,
                    "historical_data_max_size": null, "auto_report_netting_event_contract_trades": null,
                    "option_exercise_request_type": null, "allow_localhost_only": null, "trusted_ips": null,
                }),
                json!({ "read_only_api": true, "socket_port": 4002, "trusted_ips": ["192.168.1.7"] }),
            ),
            "smart_routing": {
                "seek_price_improvement": true, "pre_open_reroute": null, "do_not_route_to_dark_pools": null,
                "default_algorithm": "SMART",
            },
        }))
}

fn display_group_events() -> Row {
    Row::new("display_group_events", json!({ "group_id": 4 }))
        .asks(frame!(68 { 1: ID, 2: 4 }))
        .answered([
            frame!(68 { 1: ID, 2: "265598@SMART" }),
            frame!(68 { 1: ID, 2: "combo" }),
            frame!(68 { 1: ID, 2: "none" }),
        ])
        .gives_events([
            json!({ "contract": { "con_id": 265_598, "exchange": "SMART" } }),
            json!({ "combo": {} }),
            json!({ "empty": {} }),
        ])
        .events_at_simulator(1)
        .cancelled_by(frame!(70 { 1: ID }))
}

fn connectivity() -> Row {
    Row::new("connectivity", json!({}))
        .answered([
            frame!(4 { 1: -1, 2: 1_787_000_000_250_i64, 3: 1100, 4: "Connectivity between IBKR and TWS has been lost." }),
            frame!(4 { 1: -1, 2: 1_787_000_001_250_i64, 3: 1102, 4: "Connectivity has been restored - data maintained." }),
        ])
        .gives_events([
            json!({
                "change": { "data_farm": { "kind": "market_data", "name": "usfarm", "status": "connected" } },
                "time": "2026-08-17T20:53:20.123Z",
            }),
            json!({
                "change": { "data_farm": { "kind": "market_data", "name": "usfarm", "status": "connected" } },
                "time": "2026-08-17T20:53:20.123Z",
            }),
            json!({ "change": { "lost": {} }, "time": "2026-08-17T20:53:20.25Z" }),
            json!({ "change": { "restored": { "data_kept": true } }, "time": "2026-08-17T20:53:21.25Z" }),
        ])
        .events_at_simulator(3)
        .never_refused()
        .tells_the_time()
}
