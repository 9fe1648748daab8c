//! Contracts and what is known of them.

use std::collections::BTreeMap;

super::messages! {
    pub struct Contract {
        #[prost(tag = 1, int32, optional)]
        pub con_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub symbol: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub sec_type: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub last_trade_date_or_contract_month: Option<String>,
        #[prost(tag = 5, double, optional)]
        pub strike: Option<f64>,
        #[prost(tag = 6, string, optional)]
        pub right: Option<String>,
        #[prost(tag = 7, double, optional)]
        pub multiplier: Option<f64>,
        #[prost(tag = 8, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 9, string, optional)]
        pub primary_exch: Option<String>,
        #[prost(tag = 10, string, optional)]
        pub currency: Option<String>,
        #[prost(tag = 11, string, optional)]
        pub local_symbol: Option<String>,
        #[prost(tag = 12, string, optional)]
        pub trading_class: Option<String>,
        #[prost(tag = 13, string, optional)]
        pub sec_id_type: Option<String>,
        #[prost(tag = 14, string, optional)]
        pub sec_id: Option<String>,
        #[prost(tag = 15, string, optional)]
        pub description: Option<String>,
        #[prost(tag = 16, string, optional)]
        pub issuer_id: Option<String>,
        #[prost(tag = 17, message, optional)]
        pub delta_neutral_contract: Option<DeltaNeutralContract>,
        #[prost(tag = 18, bool, optional)]
        pub include_expired: Option<bool>,
        #[prost(tag = 19, string, optional)]
        pub combo_legs_descrip: Option<String>,
        #[prost(tag = 20, message, repeated)]
        pub combo_legs: Vec<ComboLeg>,
        #[prost(tag = 21, string, optional)]
        pub last_trade_date: Option<String>,
    }

    pub struct ComboLeg {
        #[prost(tag = 1, int32, optional)]
        pub con_id: Option<i32>,
        #[prost(tag = 2, int32, optional)]
        pub ratio: Option<i32>,
        #[prost(tag = 3, string, optional)]
        pub action: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 5, int32, optional)]
        pub open_close: Option<i32>,
        #[prost(tag = 6, int32, optional)]
        pub short_sales_slot: Option<i32>,
        #[prost(tag = 7, string, optional)]
        pub designated_location: Option<String>,
        #[prost(tag = 8, int32, optional)]
        pub exempt_code: Option<i32>,
        #[prost(tag = 9, double, optional)]
        pub per_leg_price: Option<f64>,
    }

    pub struct DeltaNeutralContract {
        #[prost(tag = 1, int32, optional)]
        pub con_id: Option<i32>,
        #[prost(tag = 2, double, optional)]
        pub delta: Option<f64>,
        #[prost(tag = 3, double, optional)]
        pub price: Option<f64>,
    }

    pub struct ContractData {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 3, message, optional)]
        pub contract_details: Option<ContractDetails>,
    }

    pub struct ContractDetails {
        #[prost(tag = 1, string, optional)]
        pub market_name: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub min_tick: Option<String>,
        #[prost(tag = 3, string, optional)]
        pub order_types: Option<String>,
        #[prost(tag = 4, string, optional)]
        pub valid_exchanges: Option<String>,
        #[prost(tag = 5, int32, optional)]
        pub price_magnifier: Option<i32>,
        #[prost(tag = 6, int32, optional)]
        pub under_con_id: Option<i32>,
        #[prost(tag = 7, string, optional)]
        pub long_name: Option<String>,
        #[prost(tag = 8, string, optional)]
        pub contract_month: Option<String>,
        #[prost(tag = 9, string, optional)]
        pub industry: Option<String>,
        #[prost(tag = 10, string, optional)]
        pub category: Option<String>,
        #[prost(tag = 11, string, optional)]
        pub subcategory: Option<String>,
        #[prost(tag = 12, string, optional)]
        pub time_zone_id: Option<String>,
        #[prost(tag = 13, string, optional)]
        pub trading_hours: Option<String>,
        #[prost(tag = 14, string, optional)]
        pub liquid_hours: Option<String>,
        #[prost(tag = 15, string, optional)]
        pub ev_rule: Option<String>,
        #[prost(tag = 16, double, optional)]
        pub ev_multiplier: Option<f64>,
        #[prost(tag = 17, btree_map = "string, string")]
        pub sec_id_list: BTreeMap<String, String>,
        #[prost(tag = 18, int32, optional)]
        pub agg_group: Option<i32>,
        #[prost(tag = 19, string, optional)]
        pub under_symbol: Option<String>,
        #[prost(tag = 20, string, optional)]
        pub under_sec_type: Option<String>,
        #[prost(tag = 21, string, optional)]
        pub market_rule_ids: Option<String>,
        #[prost(tag = 22, string, optional)]
        pub real_expiration_date: Option<String>,
        #[prost(tag = 23, string, optional)]
        pub stock_type: Option<String>,
        #[prost(tag = 24, string, optional)]
        pub min_size: Option<String>,
        #[prost(tag = 25, string, optional)]
        pub size_increment: Option<String>,
        #[prost(tag = 26, string, optional)]
        pub suggested_size_increment: Option<String>,
        #[prost(tag = 27, string, optional)]
        pub fund_name: Option<String>,
        #[prost(tag = 28, string, optional)]
        pub fund_family: Option<String>,
        #[prost(tag = 29, string, optional)]
        pub fund_type: Option<String>,
        #[prost(tag = 30, string, optional)]
        pub fund_front_load: Option<String>,
        #[prost(tag = 31, string, optional)]
        pub fund_back_load: Option<String>,
        #[prost(tag = 32, string, optional)]
        pub fund_back_load_time_interval: Option<String>,
        #[prost(tag = 33, string, optional)]
        pub fund_management_fee: Option<String>,
        #[prost(tag = 34, bool, optional)]
        pub fund_closed: Option<bool>,
        #[prost(tag = 35, bool, optional)]
        pub fund_closed_for_new_investors: Option<bool>,
        #[prost(tag = 36, bool, optional)]
        pub fund_closed_for_new_money: Option<bool>,
        #[prost(tag = 37, string, optional)]
        pub fund_notify_amount: Option<String>,
        #[prost(tag = 38, string, optional)]
        pub fund_minimum_initial_purchase: Option<String>,
        #[prost(tag = 39, string, optional)]
        pub fund_minimum_subsequent_purchase: Option<String>,
        #[prost(tag = 40, string, optional)]
        pub fund_blue_sky_states: Option<String>,
        #[prost(tag = 41, string, optional)]
        pub fund_blue_sky_territories: Option<String>,
        #[prost(tag = 42, string, optional)]
        pub fund_distribution_policy_indicator: Option<String>,
        #[prost(tag = 43, string, optional)]
        pub fund_asset_type: Option<String>,
        #[prost(tag = 44, string, optional)]
        pub cusip: Option<String>,
        #[prost(tag = 45, string, optional)]
        pub issue_date: Option<String>,
        #[prost(tag = 46, string, optional)]
        pub ratings: Option<String>,
        #[prost(tag = 47, string, optional)]
        pub bond_type: Option<String>,
        #[prost(tag = 48, double, optional)]
        pub coupon: Option<f64>,
        #[prost(tag = 49, string, optional)]
        pub coupon_type: Option<String>,
        #[prost(tag = 50, bool, optional)]
        pub convertible: Option<bool>,
        #[prost(tag = 51, bool, optional)]
        pub callable: Option<bool>,
        #[prost(tag = 52, bool, optional)]
        pub puttable: Option<bool>,
        #[prost(tag = 53, string, optional)]
        pub desc_append: Option<String>,
        #[prost(tag = 54, string, optional)]
        pub next_option_date: Option<String>,
        #[prost(tag = 55, string, optional)]
        pub next_option_type: Option<String>,
        #[prost(tag = 56, bool, optional)]
        pub next_option_partial: Option<bool>,
        #[prost(tag = 57, string, optional)]
        pub bond_notes: Option<String>,
        #[prost(tag = 58, message, repeated)]
        pub ineligibility_reason_list: Vec<IneligibilityReason>,
        #[prost(tag = 59, string, optional)]
        pub event_contract1: Option<String>,
        #[prost(tag = 60, string, optional)]
        pub event_contract_description1: Option<String>,
        #[prost(tag = 61, string, optional)]
        pub event_contract_description2: Option<String>,
        #[prost(tag = 62, string, optional)]
        pub min_algo_size: Option<String>,
        #[prost(tag = 63, string, optional)]
        pub last_price_precision: Option<String>,
        #[prost(tag = 64, string, optional)]
        pub last_size_precision: Option<String>,
        #[prost(tag = 65, string, optional)]
        pub settlement_method: Option<String>,
    }

    pub struct IneligibilityReason {
        #[prost(tag = 1, string, optional)]
        pub id: Option<String>,
        #[prost(tag = 2, string, optional)]
        pub description: Option<String>,
    }

    pub struct ContractDescription {
        #[prost(tag = 1, message, optional)]
        pub contract: Option<Contract>,
        #[prost(tag = 2, string, repeated)]
        pub derivative_sec_types: Vec<String>,
    }

    pub struct SymbolSamples {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub contract_descriptions: Vec<ContractDescription>,
    }

    pub struct SecDefOptParameter {
        #[prost(tag = 1, int32, optional)]
        pub req_id: Option<i32>,
        #[prost(tag = 2, string, optional)]
        pub exchange: Option<String>,
        #[prost(tag = 3, int32, optional)]
        pub underlying_con_id: Option<i32>,
        #[prost(tag = 4, string, optional)]
        pub trading_class: Option<String>,
        #[prost(tag = 5, string, optional)]
        pub multiplier: Option<String>,
        #[prost(tag = 6, string, repeated)]
        pub expirations: Vec<String>,
        #[prost(tag = 7, double, repeated)]
        pub strikes: Vec<f64>,
    }

    pub struct MarketRule {
        #[prost(tag = 1, int32, optional)]
        pub market_rule_id: Option<i32>,
        #[prost(tag = 2, message, repeated)]
        pub price_increments: Vec<PriceIncrement>,
    }

    pub struct PriceIncrement {
        #[prost(tag = 1, double, optional)]
        pub low_edge: Option<f64>,
        #[prost(tag = 2, double, optional)]
        pub increment: Option<f64>,
    }
}
