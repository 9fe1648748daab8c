//! Instruments as messages carry them.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contract {
    #[prost(int32, optional, tag = "1")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) symbol: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) sec_type: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) last_trade_date_or_contract_month: Option<String>,
    #[prost(double, optional, tag = "5")]
    pub(crate) strike: Option<f64>,
    #[prost(string, optional, tag = "6")]
    pub(crate) right: Option<String>,
    #[prost(double, optional, tag = "7")]
    pub(crate) multiplier: Option<f64>,
    #[prost(string, optional, tag = "8")]
    pub(crate) exchange: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(crate) primary_exch: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(crate) currency: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(crate) local_symbol: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(crate) trading_class: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(crate) sec_id_type: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub(crate) sec_id: Option<String>,
    #[prost(string, optional, tag = "15")]
    pub(crate) description: Option<String>,
    #[prost(message, repeated, tag = "20")]
    pub(crate) combo_legs: Vec<ComboLeg>,
    #[prost(string, optional, tag = "21")]
    pub(crate) last_trade_date: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ComboLeg {
    #[prost(int32, optional, tag = "1")]
    pub(crate) con_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) ratio: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) action: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContractDetails {
    #[prost(string, optional, tag = "1")]
    pub(crate) market_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) min_tick: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) order_types: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) valid_exchanges: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) price_magnifier: Option<i32>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) under_con_id: Option<i32>,
    #[prost(string, optional, tag = "7")]
    pub(crate) long_name: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(crate) contract_month: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(crate) industry: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(crate) time_zone_id: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(crate) trading_hours: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub(crate) liquid_hours: Option<String>,
    #[prost(string, optional, tag = "19")]
    pub(crate) under_symbol: Option<String>,
    #[prost(string, optional, tag = "20")]
    pub(crate) under_sec_type: Option<String>,
    #[prost(string, optional, tag = "21")]
    pub(crate) market_rule_ids: Option<String>,
    #[prost(string, optional, tag = "22")]
    pub(crate) real_expiration_date: Option<String>,
    #[prost(string, optional, tag = "23")]
    pub(crate) stock_type: Option<String>,
    #[prost(string, optional, tag = "24")]
    pub(crate) min_size: Option<String>,
    #[prost(string, optional, tag = "25")]
    pub(crate) size_increment: Option<String>,
    #[prost(string, optional, tag = "26")]
    pub(crate) suggested_size_increment: Option<String>,
    #[prost(string, optional, tag = "44")]
    pub(crate) cusip: Option<String>,
    #[prost(string, optional, tag = "47")]
    pub(crate) bond_type: Option<String>,
    #[prost(double, optional, tag = "48")]
    pub(crate) coupon: Option<f64>,
    #[prost(string, optional, tag = "49")]
    pub(crate) coupon_type: Option<String>,
    #[prost(string, optional, tag = "53")]
    pub(crate) desc_append: Option<String>,
}
