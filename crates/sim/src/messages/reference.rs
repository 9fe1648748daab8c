//! Symbols, price steps, option chains, and the option model.

use prost::Message;

use super::Contract;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MatchingSymbolsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) pattern: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SymbolSamples {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) contract_descriptions: Vec<ContractDescription>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContractDescription {
    #[prost(message, optional, tag = "1")]
    pub(crate) contract: Option<Contract>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) derivative_sec_types: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketRuleRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) market_rule_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketRule {
    #[prost(int32, optional, tag = "1")]
    pub(crate) market_rule_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) price_increments: Vec<PriceIncrement>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PriceIncrement {
    #[prost(double, optional, tag = "1")]
    pub(crate) low_edge: Option<f64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) increment: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SecDefOptParamsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) underlying_symbol: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) fut_fop_exchange: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) underlying_con_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SecDefOptParameter {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) exchange: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) underlying_con_id: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) trading_class: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) multiplier: Option<String>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) expirations: Vec<String>,
    #[prost(double, repeated, tag = "7")]
    pub(crate) strikes: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CalculateImpliedVolatilityRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(double, optional, tag = "3")]
    pub(crate) option_price: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(crate) under_price: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CalculateOptionPriceRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(double, optional, tag = "3")]
    pub(crate) volatility: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(crate) under_price: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickOptionComputation {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) tick_type: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) tick_attrib: Option<i32>,
    #[prost(double, optional, tag = "4")]
    pub(crate) implied_vol: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(crate) delta: Option<f64>,
    #[prost(double, optional, tag = "6")]
    pub(crate) opt_price: Option<f64>,
    #[prost(double, optional, tag = "7")]
    pub(crate) pv_dividend: Option<f64>,
    #[prost(double, optional, tag = "8")]
    pub(crate) gamma: Option<f64>,
    #[prost(double, optional, tag = "9")]
    pub(crate) vega: Option<f64>,
    #[prost(double, optional, tag = "10")]
    pub(crate) theta: Option<f64>,
    #[prost(double, optional, tag = "11")]
    pub(crate) und_price: Option<f64>,
}
