//! The Gateway's own settings, and TWS's windows.

use ibapi::accounts::FaDataType;
use ibapi::config as ib;
use ibkr_connect_core::literal;
use ibkr_connect_core::types::{
    AdvisorDataType, ApiSettings, DisplayGroupEvent, GatewayConfig, LockAndExitConfig, MessageConfig,
    PrecautionsConfig, SmartRoutingConfig,
};

pub(crate) fn advisor_data_type(data_type: AdvisorDataType) -> FaDataType {
    match data_type {
        AdvisorDataType::Groups => FaDataType::Groups,
        AdvisorDataType::Aliases => FaDataType::AccountAliases,
    }
}

/// What a display group shows: "265598@SMART", "none" or "combo".
pub(crate) fn display_group_event(contract_info: String) -> DisplayGroupEvent {
    let contract = contract_info
        .split_once('@')
        .and_then(|(con_id, exchange)| Some((con_id.parse().ok()?, exchange.to_owned())));
    match (contract_info.as_str(), contract) {
        (_, Some((con_id, exchange))) => DisplayGroupEvent::Contract { con_id, exchange },
        ("combo", _) => DisplayGroupEvent::Combo {},
        ("none" | "", _) => DisplayGroupEvent::Empty {},
        _ => DisplayGroupEvent::Other { contract_info },
    }
}

pub(crate) fn gateway_config(config: ib::Config) -> GatewayConfig {
    let api = config.api.unwrap_or_default();
    literal!(GatewayConfig {
        lock_and_exit: config.lock_and_exit.map(lock_and_exit),
        messages: config.messages.into_iter().map(message).collect(),
        precautions: api.precautions.map(precautions),
        api_settings: api.settings.map(api_settings),
        smart_routing: config.orders.and_then(|orders| orders.smart_routing).map(smart_routing),
    })
}

fn lock_and_exit(of: ib::LockAndExit) -> LockAndExitConfig {
    literal!(LockAndExitConfig {
        auto_logoff_time: of.auto_logoff_time,
        auto_logoff_period: of.auto_logoff_period,
        auto_logoff_type: of.auto_logoff_type,
    })
}

fn message(of: ib::MessageSetting) -> MessageConfig {
    literal!(MessageConfig {
        id: of.id,
        title: of.title,
        message: of.message,
        default_action: of.default_action,
        enabled: of.enabled,
    })
}

fn precautions(of: ib::ApiPrecautions) -> PrecautionsConfig {
    literal!(PrecautionsConfig {
        bypass_order_precautions: of.bypass_order_precautions,
        bypass_bond_warning: of.bypass_bond_warning,
        bypass_negative_yield_confirmation: of.bypass_negative_yield_confirmation,
        bypass_called_bond_warning: of.bypass_called_bond_warning,
        bypass_same_action_pair_trade_warning: of.bypass_same_action_pair_trade_warning,
        bypass_flagged_accounts_warning: of.bypass_flagged_accounts_warning,
        bypass_price_based_volatility_warning: of.bypass_price_based_volatility_warning,
        bypass_redirect_order_warning: of.bypass_redirect_order_warning,
        bypass_no_overfill_protection: of.bypass_no_overfill_protection,
        bypass_route_marketable_to_bbo: of.bypass_route_marketable_to_bbo,
    })
}

fn api_settings(of: ib::ApiSettings) -> ApiSettings {
    literal!(ApiSettings {
        read_only_api: of.read_only_api,
        total_quantity_for_mutual_funds: of.total_quantity_for_mutual_funds,
        download_open_orders_on_connection: of.download_open_orders_on_connection,
        include_virtual_fx_positions: of.include_virtual_fx_positions,
        prepare_daily_pnl: of.prepare_daily_pnl,
        send_status_updates_for_volatility_orders: of.send_status_updates_for_volatility_orders,
        encode_api_messages: of.encode_api_messages,
        socket_port: of.socket_port,
        use_negative_auto_range: of.use_negative_auto_range,
        create_api_message_log_file: of.create_api_message_log_file,
        include_market_data_in_log_file: of.include_market_data_in_log_file,
        expose_trading_schedule_to_api: of.expose_trading_schedule_to_api,
        split_insured_deposit_from_cash_balance: of.split_insured_deposit_from_cash_balance,
        send_zero_positions_for_today_only: of.send_zero_positions_for_today_only,
        let_api_account_requests_switch_subscription: of.let_api_account_requests_switch_subscription,
        use_account_groups_with_allocation_methods: of.use_account_groups_with_allocation_methods,
        logging_level: of.logging_level,
        master_client_id: of.master_client_id,
        bulk_data_timeout: of.bulk_data_timeout,
        component_exch_separator: of.component_exch_separator,
        show_forex_data_in_1_10_pips: of.show_forex_data_in_1_10_pips,
        allow_forex_trading_in_1_10_pips: of.allow_forex_trading_in_1_10_pips,
        round_account_values_to_nearest_whole_number: of.round_account_values_to_nearest_whole_number,
        send_market_data_in_lots_for_us_stocks: of.send_market_data_in_lots_for_us_stocks,
        show_advanced_order_reject_in_ui: of.show_advanced_order_reject_in_ui,
        reject_messages_above_max_rate: of.reject_messages_above_max_rate,
        maintain_connection_on_incorrect_fields: of.maintain_connection_on_incorrect_fields,
        compatibility_mode_nasdaq_stocks: of.compatibility_mode_nasdaq_stocks,
        send_instrument_timezone: of.send_instrument_timezone,
        send_forex_data_in_compatibility_mode: of.send_forex_data_in_compatibility_mode,
        maintain_and_resubmit_orders_on_reconnect: of.maintain_and_resubmit_orders_on_reconnect,
        historical_data_max_size: of.historical_data_max_size,
        auto_report_netting_event_contract_trades: of.auto_report_netting_event_contract_trades,
        option_exercise_request_type: of.option_exercise_request_type,
        allow_localhost_only: of.allow_localhost_only,
        trusted_ips: Some(of.trusted_ips).filter(|ips| !ips.is_empty()),
    })
}

fn smart_routing(of: ib::OrdersSmartRouting) -> SmartRoutingConfig {
    literal!(SmartRoutingConfig {
        seek_price_improvement: of.seek_price_improvement,
        pre_open_reroute: of.pre_open_reroute,
        do_not_route_to_dark_pools: of.do_not_route_to_dark_pools,
        default_algorithm: of.default_algorithm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_group_shows_a_contract_or_not() {
        let event = |text: &str| display_group_event(text.to_owned());
        let contract = DisplayGroupEvent::Contract { con_id: 265_598, exchange: "SMART".to_owned() };
        assert_eq!(event("265598@SMART"), contract);
        assert_eq!(event("none"), DisplayGroupEvent::Empty {});
        assert_eq!(event("combo"), DisplayGroupEvent::Combo {});
        for text in ["265598", "AAPL@SMART"] {
            assert_eq!(event(text), DisplayGroupEvent::Other { contract_info: text.to_owned() });
        }
    }

    #[test]
    fn a_gateway_that_reports_little_has_little_configured() {
        let config = gateway_config(ib::Config::default());
        assert_eq!(config, GatewayConfig::default());
    }
}
