//! Scanners, advisors' settings, and the Gateway's own.

use super::Contract;

super::messages! {
    pub struct ReceiveFA {
        #[prost(tag = 1, int32, optional)]
        pub fa_data_type: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub xml: Option<String>,
    }

    pub struct ScannerParameters {
        #[prost(tag = 1, string, optional)]
        pub xml: Option<String>,
    }

    pub struct ScannerData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub scanner_data_element: Vec<ScannerDataElement>,
    }

    pub struct ScannerDataElement {
        #[prost(tag = 1, int32, optional)]
        pub rank: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 3, string, optional)]
        pub market_name: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub distance: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub benchmark: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub projection: Option<String>,
        #[prost(tag = 7, string, optional)]
        pub combo_key: Option<String>,
    }

    pub struct DisplayGroupList {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub groups: Option<String>,
    }

    pub struct DisplayGroupUpdated {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub contract_info: Option<String>,
    }

    pub struct ConfigResponse {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub lock_and_exit: Option<LockAndExitConfig>,
        #[prost(tag = 3, message, repeated)]
        pub messages: Vec<MessageConfig>,
        #[prost(tag = 4, message, optional)]
        pub api: Option<ApiConfig>,
        #[prost(tag = 5, message, optional)]
        pub orders: Option<OrdersConfig>,
    }

    pub struct LockAndExitConfig {
        #[prost(tag = 1, string, optional)]
        pub auto_logoff_time: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub auto_logoff_period: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub auto_logoff_type: Option<String>,
    }

    pub struct MessageConfig {
        #[prost(tag = 1, int32, optional)]
        pub id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub title: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub message: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub default_action: Option<String>,
        #[prost(tag = 5, bool, optional)]
        pub enabled: Option<bool>,
    }

    pub struct ApiConfig {
        #[prost(tag = 1, message, optional)]
        pub precautions: Option<ApiPrecautionsConfig>,
        #[prost(tag = 2, message, optional)]
        pub settings: Option<ApiSettingsConfig>,
    }

    pub struct ApiPrecautionsConfig {
        #[prost(tag = 1, bool, optional)]
        pub bypass_order_precautions: Option<bool>,
        #[prost(tag = 2, bool, optional)]
        pub bypass_bond_warning: Option<bool>,
        #[prost(tag = 3, bool, optional)]
        pub bypass_negative_yield_confirmation: Option<bool>,
        #[prost(tag = 4, bool, optional)]
        pub bypass_called_bond_warning: Option<bool>,
        #[prost(tag = 5, bool, optional)]
        pub bypass_same_action_pair_trade_warning: Option<bool>,
        #[prost(tag = 6, bool, optional)]
        pub bypass_flagged_accounts_warning: Option<bool>,
        #[prost(tag = 7, bool, optional)]
        pub bypass_price_based_volatility_warning: Option<bool>,
        #[prost(tag = 8, bool, optional)]
        pub bypass_redirect_order_warning: Option<bool>,
        #[prost(tag = 9, bool, optional)]
        pub bypass_no_overfill_protection: Option<bool>,
        #[prost(tag = 10, bool, optional)]
        pub bypass_route_marketable_to_bbo: Option<bool>,
    }

    pub struct ApiSettingsConfig {
        #[prost(tag = 1, bool, optional)]
        pub read_only_api: Option<bool>,
        #[prost(tag = 2, bool, optional)]
        pub total_quantity_for_mutual_funds: Option<bool>,
        #[prost(tag = 3, bool, optional)]
        pub download_open_orders_on_connection: Option<bool>,
        #[prost(tag = 4, bool, optional)]
        pub include_virtual_fx_positions: Option<bool>,
        #[prost(tag = 5, bool, optional)]
        pub prepare_daily_pn_l: Option<bool>,
        #[prost(tag = 6, bool, optional)]
        pub send_status_updates_for_volatility_orders: Option<bool>,
        #[prost(tag = 7, string, optional)]
        pub encode_api_messages: Option<String>,
        #[prost(tag = 8, int32, optional)]
        pub socket_port: Option<i32>,
        #[prost(tag = 9, bool, optional)]
        pub use_negative_auto_range: Option<bool>,
        #[prost(tag = 10, bool, optional)]
        pub create_api_message_log_file: Option<bool>,
        #[prost(tag = 11, bool, optional)]
        pub include_market_data_in_log_file: Option<bool>,
        #[prost(tag = 12, bool, optional)]
        pub expose_trading_schedule_to_api: Option<bool>,
        #[prost(tag = 13, bool, optional)]
        pub split_insured_deposit_from_cash_balance: Option<bool>,
        #[prost(tag = 14, bool, optional)]
        pub send_zero_positions_for_today_only: Option<bool>,
        #[prost(tag = 15, bool, optional)]
        pub let_api_account_requests_switch_subscription: Option<bool>,
        #[prost(tag = 16, bool, optional)]
        pub use_account_groups_with_allocation_methods: Option<bool>,
        #[prost(tag = 17, string, optional)]
        pub logging_level: Option<String>,
        #[prost(tag = 18, int32, optional)]
        pub master_client_id: Option<i32>,
        #[prost(tag = 19, int32, optional)]
        pub bulk_data_timeout: Option<i32>,
        #[prost(tag = 20, string, optional)]
        pub component_exch_separator: Option<String>,
        #[prost(tag = 21, bool, optional)]
        pub show_forex_data_in_1_10_pips: Option<bool>,
        #[prost(tag = 22, bool, optional)]
        pub allow_forex_trading_in_1_10_pips: Option<bool>,
        #[prost(tag = 23, bool, optional)]
        pub round_account_values_to_nearest_whole_number: Option<bool>,
        #[prost(tag = 24, bool, optional)]
        pub send_market_data_in_lots_for_us_stocks: Option<bool>,
        #[prost(tag = 25, bool, optional)]
        pub show_advanced_order_reject_in_ui: Option<bool>,
        #[prost(tag = 26, bool, optional)]
        pub reject_messages_above_max_rate: Option<bool>,
        #[prost(tag = 27, bool, optional)]
        pub maintain_connection_on_incorrect_fields: Option<bool>,
        #[prost(tag = 28, bool, optional)]
        pub compatibility_mode_nasdaq_stocks: Option<bool>,
        #[prost(tag = 29, string, optional)]
        pub send_instrument_timezone: Option<String>,
        #[prost(tag = 30, bool, optional)]
        pub send_forex_data_in_compatibility_mode: Option<bool>,
        #[prost(tag = 31, bool, optional)]
        pub maintain_and_resubmit_orders_on_reconnect: Option<bool>,
        #[prost(tag = 32, int32, optional)]
        pub historical_data_max_size: Option<i32>,
        #[prost(tag = 33, bool, optional)]
        pub auto_report_netting_event_contract_trades: Option<bool>,
        #[prost(tag = 34, string, optional)]
        pub option_exercise_request_type: Option<String>,
        #[prost(tag = 35, bool, optional)]
        pub allow_localhost_only: Option<bool>,
        #[prost(tag = 36, string, repeated)]
        pub trusted_ips: Vec<String>,
    }

    pub struct OrdersConfig {
        #[prost(tag = 1, message, optional)]
        pub smart_routing: Option<OrdersSmartRoutingConfig>,
    }

    pub struct OrdersSmartRoutingConfig {
        #[prost(tag = 1, bool, optional)]
        pub seek_price_improvement: Option<bool>,
        #[prost(tag = 2, bool, optional)]
        pub pre_open_reroute: Option<bool>,
        #[prost(tag = 3, bool, optional)]
        pub do_not_route_to_dark_pools: Option<bool>,
        #[prost(tag = 4, string, optional)]
        pub default_algorithm: Option<String>,
    }

    pub struct CurrentTime {
        #[prost(tag = 1, int64, optional)]
        pub current_time: Option<i64>,
    }

    pub struct CurrentTimeInMillis {
        #[prost(tag = 1, int64, optional)]
        pub current_time_in_millis: Option<i64>,
    }
}
