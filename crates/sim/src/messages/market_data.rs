//! Requests for single ticks, bars that keep coming and books, and what answers them.

use prost::{Message, Oneof};

use super::Contract;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickByTickRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(crate) tick_type: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) number_of_ticks: Option<i32>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) ignore_size: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickByTickData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) tick_type: Option<i32>,
    #[prost(oneof = "TickByTick", tags = "3, 4, 5")]
    pub(crate) tick: Option<TickByTick>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum TickByTick {
    #[prost(message, tag = "3")]
    Last(HistoricalTickLast),
    #[prost(message, tag = "4")]
    BidAsk(HistoricalTickBidAsk),
    #[prost(message, tag = "5")]
    MidPoint(HistoricalTick),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTicksRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(crate) start_date_time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) end_date_time: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) number_of_ticks: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(crate) what_to_show: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) use_rth: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub(crate) ignore_size: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTick {
    #[prost(int64, optional, tag = "1")]
    pub(crate) time: Option<i64>,
    #[prost(double, optional, tag = "2")]
    pub(crate) price: Option<f64>,
    #[prost(string, optional, tag = "3")]
    pub(crate) size: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTickBidAsk {
    #[prost(int64, optional, tag = "1")]
    pub(crate) time: Option<i64>,
    #[prost(double, optional, tag = "3")]
    pub(crate) price_bid: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(crate) price_ask: Option<f64>,
    #[prost(string, optional, tag = "5")]
    pub(crate) size_bid: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) size_ask: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickAttribLast {
    #[prost(bool, optional, tag = "1")]
    pub(crate) past_limit: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub(crate) unreported: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTickLast {
    #[prost(int64, optional, tag = "1")]
    pub(crate) time: Option<i64>,
    #[prost(message, optional, tag = "2")]
    pub(crate) tick_attrib_last: Option<TickAttribLast>,
    #[prost(double, optional, tag = "3")]
    pub(crate) price: Option<f64>,
    #[prost(string, optional, tag = "4")]
    pub(crate) size: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) exchange: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) special_conditions: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTicks {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) historical_ticks: Vec<HistoricalTick>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) is_done: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTicksBidAsk {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) historical_ticks: Vec<HistoricalTickBidAsk>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) is_done: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalTicksLast {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) historical_ticks: Vec<HistoricalTickLast>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) is_done: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RealTimeBarsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) bar_size: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) what_to_show: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) use_rth: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RealTimeBarTick {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    pub(crate) time: Option<i64>,
    #[prost(double, optional, tag = "3")]
    pub(crate) open: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(crate) high: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(crate) low: Option<f64>,
    #[prost(double, optional, tag = "6")]
    pub(crate) close: Option<f64>,
    #[prost(string, optional, tag = "7")]
    pub(crate) volume: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(crate) wap: Option<String>,
    #[prost(int32, optional, tag = "9")]
    pub(crate) count: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketDepthRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) num_rows: Option<i32>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) is_smart_depth: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketDepthData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) position: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) operation: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) side: Option<i32>,
    #[prost(double, optional, tag = "4")]
    pub(crate) price: Option<f64>,
    #[prost(string, optional, tag = "5")]
    pub(crate) size: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) market_maker: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub(crate) is_smart_depth: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketDepth {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) market_depth_data: Option<MarketDepthData>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketDepthL2 {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) market_depth_data: Option<MarketDepthData>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DepthMarketDataDescription {
    #[prost(string, optional, tag = "1")]
    pub(crate) exchange: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) sec_type: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) listing_exch: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) service_data_type: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) agg_group: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarketDepthExchanges {
    #[prost(message, repeated, tag = "1")]
    pub(crate) depth_market_data_descriptions: Vec<DepthMarketDataDescription>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SmartComponentsRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) bbo_exchange: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SmartComponent {
    #[prost(int32, optional, tag = "1")]
    pub(crate) bit_number: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) exchange: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) exchange_letter: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SmartComponents {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) smart_components: Vec<SmartComponent>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TickGeneric {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) tick_type: Option<i32>,
    #[prost(double, optional, tag = "3")]
    pub(crate) value: Option<f64>,
}

/// The data of a contract are those of another one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RerouteMarketData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) exchange: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RerouteMarketDepth {
    #[prost(int32, optional, tag = "1")]
    pub(crate) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) exchange: Option<String>,
}
