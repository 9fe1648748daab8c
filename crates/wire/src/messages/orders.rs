//! Orders, executions and commissions.

use std::collections::BTreeMap;

use super::Contract;

super::messages! {
    pub struct OpenOrder {
        #[prost(tag = 1, int32, optional)]
        pub order_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 3, message, optional)]
        pub order: Option<Order>,
        #[prost(tag = 4, message, optional)]
        pub order_state: Option<OrderState>,
    }

    pub struct CompletedOrder {
        #[prost(tag = 1, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 2, message, optional)]
        pub order: Option<Order>,
        #[prost(tag = 3, message, optional)]
        pub order_state: Option<OrderState>,
    }

    pub struct Order {
        #[prost(tag = 1, int32, optional)]
        pub client_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub order_id: Option<i32>,
        #[prost(tag = 3, int64, optional)]
        pub perm_id: Option<i64>,
        #[prost(tag = 4, int32, optional)]
        pub parent_id: Option<i32>,
        #[prost(tag = 5, string, optional)]
        pub action: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub total_quantity: Option<String>,
        #[prost(tag = 7, int32, optional)]
        pub display_size: Option<i32>,
        #[prost(tag = 8, string, optional)]
        pub order_type: Option<String>,
        #[prost(tag = 9, double, optional)]
        pub lmt_price: Option<f64>,
        #[prost(tag = 10, double, optional)]
        pub aux_price: Option<f64>,
        #[prost(tag = 11, string, optional)]
        pub tif: Option<String>,
        #[prost(tag = 12, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 13, string, optional)]
        pub settling_firm: Option<String>,
        #[prost(tag = 14, string, optional)]
        pub clearing_account: Option<String>,
        #[prost(tag = 15, string, optional)]
        pub clearing_intent: Option<String>,
        #[prost(tag = 16, bool, optional)]
        pub all_or_none: Option<bool>,
        #[prost(tag = 17, bool, optional)]
        pub block_order: Option<bool>,
        #[prost(tag = 18, bool, optional)]
        pub hidden: Option<bool>,
        #[prost(tag = 19, bool, optional)]
        pub outside_rth: Option<bool>,
        #[prost(tag = 20, bool, optional)]
        pub sweep_to_fill: Option<bool>,
        #[prost(tag = 21, double, optional)]
        pub percent_offset: Option<f64>,
        #[prost(tag = 22, double, optional)]
        pub trailing_percent: Option<f64>,
        #[prost(tag = 23, double, optional)]
        pub trail_stop_price: Option<f64>,
        #[prost(tag = 24, int32, optional)]
        pub min_qty: Option<i32>,
        #[prost(tag = 25, string, optional)]
        pub good_after_time: Option<String>,
        #[prost(tag = 26, string, optional)]
        pub good_till_date: Option<String>,
        #[prost(tag = 27, string, optional)]
        pub oca_group: Option<String>,
        #[prost(tag = 28, string, optional)]
        pub order_ref: Option<String>,
        #[prost(tag = 29, string, optional)]
        pub rule_80a: Option<String>,
        #[prost(tag = 30, int32, optional)]
        pub oca_type: Option<i32>,
        #[prost(tag = 31, int32, optional)]
        pub trigger_method: Option<i32>,
        #[prost(tag = 32, string, optional)]
        pub active_start_time: Option<String>,
        #[prost(tag = 33, string, optional)]
        pub active_stop_time: Option<String>,
        #[prost(tag = 34, string, optional)]
        pub fa_group: Option<String>,
        #[prost(tag = 35, string, optional)]
        pub fa_method: Option<String>,
        #[prost(tag = 36, string, optional)]
        pub fa_percentage: Option<String>,
        #[prost(tag = 37, double, optional)]
        pub volatility: Option<f64>,
        #[prost(tag = 38, int32, optional)]
        pub volatility_type: Option<i32>,
        #[prost(tag = 39, bool, optional)]
        pub continuous_update: Option<bool>,
        #[prost(tag = 40, int32, optional)]
        pub reference_price_type: Option<i32>,
        #[prost(tag = 41, string, optional)]
        pub delta_neutral_order_type: Option<String>,
        #[prost(tag = 42, double, optional)]
        pub delta_neutral_aux_price: Option<f64>,
        #[prost(tag = 43, int32, optional)]
        pub delta_neutral_con_id: Option<i32>,
        #[prost(tag = 44, string, optional)]
        pub delta_neutral_open_close: Option<String>,
        #[prost(tag = 45, bool, optional)]
        pub delta_neutral_short_sale: Option<bool>,
        #[prost(tag = 46, int32, optional)]
        pub delta_neutral_short_sale_slot: Option<i32>,
        #[prost(tag = 47, string, optional)]
        pub delta_neutral_designated_location: Option<String>,
        #[prost(tag = 48, int32, optional)]
        pub scale_init_level_size: Option<i32>,
        #[prost(tag = 49, int32, optional)]
        pub scale_subs_level_size: Option<i32>,
        #[prost(tag = 50, double, optional)]
        pub scale_price_increment: Option<f64>,
        #[prost(tag = 51, double, optional)]
        pub scale_price_adjust_value: Option<f64>,
        #[prost(tag = 52, int32, optional)]
        pub scale_price_adjust_interval: Option<i32>,
        #[prost(tag = 53, double, optional)]
        pub scale_profit_offset: Option<f64>,
        #[prost(tag = 54, bool, optional)]
        pub scale_auto_reset: Option<bool>,
        #[prost(tag = 55, int32, optional)]
        pub scale_init_position: Option<i32>,
        #[prost(tag = 56, int32, optional)]
        pub scale_init_fill_qty: Option<i32>,
        #[prost(tag = 57, bool, optional)]
        pub scale_random_percent: Option<bool>,
        #[prost(tag = 58, string, optional)]
        pub scale_table: Option<String>,
        #[prost(tag = 59, string, optional)]
        pub hedge_type: Option<String>,
        #[prost(tag = 60, string, optional)]
        pub hedge_param: Option<String>,
        #[prost(tag = 61, string, optional)]
        pub algo_strategy: Option<String>,
        #[prost(tag = 62, btree_map = "string, string")]
        pub algo_params: BTreeMap<String, String>,
        #[prost(tag = 63, string, optional)]
        pub algo_id: Option<String>,
        #[prost(tag = 64, btree_map = "string, string")]
        pub smart_combo_routing_params: BTreeMap<String, String>,
        #[prost(tag = 65, bool, optional)]
        pub what_if: Option<bool>,
        #[prost(tag = 66, bool, optional)]
        pub transmit: Option<bool>,
        #[prost(tag = 67, bool, optional)]
        pub override_percentage_constraints: Option<bool>,
        #[prost(tag = 68, string, optional)]
        pub open_close: Option<String>,
        #[prost(tag = 69, int32, optional)]
        pub origin: Option<i32>,
        #[prost(tag = 70, int32, optional)]
        pub short_sale_slot: Option<i32>,
        #[prost(tag = 71, string, optional)]
        pub designated_location: Option<String>,
        #[prost(tag = 72, int32, optional)]
        pub exempt_code: Option<i32>,
        #[prost(tag = 73, string, optional)]
        pub delta_neutral_settling_firm: Option<String>,
        #[prost(tag = 74, string, optional)]
        pub delta_neutral_clearing_account: Option<String>,
        #[prost(tag = 75, string, optional)]
        pub delta_neutral_clearing_intent: Option<String>,
        #[prost(tag = 76, double, optional)]
        pub discretionary_amt: Option<f64>,
        #[prost(tag = 77, bool, optional)]
        pub opt_out_smart_routing: Option<bool>,
        #[prost(tag = 78, double, optional)]
        pub starting_price: Option<f64>,
        #[prost(tag = 79, double, optional)]
        pub stock_ref_price: Option<f64>,
        #[prost(tag = 80, double, optional)]
        pub delta: Option<f64>,
        #[prost(tag = 81, double, optional)]
        pub stock_range_lower: Option<f64>,
        #[prost(tag = 82, double, optional)]
        pub stock_range_upper: Option<f64>,
        #[prost(tag = 83, bool, optional)]
        pub not_held: Option<bool>,
        #[prost(tag = 84, btree_map = "string, string")]
        pub order_misc_options: BTreeMap<String, String>,
        #[prost(tag = 85, bool, optional)]
        pub solicited: Option<bool>,
        #[prost(tag = 86, bool, optional)]
        pub randomize_size: Option<bool>,
        #[prost(tag = 87, bool, optional)]
        pub randomize_price: Option<bool>,
        #[prost(tag = 88, int32, optional)]
        pub reference_contract_id: Option<i32>,
        #[prost(tag = 89, double, optional)]
        pub pegged_change_amount: Option<f64>,
        #[prost(tag = 90, bool, optional)]
        pub is_pegged_change_amount_decrease: Option<bool>,
        #[prost(tag = 91, double, optional)]
        pub reference_change_amount: Option<f64>,
        #[prost(tag = 92, string, optional)]
        pub reference_exchange_id: Option<String>,
        #[prost(tag = 93, string, optional)]
        pub adjusted_order_type: Option<String>,
        #[prost(tag = 94, double, optional)]
        pub trigger_price: Option<f64>,
        #[prost(tag = 95, double, optional)]
        pub adjusted_stop_price: Option<f64>,
        #[prost(tag = 96, double, optional)]
        pub adjusted_stop_limit_price: Option<f64>,
        #[prost(tag = 97, double, optional)]
        pub adjusted_trailing_amount: Option<f64>,
        #[prost(tag = 98, int32, optional)]
        pub adjustable_trailing_unit: Option<i32>,
        #[prost(tag = 99, double, optional)]
        pub lmt_price_offset: Option<f64>,
        #[prost(tag = 100, message, repeated)]
        pub conditions: Vec<OrderCondition>,
        #[prost(tag = 101, bool, optional)]
        pub conditions_cancel_order: Option<bool>,
        #[prost(tag = 102, bool, optional)]
        pub conditions_ignore_rth: Option<bool>,
        #[prost(tag = 103, string, optional)]
        pub model_code: Option<String>,
        #[prost(tag = 104, string, optional)]
        pub ext_operator: Option<String>,
        #[prost(tag = 105, message, optional)]
        pub soft_dollar_tier: Option<SoftDollarTier>,
        #[prost(tag = 106, double, optional)]
        pub cash_qty: Option<f64>,
        #[prost(tag = 107, string, optional)]
        pub mifid2_decision_maker: Option<String>,
        #[prost(tag = 108, string, optional)]
        pub mifid2_decision_algo: Option<String>,
        #[prost(tag = 109, string, optional)]
        pub mifid2_execution_trader: Option<String>,
        #[prost(tag = 110, string, optional)]
        pub mifid2_execution_algo: Option<String>,
        #[prost(tag = 111, bool, optional)]
        pub dont_use_auto_price_for_hedge: Option<bool>,
        #[prost(tag = 112, bool, optional)]
        pub is_oms_container: Option<bool>,
        #[prost(tag = 113, bool, optional)]
        pub discretionary_up_to_limit_price: Option<bool>,
        #[prost(tag = 114, string, optional)]
        pub auto_cancel_date: Option<String>,
        #[prost(tag = 115, string, optional)]
        pub filled_quantity: Option<String>,
        #[prost(tag = 116, int32, optional)]
        pub ref_futures_con_id: Option<i32>,
        #[prost(tag = 117, bool, optional)]
        pub auto_cancel_parent: Option<bool>,
        #[prost(tag = 118, string, optional)]
        pub shareholder: Option<String>,
        #[prost(tag = 119, bool, optional)]
        pub imbalance_only: Option<bool>,
        #[prost(tag = 120, int32, optional)]
        pub route_marketable_to_bbo: Option<i32>,
        #[prost(tag = 121, int64, optional)]
        pub parent_perm_id: Option<i64>,
        #[prost(tag = 122, int32, optional)]
        pub use_price_mgmt_algo: Option<i32>,
        #[prost(tag = 123, int32, optional)]
        pub duration: Option<i32>,
        #[prost(tag = 124, int32, optional)]
        pub post_to_ats: Option<i32>,
        #[prost(tag = 125, string, optional)]
        pub advanced_error_override: Option<String>,
        #[prost(tag = 126, string, optional)]
        pub manual_order_time: Option<String>,
        #[prost(tag = 127, int32, optional)]
        pub min_trade_qty: Option<i32>,
        #[prost(tag = 128, int32, optional)]
        pub min_compete_size: Option<i32>,
        #[prost(tag = 129, double, optional)]
        pub compete_against_best_offset: Option<f64>,
        #[prost(tag = 130, double, optional)]
        pub mid_offset_at_whole: Option<f64>,
        #[prost(tag = 131, double, optional)]
        pub mid_offset_at_half: Option<f64>,
        #[prost(tag = 132, string, optional)]
        pub customer_account: Option<String>,
        #[prost(tag = 133, bool, optional)]
        pub professional_customer: Option<bool>,
        #[prost(tag = 134, string, optional)]
        pub bond_accrued_interest: Option<String>,
        #[prost(tag = 135, bool, optional)]
        pub include_overnight: Option<bool>,
        #[prost(tag = 136, int32, optional)]
        pub manual_order_indicator: Option<i32>,
        #[prost(tag = 137, string, optional)]
        pub submitter: Option<String>,
        #[prost(tag = 138, bool, optional)]
        pub deactivate: Option<bool>,
        #[prost(tag = 139, bool, optional)]
        pub post_only: Option<bool>,
        #[prost(tag = 140, bool, optional)]
        pub allow_pre_open: Option<bool>,
        #[prost(tag = 141, bool, optional)]
        pub ignore_open_auction: Option<bool>,
        #[prost(tag = 142, int32, optional)]
        pub seek_price_improvement: Option<i32>,
        #[prost(tag = 143, int32, optional)]
        pub what_if_type: Option<i32>,
        #[prost(tag = 144, int32, optional)]
        pub hedge_max_size: Option<i32>,
        #[prost(tag = 145, bool, optional)]
        pub conditions_include_overnight: Option<bool>,
    }

    pub struct OrderCondition {
        #[prost(tag = 1, int32, optional)]
        pub condition_type: Option<i32>,
        #[prost(tag = 2, bool, optional)]
        pub is_conjunction_connection: Option<bool>,
        #[prost(tag = 3, bool, optional)]
        pub is_more: Option<bool>,
        #[prost(tag = 4, int32, optional)]
        pub con_id: Option<i32>,
        #[prost(tag = 5, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub symbol: Option<String>,
        #[prost(tag = 7, string, optional)]
        pub sec_type: Option<String>,
        #[prost(tag = 8, int32, optional)]
        pub percent: Option<i32>,
        #[prost(tag = 9, double, optional)]
        pub change_percent: Option<f64>,
        #[prost(tag = 10, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 11, int32, optional)]
        pub trigger_method: Option<i32>,
        #[prost(tag = 12, string, optional)]
        pub time: Option<String>,
        #[prost(tag = 13, int32, optional)]
        pub volume: Option<i32>,
    }

    pub struct SoftDollarTier {
        #[prost(tag = 1, string, optional)]
        pub name: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub value: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub display_name: Option<String>,
    }

    pub struct SoftDollarTiers {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub soft_dollar_tiers: Vec<SoftDollarTier>,
    }

    pub struct OrderState {
        #[prost(tag = 1, string, optional)]
        pub status: Option<String>,
        #[prost(tag = 2, double, optional)]
        pub init_margin_before: Option<f64>,
        #[prost(tag = 3, double, optional)]
        pub maint_margin_before: Option<f64>,
        #[prost(tag = 4, double, optional)]
        pub equity_with_loan_before: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub init_margin_change: Option<f64>,
        #[prost(tag = 6, double, optional)]
        pub maint_margin_change: Option<f64>,
        #[prost(tag = 7, double, optional)]
        pub equity_with_loan_change: Option<f64>,
        #[prost(tag = 8, double, optional)]
        pub init_margin_after: Option<f64>,
        #[prost(tag = 9, double, optional)]
        pub maint_margin_after: Option<f64>,
        #[prost(tag = 10, double, optional)]
        pub equity_with_loan_after: Option<f64>,
        #[prost(tag = 11, double, optional)]
        pub commission_and_fees: Option<f64>,
        #[prost(tag = 12, double, optional)]
        pub min_commission_and_fees: Option<f64>,
        #[prost(tag = 13, double, optional)]
        pub max_commission_and_fees: Option<f64>,
        #[prost(tag = 14, string, optional)]
        pub commission_and_fees_currency: Option<String>,
        #[prost(tag = 15, string, optional)]
        pub margin_currency: Option<String>,
        #[prost(tag = 16, double, optional)]
        pub init_margin_before_outside_rth: Option<f64>,
        #[prost(tag = 17, double, optional)]
        pub maint_margin_before_outside_rth: Option<f64>,
        #[prost(tag = 18, double, optional)]
        pub equity_with_loan_before_outside_rth: Option<f64>,
        #[prost(tag = 19, double, optional)]
        pub init_margin_change_outside_rth: Option<f64>,
        #[prost(tag = 20, double, optional)]
        pub maint_margin_change_outside_rth: Option<f64>,
        #[prost(tag = 21, double, optional)]
        pub equity_with_loan_change_outside_rth: Option<f64>,
        #[prost(tag = 22, double, optional)]
        pub init_margin_after_outside_rth: Option<f64>,
        #[prost(tag = 23, double, optional)]
        pub maint_margin_after_outside_rth: Option<f64>,
        #[prost(tag = 24, double, optional)]
        pub equity_with_loan_after_outside_rth: Option<f64>,
        #[prost(tag = 25, string, optional)]
        pub suggested_size: Option<String>,
        #[prost(tag = 26, string, optional)]
        pub reject_reason: Option<String>,
        #[prost(tag = 27, message, repeated)]
        pub order_allocations: Vec<OrderAllocation>,
        #[prost(tag = 28, string, optional)]
        pub warning_text: Option<String>,
        #[prost(tag = 29, string, optional)]
        pub completed_time: Option<String>,
        #[prost(tag = 30, string, optional)]
        pub completed_status: Option<String>,
    }

    pub struct OrderAllocation {
        #[prost(tag = 1, string, optional)]
        pub account: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub position: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub position_desired: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub position_after: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub desired_alloc_qty: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub allowed_alloc_qty: Option<String>,
        #[prost(tag = 7, bool, optional)]
        pub is_monetary: Option<bool>,
    }

    pub struct OrderStatus {
        #[prost(tag = 1, int32, optional)]
        pub order_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub status: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub filled: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub remaining: Option<String>,
        #[prost(tag = 5, double, optional)]
        pub avg_fill_price: Option<f64>,
        #[prost(tag = 6, int64, optional)]
        pub perm_id: Option<i64>,
        #[prost(tag = 7, int32, optional)]
        pub parent_id: Option<i32>,
        #[prost(tag = 8, double, optional)]
        pub last_fill_price: Option<f64>,
        #[prost(tag = 9, int32, optional)]
        pub client_id: Option<i32>,
        #[prost(tag = 10, string, optional)]
        pub why_held: Option<String>,
        #[prost(tag = 11, double, optional)]
        pub mkt_cap_price: Option<f64>,
    }

    pub struct OrderBound {
        #[prost(tag = 1, int64, optional)]
        pub perm_id: Option<i64>,
        #[prost(tag = 2, int32, optional)]
        pub client_id: Option<i32>,
        #[prost(tag = 3, int32, optional)]
        pub order_id: Option<i32>,
    }

    pub struct ExecutionDetails {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 3, message, optional)]
        pub execution: Option<Execution>,
    }

    pub struct Execution {
        #[prost(tag = 1, int32, optional)]
        pub order_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub exec_id: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub time: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub acct_number: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 6, string, optional)]
        pub side: Option<String>,
        #[prost(tag = 7, string, optional)]
        pub shares: Option<String>,
        #[prost(tag = 8, double, optional)]
        pub price: Option<f64>,
        #[prost(tag = 9, int64, optional)]
        pub perm_id: Option<i64>,
        #[prost(tag = 10, int32, optional)]
        pub client_id: Option<i32>,
        #[prost(tag = 11, bool, optional)]
        pub is_liquidation: Option<bool>,
        #[prost(tag = 12, string, optional)]
        pub cum_qty: Option<String>,
        #[prost(tag = 13, double, optional)]
        pub avg_price: Option<f64>,
        #[prost(tag = 14, string, optional)]
        pub order_ref: Option<String>,
        #[prost(tag = 15, string, optional)]
        pub ev_rule: Option<String>,
        #[prost(tag = 16, double, optional)]
        pub ev_multiplier: Option<f64>,
        #[prost(tag = 17, string, optional)]
        pub model_code: Option<String>,
        #[prost(tag = 18, int32, optional)]
        pub last_liquidity: Option<i32>,
        #[prost(tag = 19, bool, optional)]
        pub is_price_revision_pending: Option<bool>,
        #[prost(tag = 20, string, optional)]
        pub submitter: Option<String>,
        #[prost(tag = 21, int32, optional)]
        pub opt_exercise_or_lapse_type: Option<i32>,
    }

    pub struct CommissionAndFeesReport {
        #[prost(tag = 1, string, optional)]
        pub exec_id: Option<String>,
        #[prost(tag = 2, double, optional)]
        pub commission_and_fees: Option<f64>,
        #[prost(tag = 3, string, optional)]
        pub currency: Option<String>,
        #[prost(tag = 4, double, optional)]
        pub realized_pnl: Option<f64>,
        #[prost(tag = 5, double, optional)]
        pub bond_yield: Option<f64>,
        #[prost(tag = 6, string, optional)]
        pub yield_redemption_date: Option<String>,
    }
}
