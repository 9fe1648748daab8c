//! How TWS or the Gateway is set up.

use serde::{Deserialize, Serialize};

/// A struct of settings, each `None` where TWS does not report it.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $Type:ident { $( $(#[doc = $field_doc:literal])+ $field:ident: $FieldType:ty, )+ } )+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(default)]
        #[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
        pub struct $Type {
            $( $(#[doc = $field_doc])+ pub $field: Option<$FieldType>, )+
        }
    )+ };
}

/// The configuration of TWS or the Gateway, as far as it reports it. The names are those of its configuration dialog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[cfg_attr(not(ibkr_all_fields), non_exhaustive)]
pub struct GatewayConfig {
    /// "Lock and Exit".
    pub lock_and_exit: Option<LockAndExitConfig>,
    /// "Messages": the questions it asks its user, and how they are answered by default.
    pub messages: Vec<MessageConfig>,
    /// "API - Precautions".
    pub precautions: Option<PrecautionsConfig>,
    /// "API - Settings".
    pub api_settings: Option<ApiSettings>,
    /// "Orders - Smart Routing".
    pub smart_routing: Option<SmartRoutingConfig>,
}

settings! {
    /// When it logs off or starts again by itself.
    LockAndExitConfig {
        /// The time, `hh:mm` by a clock of twelve hours.
        auto_logoff_time: String,
        /// `AM` or `PM`.
        auto_logoff_period: String,
        /// `logoff` or `restart`.
        auto_logoff_type: String,
    }

    /// A question it asks its user.
    MessageConfig {
        /// Its number.
        id: i32,
        /// Its title.
        title: String,
        /// The question.
        message: String,
        /// How it is answered: `Yes`, `No` or `Hidden`.
        default_action: String,
        /// Whether it is asked.
        enabled: bool,
    }

    /// Which warnings are left out for orders that come by the API.
    PrecautionsConfig {
        /// All precautions.
        bypass_order_precautions: bool,
        /// The warning for bonds.
        bypass_bond_warning: bool,
        /// The warning for a negative yield to worst.
        bypass_negative_yield_confirmation: bool,
        /// The warning for called bonds.
        bypass_called_bond_warning: bool,
        /// The warning for pair trades with the same action.
        bypass_same_action_pair_trade_warning: bool,
        /// The warning for flagged accounts.
        bypass_flagged_accounts_warning: bool,
        /// The warning for volatility by price.
        bypass_price_based_volatility_warning: bool,
        /// The warning for orders that are routed directly.
        bypass_redirect_order_warning: bool,
        /// The warning that nothing protects from overfills.
        bypass_no_overfill_protection: bool,
        /// The warning that marketable orders are routed to the best bid and offer.
        bypass_route_marketable_to_bbo: bool,
    }

    /// The settings of the API.
    ApiSettings {
        /// Nothing can be changed by the API: questions about orders are refused too (321).
        read_only_api: bool,
        /// The quantity of orders for mutual funds is an amount of money.
        total_quantity_for_mutual_funds: bool,
        /// A client that connects is sent its open orders.
        download_open_orders_on_connection: bool,
        /// Virtual forex positions are among the positions.
        include_virtual_fx_positions: bool,
        /// The daily profit and loss is computed with the positions.
        prepare_daily_pnl: bool,
        /// Volatility orders tell every change.
        send_status_updates_for_volatility_orders: bool,
        /// How texts are encoded: `osCodePage` or `ascii7`.
        encode_api_messages: String,
        /// The port for the API.
        socket_port: i32,
        /// Orders that are bound to a client get negative ids.
        use_negative_auto_range: bool,
        /// The API's messages are logged.
        create_api_message_log_file: bool,
        /// Market data are logged too.
        include_market_data_in_log_file: bool,
        /// The whole trading schedule that is known is told, not only the next days.
        expose_trading_schedule_to_api: bool,
        /// Insured deposits are told apart from cash.
        split_insured_deposit_from_cash_balance: bool,
        /// Positions that were closed are told as zero for the day only.
        send_zero_positions_for_today_only: bool,
        /// Requests for an account may switch what TWS itself is subscribed to.
        let_api_account_requests_switch_subscription: bool,
        /// Advisors' profiles are part of their groups.
        use_account_groups_with_allocation_methods: bool,
        /// How much is logged: `system`, `error`, `warning`, `info` or `detail`.
        logging_level: String,
        /// The client that is told about the orders of all clients.
        master_client_id: i32,
        /// After so many seconds, a client that does not take its data is disconnected.
        bulk_data_timeout: i32,
        /// What stands between the exchanges of a component.
        component_exch_separator: String,
        /// Forex data have tenths of a pip.
        show_forex_data_in_1_10_pips: bool,
        /// Forex orders may have tenths of a pip.
        allow_forex_trading_in_1_10_pips: bool,
        /// Account values are whole numbers.
        round_account_values_to_nearest_whole_number: bool,
        /// Sizes of US stocks are told in lots.
        send_market_data_in_lots_for_us_stocks: bool,
        /// Detailed rejections of orders are shown by TWS and not sent.
        show_advanced_order_reject_in_ui: bool,
        /// Messages beyond the highest rate are refused and not delayed.
        reject_messages_above_max_rate: bool,
        /// A request with wrong fields does not cost its connection.
        maintain_connection_on_incorrect_fields: bool,
        /// `ISLAND` is an exchange.
        compatibility_mode_nasdaq_stocks: bool,
        /// In which time zone times are told: `instrument`, `operator` or `utc`.
        send_instrument_timezone: String,
        /// Forex data are told as of old.
        send_forex_data_in_compatibility_mode: bool,
        /// Orders are kept while the connection to IBKR is lost, and sent again.
        maintain_and_resubmit_orders_on_reconnect: bool,
        /// How large historical data may be.
        historical_data_max_size: i32,
        /// Trades that net event contracts are reported by themselves.
        auto_report_netting_event_contract_trades: bool,
        /// How options are exercised.
        option_exercise_request_type: String,
        /// Only programs on the same machine may connect.
        allow_localhost_only: bool,
        /// The addresses that may connect else.
        trusted_ips: Vec<String>,
    }

    /// How orders that leave the exchange to IBKR are routed.
    SmartRoutingConfig {
        /// They look for better prices.
        seek_price_improvement: bool,
        /// Those that wait for the open are routed before it.
        pre_open_reroute: bool,
        /// They avoid dark pools.
        do_not_route_to_dark_pools: bool,
        /// The algorithm, e.g. `SMART` or `SMART MaxRebate`.
        default_algorithm: String,
    }
}
